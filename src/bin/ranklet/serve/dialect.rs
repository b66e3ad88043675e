//! The wire formats of the services whose clients are answered.

use axum::http::StatusCode;
use ranklet::JsonValue;
use serde_json::{Value, json};

use super::fields::JsonObject;
use super::http_error::HttpError;

/// A wire format. All forms of requests are read on every path; the dialect decides how documents are echoed and what
/// errors look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `/v1/rerank` of Cohere, Jina, Together and vLLM, and `/v2/rerank` of Cohere.
    Documents,
    /// `/rerank` of Infinity.
    Infinity,
    /// A body with `top_k`, or with a flag `truncation` and no `top_n`.
    Voyage,
    /// A body with `texts`, the format of Text Embeddings Inference, and of Hugging Face's text-ranking task in `inputs`.
    Texts,
}

impl Dialect {
    /// The dialect of a request. A field that is `null` counts as absent.
    pub(super) fn of(path: &str, body: &JsonObject) -> Self {
        let has = |name| body.get(name).is_some_and(|value| *value != JsonValue::Null);
        let has_truncation = matches!(body.get("truncation"), Some(JsonValue::Bool(_)));
        match path {
            _ if has("texts") => Self::Texts,
            _ if has("top_k") || has_truncation && !has("top_n") => Self::Voyage,
            "/rerank" => Self::Infinity,
            _ => Self::Documents,
        }
    }

    /// The status for a field with a wrong value.
    pub(super) fn wrong_field(self) -> StatusCode {
        match self {
            Self::Infinity | Self::Texts => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Documents | Self::Voyage => StatusCode::BAD_REQUEST,
        }
    }

    /// The body of an error. Clients read `message`, `detail` or `error`, depending on the dialect.
    pub(super) fn error_body(self, error: &HttpError) -> Value {
        let HttpError { status, message, .. } = error;
        if self == Self::Texts {
            let error_type = match status.as_u16() {
                429 => "Overloaded",
                500.. => "Backend",
                _ => "Validation",
            };
            return json!({ "error": message, "error_type": error_type });
        }
        let kind = match status.as_u16() {
            401 => "authentication_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        // infinity_client reads a list for 422; the clients of the other dialects show `detail` as it is.
        let detail = match *status {
            StatusCode::UNPROCESSABLE_ENTITY => {
                json!([{ "loc": ["body"], "msg": message, "type": "value_error" }])
            }
            _ => json!(message),
        };
        json!({ "message": message, "detail": detail, "error": { "message": message, "type": kind, "code": status.as_u16() } })
    }
}
