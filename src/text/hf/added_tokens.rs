//! Checks added tokens that the `tokenizers` library accepts, but that make it panic when it splits a text at them.

use tokenizers::{NormalizedString, Normalizer};

use super::model::Pipeline;
use crate::error::{Result, tokenizer};
use crate::text::error::failed;

/// Rejects added tokens that are empty after normalization, and tokens that start with the white space they strip, because
/// that may already belong to the token before.
///
/// # Errors
/// `tokenizer`, naming the token.
pub(super) fn check(tokenizer: &Pipeline) -> Result<()> {
    for token in tokenizer.get_added_tokens_decoder().into_values() {
        let mut text = NormalizedString::from(token.content.as_str());
        if let Some(normalizer) = tokenizer.get_normalizer().filter(|_| token.normalized) {
            normalizer.normalize(&mut text).map_err(failed)?;
        }
        if text.get().is_empty() {
            return Err(invalid(&token.content, "is empty after normalization"));
        }
        if token.lstrip && text.get().starts_with(char::is_whitespace) {
            return Err(invalid(&token.content, "starts with white space, which it strips (lstrip)"));
        }
    }
    Ok(())
}

fn invalid(content: &str, reason: &str) -> crate::Error {
    tokenizer(format!("tokenizer.json: the added token {content:?} {reason}"))
}
