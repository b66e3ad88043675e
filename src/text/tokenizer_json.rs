//! `tokenizer.json`, looked through before the `tokenizers` library sees it.
//!
//! The library trusts its file: some damaged or hostile ones make it panic or ask for gigabytes. So it is handed only
//! the sections that are used, and of those only components that are known to hold. Its truncation, padding and
//! decoder are not part of a model and never get there; the pair template is read by [`super::template`].

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;
use serde_json::value::RawValue;
use tokenizers::Tokenizer;
use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::BertNormalizer;

use super::template::PairTemplate;
use crate::checkpoint::TruncationSide;
use crate::error::{Error, Result, tokenizer, unsupported};

/// The sections of the file, unread.
#[derive(Deserialize)]
pub(super) struct TokenizerJson<'a> {
    #[serde(borrow)]
    model: &'a RawValue,
    #[serde(borrow)]
    added_tokens: Option<&'a RawValue>,
    #[serde(borrow)]
    normalizer: Option<&'a RawValue>,
    #[serde(borrow)]
    pre_tokenizer: Option<&'a RawValue>,
    #[serde(borrow)]
    post_processor: Option<&'a RawValue>,
    #[serde(borrow)]
    truncation: Option<&'a RawValue>,
}

/// What tells a WordPiece model from the others; older files do not name the type.
#[derive(Deserialize)]
struct Model {
    r#type: Option<String>,
    max_input_chars_per_word: Option<usize>,
    continuing_subword_prefix: Option<String>,
    merges: Option<IgnoredAny>,
}

// WordPiece looks up every part of a word, with the prefix before it: its time grows with the cube of a word's length
// and with that of the prefix. Real files have 100 and "##", and a handful of components.
const LONGEST_WORD: usize = 1000;
const LONGEST_PREFIX: usize = 100;
const MOST_COMPONENTS: usize = 100;

const NORMALIZERS: [&str; 9] =
    ["BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Sequence", "Strip", "StripAccents"];
const PRE_TOKENIZERS: [&str; 6] =
    ["BertPreTokenizer", "Digits", "Punctuation", "Sequence", "Whitespace", "WhitespaceSplit"];

impl<'a> TokenizerJson<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(malformed)
    }

    /// The vocabulary and the added tokens alone, for classes that make the rest themselves.
    ///
    /// # Errors
    /// `tokenizer` for a malformed section, `unsupported` for a model that is not WordPiece.
    pub(super) fn vocabulary(&self) -> Result<Tokenizer> {
        self.check_model()?;
        self.build("null", "null")
    }

    /// The whole pipeline as the file has it.
    ///
    /// # Errors
    /// As [`vocabulary`](Self::vocabulary); `unsupported` for a component that is not known to hold.
    pub(super) fn pipeline(&self) -> Result<Tokenizer> {
        let model = self.check_model()?;
        if let Some(most) = model.max_input_chars_per_word.filter(|most| *most > LONGEST_WORD) {
            return Err(unsupported(format!(
                "tokenizer.json: max_input_chars_per_word {most}; this build reads up to {LONGEST_WORD}"
            )));
        }
        let normalizer = checked(self.normalizer, "normalizer", "normalizers", &NORMALIZERS)?;
        let pre_tokenizer = checked(self.pre_tokenizer, "pre_tokenizer", "pretokenizers", &PRE_TOKENIZERS)?;
        self.build(&normalizer, &pre_tokenizer)
    }

    /// The pair template of the file's post-processor.
    pub(super) fn pair_template(&self) -> Result<PairTemplate> {
        PairTemplate::parse(self.post_processor.map_or("null", RawValue::get))
    }

    /// HF forgets what a leftover truncation section says, except on which side.
    pub(super) fn leftover_truncation_side(&self) -> Result<TruncationSide> {
        let leftover: Value =
            serde_json::from_str(self.truncation.map_or("null", RawValue::get)).map_err(malformed)?;
        Ok(match leftover["direction"].as_str() {
            Some("Left") => TruncationSide::Left,
            _ => TruncationSide::Right,
        })
    }

    fn check_model(&self) -> Result<Model> {
        let model: Model = serde_json::from_str(self.model.get()).map_err(malformed)?;
        match (model.r#type.as_deref(), model.max_input_chars_per_word, &model.merges) {
            (Some("WordPiece"), ..) | (None, Some(_), None) => {}
            (Some(other), ..) => {
                return Err(unsupported(format!(
                    "tokenizer.json: a model of the type {other:?}; this build reads WordPiece"
                )));
            }
            (None, ..) => return Err(tokenizer("tokenizer.json: the model names no type")),
        }
        match model.continuing_subword_prefix.as_ref().map(String::len) {
            Some(length @ LONGEST_PREFIX..) => {
                Err(unsupported(format!("tokenizer.json: a continuing_subword_prefix of {length} bytes")))
            }
            _ => Ok(model),
        }
    }

    fn build(&self, normalizer: &str, pre_tokenizer: &str) -> Result<Tokenizer> {
        let json = format!(
            r#"{{"version":"1.0","truncation":null,"padding":null,"added_tokens":{added_tokens},"normalizer":{normalizer},"pre_tokenizer":{pre_tokenizer},"post_processor":null,"decoder":null,"model":{model}}}"#,
            added_tokens = self.added_tokens.map_or("[]", RawValue::get),
            model = self.model.get(),
        );
        let built: Tokenizer = json.parse().map_err(malformed)?;
        match built.get_model() {
            ModelWrapper::WordPiece(_) => Ok(built),
            // Without a type the library takes the first model whose fields are there.
            _ => Err(tokenizer("tokenizer.json: the model names no type and lacks a field of WordPiece")),
        }
    }
}

/// The text of a section all of whose components, those inside a `Sequence` too, are among `known`.
///
/// It is written anew, so that of a field that stands twice the library reads the one that was looked at.
fn checked(section: Option<&RawValue>, name: &str, inner: &str, known: &[&str]) -> Result<String> {
    let section: Value = serde_json::from_str(section.map_or("null", RawValue::get)).map_err(malformed)?;
    let text = section.to_string();
    let mut open = vec![section];
    let mut components = 0;
    while let Some(mut component) = open.pop() {
        components += 1;
        if components > MOST_COMPONENTS {
            return Err(unsupported(format!(
                "tokenizer.json: a {name} of more than {MOST_COMPONENTS} parts"
            )));
        }
        if component.is_null() {
            continue;
        }
        match component["type"].as_str() {
            // The one type that the library does not go by: it takes the first normaliser whose fields are there,
            // `Replace` with any pattern among them.
            Some("BertNormalizer") if known.contains(&"BertNormalizer") => {
                BertNormalizer::deserialize(&component).map_err(malformed)?;
            }
            Some(kind) if known.contains(&kind) => {}
            Some(kind) => {
                return Err(unsupported(format!(
                    "tokenizer.json: the {name} {kind:?}; this build reads {known:?}"
                )));
            }
            None => return Err(tokenizer(format!("tokenizer.json: a {name} names no type"))),
        }
        if let Some(Value::Array(components)) = component.get_mut(inner).map(Value::take) {
            open.extend(components);
        }
    }
    Ok(text)
}

pub(super) fn malformed(error: impl std::fmt::Display) -> Error {
    tokenizer(format!("tokenizer.json: {error}"))
}
