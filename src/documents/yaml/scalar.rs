//! Styles of strings in YAML, as PyYAML chooses them.

/// A style of a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    Plain,
    SingleQuoted,
    DoubleQuoted,
}

/// Whether YAML 1.1 ends a line here.
pub(super) fn is_line_break(char: char) -> bool {
    matches!(char, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether an indicator next to this character is one.
fn is_separator(char: char) -> bool {
    matches!(char, '\0' | ' ' | '\t' | '\r') || is_line_break(char)
}

/// Whether a character needs no escape. PyYAML takes U+10FFFF for one that does.
fn is_printable(char: char) -> bool {
    match char {
        '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{10ffff}' => false,
        '\n' | ' '..='~' | '\u{85}' => true,
        other => other >= '\u{a0}',
    }
}

/// Chooses the first style that reads as the same string: plain, then single quotes.
pub(super) fn choose_style(text: &str) -> Scalar {
    let is_spaced = |char: char| char == ' ' || is_line_break(char);
    let has_break = text.contains(is_line_break);
    let has_outer_space = text.starts_with(is_spaced) || text.ends_with(is_spaced);
    let neighbors = || text.chars().zip(text.chars().skip(1));
    let has_break_space = neighbors().any(|(first, second)| is_line_break(first) && second == ' ');
    let has_space_break = neighbors().any(|(first, second)| first == ' ' && is_line_break(second));
    let is_plain = !text.is_empty()
        && !has_break
        && !has_outer_space
        && !has_indicators(text)
        && !reads_as_another_type(text);
    if has_space_break || !text.chars().all(is_printable) {
        Scalar::DoubleQuoted
    } else if is_plain {
        Scalar::Plain
    } else if has_break_space {
        Scalar::DoubleQuoted
    } else {
        Scalar::SingleQuoted
    }
}

/// Whether a text would be read as YAML's syntax.
fn has_indicators(text: &str) -> bool {
    let mut before = None;
    let mut chars = text.chars().peekable();
    let mut found = text.starts_with("---") || text.starts_with("...");
    while let Some(char) = chars.next() {
        let ends = chars.peek().is_none_or(|next| is_separator(*next));
        found |= match (before, char) {
            (
                None,
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
                | '`',
            ) => true,
            (None, '?' | ':' | '-') => ends,
            (Some(_), ':') => ends,
            (Some(before), '#') => is_separator(before),
            _ => false,
        };
        before = Some(char);
    }
    found
}

/// Whether YAML 1.1, as PyYAML resolves it, reads a plain text as a boolean, a number, null, a date or a merge.
fn reads_as_another_type(text: &str) -> bool {
    const WORDS: [&str; 24] = [
        "yes", "Yes", "YES", "no", "No", "NO", "true", "True", "TRUE", "false", "False", "FALSE", "on", "On",
        "ON", "off", "Off", "OFF", "~", "null", "Null", "NULL", "<<", "=",
    ];
    WORDS.contains(&text) || is_int(text) || is_float(text) || is_timestamp(text)
}

/// Removes a sign from the start.
fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn all(text: &str, is_digit: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(is_digit)
}

fn is_digit_or_underscore(char: char) -> bool {
    char.is_ascii_digit() || char == '_'
}

/// `0b1`, `017`, `0`, `1_000`, `0x1f`, `1:30`.
fn is_int(text: &str) -> bool {
    let text = unsigned(text);
    let is_octal = |text: &str| all(text, |char| matches!(char, '0'..='7' | '_'));
    let starts_above_zero = text.starts_with(|char: char| matches!(char, '1'..='9'));
    text == "0"
        || text.strip_prefix("0b").is_some_and(|bits| all(bits, |char| matches!(char, '0' | '1' | '_')))
        || text.strip_prefix("0x").is_some_and(|hex| all(hex, |char| char.is_ascii_hexdigit() || char == '_'))
        || text.strip_prefix('0').is_some_and(is_octal)
        || starts_above_zero && is_sexagesimal(text)
}

/// Digits, and perhaps groups of sixty after them: `1:30:00`.
fn is_sexagesimal(text: &str) -> bool {
    let mut groups = text.split(':');
    groups.next().is_some_and(|first| {
        first.starts_with(|char: char| char.is_ascii_digit()) && all(first, is_digit_or_underscore)
    }) && groups.all(is_below_sixty)
}

fn is_below_sixty(group: &str) -> bool {
    match group.as_bytes() {
        [digit] => digit.is_ascii_digit(),
        [tens, digit] => matches!(tens, b'0'..=b'5') && digit.is_ascii_digit(),
        _ => false,
    }
}

/// `1.5`, `.5`, `1.5e+3`, `1:30.5`, `.inf`, `.nan`.
fn is_float(text: &str) -> bool {
    let without_sign = unsigned(text);
    if matches!(without_sign, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let Some((whole, rest)) = without_sign.split_once('.') else { return false };
    let (fraction, exponent) = match rest.split_once(['e', 'E']) {
        Some((fraction, exponent)) => (fraction, Some(exponent)),
        None => (rest, None),
    };
    let is_exponent = |text: &str| {
        text.strip_prefix(['-', '+']).is_some_and(|digits| all(digits, |char| char.is_ascii_digit()))
    };
    if !exponent.is_none_or(is_exponent) || !fraction.chars().all(is_digit_or_underscore) {
        return false;
    }
    if whole.is_empty() {
        // Without a sign.
        return without_sign == text && fraction.starts_with(|char: char| char.is_ascii_digit());
    }
    is_sexagesimal(whole) && (exponent.is_none() || !whole.contains(':'))
}

/// `2001-12-14`, or a date with a time.
fn is_timestamp(text: &str) -> bool {
    let mut scanner = Scanner(text);
    let is_day = text.len() == 10
        && scanner.digits(4..=4)
        && scanner.char('-')
        && scanner.digits(2..=2)
        && scanner.char('-')
        && scanner.digits(2..=2);
    is_day || is_time(Scanner(text)).is_some()
}

/// Reads a date and a time, such as `2001-1-1T1:02:03.5 -05:00`.
fn is_time(mut scanner: Scanner<'_>) -> Option<()> {
    let found = |found: bool| found.then_some(());
    found(scanner.digits(4..=4) && scanner.char('-') && scanner.digits(1..=2))?;
    found(scanner.char('-') && scanner.digits(1..=2))?;
    found(scanner.char('T') || scanner.char('t') || scanner.skip_blanks())?;
    found(scanner.digits(1..=2) && scanner.char(':') && scanner.digits(2..=2))?;
    found(scanner.char(':') && scanner.digits(2..=2))?;
    if scanner.char('.') {
        scanner.digits(0..=usize::MAX);
    }
    if scanner.0.is_empty() {
        return Some(());
    }
    scanner.skip_blanks();
    if !scanner.char('Z') {
        found((scanner.char('-') || scanner.char('+')) && scanner.digits(1..=2))?;
        if scanner.char(':') {
            found(scanner.digits(2..=2))?;
        }
    }
    found(scanner.0.is_empty())
}

/// The rest of a text that is read from its start.
struct Scanner<'a>(&'a str);

impl Scanner<'_> {
    fn char(&mut self, char: char) -> bool {
        match self.0.strip_prefix(char) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Reads as many digits as there are, up to the end of `count`; returns whether there are enough.
    fn digits(&mut self, count: std::ops::RangeInclusive<usize>) -> bool {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count().min(*count.end());
        self.0 = &self.0[digits..];
        digits >= *count.start()
    }

    /// Skips spaces and tabs; returns whether there is one.
    fn skip_blanks(&mut self) -> bool {
        let rest = self.0.trim_start_matches([' ', '\t']);
        let skipped = rest.len() < self.0.len();
        self.0 = rest;
        skipped
    }
}

/// Escapes a text for double quotes. PyYAML escapes all characters past U+FFFF here.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        let is_plain = matches!(char, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
            && !matches!(char, '"' | '\\' | '\u{2028}' | '\u{2029}' | '\u{feff}');
        if is_plain {
            escaped.push(char);
            continue;
        }
        escaped.push('\\');
        let letter = match char {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' | '\\' => char,
            '\u{85}' => 'N',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let code = u32::from(char);
                escaped.push_str(&match char.len_utf16() {
                    1 if code <= 0xff => format!("x{code:02X}"),
                    1 => format!("u{code:04X}"),
                    _ => format!("U{code:08X}"),
                });
                continue;
            }
        };
        escaped.push(letter);
    }
    escaped
}
