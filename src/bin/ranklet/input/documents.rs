//! Documents of `ranklet rank`: text, JSON or JSON Lines, from a file, a pipe or stdin.

use std::path::Path;

use clap::ValueEnum;
use ranklet::Result;
use ranklet::internals::json_problem;
use serde_json::{Map, Value};

use super::{invalid, json_kind, read};
use crate::text_fields::{text_field, text_fields};

const ID_FIELDS: [&str; 4] = ["_id", "id", "docid", "doc_id"];
/// The fields in which other programs put a whole document: LangChain's dumps, LlamaIndex's scored nodes, results of
/// rerank services, and hits of Elasticsearch.
const WRAPPERS: [&str; 4] = ["kwargs", "node", "document", "_source"];
/// The fields of an object that can have the list of documents: requests and responses of rerank services, LlamaIndex's
/// responses, and those of search engines, where `hits` may be an object with `hits`.
const LISTS: [&str; 5] = ["documents", "results", "nodes", "source_nodes", "hits"];

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

/// Reads documents. Without a format, the file's extension decides; without an extension (stdin, a pipe), an array of
/// documents is JSON, lines that are JSON objects are JSON Lines, and anything else is text.
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
        DocumentFormat::Json if text.trim().is_empty() => Err(invalid(
            path,
            "the file is empty; a JSON file of documents has an array, such as [\"a text\"]",
        )),
        DocumentFormat::Json | DocumentFormat::Jsonl => from_json(path, &text),
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
        Some('[') => serde_json::from_str::<Vec<Value>>(text)
            .is_ok_and(|items| !items.is_empty() && items.into_iter().all(|item| document(item).is_ok())),
        Some('{') => serde_json::from_str::<Map<_, _>>(text).is_ok(),
        _ => false,
    };
    let object = |line: &str| match line.trim_start().starts_with('{') {
        true => serde_json::from_str::<Map<_, _>>(line).ok(),
        false => None,
    };
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).peekable();
    // After a line that has a text, a line that is no JSON is a mistake, which must not turn all lines into text.
    let begins_with_document = lines
        .peek()
        .and_then(|line| object(line))
        .is_some_and(|fields| document(Value::Object(fields)).is_ok());
    if is_json {
        DocumentFormat::Json
    } else if begins_with_document || lines.peek().is_some() && lines.all(|line| object(line).is_some()) {
        DocumentFormat::Jsonl
    } else {
        DocumentFormat::Text
    }
}

/// Reads an array of documents, an object with such an array, or JSON Lines: files of each form have both extensions.
fn from_json(path: &Path, text: &str) -> Result<Vec<Document>> {
    let is_array = text.trim_start().starts_with('[');
    let mut lines = text.lines().filter(|line| !line.trim().is_empty());
    let is_one_line = lines.next().is_some() && lines.next().is_none();
    let whole = if is_array || !is_one_line { serde_json::from_str(text) } else { Ok(Value::Null) };
    let values = match whole {
        Ok(Value::Array(values)) => values,
        Ok(Value::Object(object)) => match list(object) {
            Ok(values) => values,
            Err(object) => vec![Value::Object(object)],
        },
        // A list of lists is one on its own line, as in JSON Lines of another kind.
        Err(error) if is_array => {
            let problem = json_problem(&error);
            return Err(invalid(path, format!("not a JSON array of documents: {problem}")));
        }
        _ => return from_json_lines(path, text),
    };
    numbered(path, "document", (0..).zip(values.into_iter().map(Ok)))
}

fn from_json_lines(path: &Path, text: &str) -> Result<Vec<Document>> {
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let parse =
        |line| serde_json::from_str(line).map_err(|error| format!("is not JSON: {}", json_problem(&error)));
    let mut values: Vec<_> = lines.map(|(number, line)| (number, parse(line))).collect();
    if let [(_, Ok(Value::Object(object)))] = &mut values[..] {
        match list(std::mem::take(object)) {
            Ok(values) => return numbered(path, "document", (0..).zip(values.into_iter().map(Ok))),
            Err(whole) => *object = whole,
        }
    }
    numbered(path, "line", values)
}

/// Reads the documents in JSON values, each with its number in the unit of the file.
fn numbered(
    path: &Path,
    unit: &str,
    values: impl IntoIterator<Item = (usize, std::result::Result<Value, String>)>,
) -> Result<Vec<Document>> {
    let read = |(number, value): (_, std::result::Result<_, String>)| {
        value.and_then(document).map_err(|problem| invalid(path, format!("{unit} {number} {problem}")))
    };
    values.into_iter().map(read).collect()
}

/// Takes the list of documents out of an object, or returns the object, which is a document itself.
fn list(mut object: Map<String, Value>) -> std::result::Result<Vec<Value>, Map<String, Value>> {
    for name in LISTS {
        match object.remove(name) {
            Some(Value::Array(values)) => return Ok(values),
            Some(Value::Object(inner)) if name == "hits" => {
                return list(inner).map_err(|inner| {
                    object.insert(name.to_owned(), Value::Object(inner));
                    object
                });
            }
            Some(other) => drop(object.insert(name.to_owned(), other)),
            None => {}
        }
    }
    Err(object)
}

/// Reads one document, or says what is wrong with it.
fn document(value: Value) -> std::result::Result<Document, String> {
    let fields = match value {
        Value::String(text) => return Ok(Document { id: None, text }),
        Value::Object(fields) => fields,
        other => {
            return Err(format!(
                "is {}; a document is a string or an object with \"text\"",
                json_kind(&other)
            ));
        }
    };
    let id = ID_FIELDS.iter().find_map(|name| match fields.get(*name) {
        Some(Value::String(id)) => Some(id.clone()),
        Some(Value::Number(id)) => Some(id.to_string()),
        _ => None,
    });
    let Some((name, text)) = text_field(&fields) else {
        if let Some(inner) =
            WRAPPERS.iter().find_map(|name| fields.get(*name).filter(|inner| inner.is_object()))
        {
            let inner = document(inner.clone())?;
            return Ok(Document { id: id.or(inner.id), ..inner });
        }
        if let Some((name, value)) =
            text_fields().iter().find_map(|name| Some((name, fields.get(name.as_str())?)))
        {
            return Err(format!("has no text: its {name:?} is {}", json_kind(value)));
        }
        let found: Vec<&str> = fields.keys().map(String::as_str).collect();
        let found = if found.is_empty() { "no field".to_owned() } else { found.join(", ") };
        return Err(format!("has no \"text\" (it has {found})"));
    };
    // A document of a BEIR corpus is its title and its text.
    let title = match fields.get("title") {
        Some(Value::String(title)) if name != "title" && fields.contains_key("_id") => Some(title.as_str()),
        _ => None,
    };
    Ok(Document { id, text: with_title(title, text) })
}

/// Joins the title and the text of a document as BEIR does for rerankers.
pub(crate) fn with_title(title: Option<&str>, text: &str) -> String {
    match title.filter(|title| !title.is_empty()) {
        Some(title) => format!("{title} {text}").trim().to_owned(),
        None => text.to_owned(),
    }
}
