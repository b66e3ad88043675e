//! HF's `BertTokenizer`, which takes the vocabulary and the added tokens from `tokenizer.json` and makes the rest
//! from `tokenizer_config.json` (transformers 5.23, `tokenization_bert.py`).

use std::collections::HashSet;

use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{AddedToken, Tokenizer};

use super::tokenizer::failed;
use crate::checkpoint::{self, BertTokenizerConfig};
use crate::error::{Result, unsupported};

/// HF's limit; words with more characters become the unknown token.
const MAX_INPUT_CHARS_PER_WORD: usize = 100;

/// The tokenizer HF would make of `file`, a WordPiece vocabulary with added tokens.
pub(super) fn rebuild(file: &Tokenizer, config: &BertTokenizerConfig) -> Result<Tokenizer> {
    let ModelWrapper::WordPiece(mut model) = file.get_model().clone() else {
        return Err(unsupported("tokenizer.json: BertTokenizer with a model that is not WordPiece"));
    };
    model.unk_token.clone_from(&config.unk_token);
    model.max_input_chars_per_word = MAX_INPUT_CHARS_PER_WORD;
    let mut tokenizer = Tokenizer::new(model);
    let normalizer =
        BertNormalizer::new(true, config.tokenize_chinese_chars, config.strip_accents, config.do_lower_case);
    tokenizer.with_normalizer(Some(normalizer)).map_err(failed)?;
    tokenizer.with_pre_tokenizer(Some(BertPreTokenizer));
    tokenizer.add_tokens(added_tokens(file, config)).map_err(failed)?;
    Ok(tokenizer)
}

/// The added tokens, then the named special ones that are not among them.
fn added_tokens(file: &Tokenizer, config: &BertTokenizerConfig) -> Vec<AddedToken> {
    let mut tokens: Vec<AddedToken> = match &config.added_tokens {
        Some(listed) => listed.iter().map(added_token).collect(),
        None => {
            let mut by_id: Vec<_> = file.get_added_tokens_decoder().into_iter().collect();
            by_id.sort_by_key(|(id, _)| *id);
            by_id.into_iter().map(|(_, token)| token).collect()
        }
    };
    let known: HashSet<String> = tokens.iter().map(|token| token.content.clone()).collect();
    let [pad, mask] = &config.other_special_tokens;
    let named = [&config.unk_token, &config.sep_token, pad, &config.cls_token, mask].into_iter();
    // One that the vocabulary does not hold would only take an id beyond it.
    let missing = named.filter(|name| !known.contains(*name) && file.token_to_id(name).is_some());
    tokens.extend(missing.map(|name| AddedToken::from(name.clone(), true)));
    tokens
}

fn added_token(token: &checkpoint::AddedToken) -> AddedToken {
    AddedToken::from(token.content.clone(), token.special)
        .single_word(token.single_word)
        .lstrip(token.lstrip)
        .rstrip(token.rstrip)
        .normalized(token.normalized)
}
