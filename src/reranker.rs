//! Load, score, rank: the only file that knows every layer.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use crate::checkpoint::{Checkpoint, Format, Golden, ModelFiles, ScoreActivation};
use crate::collection::Collection;
use crate::engine::Engine;
use crate::error::{Result, input, integrity, internal};
use crate::info::{self, Backend, Info, WeightsInfo};
use crate::model::{self, Head};
use crate::options::{Dtype, ModelSource, Options, RankOptions, Scores};
use crate::quantize;
use crate::scoring::{Pairs, Scoring};
use crate::text::{Batch, PairTokenizer, Text};

/// A cross-encoder that is ready to score.
///
/// It has one engine and one dtype for its life, so one pair has one score.
#[derive(Debug)]
pub struct Reranker {
    /// No other reranker of this process has it.
    id: usize,
    tokenizer: PairTokenizer,
    max_length: usize,
    engine: Engine,
    head: Head,
    activation: ScoreActivation,
    info: Info,
}

/// One document's place in a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ranked {
    /// Where the document stood in the input.
    pub index: usize,
    /// Its score.
    pub score: f32,
}

impl Reranker {
    /// Loads a model, and where its file carries golden pairs checks the engine against them.
    ///
    /// # Errors
    /// `config`, `weights` or `tokenizer` for a bad checkpoint, `unsupported` for a good one (or an option) that this
    /// build cannot serve, `input` for a bad option or an unreadable folder, `integrity` when the engine does not
    /// give the golden logits.
    pub async fn load(source: ModelSource, options: Options) -> Result<Self> {
        Self::from_checkpoint(Checkpoint::read(source.files()?)?, options).await
    }

    pub(crate) async fn from_checkpoint(checkpoint: Checkpoint, options: Options) -> Result<Self> {
        let reason = options.device.reason()?;
        let dtype = options.dtype.resolve(checkpoint.weights.format())?;
        let Checkpoint { config, activation, tokenizer_config, tokenizer_json, weights } = checkpoint;
        let (plan, head) = model::build(&config, &weights)?;
        let tokenizer = PairTokenizer::read(&tokenizer_json, &tokenizer_config, &config)?;
        if let Some(max_length) = options.max_length {
            tokenizer.check_max_length(max_length)?;
        }
        let info = Info {
            model_type: "bert",
            architecture: "BertForSequenceClassification",
            num_labels: head.num_labels(),
            activation,
            max_length: options.max_length.unwrap_or(tokenizer.model_max_length()),
            parameters: plan.parameters() + head.parameters(),
            hidden_size: plan.hidden_size,
            layers: config.num_hidden_layers,
            weights: WeightsInfo { format: weights.format().name(), bytes: weights.bytes() },
            backend: Backend { device: "cpu", engine: "candle", dtype, reason },
            warnings: info::warnings(&plan, &head, &weights, &tokenizer),
        };
        let weights = match (dtype, weights.format()) {
            (Dtype::Q8, Format::Plain) => quantize::in_memory(&plan, &head, &weights)?,
            _ => weights,
        };
        let golden = weights.format().golden().cloned();
        let engine = Engine::candle(&plan.collapse_last_layer(), &weights)?;
        let reranker =
            Self { id: next_id(), max_length: info.max_length, tokenizer, engine, head, activation, info };
        if let Some(golden) = golden {
            reranker.verify(&golden).await?;
        }
        Ok(reranker)
    }

    /// What was loaded and what runs it.
    pub fn info(&self) -> &Info {
        &self.info
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
        self.collect(Scoring::new(Pairs::Each(pairs.collect()), scores)).await
    }

    /// Ranks documents for a query, best first; equal scores keep input order.
    ///
    /// # Errors
    /// As [`score`](Self::score); `input` for a model with more than one label, which has no one order.
    pub async fn rank<D: AsRef<str>>(
        &self,
        query: &str,
        documents: &[D],
        options: RankOptions,
    ) -> Result<Vec<Ranked>> {
        self.check_rankable()?;
        let pairs = Pairs::OneQuery {
            query: query.into(),
            documents: documents.iter().map(|document| document.as_ref().into()).collect(),
            max_tokens_per_document: options.max_tokens_per_document,
        };
        let scores = self.collect(Scoring::new(pairs, options.scores)).await?;
        Ok(best_first(&scores, options.top_n))
    }

    /// Tokenises documents once, for many queries.
    ///
    /// # Errors
    /// `tokenizer` when the tokenizer fails.
    pub fn prepare<D: AsRef<str>>(&self, documents: &[D]) -> Result<Collection> {
        let mut collection = Collection::new(self);
        documents.iter().try_for_each(|document| collection.push(self, document.as_ref(), None))?;
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

    async fn collect(&self, mut scoring: Scoring<'_>) -> Result<Vec<f32>> {
        let mut all = Vec::with_capacity(scoring.len() * self.info.num_labels);
        while let Some(part) = scoring.step(self).await? {
            all.extend(part);
        }
        Ok(all)
    }

    pub(crate) fn id(&self) -> usize {
        self.id
    }

    /// Tokenises one text of a pair.
    pub(crate) fn encode<'a>(&self, text: &'a str, max_tokens: Option<usize>) -> Result<Text<'a>> {
        self.tokenizer.encode(text, self.max_length, max_tokens)
    }

    /// Adds a pair to a batch.
    pub(crate) fn push(&self, batch: &mut Batch, query: &Text, document: &Text) -> Result<()> {
        self.tokenizer.push(batch, query, document, self.max_length)
    }

    pub(crate) fn batch_tokens(&self) -> usize {
        self.engine.batch_tokens()
    }

    /// Scores one batch: `[pairs, num_labels]`.
    pub(crate) async fn score_batch(&self, batch: &Batch, scores: Scores) -> Result<Vec<f32>> {
        let pooled = self.engine.run(batch).await?;
        let mut logits = self.head.logits(&pooled, self.info.hidden_size);
        if let Some(index) = logits.iter().position(|logit| !logit.is_finite()) {
            return Err(internal(format!(
                "pair {} of the batch got the logit {}; this model cannot be trusted with this input",
                index / self.info.num_labels,
                logits[index]
            )));
        }
        let activation = scores.activation(self.activation);
        logits.chunks_exact_mut(self.info.num_labels).for_each(|pair| model::score(activation, pair));
        Ok(logits)
    }

    /// Scores the golden pairs of the model file and compares.
    async fn verify(&self, golden: &Golden) -> Result<()> {
        /// DESIGN: f32 engines agree within 1e-4 on raw logits.
        const TOLERANCE: f32 = 1e-4;
        for pair in &golden.pairs {
            let mut batch = Batch::default();
            let length = self.tokenizer.model_max_length();
            let query = self.tokenizer.encode(&pair.query, length, None)?;
            let document = self.tokenizer.encode(&pair.document, length, None)?;
            self.tokenizer.push(&mut batch, &query, &document, length)?;
            let logits = self.score_batch(&batch, Scores::Raw).await?;
            let close = |(got, want): (&f32, &f32)| (got - want).abs() <= TOLERANCE * want.abs().max(1.0);
            if logits.len() != pair.logits.len() || !logits.iter().zip(&pair.logits).all(close) {
                return Err(integrity(format!(
                    "the golden pair ({:?}, {:?}) of model.safetensors scores {logits:?} here and {:?} where the file \
                     was made: its files do not belong together, or this engine is wrong",
                    pair.query, pair.document, pair.logits
                )));
            }
        }
        Ok(())
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

    /// [`rank`](Self::rank), waiting for it.
    ///
    /// # Errors
    /// As [`rank`](Self::rank).
    pub fn rank_blocking<D: AsRef<str>>(
        &self,
        query: &str,
        documents: &[D],
        options: RankOptions,
    ) -> Result<Vec<Ranked>> {
        pollster::block_on(self.rank(query, documents, options))
    }
}

fn next_id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Indices by falling score; equal scores in input order.
pub fn best_first(scores: &[f32], top_n: Option<usize>) -> Vec<Ranked> {
    let mut ranked: Vec<Ranked> =
        scores.iter().enumerate().map(|(index, &score)| Ranked { index, score }).collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    ranked.truncate(top_n.unwrap_or(usize::MAX));
    ranked
}

/// Loads the files of a source.
impl ModelSource {
    fn files(self) -> Result<ModelFiles> {
        match self {
            #[cfg(feature = "embedded")]
            ModelSource::Embedded => Ok(ModelFiles::embedded()),
            #[cfg(not(target_arch = "wasm32"))]
            ModelSource::Directory(path) => ModelFiles::from_directory(&path),
            ModelSource::Files(files) => Ok(files),
        }
    }
}
