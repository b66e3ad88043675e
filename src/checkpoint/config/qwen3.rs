//! Configuration of Qwen3: a decoder with a head width of its own and fewer key heads than query heads.

use super::{MAX_HIDDEN, ModelConfig, activation, rotary};
use crate::checkpoint::Activation;
use crate::checkpoint::json::Object;
use crate::error::{Result, config, unsupported};

const MAX_HEAD_DIM: usize = 1 << 12;

/// The fields that only decoders have.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoder {
    /// Number of key and value heads. It divides the number of query heads.
    pub key_value_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// The base of the rotary frequencies.
    pub theta: f64,
    /// Whether the projections of the attention block have biases.
    pub attention_bias: bool,
    /// How the last row becomes logits.
    pub logit_head: LogitHead,
}

/// How a decoder turns its last row into logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogitHead {
    /// Logits of tokens in the vocabulary. The matrix is the embedding table if it is `tied`, otherwise `lm_head`.
    Vocabulary {
        /// `tie_word_embeddings`.
        tied: bool,
    },
    /// The linear layer `score`, without a bias.
    Score,
}

pub(super) fn read(json: &Object, config: &mut ModelConfig) -> Result<()> {
    config.hidden_act = activation(json, "hidden_act", "silu")?;
    if config.hidden_act != Activation::Silu {
        return Err(unsupported(
            "config.json: hidden_act is not silu, the only one that qwen3 supports here",
        ));
    }
    reject_windows(json)?;
    let logit_head = logit_head(json, config)?;
    if matches!(logit_head, LogitHead::Vocabulary { .. }) {
        config.num_labels = 1;
    }
    config.position_table = None;
    config.type_vocab_size = 0;
    let decoder = Decoder {
        key_value_heads: key_value_heads(json, config.num_attention_heads)?,
        head_dim: head_dim(json, config.num_attention_heads)?,
        theta: theta(json)?,
        attention_bias: json.bool("attention_bias")?.unwrap_or(false),
        logit_head,
    };
    if !cfg!(feature = "decoder") {
        return Err(unsupported(format!(
            "config.json: model_type \"qwen3\" is a decoder, whose weights take {} bytes in f32; this build has no \
             engine for decoders: use the native program",
            4 * decoder.parameters(config)
        )));
    }
    config.decoder = Some(decoder);
    Ok(())
}

impl Decoder {
    /// Returns the number of parameters without the logit head.
    pub fn parameters(&self, config: &ModelConfig) -> u64 {
        let size = |size: usize| size as u64;
        let (hidden, head) = (size(config.hidden_size), size(self.head_dim));
        let queries = size(config.num_attention_heads) * head;
        let keys = size(self.key_value_heads) * head;
        let biases = if self.attention_bias { queries + 2 * keys + hidden } else { 0 };
        let attention = 2 * hidden * (queries + keys) + biases + 2 * head;
        let layer = attention + 3 * hidden * size(config.intermediate_size) + 2 * hidden;
        size(config.vocab_size) * hidden + size(config.num_hidden_layers) * layer + hidden
    }
}

fn logit_head(json: &Object, config: &ModelConfig) -> Result<LogitHead> {
    match config.architecture.as_str() {
        // transformers' default is false.
        "Qwen3ForCausalLM" => {
            Ok(LogitHead::Vocabulary { tied: json.bool("tie_word_embeddings")?.unwrap_or(false) })
        }
        "Qwen3ForSequenceClassification" => Ok(LogitHead::Score),
        other => Err(unsupported(format!(
            "config.json: the architecture {other:?}; this build supports Qwen3ForCausalLM and Qwen3ForSequenceClassification"
        ))),
    }
}

fn key_value_heads(json: &Object, heads: usize) -> Result<usize> {
    let count = json.count("num_key_value_heads", heads, 1, heads)?;
    if heads.is_multiple_of(count) {
        return Ok(count);
    }
    Err(config(format!(
        "config.json: num_key_value_heads {count} does not divide num_attention_heads {heads}"
    )))
}

fn head_dim(json: &Object, heads: usize) -> Result<usize> {
    let head_dim = json.count("head_dim", 128, 2, MAX_HEAD_DIM)?;
    if !head_dim.is_multiple_of(2) {
        return Err(config(format!(
            "config.json: head_dim {head_dim} is odd; rotary positions need an even one"
        )));
    }
    if heads * head_dim > MAX_HIDDEN {
        return Err(config(format!("config.json: {heads} heads of head_dim {head_dim} are too wide")));
    }
    Ok(head_dim)
}

fn reject_windows(json: &Object) -> Result<()> {
    if json.bool("use_sliding_window")? == Some(true) {
        return Err(unsupported("config.json: use_sliding_window is true"));
    }
    let kinds = json.strings("layer_types")?.unwrap_or_default();
    match kinds.into_iter().find(|kind| *kind != "full_attention") {
        Some(other) => Err(unsupported(format!("config.json: layer_types names {other:?}"))),
        None => Ok(()),
    }
}

/// Reads the base from `rope_parameters`, or from the field of transformers 4.
fn theta(json: &Object) -> Result<f64> {
    rotary::reject_scaling(json, "rope_scaling")?;
    match json.object("rope_parameters")? {
        Some(parameters) => {
            rotary::reject_type(&parameters)?;
            rotary::theta(&parameters, "rope_theta", 10_000.0)
        }
        None => rotary::theta(json, "rope_theta", 10_000.0),
    }
}
