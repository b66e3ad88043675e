//! HF's tokenizers: builds a pipeline of the `tokenizers` library from a checked `tokenizer.json`.
//!
//! Follows transformers 5.24, the version that tests/fixtures/requirements.txt pins: the tokenizer classes are its
//! `models/*/tokenization_*.py`.
//!
//! The library trusts its files: damaged or hostile ones make it panic or allocate gigabytes. So every section is
//! parsed and checked here first, and the library gets only models and components that cannot do so.

mod added_tokens;
mod charsmap;
mod classes;
mod components;
mod model;
mod pattern;
mod post_processor;
mod special_tokens;
mod tokenizer_json;
mod unigram;
mod word_piece;

pub(super) use model::Pipeline;

use super::pair_template::PairTemplate;
use crate::checkpoint::{TokenizerConfig, TruncationSide};
use crate::error::Result;
use tokenizer_json::TokenizerJson;

/// A tokenizer as transformers loads it.
pub(super) struct HfTokenizer {
    pub(super) pipeline: Pipeline,
    pub(super) pair_template: PairTemplate,
    pub(super) truncation_side: TruncationSide,
}

impl HfTokenizer {
    /// Reads `tokenizer.json` with the tokenizer class that `config` names.
    ///
    /// # Errors
    /// `tokenizer` for a malformed file, `unsupported` for a model, component or pair template outside the supported
    /// ones.
    pub(super) fn read(json: &[u8], config: &TokenizerConfig) -> Result<Self> {
        let json = TokenizerJson::parse(json)?;
        let (pipeline, pair_template) = classes::build(&json, config)?;
        added_tokens::check(&pipeline)?;
        let truncation_side = config.truncation_side.map_or_else(|| json.leftover_truncation_side(), Ok)?;
        Ok(Self { pipeline, pair_template, truncation_side })
    }
}
