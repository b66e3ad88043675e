//! Bodies of requests.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, StatusCode, header};
use ranklet::JsonValue;
use ranklet::internals::{json_problem, parse_json};

use super::fields::JsonObject;
use super::http_error::HttpError;

/// Receives a body.
///
/// # Errors
/// 413 for more than `max` bytes, 400 for a body that takes longer than `timeout` or is cut off.
pub(super) async fn receive(
    request: Request<Body>,
    max: usize,
    timeout: Duration,
) -> Result<Bytes, HttpError> {
    let too_large = || {
        let message = format!("the body has more than {max} bytes; send fewer documents per request");
        HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > max) {
        return Err(too_large());
    }
    match tokio::time::timeout(timeout, to_bytes(request.into_body(), max)).await {
        Err(_) => Err(bad(format!("the body did not arrive within {} ms", timeout.as_millis()))),
        Ok(Err(error)) if is_over_limit(&error) => Err(too_large()),
        Ok(Err(_)) => Err(bad("the body was cut off")),
        Ok(Ok(bytes)) => Ok(bytes),
    }
}

/// Reads a body that is a JSON object.
///
/// # Errors
/// 400 for another body.
pub(super) fn json_object(bytes: &[u8]) -> Result<JsonObject, HttpError> {
    match parse_json(bytes) {
        Ok(JsonValue::Object(object)) => Ok(object.into_iter().collect()),
        Ok(_) => Err(bad("the body must be a JSON object")),
        Err(_) if bytes.is_empty() => Err(bad("the body is empty; send a JSON object")),
        Err(error) => {
            let problem = json_problem(&error);
            Err(bad(format!("the body is not valid JSON in UTF-8, or too deep: {problem}")))
        }
    }
}

fn bad(message: impl Into<String>) -> HttpError {
    HttpError::new(StatusCode::BAD_REQUEST, message)
}

/// Returns whether reading a body failed because it has more bytes than the limit.
fn is_over_limit(error: &axum::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>())
}
