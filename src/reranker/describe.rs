//! What a model is and would take, from its small files alone.

use serde::Serialize;

use crate::checkpoint::{Checkpoint, ScoreActivation};
use crate::error::Result;
use crate::memory::Needs;
use crate::model::{self, Plan};
use crate::options::{Dtype, ModelSource, Options};
use crate::text::PairTokenizer;

/// A model whose weights have not been read.
#[derive(Debug, Clone, Serialize)]
pub struct Description {
    /// HF's `model_type`.
    pub model_type: &'static str,
    /// The class HF would load the checkpoint with.
    pub architecture: String,
    /// Numbers in the model.
    pub parameters: usize,
    /// Logits for each pair.
    pub num_labels: usize,
    /// From logits to scores, unless a call asks otherwise.
    pub activation: ScoreActivation,
    /// Longest pair in tokens, special ones included.
    pub max_length: usize,
    /// Bytes of the weights files, together.
    pub weights_bytes: u64,
    /// The most memory that loading and scoring should take on the CPU engine, in bytes, at each dtype.
    pub memory_bytes: Vec<(Dtype, u64)>,
    /// What is computed; the names of its tensors have the family's prefix, also where those of the file have none.
    pub plan: Plan,
}

/// Describes a model, with `options` for how it would be loaded.
///
/// # Errors
/// Those of [`Reranker::load`](crate::Reranker::load) that are about all files but the weights; `weights` when those are
/// missing.
pub fn describe(source: ModelSource, options: &Options) -> Result<Description> {
    let (files, weights) = source.open()?;
    let Checkpoint { config, chain, activation, tokenizer_config, tokenizer_json, .. } =
        Checkpoint::read(files)?;
    let tokenizer = PairTokenizer::read(&tokenizer_json, &tokenizer_config, (&config).into())?;
    if let Some(max_length) = options.max_length {
        tokenizer.check_max_length(max_length)?;
    }
    let max_length = options.max_length.unwrap_or(tokenizer.model_max_length());
    let weights_bytes = weights?.bytes();
    let [plan, _] = model::plans(&config);
    let head_parameters = model::head_parameters(&config, chain.as_ref());
    let memory = |dtype| {
        let needs = Needs {
            plan: &plan,
            head_parameters,
            tokenizer_file: tokenizer_json.len(),
            tokenizer: tokenizer.held_bytes(),
            weights: weights_bytes,
            dtype,
            max_length,
            threads: options.threads(),
        };
        (dtype, needs.peak())
    };
    Ok(Description {
        model_type: config.model_type,
        architecture: config.architecture,
        parameters: plan.parameters() + head_parameters,
        num_labels: config.num_labels,
        activation,
        max_length,
        weights_bytes,
        memory_bytes: [Dtype::F32, Dtype::Q8].map(memory).to_vec(),
        plan: plan.collapse_last_layer(),
    })
}
