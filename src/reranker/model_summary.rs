//! A summary of a model from its small files. With the feature `candle`, the weights are read too, to refuse
//! models of another kind.

use serde::Serialize;

use super::model_spec::ModelSpec;
use crate::checkpoint::{Calibration, Checkpoint, ScoreActivation};
#[cfg(feature = "candle")]
use crate::checkpoint::{Purpose, WeightsSource};
use crate::error::Result;
#[cfg(feature = "candle")]
use crate::model;
use crate::model::Plan;
use crate::options::{Dtype, ModelSource, Options};

/// A model whose weights are not read.
#[derive(Debug, Clone, Serialize)]
pub struct ModelSummary {
    /// HF's `model_type`.
    pub model_type: &'static str,
    /// The class that HF loads the checkpoint with.
    pub architecture: String,
    /// Number of parameters.
    pub parameters: u64,
    /// Number of logits per pair.
    pub num_labels: usize,
    /// The function from logits to scores; a call may choose another one by [`Scores`](crate::Scores).
    pub activation: ScoreActivation,
    /// The function from logits to probabilities, if the model is calibrated.
    pub calibration: Option<Calibration>,
    /// Maximum tokens of a pair, special ones included.
    pub max_length: usize,
    /// Total bytes of the weights files.
    pub weights_bytes: u64,
    /// Estimated peak memory of loading and scoring on the CPU engine, in bytes, per dtype that the model can have.
    pub memory_bytes: Vec<(Dtype, u64)>,
    /// The steps of the computation, for people to read; their form is not API and changes between versions. Names of
    /// tensors have the family's prefix, even if those in the file have none. `None` for a decoder.
    pub plan: Option<Plan>,
}

/// Summarizes a model as it would be loaded with `options`.
///
/// # Errors
/// The errors of [`Reranker::load`](crate::Reranker::load) about all files but the weights; `weights` if these are
/// missing, Git LFS pointers or HTML pages. With the feature `candle`, also `unsupported` for an embedding model or another one without a score head,
/// and the errors of reading the weights.
pub fn describe(source: ModelSource, options: &Options) -> Result<ModelSummary> {
    let (files, weights) = source.open(options.weights.as_deref())?;
    let weights = weights?;
    weights.check_files()?;
    let spec = ModelSpec::new(Checkpoint::read(files)?, weights.bytes(), options)?;
    #[cfg(feature = "candle")]
    check_purpose(&spec.checkpoint, weights)?;
    let memory_bytes = spec.dtypes().iter().map(|dtype| (*dtype, spec.peak_memory(*dtype))).collect();
    let config = &spec.checkpoint.config;
    let body_parameters = match (&spec.likely_plan, &config.decoder) {
        (Some(plan), _) => plan.parameters(),
        (None, Some(decoder)) => decoder.parameters(config),
        (None, None) => 0,
    };
    let parameters = body_parameters + spec.head_parameters;
    let ModelSpec { checkpoint: Checkpoint { config, activation, .. }, likely_plan, .. } = spec;
    Ok(ModelSummary {
        parameters,
        num_labels: config.num_labels,
        activation: activation.function,
        calibration: activation.calibration,
        max_length: spec.max_length,
        weights_bytes: spec.weights_bytes,
        memory_bytes,
        plan: likely_plan.map(Plan::collapse_last_layer),
        model_type: config.model_type,
        architecture: config.architecture,
    })
}

/// Checks that a model is a reranker. Only its tensors can tell, if its files declare another purpose.
///
/// # Errors
/// `unsupported` for a model of another kind, and the errors of reading the weights.
#[cfg(feature = "candle")]
fn check_purpose(checkpoint: &Checkpoint, weights: WeightsSource) -> Result<()> {
    let Checkpoint { config, chain, .. } = checkpoint;
    if config.purpose == Purpose::Classifier || chain.is_some() || config.decoder.is_some() {
        return Ok(());
    }
    let expected = model::expected_tensors(config, None, false)?;
    model::check_purpose(config, &weights.parse(expected)?)
}
