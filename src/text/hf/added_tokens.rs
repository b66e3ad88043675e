//! Added tokens that the tokenizers library accepts and then panics at, when a text is cut into them.

use tokenizers::{NormalizedString, Normalizer};

use super::model::Pipeline;
use crate::error::{Error, Result, tokenizer};
use crate::text::error::failed;

/// Refuses added tokens of which nothing is left to look for, and such as begin with the white space they strip: that
/// may belong to the token before them already.
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
            return Err(wrong(&token.content, "is empty once it is normalised"));
        }
        if token.lstrip && text.get().starts_with(char::is_whitespace) {
            return Err(wrong(&token.content, "begins with white space and strips it (lstrip)"));
        }
    }
    Ok(())
}

fn wrong(content: &str, what: &str) -> Error {
    tokenizer(format!("tokenizer.json: the added token {content:?} {what}"))
}
