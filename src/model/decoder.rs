//! The tensors of a decoder and its head.

use super::head::{Dense, Head, Layer};
use super::plan::{Linear, TensorRows};
use crate::checkpoint::{Decoder, LogitHead, ModelConfig, Weights};
use crate::error::Result;

/// Returns the name and shape of every tensor of a decoder, except for its head.
pub(crate) fn tensors(config: &ModelConfig, decoder: &Decoder) -> Vec<(String, Vec<usize>)> {
    let hidden = config.hidden_size;
    let mut tensors = vec![
        ("model.embed_tokens.weight".to_owned(), vec![config.vocab_size, hidden]),
        ("model.norm.weight".to_owned(), vec![hidden]),
    ];
    for layer in 0..config.num_hidden_layers {
        let layer_tensors = layer_tensors(config, decoder);
        tensors.extend(
            layer_tensors.into_iter().map(|(name, shape)| (format!("model.layers.{layer}.{name}"), shape)),
        );
    }
    tensors
}

fn layer_tensors(config: &ModelConfig, decoder: &Decoder) -> Vec<(String, Vec<usize>)> {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let queries = config.num_attention_heads * decoder.head_dim;
    let keys = decoder.key_value_heads * decoder.head_dim;
    let attention = [
        ("q", queries, hidden, decoder.input_biases),
        ("k", keys, hidden, decoder.input_biases),
        ("v", keys, hidden, decoder.input_biases),
        ("o", hidden, queries, decoder.output_bias),
    ];
    let mut tensors = vec![
        ("input_layernorm.weight".to_owned(), vec![hidden]),
        ("post_attention_layernorm.weight".to_owned(), vec![hidden]),
        ("mlp.gate_proj.weight".to_owned(), vec![inner, hidden]),
        ("mlp.up_proj.weight".to_owned(), vec![inner, hidden]),
        ("mlp.down_proj.weight".to_owned(), vec![hidden, inner]),
    ];
    if decoder.head_norms {
        tensors.push(("self_attn.q_norm.weight".to_owned(), vec![decoder.head_dim]));
        tensors.push(("self_attn.k_norm.weight".to_owned(), vec![decoder.head_dim]));
    }
    for (name, out_features, in_features, bias) in attention {
        tensors.push((format!("self_attn.{name}_proj.weight"), vec![out_features, in_features]));
        if bias {
            tensors.push((format!("self_attn.{name}_proj.bias"), vec![out_features]));
        }
    }
    tensors
}

/// The tokens whose logits are the score: the logit of `yes`, minus that of `no` if it is given, divided by `divisor`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenLogits {
    pub(crate) yes: usize,
    pub(crate) no: Option<usize>,
    pub(crate) divisor: f32,
}

/// Builds the head of a decoder and checks that all its tensors exist, have the right shape and are finite.
///
/// Without `tokens`, the layer `score` gives the logits.
///
/// # Errors
/// `weights`, naming the tensor.
pub(crate) fn decoder_head(
    config: &ModelConfig,
    decoder: &Decoder,
    tokens: Option<TokenLogits>,
    weights: &Weights,
) -> Result<Head> {
    for (name, shape) in tensors(config, decoder) {
        weights.require(&name, &shape)?;
    }
    let rows = |tensor: &str, rows, total_rows| Linear {
        weight: TensorRows { tensor: tensor.to_owned(), rows, total_rows },
        bias: None,
        in_features: config.hidden_size,
    };
    let (tensor, total_rows) = match decoder.logit_head {
        LogitHead::Vocabulary { tied: true } => ("model.embed_tokens.weight", config.vocab_size),
        LogitHead::Vocabulary { tied: false } => ("lm_head.weight", config.vocab_size),
        LogitHead::Score => ("score.weight", config.num_labels),
    };
    let layer = match tokens {
        None => Layer::Dense(Dense::read(weights, rows(tensor, 0..total_rows, total_rows))?),
        Some(TokenLogits { yes, no, divisor }) => {
            Dense::row_difference(weights, rows(tensor, yes..yes + 1, total_rows), no, divisor)?
        }
    };
    Ok(Head::new(vec![layer]))
}
