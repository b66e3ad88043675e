//! Documents of `ranklet rank`: text, JSON or JSON Lines, from a file, a pipe or stdin.

use std::path::Path;

use clap::ValueEnum;
use ranklet::Result;
use serde_json::{Map, Value};

use super::{invalid, json_problem, read};

/// The fields that can have a document's text, first found: ours, Pyserini's, and those of LangChain, LlamaIndex and
/// Haystack.
const TEXT_FIELDS: [&str; 5] = ["text", "contents", "content", "pageContent", "page_content"];
const ID_FIELDS: [&str; 4] = ["_id", "id", "docid", "doc_id"];

/// A document and, if its object has one, its id.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) id: Option<String>,
    pub(crate) text: String,
}

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

/// Reads documents. Without a format, the file's extension decides; without an extension (stdin, a pipe), lines that
/// are all JSON objects are JSON Lines, and other lines are text.
///
/// # Errors
/// `input` for an unreadable file, an unknown extension, and an element that is not a document.
pub(crate) fn documents(path: &Path, format: Option<DocumentFormat>) -> Result<Vec<Document>> {
    let format = match format {
        Some(format) => Some(format),
        None => format_of(path)?,
    };
    let text = read(path)?;
    match format.unwrap_or_else(|| detect(&text)) {
        DocumentFormat::Text => {
            Ok(text.lines().map(|line| Document { id: None, text: line.to_owned() }).collect())
        }
        DocumentFormat::Json => from_json(path, &text),
        DocumentFormat::Jsonl => from_json_lines(path, &text),
    }
}

/// Returns the format that the extension names; `None` for stdin and for files without one, such as pipes.
fn format_of(path: &Path) -> Result<Option<DocumentFormat>> {
    let Some(extension) = path.extension().and_then(|extension| extension.to_str()) else { return Ok(None) };
    match extension.to_ascii_lowercase().as_str() {
        "json" => Ok(Some(DocumentFormat::Json)),
        "jsonl" | "ndjson" => Ok(Some(DocumentFormat::Jsonl)),
        "txt" => Ok(Some(DocumentFormat::Text)),
        _ => Err(invalid(
            path,
            "unknown file type for documents: use .json, .jsonl, .ndjson or .txt, or name the form with --format",
        )),
    }
}

fn detect(text: &str) -> DocumentFormat {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
    let is_object =
        |line: &str| line.trim_start().starts_with('{') && serde_json::from_str::<Map<_, _>>(line).is_ok();
    if lines.peek().is_some() && lines.all(is_object) { DocumentFormat::Jsonl } else { DocumentFormat::Text }
}

fn from_json(path: &Path, text: &str) -> Result<Vec<Document>> {
    let values: Vec<Value> = serde_json::from_str(text)
        .map_err(|error| invalid(path, format!("not a JSON array of documents: {}", json_problem(&error))))?;
    let documents = values.into_iter().enumerate().map(|(index, value)| {
        document(value).map_err(|problem| invalid(path, format!("document {index} {problem}")))
    });
    documents.collect()
}

fn from_json_lines(path: &Path, text: &str) -> Result<Vec<Document>> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let documents = lines.map(|(number, line): (usize, &str)| {
        let value =
            serde_json::from_str(line).map_err(|error| format!("is not JSON: {}", json_problem(&error)));
        value.and_then(document).map_err(|problem| invalid(path, format!("line {number} {problem}")))
    });
    documents.collect()
}

/// Reads one document, or says what is wrong with it.
fn document(value: Value) -> std::result::Result<Document, String> {
    let mut fields = match value {
        Value::String(text) => return Ok(Document { id: None, text }),
        Value::Object(fields) => fields,
        other => {
            return Err(format!("is {}; a document is a string or an object with \"text\"", kind(&other)));
        }
    };
    let id = ID_FIELDS.iter().find_map(|name| match fields.get(*name) {
        Some(Value::String(id)) => Some(id.clone()),
        Some(Value::Number(id)) => Some(id.to_string()),
        _ => None,
    });
    let Some(name) = TEXT_FIELDS.into_iter().find(|name| fields.contains_key(*name)) else {
        let found: Vec<&str> = fields.keys().map(String::as_str).collect();
        let found = if found.is_empty() { "no field".to_owned() } else { found.join(", ") };
        return Err(format!("has no \"text\" (it has {found})"));
    };
    // A document of a BEIR corpus is its title and its text.
    let title = match (fields.contains_key("_id"), fields.remove("title")) {
        (true, Some(Value::String(title))) => Some(title),
        _ => None,
    };
    match fields.remove(name) {
        Some(Value::String(text)) => Ok(Document { id, text: with_title(title, text) }),
        Some(other) => Err(format!("has no text: its {name:?} is {}", kind(&other))),
        None => Err(format!("has no {name:?}")),
    }
}

/// Joins the title and the text of a document as BEIR does for rerankers.
pub(crate) fn with_title(title: Option<String>, text: String) -> String {
    match title.filter(|title| !title.is_empty()) {
        Some(title) => format!("{title} {text}").trim().to_owned(),
        None => text,
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
