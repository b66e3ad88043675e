//! The normalisers and pre-tokenizers of a `tokenizer.json`, each built by what it is called.
//!
//! Only those of published tokenizers are built, and only with fields that keep time and memory bounded: the library
//! itself goes by the fields where a type is missing, and takes any pattern.

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokenizers::normalizers::{
    BertNormalizer, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Replace, Sequence as Normalizers, Strip,
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

use super::charsmap;
use crate::error::{Error, Result, tokenizer, unsupported};
use crate::text::error::malformed;

/// A handful in real files.
const MAX_COMPONENTS: usize = 100;

/// GPT-2's words, as RoBERTa and GPT-NeoX have them.
const GPT2_PATTERN: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// Qwen's words.
pub(super) const QWEN_PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Llama 3's words.
const LLAMA_PATTERN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Patterns a text may be split at; others could take exponential time.
const SPLIT_PATTERNS: [&str; 3] = [GPT2_PATTERN, QWEN_PATTERN, LLAMA_PATTERN];
/// White space that becomes one character: DeBERTa's, SentencePiece's, CLIP's.
const REPLACE_PATTERNS: [&str; 3] = [r"\s{2,}|[\n\r\t]", " {2,}", r"\s+"];

/// Builds the components of one section.
#[derive(Default)]
pub(super) struct ComponentBuilder {
    components: usize,
    /// Kinds that may make a text longer. Of each there is one: in a row they would double it again and again.
    used_once: Vec<String>,
}

impl ComponentBuilder {
    /// A `normalizer` and all those inside it.
    ///
    /// # Errors
    /// `unsupported` for one that is not known to hold, `tokenizer` for a malformed one.
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
            "Replace" => self.replace(json)?.into(),
            "Precompiled" => charsmap::read(charsmap_field(&json)?)?.into(),
            "Sequence" => {
                let inner = children(json, "normalizers")?.into_iter().map(|part| self.normalizer(part));
                Normalizers::new(inner.collect::<Result<_>>()?).into()
            }
            other => return Err(unknown("normalizer", other)),
        })
    }

    /// A `pre_tokenizer` and all those inside it.
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
                "tokenizer.json: a {section} of more than {MAX_COMPONENTS} parts"
            )));
        }
        match json["type"].as_str() {
            Some(kind) => Ok(kind.to_owned()),
            None => Err(tokenizer(format!("tokenizer.json: a {section} names no type"))),
        }
    }

    fn allow_once(&mut self, kind: &str) -> Result<()> {
        if self.used_once.iter().any(|known| known == kind) {
            return Err(unsupported(format!("tokenizer.json: more than one {kind}")));
        }
        self.used_once.push(kind.to_owned());
        Ok(())
    }

    fn replace(&mut self, json: Value) -> Result<Replace> {
        let (pattern, content) = (&json["pattern"], json["content"].as_str().unwrap_or_default());
        match (pattern["Regex"].as_str(), pattern["String"].as_str(), content) {
            (Some(regex), None, " ") if REPLACE_PATTERNS.contains(&regex) => {}
            (Some(regex), None, "▁") if REPLACE_PATTERNS.contains(&regex) => self.allow_once("Replace")?,
            (None, Some(text), _) if !text.is_empty() && content.len() <= text.len() => {}
            _ => {
                return Err(unsupported(format!("tokenizer.json: a Replace of {pattern} by {content:?}")));
            }
        }
        deserialize(json)
    }
}

/// The `precompiled_charsmap` of a normaliser, or of the first inside it that has one.
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
    field
        .ok_or_else(|| tokenizer("tokenizer.json: a Precompiled normalizer without its precompiled_charsmap"))
}

fn split(json: Value) -> Result<Split> {
    let pattern = &json["pattern"];
    let is_supported = match (pattern["Regex"].as_str(), pattern["String"].as_str()) {
        (Some(regex), None) => SPLIT_PATTERNS.contains(&regex),
        (None, Some(text)) => !text.is_empty(),
        _ => false,
    };
    if is_supported {
        deserialize(json)
    } else {
        Err(unsupported(format!("tokenizer.json: a Split at {pattern}")))
    }
}

fn children(mut json: Value, name: &str) -> Result<Vec<Value>> {
    match json[name].take() {
        Value::Array(parts) => Ok(parts),
        _ => Err(tokenizer(format!("tokenizer.json: a Sequence without {name}"))),
    }
}

fn deserialize<T: DeserializeOwned>(json: Value) -> Result<T> {
    serde_json::from_value(json).map_err(malformed)
}

fn unknown(section: &str, kind: &str) -> Error {
    unsupported(format!("tokenizer.json: the {section} {kind:?} is not known"))
}
