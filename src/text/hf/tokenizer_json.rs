//! Parses the sections of `tokenizer.json` and checks each before the `tokenizers` library gets it.
//!
//! The sections `truncation`, `padding` and `decoder` do not belong to the model, so the library never gets them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_json::value::RawValue;
use tokenizers::models::bpe::BPE;
use tokenizers::{NormalizerWrapper, PreTokenizerWrapper};

use super::components::{ComponentBuilder, find_charsmap};
use super::model::Model;
use super::post_processor;
use super::unigram::Unigram;
use super::word_piece::{self, WordPieceModel};
use crate::checkpoint::{AddedToken, TruncationSide};
use crate::error::{Result, tokenizer, unsupported};
use crate::text::error::malformed;
use crate::text::pair_template::PairTemplate;

/// The unparsed sections of the file.
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

/// The small fields of a model. They tell models apart in older files, which name no type.
#[derive(Deserialize)]
struct ModelHeader<'a> {
    r#type: Option<String>,
    max_input_chars_per_word: Option<usize>,
    continuing_subword_prefix: Option<String>,
    end_of_word_suffix: Option<String>,
    merges: Option<IgnoredAny>,
    unk_id: Option<usize>,
    byte_fallback: Option<bool>,
    dropout: Option<f64>,
    #[serde(borrow)]
    vocab: &'a RawValue,
}

/// A merge as a pair, or in older files as one text with a space between.
#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Text(String),
}

/// The fields that the library reads.
const BPE_FIELDS: [&str; 10] = [
    "type",
    "vocab",
    "merges",
    "dropout",
    "unk_token",
    "continuing_subword_prefix",
    "end_of_word_suffix",
    "fuse_unk",
    "byte_fallback",
    "ignore_merges",
];

// WordPiece looks up every substring of a word after the prefix, so its time grows with the cube of the word's length
// and with the length of the prefix. Published files have 100 and "##".
const MAX_WORD_CHARS: usize = 1000;
const MAX_PREFIX_BYTES: usize = 100;
// BPE writes the suffix after the last character of every word. Published files have "</w>".
const MAX_SUFFIX_BYTES: usize = 16;

impl<'a> TokenizerJson<'a> {
    /// Splits the file into sections.
    ///
    /// # Errors
    /// `tokenizer` for malformed JSON.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(malformed)
    }

    /// Builds the model exactly as the file describes it.
    ///
    /// # Errors
    /// `tokenizer` for a malformed section, `unsupported` for a model type or fields outside the supported ones.
    pub(super) fn model(&self) -> Result<Model> {
        let header: ModelHeader = serde_json::from_str(self.model.get()).map_err(malformed)?;
        let is_list = header.vocab.get().starts_with('[');
        let unigram = || {
            let model = self.unigram(|_, id| id)?;
            Ok(if header.byte_fallback == Some(true) { model.with_byte_fallback() } else { model })
        };
        match header.r#type.as_deref() {
            Some("WordPiece") => self.word_piece_as_stored().map(Model::WordPiece),
            Some("BPE") => self.byte_pairs().map(Model::Bpe),
            Some("Unigram") => unigram().map(Model::Unigram),
            Some(other) => Err(unsupported(format!(
                "tokenizer.json: the model type {other:?} is not supported; this build reads WordPiece, BPE and Unigram"
            ))),
            None if header.merges.is_some() => self.byte_pairs().map(Model::Bpe),
            None if header.max_input_chars_per_word.is_some() => {
                self.word_piece_as_stored().map(Model::WordPiece)
            }
            None if is_list => unigram().map(Model::Unigram),
            None => Err(tokenizer("tokenizer.json: the model has no type")),
        }
    }

    /// Builds a WordPiece model with the maximum word length in the file.
    fn word_piece_as_stored(&self) -> Result<WordPieceModel> {
        let model = self.word_piece()?;
        match model.library.max_input_chars_per_word {
            max if max > MAX_WORD_CHARS => Err(unsupported(format!(
                "tokenizer.json: max_input_chars_per_word is {max}; this build reads up to {MAX_WORD_CHARS}"
            ))),
            _ => Ok(model),
        }
    }

    /// Builds a WordPiece model for a class that sets its own maximum word length.
    ///
    /// # Errors
    /// As [`model`](Self::model); `unsupported` for a prefix so long that a text could take minutes.
    pub(super) fn word_piece(&self) -> Result<WordPieceModel> {
        let model = match word_piece::parse(self.model.get()) {
            Ok(model) => model,
            Err(error) => {
                self.model_header("WordPiece")?;
                return Err(malformed(error));
            }
        };
        let length = model.library.continuing_subword_prefix.len();
        if length > MAX_PREFIX_BYTES {
            return Err(unsupported(format!(
                "tokenizer.json: continuing_subword_prefix has {length} bytes; this build reads up to \
                 {MAX_PREFIX_BYTES}"
            )));
        }
        Ok(model)
    }

    /// Builds a BPE model.
    ///
    /// # Errors
    /// As [`model`](Self::model); `tokenizer` for a merge whose tokens are not in the vocabulary. Some of these make
    /// the library panic (huggingface/tokenizers#2198).
    pub(super) fn byte_pairs(&self) -> Result<BPE> {
        let header = self.model_header("BPE")?;
        if header.continuing_subword_prefix.is_some_and(|prefix| !prefix.is_empty()) {
            return Err(unsupported(
                "tokenizer.json: a BPE model with continuing_subword_prefix is not supported",
            ));
        }
        let suffix = header.end_of_word_suffix.map_or(0, |suffix| suffix.len());
        if suffix > MAX_SUFFIX_BYTES {
            return Err(unsupported(format!(
                "tokenizer.json: end_of_word_suffix has {suffix} bytes; this build reads up to {MAX_SUFFIX_BYTES}"
            )));
        }
        if suffix > 0 && header.byte_fallback == Some(true) {
            return Err(unsupported(
                "tokenizer.json: a BPE model with both end_of_word_suffix and byte_fallback is not supported",
            ));
        }
        if header.dropout.is_some_and(|dropout| dropout != 0.0) {
            return Err(unsupported(
                "tokenizer.json: a BPE model with dropout is not supported, because its tokens are random",
            ));
        }
        self.check_merges()?;
        let mut model: BPE = self.library_model(&BPE_FIELDS)?;
        // The library's cache is thread-local and outlives the model.
        model.resize_cache(0);
        Ok(model)
    }

    /// Deserializes a model of the library, which fails at fields that it does not know; transformers ignores them.
    fn library_model<T: DeserializeOwned>(&self, known: &[&str]) -> Result<T> {
        let fields: BTreeMap<Cow<str>, &RawValue> =
            serde_json::from_str(self.model.get()).map_err(malformed)?;
        if fields.keys().all(|name| known.contains(&name.as_ref())) {
            return serde_json::from_str(self.model.get()).map_err(malformed);
        }
        let known: BTreeMap<_, _> =
            fields.iter().filter(|(name, _)| known.contains(&name.as_ref())).collect();
        serde_json::from_str(&serde_json::to_string(&known).map_err(malformed)?).map_err(malformed)
    }

    fn check_merges(&self) -> Result<()> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            #[serde(borrow)]
            vocab: HashMap<Cow<'a, str>, u32>,
            merges: Vec<Merge>,
        }
        let Fields { vocab, merges } = serde_json::from_str(self.model.get()).map_err(malformed)?;
        for merge in merges {
            let (first, second) = match &merge {
                Merge::Pair(first, second) => (first.as_str(), second.as_str()),
                Merge::Text(text) if text.starts_with("#version") => continue,
                Merge::Text(text) => text.split_once(' ').unwrap_or((text, "")),
            };
            for token in [first, second, &[first, second].concat()] {
                if !vocab.contains_key(token) {
                    return Err(tokenizer(format!(
                        "tokenizer.json: the merge of {first:?} and {second:?} needs the token {token:?}, \
                         which is not in the vocabulary"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Builds a Unigram model. `unk_id` chooses the unknown token, given the vocabulary and the `unk_id` in the file.
    ///
    /// # Errors
    /// As [`model`](Self::model).
    pub(super) fn unigram(
        &self,
        unk_id: impl FnOnce(&[(Cow<str>, f64)], Option<usize>) -> Option<usize>,
    ) -> Result<Unigram> {
        let header = self.model_header("Unigram")?;
        let pieces: Vec<Piece> = serde_json::from_str(header.vocab.get()).map_err(malformed)?;
        let vocab: Vec<(Cow<str>, f64)> =
            pieces.into_iter().map(|Piece(piece, score)| (piece, score)).collect();
        let unk_id = unk_id(&vocab, header.unk_id).ok_or_else(|| {
            unsupported("tokenizer.json: a Unigram model without an unknown token is not supported")
        })?;
        Unigram::new(&vocab, unk_id)
    }

    /// Builds the normalizer exactly as the file describes it.
    ///
    /// # Errors
    /// `tokenizer` for a malformed section, `unsupported` for a component outside the supported ones.
    pub(super) fn normalizer(&self) -> Result<Option<NormalizerWrapper>> {
        let json = parse_section(self.normalizer)?;
        (!json.is_null()).then(|| ComponentBuilder::default().normalizer(json)).transpose()
    }

    /// Builds the pre-tokenizer exactly as the file describes it.
    ///
    /// # Errors
    /// As [`normalizer`](Self::normalizer).
    pub(super) fn pre_tokenizer(&self) -> Result<Option<PreTokenizerWrapper>> {
        let json = parse_section(self.pre_tokenizer)?;
        (!json.is_null()).then(|| ComponentBuilder::default().pre_tokenizer(json)).transpose()
    }

    /// Builds a normalizer from only the character map of the file's normalizer.
    ///
    /// # Errors
    /// As [`normalizer`](Self::normalizer).
    pub(super) fn charsmap(&self) -> Result<Option<NormalizerWrapper>> {
        let json = parse_section(self.normalizer)?;
        Ok(find_charsmap(&json)?.map(super::charsmap::read).transpose()?.map(Into::into))
    }

    /// Returns the added tokens with their ids, in the order of the file.
    pub(super) fn added_tokens(&self) -> Result<Vec<(u32, AddedToken)>> {
        #[derive(Deserialize)]
        struct WithId {
            id: u32,
            #[serde(flatten)]
            token: AddedToken,
        }
        let json = self.added_tokens.map_or("null", RawValue::get);
        let listed: Option<Vec<WithId>> = serde_json::from_str(json).map_err(malformed)?;
        Ok(listed.unwrap_or_default().into_iter().map(|WithId { id, token }| (id, token)).collect())
    }

    /// Returns the pair template of the file's post-processor.
    pub(super) fn pair_template(&self) -> Result<PairTemplate> {
        post_processor::parse(self.post_processor.map_or("null", RawValue::get))
    }

    /// Returns the side of the truncation section, which is all that HF keeps of it.
    pub(super) fn leftover_truncation_side(&self) -> Result<TruncationSide> {
        Ok(match parse_section(self.truncation)?["direction"].as_str() {
            Some("Left") => TruncationSide::Left,
            _ => TruncationSide::Right,
        })
    }

    /// Returns the model's header, if its type is `expected_type` or missing.
    fn model_header(&self, expected_type: &str) -> Result<ModelHeader<'a>> {
        let header: ModelHeader = serde_json::from_str(self.model.get()).map_err(malformed)?;
        match header.r#type.as_deref() {
            Some(other) if other != expected_type => Err(unsupported(format!(
                "tokenizer.json: the model has the type {other:?}, but its tokenizer class needs {expected_type}"
            ))),
            _ => Ok(header),
        }
    }
}

fn parse_section(section: Option<&RawValue>) -> Result<Value> {
    serde_json::from_str(section.map_or("null", RawValue::get)).map_err(malformed)
}

/// A piece and its log probability. Most pieces are borrowed from the file.
#[derive(Deserialize)]
struct Piece<'a>(#[serde(borrow)] Cow<'a, str>, f64);
