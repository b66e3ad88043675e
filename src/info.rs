//! Reports of a reranker about its model and its engine.

use serde::Serialize;

use crate::checkpoint::{Calibration, ScoreActivation, Weights};
use crate::engine::Engine;
use crate::options::Dtype;
use crate::text::PairTokenizer;

/// A loaded model and the engine that computes its scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Info {
    /// HF's `model_type`.
    pub model_type: &'static str,
    /// The class that HF loads the checkpoint with.
    pub architecture: String,
    /// Number of logits per pair.
    pub num_labels: usize,
    /// The function from logits to scores; a call may choose another one by [`Scores`](crate::Scores).
    pub activation: ScoreActivation,
    /// The function from logits to probabilities, if the model is calibrated.
    pub calibration: Option<Calibration>,
    /// Maximum tokens of a pair, special ones included; longer pairs are truncated.
    pub max_length: usize,
    /// Number of parameters.
    pub parameters: u64,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Number of layers.
    pub layers: usize,
    /// The weights files.
    pub weights: WeightsInfo,
    /// Estimated peak memory of loading and scoring on the CPU engine, in bytes. It is what
    /// [`Options::max_memory_bytes`](crate::Options::max_memory_bytes) limits.
    pub memory_bytes: u64,
    /// The engine that computes.
    pub backend: Backend,
    /// Oddities of the checkpoint that do not prevent its use.
    pub warnings: Vec<String>,
}

/// The weights files a reranker was loaded from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WeightsInfo {
    /// `"safetensors"`, `"pytorch"`, `"onnx"`, or one of Ranklet's own formats, `"q8"` and `"q4"`.
    pub format: &'static str,
    /// Total size in bytes.
    pub bytes: u64,
}

/// The engine that computes scores, and why it was chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backend {
    /// `"cpu"` or `"gpu"`.
    pub device: &'static str,
    /// `"candle"`, `"webgpu"`, or the instructions of the CPU engine's kernels, such as `"avx2"`.
    pub engine: &'static str,
    /// The name of the GPU, if a GPU computes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// The kernels that were chosen for this GPU, if a GPU computes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernels: Option<String>,
    /// The format of the weights in memory.
    pub dtype: Dtype,
    /// Why this device and engine were chosen.
    pub reason: String,
    /// The check of a GPU at load, if there is a GPU, whether it was chosen or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
}

impl Backend {
    /// Describes an engine that was chosen for `reason`.
    pub(crate) fn of(engine: &Engine, dtype: Dtype, reason: &str) -> Self {
        Self {
            device: engine.device(),
            engine: engine.name(),
            adapter: None,
            kernels: None,
            dtype,
            reason: reason.to_owned(),
            verification: None,
        }
    }
}

/// A comparison of a GPU's logits with the expected ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// The name of the GPU.
    pub adapter: String,
    /// Source of the expected logits: `"the model file"` or `"the CPU engine"`.
    pub reference: &'static str,
    /// Maximum difference of a logit from the expected one, relative to `max(|expected|, 1)`.
    pub tolerance: f32,
    /// The pairs that were scored.
    pub pairs: Vec<VerifiedPair>,
}

/// One pair of a [`Verification`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerifiedPair {
    /// The query.
    pub query: String,
    /// The document.
    pub document: String,
    /// The expected logits.
    pub expected: Vec<f32>,
    /// The GPU's logits.
    pub logits: Vec<f32>,
}

impl Verification {
    /// The maximum difference, in the measure of [`tolerance`](Self::tolerance); infinite if logits are missing or not
    /// finite.
    pub fn difference(&self) -> f32 {
        self.pairs.iter().map(VerifiedPair::difference).fold(0.0, f32::max)
    }

    /// Whether all logits are within the tolerance.
    pub fn passed(&self) -> bool {
        self.difference() <= self.tolerance
    }
}

impl VerifiedPair {
    pub(crate) fn difference(&self) -> f32 {
        if self.logits.len() != self.expected.len() || !self.logits.iter().all(|logit| logit.is_finite()) {
            return f32::INFINITY;
        }
        let both = self.logits.iter().zip(&self.expected);
        both.map(|(got, want)| (got - want).abs() / want.abs().max(1.0)).fold(0.0, f32::max)
    }
}

/// Warns about tensors that the model does not use and tokens that it has no embedding for.
pub(crate) fn warnings<'a>(
    used: impl Iterator<Item = &'a str>,
    weights: &Weights,
    tokenizer: &PairTokenizer,
) -> Vec<String> {
    let mut known: Vec<&str> = used.collect();
    known.sort_unstable();
    // Older HF checkpoints store the positions 0, 1, 2, ... as a buffer.
    let unused = weights
        .names()
        .filter(|name| known.binary_search(name).is_err() && !name.ends_with(".position_ids"))
        .map(|name| format!("the tensor {name} is not part of this model and is not used"));
    let beyond = match tokenizer.tokens_beyond_vocabulary() {
        0 => None,
        count => Some(format!(
            "{count} tokens of tokenizer.json are outside the model's vocabulary; texts that contain one are refused"
        )),
    };
    unused.chain(beyond).collect()
}
