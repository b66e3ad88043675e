//! A model on its way in: first its small files, then its weights piece by piece, at last the engine.
//!
//! At no time is anything large held twice: the tokenizer's file is gone before the weights come, no file of theirs ever
//! lies whole in memory, and the engine takes each tensor when it makes its own form of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Reranker;
use crate::checkpoint::{
    Chain, Checkpoint, Golden, Index, ModelConfig, ModelFiles, ScoreActivation, WeightsFiles, WeightsReader,
};
use crate::engine::Engine;
use crate::error::{Result, integrity};
use crate::info::{self, Backend, Info, WeightsInfo};
use crate::memory::Needs;
use crate::model;
use crate::options::{Dtype, ModelSource, Options, Scores};
use crate::quantize;
use crate::text::{Batch, PairTokenizer};

/// Takes a checkpoint in and makes a [`Reranker`] of it.
#[derive(Debug)]
pub(crate) struct Loader {
    options: Options,
    config: ModelConfig,
    chain: Option<Chain>,
    activation: ScoreActivation,
    prompt: String,
    tokenizer: PairTokenizer,
    weights: WeightsReader,
    /// The most memory it should all take.
    memory_bytes: u64,
}

impl Loader {
    /// Begins with all but the weights, which are in one file or in those of an index and have so many bytes together.
    ///
    /// # Errors
    /// Those of [`Reranker::load`] that are about the tokenizer or the options.
    pub(crate) fn new(
        checkpoint: Checkpoint,
        index: Option<Index>,
        weights_bytes: u64,
        options: Options,
    ) -> Result<Self> {
        let Checkpoint { config, chain, activation, tokenizer_config, prompt, tokenizer_json } = checkpoint;
        let tokenizer = PairTokenizer::read(&tokenizer_json, &tokenizer_config, (&config).into())?;
        if let Some(max_length) = options.max_length {
            tokenizer.check_max_length(max_length)?;
        }
        let plans = model::plans(&config);
        let needs = Needs {
            plan: &plans[0],
            head_parameters: model::head_parameters(&config, chain.as_ref()),
            tokenizer_file: tokenizer_json.len(),
            tokenizer: tokenizer.held_bytes(),
            weights: weights_bytes,
            dtype: options.dtype,
            max_length: options.max_length.unwrap_or(tokenizer.model_max_length()),
            threads: options.threads(),
        };
        if let Some(limit) = options.max_memory_bytes {
            needs.check(limit)?;
        }
        let memory_bytes = needs.peak();
        let grids = match options.dtype {
            Dtype::Q8 => quantize::grids(&plans),
            _ => HashMap::new(),
        };
        let weights = WeightsReader::new(index, grids);
        Ok(Self { options, config, chain, activation, prompt, tokenizer, weights, memory_bytes })
    }

    /// What takes the weights.
    pub(crate) fn weights(&mut self) -> &mut WeightsReader {
        &mut self.weights
    }

    /// Makes the engine and checks it against the golden pairs of the weights, where there are any.
    ///
    /// # Errors
    /// Those of [`Reranker::load`] that are about the weights or the engine.
    pub(crate) async fn finish(self) -> Result<Reranker> {
        let Self { options, config, chain, activation, prompt, tokenizer, weights, memory_bytes } = self;
        let weights = weights.finish()?;
        let dtype = options.dtype.resolve(weights.format())?;
        let (plan, head) = model::build(&config, chain.as_ref(), &weights)?;
        let warnings = info::warnings(&plan, &head, &weights, &tokenizer);
        let weights_info = WeightsInfo { format: weights.format().name(), bytes: weights.bytes() };
        let golden = weights.format().golden().cloned();
        let plan = plan.collapse_last_layer();
        let engine = Engine::prepare(&options, &plan, weights, dtype)?;
        let info = Info {
            model_type: config.model_type,
            architecture: config.architecture,
            num_labels: head.num_labels(),
            activation,
            max_length: options.max_length.unwrap_or(tokenizer.model_max_length()),
            parameters: plan.parameters() + head.parameters(),
            hidden_size: plan.hidden_size,
            layers: config.num_hidden_layers,
            weights: weights_info,
            memory_bytes,
            backend: Backend {
                device: "cpu",
                engine: engine.name(),
                dtype,
                reason: engine.reason(options.device),
            },
            warnings,
        };
        let reranker = Reranker {
            id: next_id(),
            max_length: info.max_length,
            prompt,
            tokenizer,
            engine,
            head,
            activation,
            info,
        };
        if let Some(golden) = golden {
            reranker.verify(&golden).await?;
        }
        Ok(reranker)
    }
}

impl Reranker {
    /// Scores the golden pairs of the model file and compares.
    async fn verify(&self, golden: &Golden) -> Result<()> {
        let tolerance = self.engine.tolerance();
        for pair in &golden.pairs {
            let mut batch = Batch::default();
            let length = self.tokenizer.model_max_length();
            let query = self.tokenizer.encode(self.prompted(&pair.query), length, None)?;
            let document = self.tokenizer.encode(&pair.document, length, None)?;
            self.tokenizer.push(&mut batch, &query, &document, length)?;
            let logits = self.score_batch(&batch, Scores::Raw).await?;
            let close = |(got, want): (&f32, &f32)| (got - want).abs() <= tolerance * want.abs().max(1.0);
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

fn next_id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl ModelSource {
    /// The small files, read, and the weights, unread, or why they are not there.
    pub(super) fn open(self) -> Result<(ModelFiles, Result<WeightsFiles>)> {
        let mut files = match self {
            #[cfg(feature = "embedded")]
            ModelSource::Embedded => ModelFiles::embedded(),
            #[cfg(not(target_arch = "wasm32"))]
            ModelSource::Directory(path) => {
                return Ok((ModelFiles::without_weights(&path)?, WeightsFiles::open(&path)));
            }
            ModelSource::Files(files) => files,
        };
        let weights = WeightsFiles::take(&mut files);
        Ok((files, weights))
    }
}
