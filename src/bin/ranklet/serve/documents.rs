//! The texts of documents in requests.

use std::error::Error as _;

use axum::http::StatusCode;
use ranklet::{JsonValue, Structured, TextsTooLong, document_texts};

use super::http_error::HttpError;

/// The fields that are scored, and how they are written.
#[derive(Debug)]
pub(super) struct TextOptions {
    pub(super) rank_fields: Option<Vec<String>>,
    pub(super) structured: Option<Structured>,
}

impl TextOptions {
    /// Returns the texts of documents, as [`document_texts`] does. `field` is the name of the field that has them.
    ///
    /// # Errors
    /// `status` for a document without a text, and if no document has any of the fields; 413 for texts of more than
    /// `max_bytes` together.
    pub(super) fn texts(
        &self,
        documents: &[JsonValue],
        field: &str,
        max_bytes: usize,
        status: StatusCode,
    ) -> Result<Vec<String>, HttpError> {
        let Self { rank_fields, structured } = self;
        document_texts(documents, rank_fields.as_deref(), *structured, Some(max_bytes)).map_err(|error| {
            let is_too_long = error.source().is_some_and(|source| source.is::<TextsTooLong>());
            let status = if is_too_long { StatusCode::PAYLOAD_TOO_LARGE } else { status };
            let message = match error.item() {
                Some(item) => format!("{field}[{}] {}", item.range.start, error.context()),
                None => error.context().to_owned(),
            };
            HttpError::new(status, message)
        })
    }
}

/// Returns a text, which may also be an object with `text`.
pub(super) fn text_of(value: &JsonValue) -> Option<&str> {
    value.as_str().or_else(|| value.get("text")?.as_str())
}

/// Describes a value, for the end of "must be ..., not ...".
pub(super) fn kind_of(value: &JsonValue) -> String {
    match value {
        JsonValue::Array(_) => "an array".to_owned(),
        JsonValue::Object(_) => "an object".to_owned(),
        JsonValue::String(text) if text.chars().count() > 40 => {
            format!("\"{}…\"", text.chars().take(40).collect::<String>())
        }
        other => serde_json::json!(other).to_string(),
    }
}
