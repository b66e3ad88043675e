//! The reranker: load, score, rank.

mod collection;
mod deadline;
#[cfg(feature = "decoder")]
mod decoder;
#[cfg(feature = "gpu")]
mod gpu_selection;
mod loader;
mod micro_batch;
mod model_spec;
#[cfg(not(target_arch = "wasm32"))]
mod model_summary;
mod pairs;
#[cfg(any(test, target_arch = "wasm32"))]
mod pipeline;
mod prepared_model;
mod rerank;
mod scored_pairs;
mod scoring_run;
mod session;

use crate::checkpoint::Checkpoint;
use crate::error::{Result, input};
use crate::info::Info;
use crate::options::{DocumentOptions, ModelSource, Options, RankOptions, Scores};
use crate::ranking::Ranked;
use crate::score_cache::{ScoreCache, ScoreCacheUsage};
use crate::text::PairTokens;
use session::Session;

pub use collection::Collection;
pub use deadline::{Deadline, ScoringSpeed};
pub(crate) use loader::Loader;
#[cfg(not(target_arch = "wasm32"))]
pub use model_summary::{ModelSummary, describe};
pub use pairs::Pairs;
#[cfg(target_arch = "wasm32")]
pub(crate) use pipeline::{PipelineOptions, PipelineStage, StageBatch, StageLoader};
pub use rerank::{RerankOptions, Reranking, best_first};
pub use scored_pairs::{ScoreOptions, ScoredPair, ScoredPairs};
pub use scoring_run::{PartialScores, ScoringRun};

/// A cross-encoder that is ready to score.
///
/// It keeps one engine and one dtype for its life, so one pair has one score.
#[derive(Debug)]
pub struct Reranker {
    session: Session,
}

impl Reranker {
    /// Loads a model. If its weights file has golden pairs, checks the engine against them.
    ///
    /// # Errors
    /// `config`, `weights` or `tokenizer` for a bad checkpoint; `unsupported` for a good one, or an option, that this
    /// build cannot serve; `out-of-memory` for a model that would take more memory than the options allow; `input` for
    /// a bad option or an unreadable folder; `integrity` if the engine does not give the golden logits.
    pub async fn load(source: ModelSource, options: Options) -> Result<Self> {
        let (files, weights) = source.open(options.weights.as_deref())?;
        let checkpoint = Checkpoint::read(files)?;
        let mut weights = weights?;
        let mut loader = Loader::new(checkpoint, weights.index.take(), weights.bytes(), options)?;
        if let Some(name) = weights.first_file() {
            loader.expect_file(name)?;
        }
        weights.read(loader.weights())?;
        loader.finish().await
    }

    /// Describes the model and the engine that computes.
    pub fn info(&self) -> &Info {
        self.session.info()
    }

    /// Scores pairs of query and document: `[pairs, num_labels]`, row-major, in input order.
    ///
    /// # Errors
    /// `tokenizer` for a text with a token that the model has no embedding for, `input` for a pair without tokens,
    /// `internal` for logits that are not finite.
    pub async fn score<Q: AsRef<str>, D: AsRef<str>>(
        &self,
        pairs: &[(Q, D)],
        scores: Scores,
    ) -> Result<Vec<f32>> {
        let pairs = pairs.iter().map(|(query, document)| (query.as_ref().into(), document.as_ref().into()));
        let pairs = Pairs::truncated(pairs.collect());
        let options = ScoreOptions { scores, ..ScoreOptions::default() };
        if self.session.cache.is_none() {
            return Ok(self.score_without_cache(pairs, options).await?.scores);
        }
        let scored = self.score_pairs(pairs, options).await?;
        Ok(scored.pairs.into_iter().flatten().flat_map(|pair| pair.scores).collect())
    }

    /// Ranks documents for a query, best first; equal scores keep input order.
    ///
    /// # Errors
    /// As [`score`](Self::score); `input` for a model with several labels, whose scores have no order; `unsupported`
    /// for an option that the model does not support.
    pub async fn rank<D: AsRef<str>>(
        &self,
        query: &str,
        documents: &[D],
        options: RankOptions<'_>,
    ) -> Result<Vec<Ranked>> {
        Ok(self.rerank(query, documents, options.into()).await?.results)
    }

    /// Tokenizes documents once, for many queries.
    ///
    /// # Errors
    /// `tokenizer` if the tokenizer fails.
    pub fn prepare<D: AsRef<str>>(&self, documents: &[D]) -> Result<Collection> {
        let mut collection = Collection::new(self);
        documents.iter().try_for_each(|document| {
            collection.push(self, document.as_ref(), RankOptions::default().into())
        })?;
        Ok(collection)
    }

    /// Describes the content of the cache of scores, if there is one.
    pub fn score_cache_usage(&self) -> Option<ScoreCacheUsage> {
        self.session.cache.as_ref().map(ScoreCache::usage)
    }

    /// Returns whether the model's prompt contains an instruction.
    pub fn takes_instruction(&self) -> bool {
        self.session.tokenizer.takes_instruction()
    }

    /// Checks that the model takes an instruction, if there is one.
    ///
    /// # Errors
    /// `unsupported` for an instruction to a model whose prompt contains none.
    pub fn check_instruction(&self, instruction: Option<&str>) -> Result<()> {
        self.session.check_instruction(instruction, false)
    }

    /// Checks that the model can rank: that it has one label.
    ///
    /// # Errors
    /// `input` for a model with several labels.
    pub fn check_rankable(&self) -> Result<()> {
        match self.info().num_labels {
            1 => Ok(()),
            labels => Err(input(format!(
                "this model has {labels} labels, so it cannot rank; score pairs instead, which gives one score per label"
            ))),
        }
    }

    /// Returns the tokens of a pair that the model reads; `None` if it reads pairs in a prompt.
    ///
    /// # Errors
    /// `tokenizer` if the tokenizer fails, `unsupported` for an instruction that the model does not take.
    pub(crate) fn pair_tokens(
        &self,
        query: &str,
        document: &str,
        options: DocumentOptions,
        instruction: Option<&str>,
    ) -> Result<Option<PairTokens>> {
        self.session.pair_tokens(query, document, options, instruction)
    }

    /// Returns the end of what a model that reads pairs in a prompt reads of a document, in bytes. The document has at most
    /// `max_tokens` tokens, if given.
    ///
    /// # Errors
    /// `tokenizer` if the tokenizer fails.
    pub(crate) fn document_end(
        &self,
        query: &str,
        document: &str,
        max_tokens: Option<usize>,
        instruction: Option<&str>,
    ) -> Result<usize> {
        self.session.document_end(query, document, max_tokens, instruction)
    }

    /// Checks that the model has scores of a kind.
    ///
    /// # Errors
    /// `unsupported` for probabilities of a model without a calibration, and for its own scores if their activation is
    /// unknown.
    pub fn check_scores(&self, scores: Scores) -> Result<()> {
        self.session.activation.of(scores).map(|_| ())
    }

    fn session(&self) -> &Session {
        &self.session
    }
}

/// Blocking versions, for threads that can wait.
#[cfg(not(target_arch = "wasm32"))]
impl Reranker {
    /// [`load`](Self::load), waiting for it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_blocking(source: ModelSource, options: Options) -> Result<Self> {
        pollster::block_on(Self::load(source, options))
    }

    /// [`score`](Self::score), waiting for it.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub fn score_blocking<Q: AsRef<str>, D: AsRef<str>>(
        &self,
        pairs: &[(Q, D)],
        scores: Scores,
    ) -> Result<Vec<f32>> {
        pollster::block_on(self.score(pairs, scores))
    }

    /// Times the kernels of the GPU for these pairs in one batch. Sorts them by falling time.
    ///
    /// # Errors
    /// As [`score`](Self::score); `unsupported` if no GPU computes, or if it has no timestamps.
    #[cfg(feature = "gpu")]
    pub fn profile_blocking(&self, pairs: &[(&str, &str)]) -> Result<Vec<crate::KernelTime>> {
        pollster::block_on(self.session.engine().profile(&self.session.batch_of(pairs)?))
    }

    /// [`score_pairs`](Self::score_pairs), waiting for it.
    ///
    /// # Errors
    /// As [`score_pairs`](Self::score_pairs).
    pub fn score_pairs_blocking(&self, pairs: Pairs<'_>, options: ScoreOptions<'_>) -> Result<ScoredPairs> {
        pollster::block_on(self.score_pairs(pairs, options))
    }

    /// [`rerank`](Self::rerank), waiting for it.
    ///
    /// # Errors
    /// As [`rerank`](Self::rerank).
    pub fn rerank_blocking<D: AsRef<str>>(
        &self,
        query: &str,
        documents: &[D],
        options: RerankOptions<'_>,
    ) -> Result<Reranking> {
        pollster::block_on(self.rerank(query, documents, options))
    }

    /// [`rank`](Self::rank), waiting for it.
    ///
    /// # Errors
    /// As [`rank`](Self::rank).
    pub fn rank_blocking<D: AsRef<str>>(
        &self,
        query: &str,
        documents: &[D],
        options: RankOptions<'_>,
    ) -> Result<Vec<Ranked>> {
        pollster::block_on(self.rank(query, documents, options))
    }
}
