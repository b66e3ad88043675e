//! Files of documents of `ranklet rank`: text, JSON or JSON Lines, from a file, a pipe or stdin.

use std::path::Path;

use clap::ValueEnum;
use ranklet::internals::{json_problem, parse_json};
use ranklet::{JsonValue, Result};

use super::document::{Document, DocumentFields, plain};
use super::{invalid, read};

/// The fields of an object that can have the list of documents: requests and responses of rerank services, LlamaIndex's
/// responses, and those of search engines, where `hits` may be an object with `hits`.
const LISTS: [&str; 5] = ["documents", "results", "nodes", "source_nodes", "hits"];

/// The fields of an object.
type Fields = Vec<(String, JsonValue)>;

/// The form of a file of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DocumentFormat {
    /// One document per line.
    Text,
    /// An array of strings or objects.
    Json,
    /// One JSON string or object per line.
    Jsonl,
}

/// Reads documents. Without a format, the file's extension decides; without an extension (stdin, a pipe), an array of
/// documents is JSON, lines that are JSON objects are JSON Lines, and anything else is text.
///
/// # Errors
/// `input` for an unreadable file, an unknown extension, and an element that is not a document.
pub(crate) fn documents(
    path: &Path,
    format: Option<DocumentFormat>,
    fields: &DocumentFields,
) -> Result<Vec<Document>> {
    let format = match format {
        Some(format) => Some(format),
        None => format_of(path)?,
    };
    let text = read(path)?;
    let values = match format.unwrap_or_else(|| detect(&text)) {
        DocumentFormat::Text => {
            let lines = text.lines().map(|line| Ok(JsonValue::String(line.to_owned())));
            Values { unit: "line", values: (1..).zip(lines).collect() }
        }
        DocumentFormat::Json if text.trim().is_empty() => {
            return Err(invalid(
                path,
                "the file is empty; a JSON file of documents has an array, such as [\"a text\"]",
            ));
        }
        DocumentFormat::Json | DocumentFormat::Jsonl => from_json(path, &text)?,
    };
    values.documents(path, fields)
}

/// Documents as JSON values, each with its number in the unit of the file, or the problem with it.
struct Values {
    unit: &'static str,
    values: Vec<(usize, std::result::Result<JsonValue, String>)>,
}

impl Values {
    /// The documents of an array, counted from 0.
    fn of_array(values: Vec<JsonValue>) -> Self {
        Self { unit: "document", values: (0..).zip(values.into_iter().map(Ok)).collect() }
    }

    fn documents(self, path: &Path, fields: &DocumentFields) -> Result<Vec<Document>> {
        let failed =
            |number: usize, problem: &str| invalid(path, format!("{} {number} {problem}", self.unit));
        let (mut numbers, mut values) = (Vec::new(), Vec::new());
        for (number, value) in self.values {
            values.push(value.map_err(|problem| failed(number, &problem))?);
            numbers.push(number);
        }
        fields.read(values).map_err(|problem| match problem.index {
            Some(index) => failed(numbers[index], &problem.message),
            None => invalid(path, problem.message),
        })
    }
}

/// Returns the format that the extension names; `None` for stdin and for files without one, such as pipes.
fn format_of(path: &Path) -> Result<Option<DocumentFormat>> {
    let Some(extension) = path.extension().and_then(|extension| extension.to_str()) else { return Ok(None) };
    match extension.to_ascii_lowercase().as_str() {
        "json" => Ok(Some(DocumentFormat::Json)),
        "jsonl" | "ndjson" => Ok(Some(DocumentFormat::Jsonl)),
        "txt" => Ok(Some(DocumentFormat::Text)),
        // Their content says more than their name.
        "gz" | "zst" | "bz2" | "xz" | "zip" | "parquet" => read(path).map(|_| None),
        _ => Err(invalid(
            path,
            "unknown file type for documents: use .json, .jsonl, .ndjson or .txt, or name the format with --format",
        )),
    }
}

fn detect(text: &str) -> DocumentFormat {
    let is_json = match text.trim_start().chars().next() {
        Some('[') => parse_json::<Vec<JsonValue>>(text.as_bytes())
            .is_ok_and(|items| !items.is_empty() && items.iter().all(|item| plain(item).is_ok())),
        Some('{') => object(text).is_some(),
        _ => false,
    };
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
    // After a line that has a text, a line that is no JSON is a mistake, which must not turn all lines into text.
    let begins_with_document =
        lines.peek().and_then(|line| object(line)).is_some_and(|value| plain(&value).is_ok());
    if is_json {
        DocumentFormat::Json
    } else if begins_with_document || lines.peek().is_some() && lines.all(|line| object(line).is_some()) {
        DocumentFormat::Jsonl
    } else {
        DocumentFormat::Text
    }
}

/// Reads an object; `None` for any other text.
fn object(text: &str) -> Option<JsonValue> {
    let is_object = text.trim_start().starts_with('{');
    if is_object { parse_json(text.as_bytes()).ok() } else { None }
}

/// Reads an array of documents, an object with such an array, or JSON Lines: files of each form have both extensions.
fn from_json(path: &Path, text: &str) -> Result<Values> {
    let is_array = text.trim_start().starts_with('[');
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let is_one_line = lines.next().is_some() && lines.next().is_none();
    let whole = if is_array || !is_one_line { parse_json(text.as_bytes()) } else { Ok(JsonValue::Null) };
    let values = match whole {
        Ok(JsonValue::Array(values)) => values,
        Ok(JsonValue::Object(object)) => match list(object) {
            Ok(values) => values,
            Err(object) => vec![JsonValue::Object(object)],
        },
        // A list of lists is one on its own line, as in JSON Lines of another kind.
        Err(error) if is_array => {
            let problem = json_problem(&error);
            return Err(invalid(path, format!("not a JSON array of documents: {problem}")));
        }
        _ => return Ok(from_json_lines(text)),
    };
    Ok(Values::of_array(values))
}

fn from_json_lines(text: &str) -> Values {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let parse = |line: &str| {
        parse_json(line.as_bytes()).map_err(|error| format!("is not JSON: {}", json_problem(&error)))
    };
    let mut values: Vec<_> = lines.map(|(number, line)| (number, parse(line))).collect();
    if let [(_, Ok(JsonValue::Object(object)))] = &mut values[..] {
        match list(std::mem::take(object)) {
            Ok(values) => return Values::of_array(values),
            Err(whole) => *object = whole,
        }
    }
    Values { unit: "line", values }
}

/// Takes the list of documents out of an object, or returns the object, which is a document itself.
fn list(mut object: Fields) -> std::result::Result<Vec<JsonValue>, Fields> {
    for name in LISTS {
        let Some(index) = object.iter().position(|(field, _)| field == name) else { continue };
        match &mut object[index].1 {
            JsonValue::Array(values) => return Ok(std::mem::take(values)),
            JsonValue::Object(inner) if name == "hits" => {
                return list(std::mem::take(inner)).map_err(|inner| {
                    object[index].1 = JsonValue::Object(inner);
                    object
                });
            }
            _ => {}
        }
    }
    Err(object)
}
