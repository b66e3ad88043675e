//! What a model is and would take, from its small files alone.

use serde::Serialize;

use super::model_spec::ModelSpec;
use crate::checkpoint::{Checkpoint, ScoreActivation};
use crate::error::Result;
use crate::model::Plan;
use crate::options::{Dtype, ModelSource, Options};

/// A model whose weights have not been read.
#[derive(Debug, Clone, Serialize)]
pub struct ModelSummary {
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
pub fn describe(source: ModelSource, options: &Options) -> Result<ModelSummary> {
    let (files, weights) = source.open()?;
    let spec = ModelSpec::new(Checkpoint::read(files)?, weights?.bytes(), options)?;
    let memory_bytes = spec.dtypes().iter().map(|dtype| (*dtype, spec.peak_memory(*dtype))).collect();
    let parameters = match &spec.config.decoder {
        Some(decoder) => decoder.parameters(&spec.config) as usize,
        None => spec.likely_plan.as_ref().map_or(0, Plan::parameters),
    };
    Ok(ModelSummary {
        parameters: parameters + spec.head_parameters,
        num_labels: spec.config.num_labels,
        activation: spec.activation,
        max_length: spec.max_length,
        weights_bytes: spec.weights_bytes,
        memory_bytes,
        plan: spec.likely_plan.map(Plan::collapse_last_layer),
        model_type: spec.config.model_type,
        architecture: spec.config.architecture,
    })
}
