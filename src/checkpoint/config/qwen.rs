//! Configuration of Qwen2 and Qwen3: decoders with fewer key heads than query heads.

use super::{MAX_HIDDEN, MAX_ROWS, ModelConfig, activation, rotary};
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
    /// Whether the projections to queries, keys and values have biases.
    pub input_biases: bool,
    /// Whether the projection of the attention's output has a bias.
    pub output_bias: bool,
    /// Whether the queries and keys of each head are normalized.
    pub head_norms: bool,
    /// The number of last tokens that a token sees, itself included, per layer; `None` for all.
    pub windows: Vec<Option<usize>>,
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

pub(super) fn read_qwen2(json: &Object, config: &mut ModelConfig) -> Result<()> {
    json.reject_nulls(&["head_dim"])?;
    let decoder = Decoder {
        head_dim: head_dim(json, config, config.hidden_size / config.num_attention_heads)?,
        input_biases: true,
        ..read(json, config)?
    };
    set(config, decoder)
}

pub(super) fn read_qwen3(json: &Object, config: &mut ModelConfig) -> Result<()> {
    let biases = json.bool("attention_bias")?.unwrap_or(false);
    let decoder = Decoder {
        head_dim: head_dim(json, config, 128)?,
        input_biases: biases,
        output_bias: biases,
        head_norms: true,
        ..read(json, config)?
    };
    set(config, decoder)
}

/// Reads what both families have in common.
fn read(json: &Object, config: &mut ModelConfig) -> Result<Decoder> {
    config.hidden_act = activation(json, "hidden_act", "silu")?;
    if config.hidden_act != Activation::Silu {
        return Err(unsupported(format!(
            "config.json: hidden_act is not silu, the only one that {} supports here",
            config.model_type
        )));
    }
    let logit_head = logit_head(json, config)?;
    if matches!(logit_head, LogitHead::Vocabulary { .. }) {
        config.num_labels = 1;
    }
    config.position_table = None;
    config.type_vocab_size = 0;
    Ok(Decoder {
        key_value_heads: key_value_heads(json, config.num_attention_heads)?,
        head_dim: 0,
        theta: theta(json)?,
        input_biases: false,
        output_bias: false,
        head_norms: false,
        windows: windows(json, config.num_hidden_layers)?,
        logit_head,
    })
}

fn set(config: &mut ModelConfig, decoder: Decoder) -> Result<()> {
    if !cfg!(feature = "decoder") {
        return Err(unsupported(format!(
            "config.json: model_type {:?} is a decoder, whose weights take {} bytes in f32; this build has no engine for \
             decoders: use the native program (ranklet), or load an encoder, such as \
             Alibaba-NLP/gte-reranker-modernbert-base",
            config.model_type,
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
        let input_biases = if self.input_biases { queries + 2 * keys } else { 0 };
        let output_bias = if self.output_bias { hidden } else { 0 };
        let head_norms = if self.head_norms { 2 * head } else { 0 };
        let attention = 2 * hidden * (queries + keys) + input_biases + output_bias + head_norms;
        let layer = attention + 3 * hidden * size(config.intermediate_size) + 2 * hidden;
        size(config.vocab_size) * hidden + size(config.num_hidden_layers) * layer + hidden
    }
}

fn logit_head(json: &Object, config: &ModelConfig) -> Result<LogitHead> {
    let family = if config.model_type == "qwen2" { "Qwen2" } else { "Qwen3" };
    match config.architecture.strip_prefix(family) {
        // transformers' default is false.
        Some("ForCausalLM") => {
            Ok(LogitHead::Vocabulary { tied: json.bool("tie_word_embeddings")?.unwrap_or(false) })
        }
        Some("ForSequenceClassification") => Ok(LogitHead::Score),
        _ => Err(unsupported(format!(
            "config.json: architectures names {:?}, which has no layer for the scores of pairs, so this is an embedding \
             model or the base of other models; this build supports {family}ForCausalLM and \
             {family}ForSequenceClassification: load a reranker, such as Qwen/Qwen3-Reranker-0.6B",
            config.architecture
        ))),
    }
}

pub(super) fn key_value_heads(json: &Object, heads: usize) -> Result<usize> {
    let count = json.count("num_key_value_heads", heads, 1, heads)?;
    if heads.is_multiple_of(count) {
        return Ok(count);
    }
    Err(config(format!(
        "config.json: num_key_value_heads {count} does not divide num_attention_heads {heads}"
    )))
}

fn head_dim(json: &Object, model: &ModelConfig, default: usize) -> Result<usize> {
    let head_dim = json.count("head_dim", default, 2, MAX_HEAD_DIM)?;
    let heads = model.num_attention_heads;
    if !head_dim.is_multiple_of(2) {
        return Err(config(format!(
            "config.json: head_dim {head_dim} is odd; rotary positions need an even one"
        )));
    }
    if head_dim == 0 || heads * head_dim > MAX_HIDDEN {
        return Err(config(format!(
            "config.json: {heads} heads of head_dim {head_dim} do not have a width from 1 to {MAX_HIDDEN}"
        )));
    }
    Ok(head_dim)
}

/// Reads the window of each layer, as transformers 5.24 does: `sliding_window` counts only if `use_sliding_window` is
/// true, for the layers that `layer_types` names, or else for those from `max_window_layers` on.
fn windows(json: &Object, layers: usize) -> Result<Vec<Option<usize>>> {
    let window = match json.bool("use_sliding_window")? {
        Some(true) if json.get("sliding_window").is_some() || !json.contains("sliding_window") => {
            Some(json.count("sliding_window", 4096, 1, MAX_ROWS)?)
        }
        _ => None,
    };
    let Some(kinds) = json.strings("layer_types")? else {
        let full = json.count("max_window_layers", 28, 0, MAX_ROWS)?;
        return Ok((0..layers).map(|layer| window.filter(|_| layer >= full)).collect());
    };
    if kinds.len() != layers {
        return Err(config(format!(
            "config.json: layer_types has {} entries for {layers} layers",
            kinds.len()
        )));
    }
    kinds
        .into_iter()
        .map(|kind| match (kind, window) {
            ("full_attention", _) => Ok(None),
            ("sliding_attention", Some(window)) => Ok(Some(window)),
            ("sliding_attention", None) => Err(config(
                "config.json: layer_types names \"sliding_attention\", but no sliding_window counts: check \
                 use_sliding_window",
            )),
            (other, _) => Err(unsupported(format!("config.json: layer_types names {other:?}"))),
        })
        .collect()
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
