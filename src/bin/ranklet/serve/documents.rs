//! The texts of documents in requests.

use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::http_error::HttpError;
use crate::text_fields::{text_field, text_fields};

/// Returns the texts of documents: the string itself, an object's text, or the value of the only field, or of several
/// as lines `field: value`. A field that is missing or `null` is left out.
///
/// # Errors
/// `status` for a document without a text, and if no document has any of the fields.
pub(super) fn texts(
    documents: &[Value],
    fields: Option<&[String]>,
    status: StatusCode,
) -> Result<Vec<String>, HttpError> {
    let wrong =
        |index: usize, problem: String| HttpError::new(status, format!("documents[{index}] {problem}"));
    let Some(fields) = fields else {
        let texts = documents.iter().enumerate();
        return texts
            .map(|(index, document)| plain_text(document).map_err(|problem| wrong(index, problem)))
            .collect();
    };
    let has_field = |document: &Value| fields.iter().any(|field| document.get(field).is_some());
    if !documents.is_empty() && !documents.iter().any(has_field) {
        let message = format!("no document has a field of rank_fields: {}", fields.join(", "));
        return Err(HttpError::new(status, message));
    }
    let texts = documents.iter().enumerate().map(|(index, document)| match document {
        Value::Object(object) => fields_text(object, fields).map_err(|problem| wrong(index, problem)),
        other => Err(wrong(
            index,
            format!("must be an object with the fields of rank_fields, not {}", kind_of(other)),
        )),
    });
    texts.collect()
}

/// Returns a text, which may also be an object with `text`.
pub(super) fn text_of(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("text")?.as_str())
}

fn plain_text(document: &Value) -> Result<String, String> {
    if let Some(text) = document.as_str() {
        return Ok(text.to_owned());
    }
    let text = document.as_object().and_then(text_field);
    text.map(|(_, text)| text.to_owned()).ok_or_else(|| {
        format!(
            "has no string text, nor any of {}; name the fields in rank_fields",
            text_fields()[1..].join(", ")
        )
    })
}

fn fields_text(document: &Map<String, Value>, fields: &[String]) -> Result<String, String> {
    let mut values = Vec::new();
    for field in fields {
        let Some(value) = document.get(field).filter(|value| !is_missing(value)) else { continue };
        let text = value_text(value).ok_or_else(|| {
            format!(
                "field {field:?} of rank_fields must be a string, a number, a boolean or an array of these"
            )
        })?;
        values.push((field, text));
    }
    Ok(match fields {
        [_] => values.pop().map_or_else(String::new, |(_, text)| text),
        _ => {
            let lines: Vec<String> = values.iter().map(|(field, text)| format!("{field}: {text}")).collect();
            lines.join("\n")
        }
    })
}

fn is_missing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().all(is_missing),
        _ => false,
    }
}

fn value_text(value: &Value) -> Option<String> {
    match value {
        Value::Array(items) => {
            let texts = items.iter().filter(|item| !is_missing(item)).map(scalar_text);
            Some(texts.collect::<Option<Vec<String>>>()?.join(", "))
        }
        other => scalar_text(other),
    }
}

fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Describes a value, for the end of "must be ..., not ...".
pub(super) fn kind_of(value: &Value) -> String {
    match value {
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.chars().count() > 40 => {
            format!("\"{}…\"", text.chars().take(40).collect::<String>())
        }
        other => other.to_string(),
    }
}
