//! What a reranker says of itself.

use serde::Serialize;

use crate::checkpoint::{ScoreActivation, Weights};
use crate::engine::Engine;
use crate::options::Dtype;
use crate::text::PairTokenizer;

/// What was loaded and what runs it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Info {
    /// HF's `model_type`.
    pub model_type: &'static str,
    /// The class HF would load the checkpoint with.
    pub architecture: String,
    /// Logits for each pair.
    pub num_labels: usize,
    /// From logits to scores, unless a call asks otherwise.
    pub activation: ScoreActivation,
    /// Longest pair in tokens, special ones included; longer ones are truncated.
    pub max_length: usize,
    /// Numbers in the model.
    pub parameters: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Encoder layers.
    pub layers: usize,
    /// The weights files.
    pub weights: WeightsInfo,
    /// The most memory that loading and scoring should take on the CPU engine, in bytes, as predicted from sizes: what
    /// [`Options::max_memory_bytes`](crate::Options::max_memory_bytes) is compared with.
    pub memory_bytes: u64,
    /// What computes.
    pub backend: Backend,
    /// What is odd about the checkpoint, though it can be used.
    pub warnings: Vec<String>,
}

/// The weights files a reranker was loaded from.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WeightsInfo {
    /// `"safetensors"`, `"pytorch"`, or `"q8"` or `"q4"` for our own.
    pub format: &'static str,
    /// Their size in bytes, together.
    pub bytes: u64,
}

/// What computes the scores, and why that.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Backend {
    /// `"cpu"` or `"gpu"`.
    pub device: &'static str,
    /// `"candle"`, `"webgpu"`, or the instructions of the CPU engine's kernels, such as `"avx2"`.
    pub engine: &'static str,
    /// The GPU, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// How the weights are held.
    pub dtype: Dtype,
    /// Why this device and engine were chosen.
    pub reason: String,
    /// What a GPU was held against at load, where there is one, chosen or not.
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
            dtype,
            reason: reason.to_owned(),
            verification: None,
        }
    }
}

/// Logits of a GPU beside those that are right.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// The GPU.
    pub adapter: String,
    /// Where the right logits come from: `"the model file"` or `"the CPU engine"`.
    pub reference: &'static str,
    /// How far a logit may be from the right one, of which the magnitude is at least taken to be 1.
    pub tolerance: f32,
    /// The pairs.
    pub pairs: Vec<VerifiedPair>,
}

/// One pair of a [`Verification`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VerifiedPair {
    /// The query.
    pub query: String,
    /// The document.
    pub document: String,
    /// The logits that are right.
    pub expected: Vec<f32>,
    /// Those of the GPU.
    pub logits: Vec<f32>,
}

impl Verification {
    /// The greatest difference, as it is compared with the tolerance; infinite where logits are missing or no numbers.
    pub fn difference(&self) -> f32 {
        self.pairs.iter().map(VerifiedPair::difference).fold(0.0, f32::max)
    }

    /// Whether the GPU can be trusted.
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

/// What is in the files and is not used, or cannot be.
pub(crate) fn warnings<'a>(
    used: impl Iterator<Item = &'a str>,
    weights: &Weights,
    tokenizer: &PairTokenizer,
) -> Vec<String> {
    let mut known: Vec<&str> = used.collect();
    known.sort_unstable();
    // HF keeps the row numbers 0, 1, 2, ... as a buffer in older checkpoints.
    let unused = weights
        .names()
        .filter(|name| known.binary_search(name).is_err() && !name.ends_with(".position_ids"))
        .map(|name| format!("the tensor {name} is not part of this model and is not used"));
    let beyond = match tokenizer.tokens_beyond_vocabulary() {
        0 => None,
        count => Some(format!(
            "{count} tokens of tokenizer.json lie beyond the model's vocabulary; texts that hold one are refused"
        )),
    };
    unused.chain(beyond).collect()
}
