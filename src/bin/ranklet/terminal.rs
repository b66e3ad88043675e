//! Messages and progress on stderr, and texts that a terminal can only show.

use std::io::{self, IsTerminal, Write};

/// Says something to the person, on stderr, in one line that a terminal can only show. Nobody listening is no error.
pub(crate) fn status(text: &str) {
    let line: String = text.chars().map(printable).collect();
    let _ = writeln!(io::stderr(), "{line}");
}

/// Says what is odd about a model: the first few things, and how many more there are.
pub(crate) fn warnings(warnings: &[String]) {
    const SHOWN: usize = 5;
    for warning in warnings.iter().take(SHOWN) {
        status(&format!("ranklet: warning: {warning}"));
    }
    if warnings.len() > SHOWN {
        status(&format!("ranklet: warning: and {} more like these", warnings.len() - SHOWN));
    }
}

/// A character, or a space for one that would move a terminal's cursor.
fn printable(character: char) -> char {
    match character {
        '\u{2028}' | '\u{2029}' => ' ',
        control if control.is_control() => ' ',
        other => other,
    }
}

/// Progress on stderr, only where somebody watches.
#[derive(Debug)]
pub(crate) struct Progress {
    total: usize,
    shown: bool,
}

impl Progress {
    pub(crate) fn new(total: usize) -> Self {
        Self { total, shown: io::stderr().is_terminal() }
    }

    pub(crate) fn show(&mut self, done: usize) {
        if self.shown {
            let _ = write!(io::stderr(), "\r{done} of {} documents ", self.total);
        }
    }
}

impl Drop for Progress {
    /// Clears the line.
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}

/// A document as a cell of a table: one line, not too long, nothing a terminal would obey.
pub(crate) fn one_line(text: &str) -> String {
    const WIDTH: usize = 90;
    let mut line: String = text
        .chars()
        .take(WIDTH)
        .map(|character| if character.is_control() { ' ' } else { character })
        .collect();
    if text.chars().nth(WIDTH).is_some() {
        line.push('…');
    }
    line
}
