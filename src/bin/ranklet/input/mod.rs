//! Reads the files named by arguments, with errors that name the file and the line.

mod document;
mod documents;

use std::io::Read;
use std::path::Path;

use ranklet::internals::{json_problem, parse_json};
use ranklet::{Error, ErrorKind, JsonValue, Result};
use serde::Deserialize;

pub(crate) use document::{Document, DocumentFields, with_title};
pub(crate) use documents::{DocumentFormat, documents};

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

/// Reads pairs: one JSON array of two strings per line, or an array of such arrays.
pub(crate) fn pairs(path: &Path) -> Result<Vec<(String, String)>> {
    let text = read(path)?;
    if let Ok(pairs) = parse_json::<Vec<[String; 2]>>(text.as_bytes()) {
        return Ok(pairs.into_iter().map(|[query, document]| (query, document)).collect());
    }
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let parse = |(number, line)| {
        pair(line).map_err(|problem| {
            invalid(path, format!("line {number} is not [\"query\", \"document\"]: {problem}"))
        })
    };
    lines.map(parse).collect()
}

/// Reads a pair, or says what its line has instead.
fn pair(line: &str) -> std::result::Result<(String, String), String> {
    match parse_json(line.as_bytes()).map_err(|error| json_problem(&error))? {
        JsonValue::Array(parts) => match &parts[..] {
            [JsonValue::String(query), JsonValue::String(document)] => Ok((query.clone(), document.clone())),
            [query, document] => Err(format!("it has {} and {}", json_kind(query), json_kind(document))),
            _ => Err(format!("it has {} elements", parts.len())),
        },
        other => Err(format!("it is {}", json_kind(&other))),
    }
}

/// Names the kind of a JSON value for messages.
pub(crate) fn json_kind(value: &JsonValue) -> &'static str {
    match value {
        JsonValue::Null => "null",
        JsonValue::Bool(_) => "a boolean",
        JsonValue::Number(_) => "a number",
        JsonValue::String(_) => "a string",
        JsonValue::Array(_) => "an array",
        JsonValue::Object(_) => "an object",
    }
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

/// Reads a file or stdin as text, without a byte order mark.
///
/// # Errors
/// `input` for an unreadable file and for bytes that are not UTF-8, which says what they are.
pub(crate) fn read(path: &Path) -> Result<String> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    let bytes = bytes.map_err(|error| invalid(path, error))?;
    if let Some(problem) = other_content(&bytes) {
        return Err(invalid(path, problem));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        invalid(
            path,
            format!("not UTF-8 text (from byte {at} on): convert it, for example with iconv -f ISO-8859-1 -t UTF-8"),
        )
    })?;
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Ok(rest.to_owned()),
        None => Ok(text),
    }
}

/// Names the content of a file that is not UTF-8 text, and a way to read it.
fn other_content(bytes: &[u8]) -> Option<&'static str> {
    const FORMS: [(&[u8], &str); 7] = [
        (b"\x1f\x8b", "compressed with gzip: decompress it first, for example with gunzip"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd: decompress it first, for example with unzstd"),
        (b"BZh", "compressed with bzip2: decompress it first, for example with bunzip2"),
        (b"\xfd7zXZ", "compressed with xz: decompress it first, for example with unxz"),
        (b"PK\x03\x04", "a zip archive: unpack it first"),
        (b"PAR1", "a Parquet file: convert it to JSON Lines first"),
        (b"\xff\xfe", "UTF-16 text: convert it first, for example with iconv -f UTF-16 -t UTF-8"),
    ];
    FORMS.into_iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, problem)| problem)
}

pub(crate) fn invalid(path: &Path, problem: impl std::fmt::Display) -> Error {
    let name = if path == Path::new("-") { "stdin".into() } else { path.display().to_string() };
    Error::new(ErrorKind::Input, format!("{name}: {problem}"))
}
