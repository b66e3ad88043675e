//! What a reranker says of itself.

use serde::Serialize;

use crate::checkpoint::{ScoreActivation, Weights};
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
    /// `"cpu"`.
    pub device: &'static str,
    /// `"candle"`.
    pub engine: &'static str,
    /// How the weights are held.
    pub dtype: Dtype,
    /// Why this device and engine were chosen.
    pub reason: String,
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
