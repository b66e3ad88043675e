//! `tokenizer_config.json` and the files that go with it: length, truncation, normalization and special tokens.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

use super::{TokenizerClass, vocab_files};
use crate::checkpoint::ModelFiles;
use crate::checkpoint::json::Object;
use crate::checkpoint::sbert::{CrossEncoderFiles, TransformerConfig};
use crate::error::{Error, ErrorKind, Result, tokenizer, unsupported};
use crate::json_error::json_problem;

/// The end of a text that truncation removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TruncationSide {
    /// Removes tokens at the end.
    Right,
    /// Removes tokens at the beginning.
    Left,
}

/// The options that HF's tokenizer classes read in addition to `tokenizer.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizerConfig {
    /// Length of the longest sequence in tokens, with special tokens. `None` if the files state none or HF's value for
    /// "no limit".
    pub model_max_length: Option<usize>,
    /// Whether this length counts more than `max_position_embeddings`, for models without a table of positions.
    pub overrides_max_positions: bool,
    /// Whether to lower-case the text before everything else, unless the class does so (`do_lower_case` in
    /// `sentence_bert_config.json`).
    pub lower_case: bool,
    /// Whether the tokenizer passes token types to the model (`model_input_names`).
    pub uses_token_types: bool,
    /// The end that truncation removes. `None` means the side in the truncation section of `tokenizer.json`, or the
    /// right.
    pub truncation_side: Option<TruncationSide>,
    /// Whether text that looks like a special token is plain text.
    pub split_special_tokens: bool,
    /// The tokenizer class that reads `tokenizer.json`.
    pub class: TokenizerClass,
    /// Options of the tokenizer class.
    pub options: TokenizerOptions,
    /// The special tokens.
    pub special_tokens: SpecialTokens,
    /// `added_tokens_decoder`, ordered by id. If given, it replaces the added tokens of `tokenizer.json`.
    pub added_tokens: Option<Vec<AddedToken>>,
    /// The tokens and ids in `added_tokens.json`, if that file counts. A token of `tokenizer.json` with the same id
    /// replaces one of these.
    pub legacy_added_tokens: Vec<(u32, AddedToken)>,
}

/// Options from which HF's classes build normalizer and pre-tokenizer. `None` means the default of the class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizerOptions {
    /// Whether to lower-case the text.
    pub do_lower_case: Option<bool>,
    /// Whether to strip accents. `None` means the value of `do_lower_case`.
    pub strip_accents: Option<bool>,
    /// Whether to keep accents (ALBERT).
    pub keep_accents: Option<bool>,
    /// Whether to put spaces around CJK characters.
    pub tokenize_chinese_chars: Option<bool>,
    /// Whether to split at punctuation.
    pub split_by_punct: Option<bool>,
    /// Whether to treat the first word as if a space preceded it.
    pub add_prefix_space: Option<bool>,
    /// The id of the unknown token.
    pub unk_id: Option<usize>,
}

/// The special tokens that `tokenizer_config.json` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Indexed by [`SpecialToken`].
    pub named: [Option<AddedToken>; 7],
    /// `extra_special_tokens`, formerly `additional_special_tokens`.
    pub extra: Option<Vec<AddedToken>>,
}

/// The special tokens with a name, in HF's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpecialToken {
    /// Beginning of a sequence.
    Bos,
    /// End of a sequence.
    Eos,
    /// Replaces tokens outside the vocabulary.
    Unk,
    /// After the query and after the document.
    Sep,
    /// Padding. Unused here, because batches are packed.
    #[expect(dead_code, reason = "reserves the index of `pad_token`")]
    Pad,
    /// Before the query.
    Cls,
    /// The mask of masked language models. Only a text that spells it contains it.
    Mask,
}

const TOKEN_FIELDS: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// A token that is split from a text before any other processing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AddedToken {
    /// The token's text.
    pub content: String,
    /// Matches only as a whole word.
    #[serde(default)]
    pub single_word: bool,
    /// Includes the white space before it.
    #[serde(default)]
    pub lstrip: bool,
    /// Includes the white space after it.
    #[serde(default)]
    pub rstrip: bool,
    /// Matches in the normalized text.
    #[serde(default)]
    pub normalized: bool,
    /// Is a special token.
    #[serde(default)]
    pub special: bool,
}

impl AddedToken {
    /// Creates a special token with default properties.
    pub(crate) fn special(content: &str) -> Self {
        Self {
            content: content.to_owned(),
            single_word: false,
            lstrip: false,
            rstrip: false,
            normalized: false,
            special: true,
        }
    }
}

impl TokenizerConfig {
    /// Reads the files that accompany `tokenizer.json`, and `config.json`, which helps to choose the class.
    ///
    /// # Errors
    /// `tokenizer` or `config` for a malformed file, `unsupported` for an unsupported class.
    pub fn read(files: &ModelFiles) -> Result<Self> {
        let config =
            Object::parse(ErrorKind::Config, "config.json", files.get("config.json").unwrap_or(b"{}"))?;
        Self::from_parsed(files, parse_config(files)?, &config, &CrossEncoderFiles::read(files)?)
    }

    /// Takes `tokenizer.json` out of the files. Without it, makes one from the vocabulary files that the class reads.
    ///
    /// # Errors
    /// `tokenizer` if the files are missing or malformed.
    pub fn take_tokenizer_json(&self, files: &mut ModelFiles) -> Result<Cow<'static, [u8]>> {
        vocab_files::take_tokenizer_json(files, self.class)
    }

    /// As [`read`](Self::read), from files that have been parsed. `json` is `tokenizer_config.json`, `config` is
    /// `config.json`.
    pub(crate) fn from_parsed(
        files: &ModelFiles,
        mut json: Object,
        config: &Object,
        cross_encoder: &CrossEncoderFiles,
    ) -> Result<Self> {
        // Older versions of transformers wrote added tokens to files of their own.
        let old = !json.contains("added_tokens_decoder");
        if old {
            json.merge(parse(files, "special_tokens_map.json")?, "extra_special_tokens");
        }
        let named = match json.string("tokenizer_class")? {
            Some(name) => Some(name),
            None => config.string("tokenizer_class")?,
        };
        if json.bool("add_special_tokens")? == Some(false) {
            return Err(unsupported(
                "tokenizer_config.json: add_special_tokens is false, which transformers 5 does not read either; remove \
                 it from a copy, unless the model was trained without special tokens",
            ));
        }
        let transformer = cross_encoder.transformer();
        let module_max_length = transformer.map(TransformerConfig::max_length).transpose()?.flatten();
        let class = TokenizerClass::resolve(named, config.string("model_type")?)?;
        json.reject_nulls(class.required_tokens())?;
        let is_conv_bert = named.is_some_and(|name| name.starts_with("ConvBertTokenizer"));
        let special_tokens = special_tokens(&json)?;
        Ok(Self {
            model_max_length: match module_max_length {
                Some(length) => length,
                // The older name counts only alone, even if the newer one says "no limit".
                None if json.contains("model_max_length") => json.token_count("model_max_length")?,
                None => json.token_count("max_len")?,
            },
            overrides_max_positions: module_max_length.flatten().is_some(),
            lower_case: transformer.map(TransformerConfig::lower_case).transpose()?.unwrap_or(false),
            uses_token_types: json
                .strings("model_input_names")?
                .map_or(class.uses_token_types() || is_conv_bert, |names| names.contains(&"token_type_ids")),
            truncation_side: match json.string("truncation_side")? {
                None => None,
                Some("right") => Some(TruncationSide::Right),
                Some("left") => Some(TruncationSide::Left),
                Some(other) => {
                    return Err(tokenizer(format!("tokenizer_config.json: truncation_side is {other:?}")));
                }
            },
            split_special_tokens: json.bool("split_special_tokens")?.unwrap_or(false),
            class,
            options: options(&json)?,
            added_tokens: added_tokens(&json)?,
            legacy_added_tokens: if old { legacy_added_tokens(files, &special_tokens)? } else { Vec::new() },
            special_tokens,
        })
    }
}

/// Parses `tokenizer_config.json`. Returns an empty object if it does not exist.
///
/// # Errors
/// `tokenizer` for a malformed file.
pub(crate) fn parse_config(files: &ModelFiles) -> Result<Object> {
    parse(files, "tokenizer_config.json")
}

fn parse(files: &ModelFiles, name: &str) -> Result<Object> {
    Object::parse(ErrorKind::Tokenizer, name, files.get(name).unwrap_or(b"{}"))
}

fn options(json: &Object) -> Result<TokenizerOptions> {
    Ok(TokenizerOptions {
        do_lower_case: json.bool("do_lower_case")?,
        strip_accents: json.bool("strip_accents")?,
        keep_accents: json.bool("keep_accents")?,
        tokenize_chinese_chars: json.bool("tokenize_chinese_chars")?,
        split_by_punct: json.bool("split_by_punct")?,
        // To HF's classes a null is Python's None, which counts as false, and not as absent.
        add_prefix_space: match json.bool("add_prefix_space")? {
            None if json.contains("add_prefix_space") => Some(false),
            value => value,
        },
        unk_id: match json.get("unk_id") {
            None => None,
            Some(_) => Some(json.count("unk_id", 0, 0, u32::MAX as usize)?),
        },
    })
}

fn added_tokens(json: &Object) -> Result<Option<Vec<AddedToken>>> {
    let Some(listed) = json.get("added_tokens_decoder") else { return Ok(None) };
    let by_id: BTreeMap<u32, AddedToken> = serde::Deserialize::deserialize(listed)
        .map_err(|error| malformed_token("added_tokens_decoder", &error))?;
    Ok(Some(by_id.into_values().collect()))
}

fn malformed_token(name: &str, error: &serde_json::Error) -> Error {
    tokenizer(format!("tokenizer_config.json: {name}: {}", json_problem(error)))
}

fn legacy_added_tokens(files: &ModelFiles, special: &SpecialTokens) -> Result<Vec<(u32, AddedToken)>> {
    const NAME: &str = "added_tokens.json";
    let ids: BTreeMap<String, u32> = serde_json::from_slice(files.get(NAME).unwrap_or(b"{}"))
        .map_err(|error| tokenizer(format!("{NAME}: {}", json_problem(&error))).with_source(error))?;
    let named = special.named.iter().flatten().chain(special.extra.iter().flatten());
    let named: HashSet<&str> = named.map(|token| token.content.as_str()).collect();
    let token = |content: String| match named.contains(content.as_str()) {
        true => AddedToken::special(&content),
        false => AddedToken { special: false, normalized: true, ..AddedToken::special(&content) },
    };
    Ok(ids.into_iter().map(|(content, id)| (id, token(content))).collect())
}

fn special_tokens(json: &Object) -> Result<SpecialTokens> {
    let mut named = [const { None }; 7];
    for (token, name) in named.iter_mut().zip(TOKEN_FIELDS) {
        *token = json.get(name).map(|value| special_token(name, value)).transpose()?;
    }
    let extra = match extra(json, "extra_special_tokens")? {
        Some(tokens) if !tokens.is_empty() => Some(tokens),
        empty => extra(json, "additional_special_tokens")?.or(empty),
    };
    Ok(SpecialTokens { named, extra })
}

/// Reads a list of tokens, or an object whose values are tokens.
fn extra(json: &Object, name: &str) -> Result<Option<Vec<AddedToken>>> {
    let Some(listed) = json.get(name) else { return Ok(None) };
    let values: Vec<_> = match listed {
        Value::Array(values) => values.iter().collect(),
        Value::Object(values) => values.values().collect(),
        _ => return Err(tokenizer(format!("tokenizer_config.json: {name} is not a list"))),
    };
    values.into_iter().map(|value| special_token(name, value)).collect::<Result<_>>().map(Some)
}

/// Reads a token: a string, or an object with `content` in older files.
fn special_token(name: &str, value: &Value) -> Result<AddedToken> {
    match value {
        Value::String(content) => Ok(AddedToken::special(content)),
        Value::Object(_) => AddedToken::deserialize(value)
            .map(|token| AddedToken { special: true, ..token })
            .map_err(|error| malformed_token(name, &error)),
        _ => Err(tokenizer(format!(
            "tokenizer_config.json: {name} is neither a string nor an object with content"
        ))),
    }
}
