//! `tokenizer_config.json` and `sentence_bert_config.json`: how text is normalised and how pairs are cut.

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
    /// Which end truncation takes from.
    pub truncation_side: TruncationSide,
    /// How HF's `BertTokenizer` builds its pipeline; `None` when another class is named, which then takes
    /// `tokenizer.json` as it is.
    pub bert: Option<BertTokenizerConfig>,
}

/// The fields from which HF's `BertTokenizer` makes the normaliser and the template, whatever `tokenizer.json` says.
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
}

/// HF writes 1e30 for "no limit"; whatever lies above this is none.
const ABSURD_LENGTH: f64 = 1e9;

impl TokenizerConfig {
    pub(crate) fn read(files: &ModelFiles) -> Result<Self> {
        let json = Object::parse("tokenizer_config.json", files.get("tokenizer_config.json").unwrap_or(b"{}"))
            .map_err(|error| tokenizer(error.context()))?;
        Ok(Self {
            model_max_length: match module_max_length(files)? {
                Some(length) => Some(length),
                None => max_length(&json, "model_max_length")?,
            },
            uses_token_types: json
                .texts("model_input_names")?
                .is_none_or(|names| names.contains(&"token_type_ids")),
            truncation_side: match json.text("truncation_side")? {
                None | Some("right") => TruncationSide::Right,
                Some("left") => TruncationSide::Left,
                Some(other) => {
                    return Err(tokenizer(format!("tokenizer_config.json: truncation_side is {other:?}")));
                }
            },
            bert: bert(&json)?,
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
    }))
}

/// A token, written as a string or (older files) as an object with `content`.
fn token(json: &Object, name: &str, default: &str) -> Result<String> {
    match json.get(name) {
        None => Ok(default.to_owned()),
        Some(serde_json::Value::Object(_)) => {
            let content = json.object(name)?.map(|object| object.text("content").map(|text| text.map(str::to_owned)));
            Ok(content.transpose()?.flatten().unwrap_or_else(|| default.to_owned()))
        }
        Some(_) => Ok(json.text(name)?.unwrap_or(default).to_owned()),
    }
}
