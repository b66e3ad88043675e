//! Load, score, rank: with `loader.rs` the only place that knows every layer.

mod collection;
#[cfg(feature = "gpu")]
mod gpu_selection;
mod loader;
mod model_spec;
#[cfg(not(target_arch = "wasm32"))]
mod model_summary;
mod scoring_run;

use std::ops::Range;
use std::sync::OnceLock;

use serde::Serialize;

use crate::checkpoint::{Checkpoint, ScoreActivation};
use crate::engine::{Engine, Submission};
use crate::error::{Error, ErrorItem, ItemKind, Result, input, internal, unsupported};
use crate::info::Info;
use crate::model::{self, Head};
use crate::options::{DocumentOptions, LongDocuments, ModelSource, Options, RankOptions, Scores};
use crate::text::{Batch, Chunks, EncodedDocument, EncodedText, PairTokenizer, Span};

pub use collection::Collection;
pub(crate) use loader::Loader;
#[cfg(not(target_arch = "wasm32"))]
pub use model_summary::{ModelSummary, describe};
pub use scoring_run::{Pairs, PartialScores, ScoringRun};

/// A cross-encoder that is ready to score.
///
/// It has one engine and one dtype for its life, so one pair has one score.
#[derive(Debug)]
pub struct Reranker {
    /// No other reranker of this process has it.
    id: usize,
    /// Stands before every query; for a decoder, its own instruction.
    prompt: String,
    tokenizer: PairTokenizer,
    max_length: usize,
    engine: Engine,
    /// What takes over when the engine fails, with what it then says of itself.
    fallback: Option<Fallback>,
    head: Head,
    activation: ScoreActivation,
    info: Info,
}

/// An engine on the CPU, kept beside one on a GPU that nobody insists on.
#[derive(Debug)]
struct Fallback {
    engine: Engine,
    /// There from the moment on that the GPU has failed.
    info: OnceLock<Info>,
}

/// One document's place in a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ranked {
    /// Where the document stood in the input.
    pub index: usize,
    /// Its score.
    pub score: f32,
    /// With [`LongDocuments::Chunk`](crate::LongDocuments::Chunk): the bytes of the chunk that earned it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

impl Reranker {
    /// Loads a model, and where its file carries golden pairs checks the engine against them.
    ///
    /// # Errors
    /// `config`, `weights` or `tokenizer` for a bad checkpoint, `unsupported` for a good one (or an option) that this
    /// build cannot serve, `out-of-memory` for one that would take more than the options allow, `input` for a bad option or an unreadable folder, `integrity` when the engine does not
    /// give the golden logits.
    pub async fn load(source: ModelSource, options: Options) -> Result<Self> {
        let (files, weights) = source.open()?;
        let checkpoint = Checkpoint::read(files)?;
        let mut weights = weights?;
        let mut loader = Loader::new(checkpoint, weights.index.take(), weights.bytes(), options)?;
        weights.read(loader.weights())?;
        loader.finish().await
    }

    /// What was loaded and what runs it.
    pub fn info(&self) -> &Info {
        self.fallen().map_or(&self.info, |(_, info)| info)
    }

    /// What has taken over, if it has.
    fn fallen(&self) -> Option<(&Engine, &Info)> {
        let fallback = self.fallback.as_ref()?;
        Some((&fallback.engine, fallback.info.get()?))
    }

    /// The engine that computes.
    fn engine(&self) -> &Engine {
        self.fallen().map_or(&self.engine, |(engine, _)| engine)
    }

    /// Whether another engine has taken over since loading.
    pub(crate) fn has_fallen_back(&self) -> bool {
        self.fallen().is_some()
    }

    /// Lets the CPU take over from a GPU that has failed, where it is kept for that. Calls that have begun begin again,
    /// for scores of two engines are not to stand side by side.
    pub(crate) fn fall_back(&self, error: &Error) -> bool {
        let Some(fallback) = self.fallback.as_ref().filter(|fallback| fallback.info.get().is_none()) else {
            return false;
        };
        let mut info = self.info.clone();
        info.backend.device = fallback.engine.device();
        info.backend.engine = fallback.engine.name();
        info.backend.adapter = None;
        info.backend.reason = format!("the GPU failed: {}", error.context());
        // Another call may have said so first.
        let _ = fallback.info.set(info);
        true
    }

    /// Scores pairs of query and document: `[pairs, num_labels]`, row-major, in input order.
    ///
    /// # Errors
    /// `tokenizer` for a text with a token the model does not know, `internal` for logits that are not finite.
    pub async fn score<Q: AsRef<str>, D: AsRef<str>>(
        &self,
        pairs: &[(Q, D)],
        scores: Scores,
    ) -> Result<Vec<f32>> {
        let pairs = pairs.iter().map(|(query, document)| (query.as_ref().into(), document.as_ref().into()));
        Ok(self.collect(ScoringRun::new(Pairs::Each(pairs.collect()), scores)).await?.scores)
    }

    /// Ranks documents for a query, best first; equal scores keep input order.
    ///
    /// # Errors
    /// As [`score`](Self::score); `input` for a model with more than one label, which has no one order; `unsupported`
    /// for an option that this model cannot have.
    pub async fn rank<D: AsRef<str>>(
        &self,
        query: &str,
        documents: &[D],
        options: RankOptions<'_>,
    ) -> Result<Vec<Ranked>> {
        self.check_rankable()?;
        let pairs = Pairs::OneQuery {
            query: query.into(),
            documents: documents.iter().map(|document| document.as_ref().into()).collect(),
            options: options.into(),
        };
        let scoring = ScoringRun::new(pairs, options.scores).instruction(options.instruction);
        Ok(best_first(&self.collect(scoring).await?, options.top_n))
    }

    /// Tokenises documents once, for many queries.
    ///
    /// # Errors
    /// `tokenizer` when the tokenizer fails.
    pub fn prepare<D: AsRef<str>>(&self, documents: &[D]) -> Result<Collection> {
        let mut collection = Collection::new(self);
        documents.iter().try_for_each(|document| {
            collection.push(self, document.as_ref(), RankOptions::default().into())
        })?;
        Ok(collection)
    }

    /// Refuses models whose scores give no order.
    ///
    /// # Errors
    /// `input` for more than one label.
    pub fn check_rankable(&self) -> Result<()> {
        match self.info.num_labels {
            1 => Ok(()),
            labels => Err(input(format!(
                "this model has {labels} labels, so its scores have no one order: use score"
            ))),
        }
    }

    /// Refuses an instruction that has no place.
    ///
    /// # Errors
    /// `unsupported` where there is one, for a model that takes none.
    pub(crate) fn check_instruction(&self, instruction: Option<&str>) -> Result<()> {
        #[cfg(feature = "decoder")]
        if self.tokenizer.takes_instruction() {
            return Ok(());
        }
        match instruction {
            None => Ok(()),
            Some(_) => Err(unsupported("this model takes no instruction: put it into the query")),
        }
    }

    async fn collect(&self, mut scoring: ScoringRun<'_>) -> Result<PartialScores> {
        let mut all = PartialScores::default();
        while let Some(part) = scoring.step(self).await? {
            all.append(part);
        }
        Ok(all)
    }

    pub(crate) fn id(&self) -> usize {
        self.id
    }

    /// Tokenises a query with the prompt before it, or with the instruction in the place of it: only decoders, to which
    /// the prompt is one, get this far with an instruction.
    pub(crate) fn encode_query<'a>(
        &self,
        query: &'a str,
        instruction: Option<&str>,
    ) -> Result<EncodedText<'a>> {
        self.tokenizer.encode_query(query, self.max_length, instruction.unwrap_or(&self.prompt))
    }

    /// Tokenises a document.
    pub(crate) fn encode<'a>(&self, text: &'a str, options: DocumentOptions) -> Result<EncodedDocument<'a>> {
        let most = options.max_tokens_per_document;
        Ok(match options.long_documents {
            LongDocuments::Truncate => {
                EncodedDocument::Truncated(self.tokenizer.encode(text, self.max_length, most)?)
            }
            LongDocuments::Chunk => {
                EncodedDocument::Chunked(self.tokenizer.encode_chunks(text, most, options.unit)?)
            }
        })
    }

    /// The chunk of a document that comes after the one at `last`, beside `query`.
    pub(crate) fn chunk_after(
        &self,
        chunks: &Chunks,
        last: Option<&Range<usize>>,
        query: &EncodedText,
    ) -> Option<Range<usize>> {
        chunks.next(last, self.tokenizer.max_chunk_tokens(query, self.max_length))
    }

    /// Adds the pair of a query and a chunk to a batch.
    pub(crate) fn push_chunk(&self, batch: &mut Batch, query: &EncodedText, chunk: &[u32]) -> Result<()> {
        self.tokenizer.push_chunk(batch, query, chunk, self.max_length)
    }

    /// Adds a pair to a batch.
    pub(crate) fn push(&self, batch: &mut Batch, query: &EncodedText, document: &EncodedText) -> Result<()> {
        self.tokenizer.push(batch, query, document, self.max_length)
    }

    pub(crate) fn batch_tokens(&self) -> usize {
        self.engine().batch_tokens()
    }

    /// Hands a batch to the engine.
    pub(crate) fn start(&self, batch: &Batch) -> Submission {
        self.engine().submit(batch)
    }

    /// Scores a batch that has been started: `[pairs, num_labels]`.
    pub(crate) async fn score_batch(
        &self,
        batch: &Batch,
        submission: Submission,
        scores: Scores,
    ) -> Result<Vec<f32>> {
        let pooled = self.engine().finish(batch, submission).await?;
        let mut logits = self.head_logits(&pooled)?;
        let activation = scores.activation(self.activation);
        logits
            .chunks_exact_mut(self.info.num_labels)
            .for_each(|pair| model::apply_score_activation(activation, pair));
        Ok(logits)
    }

    /// Raw logits of one batch, `[pairs, num_labels]`, with one of the engines.
    async fn logits(&self, engine: &Engine, batch: &Batch) -> Result<Vec<f32>> {
        self.head_logits(&engine.run(batch).await?)
    }

    /// Logits of pooled rows. An error is about the row of the batch.
    fn head_logits(&self, pooled: &[f32]) -> Result<Vec<f32>> {
        let logits = self.head.logits(pooled, self.info.hidden_size);
        if let Some(index) = logits.iter().position(|logit| !logit.is_finite()) {
            let row = index / self.info.num_labels;
            let error = internal(format!(
                "the logit is {}; this model cannot be trusted with this input",
                logits[index]
            ));
            return Err(error.about(ErrorItem { kind: ItemKind::Pair, range: row..row + 1 }));
        }
        Ok(logits)
    }
}

/// The same calls for threads that may wait.
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

    /// What each kernel of a GPU takes for these pairs, as one batch; the longest first.
    ///
    /// # Errors
    /// `unsupported` where no GPU computes, or it has no timestamps; as [`score`](Self::score).
    #[cfg(feature = "gpu")]
    pub fn profile_blocking(&self, pairs: &[(&str, &str)]) -> Result<Vec<crate::KernelTime>> {
        pollster::block_on(self.engine().profile(&self.batch_of(pairs)?))
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

/// The pairs of a model with one label by falling score; equal scores in input order.
pub fn best_first(scored: &PartialScores, top_n: Option<usize>) -> Vec<Ranked> {
    let span = |index: usize| scored.spans.as_ref().and_then(|spans| spans.get(index).copied());
    let all = scored.scores.iter().enumerate();
    let mut ranked: Vec<Ranked> =
        all.map(|(index, &score)| Ranked { index, score, span: span(index) }).collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    ranked.truncate(top_n.unwrap_or(usize::MAX));
    ranked
}
