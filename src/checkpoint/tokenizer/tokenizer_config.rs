//! `tokenizer_config.json` and `sentence_bert_config.json`: how text is normalised and how pairs are cut.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

use super::TokenizerClass;
use crate::checkpoint::ModelFiles;
use crate::checkpoint::json::Object;
use crate::checkpoint::sbert::{CrossEncoderFiles, TransformerConfig};
use crate::error::{ErrorKind, Result, tokenizer};

/// The end of a text that is lost when a pair is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TruncationSide {
    /// The end goes, the beginning stays.
    Right,
    /// The beginning goes, the end stays.
    Left,
}

/// What HF's tokenizer classes read beside `tokenizer.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizerConfig {
    /// Longest sequence in tokens, special ones included; `None` when the files name none or an absurd one.
    pub model_max_length: Option<usize>,
    /// Whether that length is meant for the model too, so that its `max_position_embeddings` sets no limit where it has
    /// no table of positions.
    pub overrides_max_positions: bool,
    /// Lower-case the text before all else, unless the class does so by itself (`do_lower_case` of
    /// `sentence_bert_config.json`).
    pub lower_case: bool,
    /// Whether the tokenizer hands token types to the model (`model_input_names`).
    pub uses_token_types: bool,
    /// Which end truncation takes from; `None`: as a leftover truncation section of `tokenizer.json` says, or the
    /// right.
    pub truncation_side: Option<TruncationSide>,
    /// Read text that looks like a special token as plain text.
    pub split_special_tokens: bool,
    /// The class that reads `tokenizer.json`.
    pub class: TokenizerClass,
    /// What the class is told beside its vocabulary.
    pub options: TokenizerOptions,
    /// The tokens that have a part of their own.
    pub special_tokens: SpecialTokens,
    /// `added_tokens_decoder`, by id: takes the place of `tokenizer.json`'s added tokens where it is given.
    pub added_tokens: Option<Vec<AddedToken>>,
    /// `added_tokens.json`, where it counts: tokens with the ids under which `tokenizer.json` may list others instead.
    pub legacy_added_tokens: Vec<(u32, AddedToken)>,
}

/// Fields from which HF's classes make a normaliser and a pre-tokenizer; `None`: as the class has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizerOptions {
    /// Lower-case the text.
    pub do_lower_case: Option<bool>,
    /// Strip accents; `None`: as `do_lower_case`.
    pub strip_accents: Option<bool>,
    /// Put spaces around CJK characters.
    pub tokenize_chinese_chars: Option<bool>,
    /// Split at punctuation.
    pub split_by_punct: Option<bool>,
    /// Read the first word as if a space came before it.
    pub add_prefix_space: Option<bool>,
    /// The id of the unknown token.
    pub unk_id: Option<usize>,
}

/// The tokens with a name of their own, as far as `tokenizer_config.json` names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecialTokens {
    /// By [`SpecialToken`].
    pub named: [Option<AddedToken>; 7],
    /// `extra_special_tokens`, once `additional_special_tokens`.
    pub extra: Option<Vec<AddedToken>>,
}

/// Which of the named tokens, in HF's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpecialToken {
    /// Beginning of a sequence.
    Bos,
    /// End of a sequence.
    Eos,
    /// Stands for what the vocabulary does not hold.
    Unk,
    /// After the query and after the document.
    Sep,
    /// Fills short sequences up; never seen here.
    #[expect(dead_code, reason = "keeps the numbers of the tokens after it")]
    Pad,
    /// Before the query.
    Cls,
    /// Stands for a hidden word; never seen here unless a text holds it.
    Mask,
}

const TOKEN_FIELDS: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

/// A token that is cut out of a text before anything else happens to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct AddedToken {
    /// Its text.
    pub content: String,
    /// Only as a whole word.
    #[serde(default)]
    pub single_word: bool,
    /// Takes the white space before it.
    #[serde(default)]
    pub lstrip: bool,
    /// Takes the white space after it.
    #[serde(default)]
    pub rstrip: bool,
    /// Looked for in the normalised text.
    #[serde(default)]
    pub normalized: bool,
    /// Belongs to the template.
    #[serde(default)]
    pub special: bool,
}

impl AddedToken {
    /// A special token without further properties.
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
    /// Reads what goes with `tokenizer.json`, and from `config.json` what decides the class.
    ///
    /// # Errors
    /// `tokenizer` or `config` for a malformed file, `unsupported` for a class that is not copied.
    pub fn read(files: &ModelFiles) -> Result<Self> {
        let config =
            Object::parse(ErrorKind::Config, "config.json", files.get("config.json").unwrap_or(b"{}"))?;
        Self::from_parsed(files, parse_config(files)?, &config, &CrossEncoderFiles::read(files)?)
    }

    /// As [`read`](Self::read), of files that have been parsed: `tokenizer_config.json`, `config.json` and those of
    /// sentence-transformers.
    pub(in crate::checkpoint) fn from_parsed(
        files: &ModelFiles,
        mut json: Object,
        config: &Object,
        cross_encoder: &CrossEncoderFiles,
    ) -> Result<Self> {
        // What transformers wrote before it listed added tokens in `tokenizer_config.json`.
        let old = !json.contains("added_tokens_decoder");
        if old {
            json.merge(parse(files, "special_tokens_map.json")?, "extra_special_tokens");
        }
        let named = match json.string("tokenizer_class")? {
            Some(name) => Some(name),
            None => config.string("tokenizer_class")?,
        };
        let transformer = cross_encoder.transformer();
        let module_max_length = transformer.map(TransformerConfig::max_length).transpose()?.flatten();
        let class = TokenizerClass::resolve(named, config.string("model_type")?)?;
        let special_tokens = special_tokens(&json)?;
        Ok(Self {
            model_max_length: match (module_max_length, json.token_count("model_max_length")?) {
                (Some(length), _) | (None, Some(length)) => Some(length),
                (None, None) => json.token_count("max_len")?,
            },
            overrides_max_positions: module_max_length.is_some(),
            lower_case: transformer.map(TransformerConfig::lower_case).transpose()?.unwrap_or(false),
            uses_token_types: json
                .strings("model_input_names")?
                .map_or(class.uses_token_types(), |names| names.contains(&"token_type_ids")),
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

/// Parses `tokenizer_config.json`; empty without it.
///
/// # Errors
/// `tokenizer` for a malformed file.
pub(in crate::checkpoint) fn parse_config(files: &ModelFiles) -> Result<Object> {
    parse(files, "tokenizer_config.json")
}

fn parse(files: &ModelFiles, name: &str) -> Result<Object> {
    Object::parse(ErrorKind::Tokenizer, name, files.get(name).unwrap_or(b"{}"))
}

fn options(json: &Object) -> Result<TokenizerOptions> {
    Ok(TokenizerOptions {
        do_lower_case: json.bool("do_lower_case")?,
        strip_accents: json.bool("strip_accents")?,
        tokenize_chinese_chars: json.bool("tokenize_chinese_chars")?,
        split_by_punct: json.bool("split_by_punct")?,
        add_prefix_space: json.bool("add_prefix_space")?,
        unk_id: match json.get("unk_id") {
            None => None,
            Some(_) => Some(json.count("unk_id", 0, 0, u32::MAX as usize)?),
        },
    })
}

fn added_tokens(json: &Object) -> Result<Option<Vec<AddedToken>>> {
    let Some(listed) = json.get("added_tokens_decoder") else { return Ok(None) };
    let by_id: BTreeMap<u32, AddedToken> = serde::Deserialize::deserialize(listed).map_err(|error| {
        tokenizer(format!("tokenizer_config.json: added_tokens_decoder: {error}")).with_source(error)
    })?;
    Ok(Some(by_id.into_values().collect()))
}

fn legacy_added_tokens(files: &ModelFiles, special: &SpecialTokens) -> Result<Vec<(u32, AddedToken)>> {
    const NAME: &str = "added_tokens.json";
    let ids: BTreeMap<String, u32> = serde_json::from_slice(files.get(NAME).unwrap_or(b"{}"))
        .map_err(|error| tokenizer(format!("{NAME}: {error}")).with_source(error))?;
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

/// A list of tokens, or an object that gives each a name.
fn extra(json: &Object, name: &str) -> Result<Option<Vec<AddedToken>>> {
    let Some(listed) = json.get(name) else { return Ok(None) };
    let values: Vec<_> = match listed {
        Value::Array(values) => values.iter().collect(),
        Value::Object(values) => values.values().collect(),
        _ => return Err(tokenizer(format!("tokenizer_config.json: {name} is not a list"))),
    };
    values.into_iter().map(|value| special_token(name, value)).collect::<Result<_>>().map(Some)
}

/// A token, written as a string or (older files) as an object with `content`.
fn special_token(name: &str, value: &Value) -> Result<AddedToken> {
    let token = match value {
        Value::String(content) => Ok(AddedToken::special(content)),
        value => serde::Deserialize::deserialize(value),
    };
    token
        .map(|token| AddedToken { special: true, ..token })
        .map_err(|error| tokenizer(format!("tokenizer_config.json: {name}: {error}")).with_source(error))
}
