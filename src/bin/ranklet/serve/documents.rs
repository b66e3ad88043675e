//! The texts of documents in requests.

use axum::http::StatusCode;
use ranklet::{JsonValue, Structured, document_texts};

use super::http_error::HttpError;

/// Returns the texts of documents, as [`document_texts`] does.
///
/// # Errors
/// `status` for a document without a text, and if no document has any of the fields.
pub(super) fn texts(
    documents: &[JsonValue],
    rank_fields: Option<&[String]>,
    structured: Option<Structured>,
    status: StatusCode,
) -> Result<Vec<String>, HttpError> {
    document_texts(documents, rank_fields, structured, None).map_err(|error| {
        let message = match error.item() {
            Some(item) => format!("documents[{}] {}", item.range.start, error.context()),
            None => error.context().to_owned(),
        };
        HttpError::new(status, message)
    })
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
