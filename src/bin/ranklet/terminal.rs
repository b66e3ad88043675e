//! Messages and progress on stderr, and texts without control characters.

use std::io::{self, IsTerminal, Write};

/// Writes a message to stderr, in one line without control characters. Ignores a closed stderr.
pub(crate) fn status(text: &str) {
    let line: String = text.chars().map(printable).collect();
    let _ = writeln!(io::stderr(), "{line}");
}

/// Writes a model's warnings to stderr: the first few, and the number of the others.
pub(crate) fn warnings(warnings: &[String]) {
    const SHOWN: usize = 5;
    for warning in warnings.iter().take(SHOWN) {
        status(&format!("ranklet: warning: {warning}"));
    }
    if warnings.len() > SHOWN {
        status(&format!("ranklet: warning: and {} more like these", warnings.len() - SHOWN));
    }
}

/// Returns the character, or a space for one that would move a terminal's cursor.
pub(crate) fn printable(character: char) -> char {
    match character {
        '\u{2028}' | '\u{2029}' => ' ',
        control if control.is_control() => ' ',
        other => other,
    }
}

/// Returns whether escape codes of terminals may be written to stdout: if it is a terminal with colors, or
/// `CLICOLOR_FORCE` is set, and `NO_COLOR` is not.
pub(crate) fn has_colors() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    let is_plain = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !no_color && (is_set("CLICOLOR_FORCE") || io::stdout().is_terminal() && (cfg!(windows) || !is_plain))
}

/// Progress on stderr, if that is a terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    total: usize,
    things: &'static str,
    shown: bool,
}

impl Progress {
    /// Counts things up to a total; `things` is their name in the plural.
    pub(crate) fn new(total: usize, things: &'static str) -> Self {
        Self { total, things, shown: io::stderr().is_terminal() }
    }

    pub(crate) fn show(&mut self, done: usize) {
        if self.shown {
            let _ = write!(io::stderr(), "\r{done} of {} {} ", self.total, self.things);
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

/// Shortens a document to one line without control characters, for a cell of a table.
pub(crate) fn one_line(text: &str) -> String {
    const WIDTH: usize = 90;
    let mut line: String = text.chars().take(WIDTH).map(printable).collect();
    if text.chars().nth(WIDTH).is_some() {
        line.push('…');
    }
    line
}
