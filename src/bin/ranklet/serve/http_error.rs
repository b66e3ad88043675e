//! Answers with a status of 400 or more.

use axum::http::{HeaderName, StatusCode, header};
use ranklet::{Error, ErrorKind};

use super::dialect::Dialect;
use crate::terminal;

/// An answer with a status of 400 or more. The message is for the client.
#[derive(Debug)]
pub(super) struct HttpError {
    pub(super) status: StatusCode,
    pub(super) message: String,
    pub(super) header: Option<(HeaderName, String)>,
}

impl HttpError {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), header: None }
    }

    pub(super) fn with_header(self, name: HeaderName, value: impl Into<String>) -> Self {
        Self { header: Some((name, value.into())), ..self }
    }

    /// Returns the answer to a defect of the server.
    pub(super) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed")
    }

    /// Returns an answer that asks the client to try again after some seconds.
    pub(super) fn retry(status: StatusCode, message: &str, seconds: u64) -> Self {
        Self::new(status, message).with_header(header::RETRY_AFTER, seconds.to_string())
    }

    /// Returns the answer to an error of the reranker. The client gets the text of an error about the request's fields;
    /// the text of any other error is for the operator, on stderr. `field` is the name of the field that has the items of
    /// errors; `None` if the request has no such field.
    pub(super) fn of(error: &Error, dialect: Dialect, field: Option<&str>) -> Self {
        match error.kind() {
            ErrorKind::Input | ErrorKind::Unsupported => {
                let place = field.zip(error.item());
                let place = place.map(|(field, item)| format!("{field}[{}]: ", item.range.start));
                let message = format!("{}{}", place.unwrap_or_default(), error.context());
                Self::new(dialect.wrong_field(), message)
            }
            kind => {
                terminal::status(&format!("ranklet: {error}"));
                match kind {
                    ErrorKind::DeviceLost | ErrorKind::OutOfMemory => {
                        Self::retry(StatusCode::SERVICE_UNAVAILABLE, "the model is not available", 5)
                    }
                    _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the model failed"),
                }
            }
        }
    }
}
