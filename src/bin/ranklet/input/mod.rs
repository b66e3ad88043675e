//! Reads the files named by arguments, with errors that name the file and the line.

mod documents;

use std::path::Path;

use ranklet::{Error, ErrorKind, Result};
use serde::Deserialize;

pub(crate) use documents::{Document, DocumentFormat, documents, with_title};

/// An id, written as a string or as a number.
#[derive(Debug, Deserialize)]
#[serde(from = "RawId")]
pub(crate) struct Id(String);

#[derive(Deserialize)]
#[serde(untagged, expecting = "an id must be a string or a whole number")]
enum RawId {
    Text(String),
    Number(i64),
}

impl From<RawId> for Id {
    fn from(written: RawId) -> Self {
        match written {
            RawId::Text(text) => Self(text),
            RawId::Number(number) => Self(number.to_string()),
        }
    }
}

impl Id {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads pairs, one JSON array of two strings per line.
pub(crate) fn pairs(path: &Path) -> Result<Vec<(String, String)>> {
    json_lines(path, &read(path)?, "[\"query\", \"document\"]", |line| serde_json::from_str(line))
}

/// Parses each line that is not blank.
///
/// # Errors
/// `input` for a line that is not `wanted`, with its number.
pub(crate) fn json_lines<T>(
    path: &Path,
    text: &str,
    wanted: &str,
    parse: impl Fn(&str) -> serde_json::Result<T>,
) -> Result<Vec<T>> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line): &(usize, &str)| !line.trim().is_empty())
        .map(|(number, line)| {
            let fail =
                |error| invalid(path, format!("line {number} is not {wanted}: {}", json_problem(&error)));
            parse(line).map_err(fail)
        })
        .collect()
}

/// Describes what is wrong with JSON. Leaves out serde's line number if the text is one line of a file, because the
/// caller names the line of the file.
pub(crate) fn json_problem(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match (error.line(), text.rsplit_once(" at line ")) {
        (0 | 1, Some((problem, _))) => format!("{problem} at column {}", error.column()),
        _ => text,
    }
}

/// Reads a file or stdin as text, without a byte order mark.
pub(crate) fn read(path: &Path) -> Result<String> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| invalid(path, error))?;
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Ok(rest.to_owned()),
        None => Ok(text),
    }
}

pub(crate) fn invalid(path: &Path, problem: impl std::fmt::Display) -> Error {
    let name = if path == Path::new("-") { "stdin".into() } else { path.display().to_string() };
    Error::new(ErrorKind::Input, format!("{name}: {problem}"))
}
