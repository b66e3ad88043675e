//! The layers of a decoder: attention with grouped keys, rotary positions and an optional window, and gated
//! feed-forward blocks, each after an RMSNorm.

use candle_core::{Device, Result, Tensor};
use candle_nn::attention::{AttnMask, flash_attn};
use candle_nn::ops::rms_norm;
use candle_nn::rotary_emb::rope_thd;

use super::candle_error;
use crate::checkpoint::{Decoder, ModelConfig, Weights};
use crate::model;

/// A decoder as candle tensors.
#[derive(Debug)]
pub(super) struct Network {
    /// `[vocab_size, hidden_size]`.
    embeddings: Tensor,
    layers: Vec<Layer>,
    norm: Norm,
    /// Cosines and sines of the rotary angles, `[max_length, head_dim / 2]`.
    rotary: [Tensor; 2],
    head_dim: usize,
}

#[derive(Debug)]
struct Layer {
    attention_norm: Norm,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    /// Of each head's queries and keys.
    head_norms: Option<[Norm; 2]>,
    window: Option<usize>,
    feed_forward_norm: Norm,
    gate: Linear,
    up: Linear,
    down: Linear,
}

#[derive(Debug)]
struct Linear {
    /// `[in_features, out_features]`, a transposed view of the stored matrix.
    weight: Tensor,
    bias: Option<Tensor>,
}

#[derive(Debug)]
struct Norm {
    weight: Tensor,
    eps: f32,
}

/// Reads tensors by the names of one layer.
struct LayerTensors<'a> {
    prefix: String,
    take: &'a mut dyn FnMut(String) -> crate::Result<Tensor>,
    eps: f32,
}

impl Network {
    /// Takes the tensors of a decoder out of `weights`, for pairs of at most `max_length` tokens.
    ///
    /// # Errors
    /// `weights` for a missing tensor.
    pub(super) fn load(
        config: &ModelConfig,
        decoder: &Decoder,
        mut weights: Weights,
        max_length: usize,
    ) -> crate::Result<Self> {
        let shapes: std::collections::HashMap<_, _> =
            model::decoder_tensors(config, decoder).into_iter().collect();
        let mut take = |name: String| {
            let values = weights.take(&name)?.to_f32();
            let shape = shapes.get(&name).cloned().unwrap_or_default();
            Tensor::from_vec(values, shape, &Device::Cpu).map_err(candle_error)
        };
        let eps = config.layer_norm_eps as f32;
        let embeddings = take("model.embed_tokens.weight".to_owned())?;
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for (index, window) in decoder.windows.iter().enumerate() {
            let prefix = format!("model.layers.{index}");
            layers.push(Layer::load(decoder, *window, LayerTensors { prefix, take: &mut take, eps })?);
        }
        let norm = Norm { weight: take("model.norm.weight".to_owned())?, eps };
        let rotary = rotary(decoder, max_length).map_err(candle_error)?;
        Ok(Self { embeddings, layers, norm, rotary, head_dim: decoder.head_dim })
    }

    /// Returns the last token's row after the final norm.
    pub(super) fn last_row(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let mut rows = self.embeddings.index_select(&Tensor::new(ids, &Device::Cpu)?, 0)?;
        for layer in &self.layers {
            rows = layer.forward(&rows, &self.rotary, self.head_dim)?;
        }
        self.norm.forward(&rows.narrow(0, ids.len() - 1, 1)?)?.flatten_all()?.to_vec1()
    }
}

impl LayerTensors<'_> {
    fn tensor(&mut self, name: &str) -> crate::Result<Tensor> {
        (self.take)(format!("{}.{name}", self.prefix))
    }

    fn norm(&mut self, name: &str) -> crate::Result<Norm> {
        Ok(Norm { weight: self.tensor(&format!("{name}.weight"))?, eps: self.eps })
    }

    fn linear(&mut self, name: &str, bias: bool) -> crate::Result<Linear> {
        let weight = self.tensor(&format!("{name}.weight"))?.t().map_err(candle_error)?;
        let bias = bias.then(|| self.tensor(&format!("{name}.bias"))).transpose()?;
        Ok(Linear { weight, bias })
    }
}

impl Layer {
    fn load(decoder: &Decoder, window: Option<usize>, mut tensors: LayerTensors) -> crate::Result<Self> {
        let head_norms = match decoder.head_norms {
            true => Some([tensors.norm("self_attn.q_norm")?, tensors.norm("self_attn.k_norm")?]),
            false => None,
        };
        Ok(Self {
            attention_norm: tensors.norm("input_layernorm")?,
            query: tensors.linear("self_attn.q_proj", decoder.input_biases)?,
            key: tensors.linear("self_attn.k_proj", decoder.input_biases)?,
            value: tensors.linear("self_attn.v_proj", decoder.input_biases)?,
            output: tensors.linear("self_attn.o_proj", decoder.output_bias)?,
            head_norms,
            window,
            feed_forward_norm: tensors.norm("post_attention_layernorm")?,
            gate: tensors.linear("mlp.gate_proj", false)?,
            up: tensors.linear("mlp.up_proj", false)?,
            down: tensors.linear("mlp.down_proj", false)?,
        })
    }

    fn forward(&self, rows: &Tensor, rotary: &[Tensor; 2], head_dim: usize) -> Result<Tensor> {
        let rows = (rows + self.attention(&self.attention_norm.forward(rows)?, rotary, head_dim)?)?;
        let x = self.feed_forward_norm.forward(&rows)?;
        let gated = (self.gate.forward(&x)?.silu()? * self.up.forward(&x)?)?;
        rows + self.down.forward(&gated)?
    }

    fn attention(&self, x: &Tensor, [cos, sin]: &[Tensor; 2], head_dim: usize) -> Result<Tensor> {
        let length = x.dim(0)?;
        let heads = |linear: &Linear| linear.forward(x)?.reshape((1, length, (), head_dim));
        let (mut query, mut key, value) = (heads(&self.query)?, heads(&self.key)?, heads(&self.value)?);
        if let Some([query_norm, key_norm]) = &self.head_norms {
            (query, key) = (query_norm.forward(&query)?, key_norm.forward(&key)?);
        }
        let (cos, sin) = (cos.narrow(0, 0, length)?, sin.narrow(0, 0, length)?);
        let (query, key) = (rope_thd(&query, &cos, &sin)?, rope_thd(&key, &cos, &sin)?);
        let mask = match self.window {
            Some(window) if window < length => AttnMask::Mask(window_mask(length, window)?),
            _ => AttnMask::causal(),
        };
        let scale = 1.0 / (head_dim as f32).sqrt();
        let mixed = flash_attn::<f32>(&query, &key, &value, scale, mask, None, None)?;
        self.output.forward(&mixed.transpose(1, 2)?.reshape((length, ()))?)
    }
}

impl Linear {
    /// Returns `x W^T + b`.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let product = x.matmul(&self.weight)?;
        self.bias.as_ref().map_or(Ok(product.clone()), |bias| product.broadcast_add(bias))
    }
}

impl Norm {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        rms_norm(&x.contiguous()?, &self.weight, self.eps)
    }
}

/// Returns cosines and sines of the angles of all positions, `[max_length, head_dim / 2]`.
fn rotary(decoder: &Decoder, max_length: usize) -> Result<[Tensor; 2]> {
    let width = decoder.head_dim;
    let exponents = (0..width).step_by(2).map(|index| index as f64 / width as f64);
    let frequencies: Vec<f32> = exponents.map(|exponent| 1.0 / decoder.theta.powf(exponent) as f32).collect();
    let frequencies = Tensor::from_vec(frequencies, (1, width / 2), &Device::Cpu)?;
    let positions = (0..max_length).map(|position| position as f32).collect();
    let angles =
        Tensor::from_vec::<_, f32>(positions, (max_length, 1), &Device::Cpu)?.matmul(&frequencies)?;
    Ok([angles.cos()?, angles.sin()?])
}

/// Returns the mask of a causal attention in which a token sees itself and the `window - 1` tokens before it,
/// `[length, length]`.
fn window_mask(length: usize, window: usize) -> Result<Tensor> {
    let value = |index: usize, other: usize| {
        if other > index || other + window <= index { f32::NEG_INFINITY } else { 0.0 }
    };
    let mask: Vec<f32> =
        (0..length).flat_map(|index| (0..length).map(move |other| value(index, other))).collect();
    Tensor::from_vec(mask, (length, length), &Device::Cpu)
}
