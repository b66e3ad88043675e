//! The texts of documents that are JSON values: which fields are scored, and how they are written.

mod bounded_text;
mod json_value;
mod lines;
mod text_fields;
mod yaml;

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorItem, ItemKind, Result, input};
use bounded_text::BoundedText;
use lines::{is_flat, write_flat};

pub use json_value::JsonValue;
pub use text_fields::{text_field, text_fields};

/// How the fields of a document become its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Structured {
    /// YAML, as PyYAML writes it with `safe_dump(document, sort_keys=False, allow_unicode=True, width=inf)`.
    Yaml,
    /// A line `path: value` per leaf.
    Lines,
}

impl FromStr for Structured {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "yaml" => Ok(Structured::Yaml),
            "lines" => Ok(Structured::Lines),
            _ => Err(input(format!("unknown form of structured texts {name:?}: use one of yaml, lines"))),
        }
    }
}

/// The [source](std::error::Error::source) of an error about documents whose texts are too long together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TextsTooLong;

impl fmt::Display for TextsTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the texts of all documents together are too long")
    }
}

impl std::error::Error for TextsTooLong {}

/// Returns the texts of documents.
///
/// - Without options: the string itself, or the first field that is a string among `text`, `pageContent`,
///   `page_content`, `content`, `contents`, `body`, `passage`, `snippet` and `title`.
/// - With `rank_fields`: the value of the only field, or several as lines `field: value`. A field is a name or a path
///   with dots through objects and arrays, such as `author.name`; a field whose own name has the dots wins. A field that
///   is missing or `null` is left out, and one that is named again is written once.
/// - With `structured`: these fields, or all without `rank_fields`, in that form. A document that is a string is its own
///   text then.
/// - With `max_bytes`: no more than these bytes in all texts together. Texts can be much longer than the documents, because
///   several fields may have the same values, lines repeat the names on their path, and YAML indents them.
///
/// # Errors
/// `input` for a document without a text, with its index as [`Error::item`], and if no document has any of the fields;
/// `input` for texts of more than `max_bytes`, with the index of the first document beyond them and the source
/// [`TextsTooLong`].
pub fn document_texts<F: AsRef<str>>(
    documents: &[JsonValue],
    rank_fields: Option<&[F]>,
    structured: Option<Structured>,
    max_bytes: Option<usize>,
) -> Result<Vec<String>> {
    let rank_fields = rank_fields.map(distinct);
    if let Some(fields) = &rank_fields {
        let is_text = |document: &JsonValue| structured.is_some() && document.as_str().is_some();
        let has_field = |document: &JsonValue| {
            is_text(document) || fields.iter().any(|field| document.at(field).is_some())
        };
        if !documents.is_empty() && !documents.iter().any(has_field) {
            return Err(input(format!("no document has a field of rank_fields: {}", fields.join(", "))));
        }
    }
    let max_bytes = max_bytes.unwrap_or(usize::MAX);
    let mut left = max_bytes;
    let texts = documents.iter().enumerate().map(|(index, document)| {
        let mut text = BoundedText::new(left);
        let item = ErrorItem { kind: ItemKind::Document, range: index..index + 1 };
        write_text(document, rank_fields.as_deref(), structured, &mut text)
            .map_err(|problem| input(problem).about(item.clone()))?;
        let text = text.finish().ok_or_else(|| too_long(max_bytes).about(item))?;
        left -= text.len();
        Ok(text)
    });
    texts.collect()
}

/// Returns each name once.
fn distinct<F: AsRef<str>>(names: &[F]) -> Vec<&str> {
    let mut known = HashSet::new();
    names.iter().map(AsRef::as_ref).filter(|name| known.insert(*name)).collect()
}

fn too_long(max_bytes: usize) -> Error {
    let message = format!(
        "makes the texts of all documents longer than {max_bytes} bytes together; name fewer fields in rank_fields"
    );
    input(message).with_source(TextsTooLong)
}

fn write_text(
    document: &JsonValue,
    rank_fields: Option<&[&str]>,
    structured: Option<Structured>,
    text: &mut BoundedText,
) -> Result<(), String> {
    match (structured, rank_fields) {
        (None, None) => text.push_str(plain_text(document)?),
        (None, Some(fields)) => write_fields(document, fields, text)?,
        (Some(structured), fields) => write_structured(document, fields, structured, text)?,
    }
    Ok(())
}

fn plain_text(document: &JsonValue) -> Result<&str, String> {
    let text = document.as_str().or_else(|| text_field(document).map(|(_, text)| text));
    text.ok_or_else(|| {
        format!(
            "has no string text, nor any of {}; name the fields in rank_fields",
            text_fields()[1..].join(", ")
        )
    })
}

fn write_fields(document: &JsonValue, fields: &[&str], text: &mut BoundedText) -> Result<(), String> {
    for (field, value) in chosen_fields(document, fields)? {
        if !is_flat(&value) {
            return Err(format!(
                "field {field:?} of rank_fields must be a string, a number, a boolean or an array of these; name its own \
                 fields, as in {:?}, or choose a form with structured",
                format!("{field}.name")
            ));
        }
        if fields.len() > 1 {
            text.start_line();
            text.push_str(field);
            text.push_str(": ");
        }
        write_flat(&value, text);
        if text.is_over() {
            break;
        }
    }
    Ok(())
}

/// Returns the fields that a document has, in the order of `fields`. Each is looked up when it is its turn, because a path
/// through arrays copies their values.
fn chosen_fields<'a>(
    document: &'a JsonValue,
    fields: &'a [&'a str],
) -> Result<impl Iterator<Item = (&'a str, Cow<'a, JsonValue>)>, String> {
    if !matches!(document, JsonValue::Object(_)) {
        return Err(format!("must be an object with the fields of rank_fields, not {}", document.kind()));
    }
    Ok(fields.iter().filter_map(|field| {
        let value = document.at(field).filter(|value| !value.is_missing())?;
        Some((*field, value))
    }))
}

fn write_structured(
    document: &JsonValue,
    fields: Option<&[&str]>,
    structured: Structured,
    text: &mut BoundedText,
) -> Result<(), String> {
    match (document, fields) {
        (JsonValue::String(string), _) => text.push_str(string),
        (_, Some(fields)) => structured.write(chosen_fields(document, fields)?, text),
        (JsonValue::Object(fields), None) => structured.write(borrowed(fields), text),
        (other, None) => return Err(format!("must be a string or an object, not {}", other.kind())),
    }
    Ok(())
}

impl Structured {
    fn write<'a>(self, fields: impl Iterator<Item = (&'a str, Cow<'a, JsonValue>)>, text: &mut BoundedText) {
        match self {
            Structured::Yaml => yaml::write_document(fields, text),
            Structured::Lines => lines::write_lines(fields, text),
        }
    }
}

/// Returns all fields of an object.
fn borrowed(fields: &[(String, JsonValue)]) -> impl Iterator<Item = (&str, Cow<'_, JsonValue>)> {
    fields.iter().map(|(name, value)| (name.as_str(), Cow::Borrowed(value)))
}
