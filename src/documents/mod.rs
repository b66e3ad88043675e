//! The texts of documents that are JSON values: which fields are scored, and how they are written.

mod json_value;
mod lines;
mod text_fields;
mod yaml;

use std::collections::HashSet;
use std::str::FromStr;

use crate::error::{Error, ErrorItem, ItemKind, Result, input};
use lines::flat_text;

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

/// Returns the texts of documents.
///
/// - Without options: the string itself, or the first field that is a string among `text`, `pageContent`,
///   `page_content`, `content`, `contents`, `body`, `passage`, `snippet` and `title`.
/// - With `rank_fields`: the value of the only field, or several as lines `field: value`. A field is a name or a path
///   with dots through objects and arrays, such as `author.name`; a field whose own name has the dots wins. A field that
///   is missing or `null` is left out.
/// - With `structured`: these fields, or all without `rank_fields`, in that form. A document that is a string is its own
///   text then.
///
/// # Errors
/// `input` for a document without a text, with its index as [`Error::item`], and if no document has any of the fields.
pub fn document_texts<F: AsRef<str>>(
    documents: &[JsonValue],
    rank_fields: Option<&[F]>,
    structured: Option<Structured>,
) -> Result<Vec<String>> {
    if let Some(fields) = rank_fields {
        let is_text = |document: &JsonValue| structured.is_some() && document.as_str().is_some();
        let has_field = |document: &JsonValue| {
            is_text(document) || fields.iter().any(|field| document.at(field.as_ref()).is_some())
        };
        if !documents.is_empty() && !documents.iter().any(has_field) {
            let names: Vec<&str> = fields.iter().map(AsRef::as_ref).collect();
            return Err(input(format!("no document has a field of rank_fields: {}", names.join(", "))));
        }
    }
    let texts = documents.iter().enumerate().map(|(index, document)| {
        let text = match (structured, rank_fields) {
            (None, None) => plain_text(document),
            (None, Some(fields)) => fields_text(document, fields),
            (Some(structured), fields) => structured_text(document, fields, structured),
        };
        text.map_err(|problem| {
            input(problem).about(ErrorItem { kind: ItemKind::Document, range: index..index + 1 })
        })
    });
    texts.collect()
}

fn plain_text(document: &JsonValue) -> Result<String, String> {
    let text = document.as_str().or_else(|| text_field(document).map(|(_, text)| text));
    text.map(str::to_owned).ok_or_else(|| {
        format!(
            "has no string text, nor any of {}; name the fields in rank_fields",
            text_fields()[1..].join(", ")
        )
    })
}

fn fields_text<F: AsRef<str>>(document: &JsonValue, fields: &[F]) -> Result<String, String> {
    let chosen = chosen_fields(document, fields)?;
    let mut texts = Vec::with_capacity(chosen.len());
    for (field, value) in chosen {
        let text = flat_text(&value).ok_or_else(|| {
            format!(
                "field {field:?} of rank_fields must be a string, a number, a boolean or an array of these; name its own \
                 fields, as in {:?}, or choose a form with structured",
                format!("{field}.name")
            )
        })?;
        texts.push((field, text));
    }
    Ok(match fields {
        [_] => texts.pop().map_or_else(String::new, |(_, text)| text),
        _ => {
            let lines: Vec<String> = texts.iter().map(|(field, text)| format!("{field}: {text}")).collect();
            lines.join("\n")
        }
    })
}

/// Returns the fields that a document has, in the order of `fields`.
fn chosen_fields<F: AsRef<str>>(
    document: &JsonValue,
    fields: &[F],
) -> Result<Vec<(String, JsonValue)>, String> {
    if !matches!(document, JsonValue::Object(_)) {
        return Err(format!("must be an object with the fields of rank_fields, not {}", document.kind()));
    }
    let mut chosen: Vec<(String, JsonValue)> = Vec::with_capacity(fields.len());
    for field in fields.iter().map(AsRef::as_ref) {
        if let Some(value) = document.at(field).filter(|value| !value.is_missing()) {
            chosen.push((field.to_owned(), value.into_owned()));
        }
    }
    Ok(chosen)
}

fn structured_text<F: AsRef<str>>(
    document: &JsonValue,
    fields: Option<&[F]>,
    structured: Structured,
) -> Result<String, String> {
    if let Some(text) = document.as_str() {
        return Ok(text.to_owned());
    }
    let mut chosen = fields.map(|fields| chosen_fields(document, fields)).transpose()?;
    if let Some(chosen) = &mut chosen {
        let mut names = HashSet::new();
        chosen.retain(|(name, _)| names.insert(name.clone()));
    }
    let fields = match (&chosen, document) {
        (Some(chosen), _) => chosen,
        (None, JsonValue::Object(fields)) => fields,
        (None, other) => return Err(format!("must be a string or an object, not {}", other.kind())),
    };
    Ok(match structured {
        Structured::Yaml => yaml::document(fields),
        Structured::Lines => lines::lines(fields),
    })
}
