//! Errors of tokenizers.

use crate::error::{Error, tokenizer};
use crate::json_error::json_problem;

/// Turns an error of the `tokenizers` library into one of kind `tokenizer`.
pub(super) fn failed(error: tokenizers::Error) -> Error {
    tokenizer(format!("the tokenizer failed: {error}")).with_source(error)
}

/// Returns an error of kind `tokenizer` for a malformed `tokenizer.json`.
pub(super) fn malformed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    let error = error.into();
    let problem = error.downcast_ref().map_or_else(|| error.to_string(), json_problem);
    tokenizer(format!("tokenizer.json: {problem}")).with_source(error)
}
