//! Heads: from a pooled row to logits, in f32, the same for every engine.

use super::plan::Linear;
use crate::checkpoint::Weights;
use crate::error::Result;
use crate::math::{self, One};

/// A chain of small layers that runs once on each pooled row.
#[derive(Debug)]
pub struct Head {
    layers: Vec<Layer>,
    num_labels: usize,
}

#[derive(Debug)]
pub(super) enum Layer {
    /// `x W^T + b`.
    Dense(Dense),
    /// `tanh(x)`.
    Tanh,
}

#[derive(Debug)]
pub(super) struct Dense {
    linear: Linear,
    /// `[out_features, in_features]`, row-major.
    weight: Vec<f32>,
    /// `[out_features]`, zeros where the layer has none.
    bias: Vec<f32>,
}

impl Head {
    /// A chain whose last dense layer gives the logits.
    pub(super) fn new(layers: Vec<Layer>) -> Self {
        let num_labels = layers
            .iter()
            .rev()
            .find_map(|layer| match layer {
                Layer::Dense(dense) => Some(dense.bias.len()),
                Layer::Tanh => None,
            })
            .unwrap_or(0);
        Self { layers, num_labels }
    }

    /// Logits for each pair.
    pub fn num_labels(&self) -> usize {
        self.num_labels
    }

    /// Numbers in the head.
    pub fn parameters(&self) -> usize {
        self.layers
            .iter()
            .map(|layer| match layer {
                Layer::Dense(dense) => dense.weight.len() + dense.bias.len(),
                Layer::Tanh => 0,
            })
            .sum()
    }

    /// The tensors the head has read.
    pub fn tensors(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().flat_map(|layer| match layer {
            Layer::Dense(dense) => dense.linear.parts().map(|part| part.tensor.as_str()).collect(),
            Layer::Tanh => Vec::new(),
        })
    }

    /// Pooled rows `[pairs, hidden_size]` to logits `[pairs, num_labels]`.
    pub fn logits(&self, pooled: &[f32], hidden_size: usize) -> Vec<f32> {
        pooled.chunks_exact(hidden_size).flat_map(|row| self.logits_of(row)).collect()
    }

    fn logits_of(&self, row: &[f32]) -> Vec<f32> {
        let mut values = row.to_vec();
        for layer in &self.layers {
            match layer {
                Layer::Dense(dense) => values = dense.apply(&values),
                Layer::Tanh => values.iter_mut().for_each(|value| *value = math::tanh::<One>(*value)),
            }
        }
        values
    }
}

impl Dense {
    /// Reads and checks the tensors of a linear layer.
    pub(super) fn read(weights: &Weights, linear: Linear) -> Result<Layer> {
        let weight = weights.require(&linear.weight.tensor, &linear.stored_shape())?.to_f32();
        let bias = match &linear.bias {
            Some(bias) => weights.require(&bias.tensor, &[bias.of])?.to_f32(),
            None => vec![0.0; linear.out_features()],
        };
        Ok(Layer::Dense(Self { linear, weight, bias }))
    }

    fn apply(&self, x: &[f32]) -> Vec<f32> {
        self.weight.chunks_exact(x.len()).zip(&self.bias).map(|(row, bias)| dot(row, x) + bias).collect()
    }
}

/// A sum in one fixed order: eight running sums, so that the compiler may use vectors without reordering anything.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a_chunks, a_rest) = a.as_chunks::<8>();
    let (b_chunks, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0f32; 8];
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
