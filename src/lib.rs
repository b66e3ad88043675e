//! Ranklet scores how well documents answer a query, on the machine where the documents are.
//!
//! A cross-encoder reads a query and a document together and returns one number. This crate loads the usual checkpoints
//! (`config.json`, `tokenizer.json`, and `model.safetensors` or another form of weights) and computes the same scores
//! as sentence-transformers:
//!
//! ```
//! use ranklet::{ModelSource, Options, RankOptions, Reranker};
//!
//! let reranker = Reranker::load_blocking(ModelSource::Embedded, Options::default())?;
//! let documents = ["Berlin is the capital of Germany.", "Paris is the capital of France and its largest city."];
//! let ranked = reranker.rank_blocking("What is the capital of France?", &documents, RankOptions::default())?;
//! assert_eq!(ranked[0].index, 1);
//! # Ok::<(), ranklet::Error>(())
//! ```
//!
//! # How it is built
//!
//! `checkpoint` parses and verifies files, `model` turns the configuration into a Plan (the steps to compute, as plain
//! data), `text` turns pairs into packed batches without padding, an engine runs the Plan on a batch, and [`Reranker`]
//! joins them. ARCHITECTURE.md has the map.
//!
//! # What is exact
//!
//! Token ids are those of HF's tokenizers, truncation included. f32 logits are within 1e-4 of sentence-transformers.
//! A pair's score depends on nothing but the pair.

#![warn(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod checkpoint;
mod documents;
mod engine;
mod error;
pub mod eval;
mod explain;
#[cfg(feature = "hub")]
pub mod hub;
mod info;
mod json_error;
mod json_text;
mod math;
mod memory;
mod model;
mod options;
#[cfg(feature = "candle")]
mod quantize;
mod random;
mod ranking;
mod reranker;
mod score_cache;
mod text;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub use checkpoint::model_folder;
pub use checkpoint::{Calibration, ModelFiles, ScoreActivation};
pub use documents::{JsonValue, Structured, TextsTooLong, document_texts, text_field, text_fields};
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub use engine::gpu::KernelTime;
#[cfg(feature = "gpu")]
pub use engine::gpu::{GpuFeatures, gpu_bytes, gpu_choices, set_gpu_choices};
pub use error::{Error, ErrorItem, ErrorKind, ItemKind, Result};
pub use explain::{
    BestSentences, Comparison, Contribution, ExplainOptions, ExplainedTexts, Explainer, Explanation,
    Highlight, HighlightPlan, Highlights, PairText, TextUnit,
};
pub use info::{Backend, Info, Verification, VerifiedPair, WeightsInfo};
#[cfg(not(target_arch = "wasm32"))]
pub use options::ScoreCacheOptions;
pub use options::{Device, DocumentOptions, Dtype, LongDocuments, ModelSource, Options, RankOptions, Scores};
#[cfg(feature = "candle")]
pub use quantize::quantize;
pub use ranking::{Fuse, FuseMethod, Ranked, Selection};
pub use reranker::{
    Collection, Deadline, Pairs, PartialScores, RerankOptions, Reranker, Reranking, ScoreOptions, ScoredPair,
    ScoredPairs, ScoringRun, ScoringSpeed, best_first,
};
#[cfg(not(target_arch = "wasm32"))]
pub use reranker::{ModelSummary, describe};
pub use score_cache::ScoreCacheUsage;
pub use text::{OffsetUnit, PairVariants, Span};

/// Items that the tests and fuzz targets of this repository need. They are not part of the API.
#[doc(hidden)]
pub mod internals {
    pub use crate::checkpoint::{
        Checkpoint, Format, ModelLimits, TokenizerClass, TokenizerConfig, Weights, WeightsReader,
    };
    pub use crate::json_error::json_problem;
    pub use crate::json_text::parse_json;
    pub use crate::model::Plan;
    pub use crate::text::{Batch, PairTokenizer};
}

/// Runs README's examples as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Runs the guide's examples as tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/rust.md")]
struct RustGuide;
