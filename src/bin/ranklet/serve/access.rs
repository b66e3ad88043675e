//! API keys.

use axum::http::{HeaderMap, StatusCode, header};

use super::http_error::HttpError;

/// The keys that clients may send.
#[derive(Debug)]
pub(super) struct Keys(Vec<String>);

impl Keys {
    /// No keys means that none is needed.
    pub(super) fn new(keys: Vec<String>) -> Self {
        Self(keys)
    }

    /// Checks the key of a request, which is `Authorization: Bearer KEY`, or `Authorization: KEY` as LlamaIndex sends
    /// it for Text Embeddings Inference.
    ///
    /// # Errors
    /// 401 if the key is missing or wrong.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), HttpError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(authorization) = authorization else {
            return Err(unauthorized("an API key is needed: send it as Authorization: Bearer KEY"));
        };
        let key = authorization
            .split_at_checked("bearer ".len())
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer "))
            .map_or(authorization, |(_, key)| key.trim_start());
        // Every key is compared, so that the time says nothing about which one is similar.
        let known =
            self.0.iter().fold(false, |found, known| found | is_equal(key.as_bytes(), known.as_bytes()));
        if known { Ok(()) } else { Err(unauthorized("the API key is wrong")) }
    }
}

/// Compares in a time that depends on the length of `sent` alone.
fn is_equal(sent: &[u8], known: &[u8]) -> bool {
    let difference = sent.iter().enumerate().fold(sent.len() ^ known.len(), |difference, (index, byte)| {
        let known = known.get(index % known.len().max(1)).copied().unwrap_or(0);
        difference | usize::from(byte ^ known)
    });
    std::hint::black_box(difference) == 0
}

fn unauthorized(message: &str) -> HttpError {
    HttpError::new(StatusCode::UNAUTHORIZED, message).with_header(header::WWW_AUTHENTICATE, "Bearer")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_equal_only_if_all_bytes_are() {
        for (sent, known, equal) in [
            ("abc", "abc", true),
            ("abd", "abc", false),
            ("ab", "abc", false),
            ("abcabc", "abc", false),
            ("", "abc", false),
        ] {
            assert_eq!(is_equal(sent.as_bytes(), known.as_bytes()), equal, "{sent} {known}");
        }
    }
}
