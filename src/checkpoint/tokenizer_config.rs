//! `tokenizer_config.json` and `sentence_bert_config.json`: how text is normalised and how pairs are cut.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ModelFiles;
use super::json::Object;
use crate::error::{Result, config, tokenizer};

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
    /// Whether the tokenizer hands token types to the model (`model_input_names`).
    pub uses_token_types: bool,
    /// Which end truncation takes from; `None`: as a leftover truncation section of `tokenizer.json` says, or the
    /// right.
    pub truncation_side: Option<TruncationSide>,
    /// Read text that looks like a special token as plain text.
    pub split_special_tokens: bool,
    /// How HF's `BertTokenizer` builds its pipeline; `None` when another class is named, which then takes
    /// `tokenizer.json` as it is.
    pub bert: Option<BertTokenizerConfig>,
}

/// The fields from which HF's `BertTokenizer` makes everything but the vocabulary, whatever `tokenizer.json` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BertTokenizerConfig {
    /// Lower-case the text.
    pub do_lower_case: bool,
    /// Strip accents; `None`: as `do_lower_case`.
    pub strip_accents: Option<bool>,
    /// Put spaces around CJK characters.
    pub tokenize_chinese_chars: bool,
    /// The token before the query.
    pub cls_token: String,
    /// The token after the query and after the document.
    pub sep_token: String,
    /// The token for what the vocabulary does not hold.
    pub unk_token: String,
    /// `[PAD]` and `[MASK]`, which are found in text as the others are.
    pub other_special_tokens: [String; 2],
    /// `added_tokens_decoder`, by id: takes the place of `tokenizer.json`'s added tokens where it is given.
    pub added_tokens: Option<Vec<AddedToken>>,
}

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

/// HF writes 1e30 for "no limit"; whatever lies above this is none.
const ABSURD_LENGTH: f64 = 1e9;

impl TokenizerConfig {
    pub(crate) fn read(files: &ModelFiles) -> Result<Self> {
        let json =
            Object::parse("tokenizer_config.json", files.get("tokenizer_config.json").unwrap_or(b"{}"))
                .map_err(|error| tokenizer(error.context()))?;
        let bert = bert(&json)?;
        Ok(Self {
            model_max_length: match module_max_length(files)? {
                Some(length) => Some(length),
                None => match max_length(&json, "model_max_length")? {
                    Some(length) => Some(length),
                    None => max_length(&json, "max_len")?,
                },
            },
            // BertTokenizer hands token types over; a tokenizer without a class of its own only when told to.
            uses_token_types: json
                .texts("model_input_names")?
                .map_or(bert.is_some(), |names| names.contains(&"token_type_ids")),
            truncation_side: match json.text("truncation_side")? {
                None => None,
                Some("right") => Some(TruncationSide::Right),
                Some("left") => Some(TruncationSide::Left),
                Some(other) => {
                    return Err(tokenizer(format!("tokenizer_config.json: truncation_side is {other:?}")));
                }
            },
            split_special_tokens: json.flag("split_special_tokens")?.unwrap_or(false),
            bert,
        })
    }
}

/// sentence-transformers reads `sentence_bert_config.json` only beside a `modules.json`; its limit comes first.
fn module_max_length(files: &ModelFiles) -> Result<Option<usize>> {
    match (files.get("modules.json"), files.get("sentence_bert_config.json")) {
        (Some(_), Some(bytes)) => {
            max_length(&Object::parse("sentence_bert_config.json", bytes)?, "max_seq_length")
        }
        _ => Ok(None),
    }
}

fn max_length(json: &Object, name: &str) -> Result<Option<usize>> {
    let Some(length) = json.number(name)? else { return Ok(None) };
    if length >= ABSURD_LENGTH {
        return Ok(None);
    }
    if length < 1.0 || length.fract() != 0.0 {
        return Err(config(format!("{name} is {length}, not a number of tokens")));
    }
    Ok(Some(length as usize))
}

fn bert(json: &Object) -> Result<Option<BertTokenizerConfig>> {
    if !matches!(json.text("tokenizer_class")?, None | Some("BertTokenizer" | "BertTokenizerFast")) {
        return Ok(None);
    }
    Ok(Some(BertTokenizerConfig {
        do_lower_case: json.flag("do_lower_case")?.unwrap_or(true),
        strip_accents: json.flag("strip_accents")?,
        tokenize_chinese_chars: json.flag("tokenize_chinese_chars")?.unwrap_or(true),
        cls_token: token(json, "cls_token", "[CLS]")?,
        sep_token: token(json, "sep_token", "[SEP]")?,
        unk_token: token(json, "unk_token", "[UNK]")?,
        other_special_tokens: [token(json, "pad_token", "[PAD]")?, token(json, "mask_token", "[MASK]")?],
        added_tokens: added_tokens(json)?,
    }))
}

fn added_tokens(json: &Object) -> Result<Option<Vec<AddedToken>>> {
    let Some(listed) = json.get("added_tokens_decoder") else { return Ok(None) };
    let by_id: BTreeMap<u32, AddedToken> = serde::Deserialize::deserialize(listed)
        .map_err(|error| tokenizer(format!("tokenizer_config.json: added_tokens_decoder: {error}")))?;
    Ok(Some(by_id.into_values().collect()))
}

/// A token, written as a string or (older files) as an object with `content`.
fn token(json: &Object, name: &str, default: &str) -> Result<String> {
    match json.get(name) {
        None => Ok(default.to_owned()),
        Some(serde_json::Value::Object(_)) => {
            let content =
                json.object(name)?.map(|object| object.text("content").map(|text| text.map(str::to_owned)));
            Ok(content.transpose()?.flatten().unwrap_or_else(|| default.to_owned()))
        }
        Some(_) => Ok(json.text(name)?.unwrap_or(default).to_owned()),
    }
}
