//! The added tokens of a tokenizer: collects them and checks them.

use std::collections::HashSet;

use tokenizers::{NormalizedString, Normalizer};

use super::model::Pipeline;
use super::special_tokens::SpecialTokenSet;
use super::tokenizer_json::TokenizerJson;
use crate::checkpoint::{AddedToken, TokenizerClass, TokenizerConfig};
use crate::error::{Error, Result, tokenizer};
use crate::text::error::failed;

/// Returns the tokens that are split off a text first: the tokens in the files, followed by the special tokens that
/// are not among them.
pub(super) fn collect(
    json: &TokenizerJson,
    config: &TokenizerConfig,
    special_tokens: &SpecialTokenSet,
) -> Result<Vec<AddedToken>> {
    let mut in_file = json.added_tokens()?;
    let mut tokens = Vec::new();
    if config.class == TokenizerClass::Backend {
        tokens.extend(in_file.iter().map(|(_, token)| token.clone()));
    }
    match &config.added_tokens {
        Some(listed) => tokens.extend(listed.iter().cloned()),
        None => {
            let listed: HashSet<u32> = in_file.iter().map(|(id, _)| *id).collect();
            in_file.extend(config.legacy_added_tokens.iter().filter(|(id, _)| !listed.contains(id)).cloned());
            in_file.sort_by_key(|(id, _)| *id);
            tokens.extend(in_file.into_iter().map(|(_, token)| token));
        }
    }
    let mut known: HashSet<String> = tokens.iter().map(|token| token.content.clone()).collect();
    let special: Vec<_> = special_tokens.named.iter().flatten().chain(&special_tokens.extra).collect();
    for token in &special {
        if known.insert(token.content.clone()) {
            tokens.push((*token).clone());
        }
    }
    if config.class == TokenizerClass::Qwen2 {
        // Qwen2Tokenizer adds all of them again, as plain special tokens.
        tokens.extend(special.into_iter().map(|token| AddedToken::special(&token.content)));
    }
    Ok(tokens)
}

/// Converts an added token to the library's type.
pub(super) fn library_token(token: &AddedToken) -> tokenizers::AddedToken {
    tokenizers::AddedToken::from(token.content.clone(), token.special)
        .single_word(token.single_word)
        .lstrip(token.lstrip)
        .rstrip(token.rstrip)
        .normalized(token.normalized)
}

/// Rejects added tokens that are empty after normalization, tokens that start with the white space they strip, because
/// that may already belong to the token before, and tokens that normalization makes equal to another.
///
/// # Errors
/// `tokenizer`, naming the token.
pub(super) fn check(tokenizer: &Pipeline) -> Result<()> {
    let mut normalized = HashSet::new();
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
        if token.normalized && !normalized.insert(text.get().to_owned()) {
            return Err(invalid(
                &token.content,
                "is the same as another one after normalization, and transformers takes a random one of the two",
            ));
        }
    }
    Ok(())
}

fn invalid(content: &str, reason: &str) -> Error {
    tokenizer(format!("tokenizer.json: the added token {content:?} {reason}"))
}
