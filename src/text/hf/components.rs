//! Builds the normalizers and pre-tokenizers of a `tokenizer.json` by their `type`.
//!
//! Only the components of published tokenizers are supported, and only with fields that bound time and memory. The
//! library's own deserializer guesses missing types from the fields and accepts any regular expression.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::normalizers::{
    BertNormalizer, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Prepend, Replace, Sequence as Normalizers, Strip,
    StripAccents,
};
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::metaspace::Metaspace;
use tokenizers::pre_tokenizers::punctuation::Punctuation;
use tokenizers::pre_tokenizers::sequence::Sequence as PreTokenizers;
use tokenizers::pre_tokenizers::split::Split;
use tokenizers::pre_tokenizers::whitespace::{Whitespace, WhitespaceSplit};
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper};

use super::{charsmap, pattern};
use crate::error::{Error, Result, tokenizer, unsupported};
use crate::text::error::malformed;

/// Published files have a handful.
const MAX_COMPONENTS: usize = 100;

/// Maximum factor by which replacements may make a text longer. Putting `▁` in place of spaces takes 3.
const MAX_REPLACE_GROWTH: usize = 32;
/// Maximum length of the text that `Prepend` puts before every text, in bytes. SentencePiece's is `▁`.
const MAX_PREPEND_BYTES: usize = 16;

/// The words of Qwen.
pub(super) const QWEN_PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Builds the components of one section, counting them.
pub(super) struct ComponentBuilder {
    components: usize,
    /// Factor by which the replacements so far may make a text longer.
    replace_growth: usize,
    /// Types of components used so far that may make a text longer. Each may occur once, because a chain of them could
    /// double the text at every step.
    used_once: Vec<String>,
}

impl Default for ComponentBuilder {
    fn default() -> Self {
        Self { components: 0, replace_growth: 1, used_once: Vec::new() }
    }
}

impl ComponentBuilder {
    /// Builds a `normalizer` and the ones inside it.
    ///
    /// # Errors
    /// `unsupported` for a type or fields outside the supported ones, `tokenizer` for a malformed component.
    pub(super) fn normalizer(&mut self, json: Value) -> Result<NormalizerWrapper> {
        let kind = self.component_type(&json, "normalizer")?;
        if !["Replace", "Sequence", "Strip", "StripAccents"].contains(&kind.as_str()) {
            self.allow_once(&kind)?;
        }
        Ok(match kind.as_str() {
            "BertNormalizer" => deserialize::<BertNormalizer>(json)?.into(),
            "Lowercase" => Lowercase.into(),
            "NFC" => NFC.into(),
            "NFD" => NFD.into(),
            "NFKC" => NFKC.into(),
            "NFKD" => NFKD.into(),
            "Nmt" => Nmt.into(),
            "Strip" => deserialize::<Strip>(json)?.into(),
            "StripAccents" => StripAccents.into(),
            // The library can panic at an empty text, which adds nothing.
            "Prepend" if json["prepend"] == "" => Normalizers::new(Vec::new()).into(),
            "Prepend" => prepend(json)?.into(),
            "Replace" => self.replace(json)?.into(),
            "Precompiled" => charsmap::read(charsmap_field(&json)?)?.into(),
            "Sequence" => {
                let inner = children(json, "normalizers")?.into_iter().map(|part| self.normalizer(part));
                Normalizers::new(inner.collect::<Result<_>>()?).into()
            }
            other => return Err(unknown("normalizer", other)),
        })
    }

    /// Builds a `pre_tokenizer` and the ones inside it.
    ///
    /// # Errors
    /// As [`normalizer`](Self::normalizer).
    pub(super) fn pre_tokenizer(&mut self, json: Value) -> Result<PreTokenizerWrapper> {
        let kind = self.component_type(&json, "pre_tokenizer")?;
        Ok(match kind.as_str() {
            "BertPreTokenizer" => BertPreTokenizer.into(),
            "Digits" => deserialize::<Digits>(json)?.into(),
            "Punctuation" => deserialize::<Punctuation>(json)?.into(),
            "Whitespace" => Whitespace.into(),
            "WhitespaceSplit" => WhitespaceSplit.into(),
            "Split" => split(json)?.into(),
            "ByteLevel" => {
                self.allow_once(&kind)?;
                deserialize::<ByteLevel>(json)?.into()
            }
            "Metaspace" => {
                self.allow_once(&kind)?;
                deserialize::<Metaspace>(json)?.into()
            }
            "Sequence" => {
                let inner = children(json, "pretokenizers")?.into_iter().map(|part| self.pre_tokenizer(part));
                PreTokenizers::new(inner.collect::<Result<_>>()?).into()
            }
            other => return Err(unknown("pre_tokenizer", other)),
        })
    }

    fn component_type(&mut self, json: &Value, section: &str) -> Result<String> {
        self.components += 1;
        if self.components > MAX_COMPONENTS {
            return Err(unsupported(format!(
                "tokenizer.json: the {section} has more than {MAX_COMPONENTS} components"
            )));
        }
        match json["type"].as_str() {
            Some(kind) => Ok(kind.to_owned()),
            None => Err(tokenizer(format!("tokenizer.json: a {section} has no type"))),
        }
    }

    fn allow_once(&mut self, kind: &str) -> Result<()> {
        if self.used_once.iter().any(|known| known == kind) {
            return Err(unsupported(format!("tokenizer.json: more than one {kind} is not supported")));
        }
        self.used_once.push(kind.to_owned());
        Ok(())
    }

    /// Builds a replacement of a text or a pattern. Its match has at least one byte, which bounds the text's growth.
    fn replace(&mut self, json: Value) -> Result<Replace> {
        let (pattern, content) = (&json["pattern"], json["content"].as_str().unwrap_or_default());
        let min_match = match (pattern["Regex"].as_str(), pattern["String"].as_str()) {
            (Some(regex), None) if pattern::is_supported(regex) => 1,
            (None, Some(text)) if !text.is_empty() => text.len(),
            _ => return Err(unsupported(format!("tokenizer.json: a Replace of {pattern} is not supported"))),
        };
        self.replace_growth = self.replace_growth.saturating_mul(content.len().div_ceil(min_match).max(1));
        if self.replace_growth > MAX_REPLACE_GROWTH {
            return Err(unsupported(format!(
                "tokenizer.json: with the Replace of {pattern} by {content:.40?}, a text may become {} times longer; \
                 this build reads up to {MAX_REPLACE_GROWTH}",
                self.replace_growth
            )));
        }
        deserialize(json)
    }
}

fn prepend(json: Value) -> Result<Prepend> {
    let length = json["prepend"].as_str().map_or(0, str::len);
    if length > MAX_PREPEND_BYTES {
        return Err(unsupported(format!(
            "tokenizer.json: a Prepend of {length} bytes; this build reads up to {MAX_PREPEND_BYTES}"
        )));
    }
    deserialize(json)
}

/// Returns the `precompiled_charsmap` of a normalizer, or of the first one inside it.
pub(super) fn find_charsmap(normalizer: &Value) -> Result<Option<&str>> {
    let inner = match normalizer["type"].as_str() {
        Some("Sequence") => normalizer["normalizers"].as_array().map_or(&[][..], Vec::as_slice),
        _ => std::slice::from_ref(normalizer),
    };
    let precompiled = inner.iter().find(|part| part["type"] == "Precompiled");
    precompiled.map(charsmap_field).transpose()
}

fn charsmap_field(json: &Value) -> Result<&str> {
    let field = json["precompiled_charsmap"].as_str();
    field.ok_or_else(|| tokenizer("tokenizer.json: a Precompiled normalizer has no precompiled_charsmap"))
}

fn split(json: Value) -> Result<Split> {
    let pattern = &json["pattern"];
    let is_supported = match (pattern["Regex"].as_str(), pattern["String"].as_str()) {
        (Some(regex), None) => pattern::is_supported(regex),
        (None, Some(text)) => !text.is_empty(),
        _ => false,
    };
    if is_supported {
        deserialize(json)
    } else {
        Err(unsupported(format!(
            "tokenizer.json: a Split at {pattern} is not supported, because it could take too long or \
             differ from Oniguruma's"
        )))
    }
}

fn children(mut json: Value, name: &str) -> Result<Vec<Value>> {
    match json[name].take() {
        Value::Array(parts) => Ok(parts),
        _ => Err(tokenizer(format!("tokenizer.json: a Sequence has no {name}"))),
    }
}

fn deserialize<T: DeserializeOwned>(json: Value) -> Result<T> {
    serde_json::from_value(json).map_err(malformed)
}

fn unknown(section: &str, kind: &str) -> Error {
    unsupported(format!("tokenizer.json: the {section} {kind:?} is not supported"))
}
