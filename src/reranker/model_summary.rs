//! What a model is and would take, from its small files alone.

use serde::Serialize;

use super::model_spec::Outline;
use crate::checkpoint::{Checkpoint, ScoreActivation};
use crate::error::Result;
use crate::model::{self, Plan};
use crate::options::{Dtype, ModelSource, Options};

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
    /// The most memory that loading and scoring should take on the CPU engine, in bytes, at each dtype that it can have.
    pub memory_bytes: Vec<(Dtype, u64)>,
    /// What is computed; the names of its tensors have the family's prefix, also where those of the file have none.
    /// A decoder has none.
    pub plan: Option<Plan>,
}

/// Describes a model, with `options` for how it would be loaded.
///
/// # Errors
/// Those of [`Reranker::load`](crate::Reranker::load) that are about all files but the weights; `weights` when those are
/// missing.
pub fn describe(source: ModelSource, options: &Options) -> Result<Description> {
    let (files, weights) = source.open()?;
    let outline = Outline::new(Checkpoint::read(files)?, weights?.bytes(), options)?;
    let memory = |dtype: &Dtype| Ok((*dtype, outline.memory(*dtype)?));
    let memory_bytes = outline.dtypes().iter().map(memory).collect::<Result<_>>()?;
    let (plan, parameters) = match &outline.config.decoder {
        Some(decoder) => (None, decoder.parameters(&outline.config) as usize),
        None => {
            let plan = model::likely_plan(&outline.config)?;
            let parameters = plan.parameters();
            (Some(plan.collapse_last_layer()), parameters)
        }
    };
    Ok(Description {
        parameters: parameters + outline.head_parameters,
        num_labels: outline.config.num_labels,
        activation: outline.activation,
        max_length: outline.max_length,
        weights_bytes: outline.weights_bytes,
        memory_bytes,
        plan,
        model_type: outline.config.model_type,
        architecture: outline.config.architecture,
    })
}
