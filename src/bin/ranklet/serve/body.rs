//! Bodies of requests.

use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{Request, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use ranklet::JsonValue;
use ranklet::internals::{json_problem, parse_json};

use super::fields::JsonObject;
use super::http_error::HttpError;

/// Maximum number of bytes that [`discard`] reads.
const MAX_DISCARDED_BYTES: usize = 64 << 20;
/// Maximum time that [`discard`] waits for the next bytes: the default of nginx's `lingering_timeout`.
const MAX_DISCARD_PAUSE: Duration = Duration::from_secs(5);

/// Receives a body.
///
/// # Errors
/// 413 for more than `max` bytes, 400 for a body that takes longer than `timeout` or is cut off.
pub(super) async fn receive(
    request: Request<&mut Body>,
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
    match tokio::time::timeout(timeout, Limited::new(request.into_body(), max).collect()).await {
        Err(_) => Err(bad(format!("the body did not arrive within {} ms", timeout.as_millis()))),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(bad("the body was cut off")),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

/// Reads and discards the rest of a body for some time. Without it, the connection of a request that is refused early would
/// close at once, and a client that reads the answer only after it has sent the body would find a broken connection.
pub(super) fn discard(mut body: Body, timeout: Duration) {
    if body.is_end_stream() {
        return;
    }
    let rest = async move {
        let mut bytes = 0;
        while let Ok(Some(Ok(frame))) = tokio::time::timeout(MAX_DISCARD_PAUSE, body.frame()).await
            && bytes < MAX_DISCARDED_BYTES
        {
            bytes += frame.data_ref().map_or(0, Bytes::len);
        }
    };
    tokio::spawn(tokio::time::timeout(timeout, rest));
}

/// Reads a body that is a JSON object. A byte order mark before it is ignored, as `Request.json()` ignores it in JavaScript.
///
/// # Errors
/// 400 for another body.
pub(super) fn json_object(bytes: &[u8]) -> Result<JsonObject, HttpError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
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
