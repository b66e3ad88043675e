//! Runs decoders in candle-transformers, in f32 on the CPU.
//!
//! A decoder has no [`Plan`](crate::model::Plan): causal masks, grouped keys and norms within heads occur in no encoder,
//! and models of this size run natively only. The result is the same as that of a Plan: one row per pair.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::qwen3;

use crate::checkpoint::{Decoder, ModelConfig, Weights};
use crate::error::{Error, Result, internal};
use crate::model;
use crate::text::Batch;

/// Preferred tokens in a micro-batch. Pairs run one by one, so a larger batch would only delay progress and abort.
pub(super) const BATCH_TOKENS: usize = 256;

/// A decoder with its weights.
#[derive(Debug)]
pub(crate) struct DecoderEngine {
    /// Without cached keys and values. Each pair runs on a clone, which shares the weights.
    model: qwen3::Model,
}

impl DecoderEngine {
    /// Loads a decoder for pairs of at most `max_length` tokens. Tensors are converted to f32 one by one.
    pub(crate) fn prepare(
        config: &ModelConfig,
        decoder: &Decoder,
        mut weights: Weights,
        max_length: usize,
    ) -> Result<Self> {
        let mut tensors = HashMap::new();
        for (name, shape) in model::decoder_tensors(config, decoder) {
            let values = weights.take(&name)?.to_f32();
            tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).map_err(candle_error)?);
        }
        let tensors = VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu);
        let config = qwen3_config(config, decoder, max_length);
        Ok(Self { model: qwen3::Model::new(&config, tensors).map_err(candle_error)? })
    }

    /// Returns the last token's row of each pair after the final norm, `[pairs, hidden_size]`.
    pub(super) fn run(&self, batch: &Batch) -> Result<Vec<f32>> {
        let rows = batch.ranges().map(|range| self.last_row(&batch.input_ids[range]));
        let rows: Vec<Vec<f32>> = rows.collect::<candle_core::Result<_>>().map_err(candle_error)?;
        Ok(rows.concat())
    }

    fn last_row(&self, ids: &[u32]) -> candle_core::Result<Vec<f32>> {
        let rows = self.model.clone().forward(&Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?, 0)?;
        rows.narrow(1, ids.len() - 1, 1)?.flatten_all()?.to_vec1()
    }
}

fn qwen3_config(config: &ModelConfig, decoder: &Decoder, max_length: usize) -> qwen3::Config {
    qwen3::Config {
        vocab_size: config.vocab_size,
        hidden_size: config.hidden_size,
        intermediate_size: config.intermediate_size,
        num_hidden_layers: config.num_hidden_layers,
        num_attention_heads: config.num_attention_heads,
        head_dim: decoder.head_dim,
        attention_bias: decoder.attention_bias,
        num_key_value_heads: decoder.key_value_heads,
        // Length of the rotary table.
        max_position_embeddings: max_length,
        sliding_window: None,
        max_window_layers: 0,
        // `model::head` computes the logits, so candle loads no language model head.
        tie_word_embeddings: true,
        rope_theta: decoder.theta,
        rms_norm_eps: config.layer_norm_eps,
        use_sliding_window: false,
        hidden_act: candle_nn::Activation::Silu,
    }
}

fn candle_error(error: candle_core::Error) -> Error {
    internal(format!("candle: {error}")).with_source(error)
}
