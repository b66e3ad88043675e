//! Heads: from a pooled row to logits in f32, shared by all engines.

use super::activation::{activate, apply_score_activation};
use super::plan::{LayerNorm, Linear};
use crate::checkpoint::{Activation, ScoreActivation, Tensor, Weights};
use crate::error::Result;

/// A chain of small layers that runs once for each pair.
#[derive(Debug)]
pub(crate) struct Head {
    layers: Vec<Layer>,
    num_labels: usize,
    /// Whether its tensors are in other files than the encoder's.
    separate_files: bool,
}

#[derive(Debug)]
pub(super) enum Layer {
    /// `x W^T + b`.
    Dense(Dense),
    /// A function of each element.
    Activate(Activation),
    /// A function of the row.
    ActivateRow(ScoreActivation),
    /// A LayerNorm of the row.
    Norm(Norm),
    /// L2 normalization of the row.
    Normalize,
    /// Saves the row for the next `AddResidual`.
    SaveResidual,
    /// Adds the saved row, projected by this layer if there is one.
    AddResidual(Option<Dense>),
}

#[derive(Debug)]
pub(super) struct Dense {
    linear: Linear,
    /// `[out_features, in_features]`, row-major.
    weight: Vec<f32>,
    /// `[out_features]`, zeros if the layer has no bias.
    bias: Vec<f32>,
}

#[derive(Debug)]
pub(super) struct Norm {
    name: LayerNorm,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Head {
    /// Makes a chain whose last dense layer gives the logits.
    pub(super) fn new(layers: Vec<Layer>) -> Self {
        let outputs = |layer: &Layer| match layer {
            Layer::Dense(dense) => Some(dense.linear.out_features()),
            _ => None,
        };
        let num_labels = layers.iter().rev().find_map(outputs).unwrap_or(0);
        Self { layers, num_labels, separate_files: false }
    }

    /// Makes a chain whose tensors are in other files than the encoder's.
    pub(super) fn of_module_chain(layers: Vec<Layer>) -> Self {
        Self { separate_files: true, ..Self::new(layers) }
    }

    /// Returns the number of logits per pair.
    pub(crate) fn num_labels(&self) -> usize {
        self.num_labels
    }

    /// Returns the number of parameters in the head.
    pub(crate) fn parameters(&self) -> u64 {
        let count = |layer: &Layer| match layer {
            Layer::Dense(dense) | Layer::AddResidual(Some(dense)) => {
                let Linear { weight, bias, in_features } = &dense.linear;
                weight.rows.len() * in_features + bias.as_ref().map_or(0, |rows| rows.total_rows)
            }
            Layer::Norm(norm) => norm.name.width * (1 + usize::from(norm.name.bias.is_some())),
            _ => 0,
        };
        self.layers.iter().map(|layer| count(layer) as u64).sum()
    }

    /// Returns the tensors that the head has read from the encoder's files.
    pub(crate) fn tensors(&self) -> impl Iterator<Item = &str> {
        self.layers.iter().filter(|_| !self.separate_files).flat_map(|layer| match layer {
            Layer::Dense(dense) | Layer::AddResidual(Some(dense)) => {
                dense.linear.tensor_rows().map(|rows| rows.tensor.as_str()).collect()
            }
            Layer::Norm(norm) => [Some(&norm.name.weight), norm.name.bias.as_ref()]
                .into_iter()
                .flatten()
                .map(String::as_str)
                .collect(),
            _ => Vec::new(),
        })
    }

    /// Computes logits `[pairs, num_labels]` from pooled rows `[pairs, pooled_size]`. The logits of a pair are NaN if any value
    /// on the way is not finite, because an activation could make it finite again.
    #[inline(never)]
    pub(crate) fn logits(&self, pooled: &[f32], pooled_size: usize) -> Vec<f32> {
        pooled.chunks_exact(pooled_size).flat_map(|row| self.row_logits(row)).collect()
    }

    fn row_logits(&self, row: &[f32]) -> Vec<f32> {
        let mut values = row.to_vec();
        let mut residual = Vec::new();
        for layer in &self.layers {
            match layer {
                Layer::Dense(dense) => values = dense.apply(&values),
                Layer::Activate(activation) => {
                    values.iter_mut().for_each(|value| *value = activate(*activation, *value));
                }
                Layer::ActivateRow(activation) => apply_score_activation(*activation, &mut values),
                Layer::Norm(norm) => norm.apply(&mut values),
                Layer::Normalize => normalize(&mut values),
                Layer::SaveResidual => residual.clone_from(&values),
                Layer::AddResidual(None) => add(&mut values, &residual),
                Layer::AddResidual(Some(dense)) => add(&mut values, &dense.apply(&residual)),
            }
            if !values.iter().all(|value| value.is_finite()) {
                return vec![f32::NAN; self.num_labels];
            }
        }
        values
    }
}

/// Returns the elements of a tensor; none if another engine applies the head.
fn numbers(tensor: &Tensor) -> Vec<f32> {
    if tensor.has_numbers() { tensor.to_f32() } else { Vec::new() }
}

impl Dense {
    /// Reads and checks the tensors of a linear layer.
    pub(super) fn read(weights: &Weights, linear: Linear) -> Result<Self> {
        let weight = numbers(weights.require(&linear.weight.tensor, &linear.stored_shape())?);
        let bias = match &linear.bias {
            Some(bias) => numbers(weights.require(&bias.tensor, &[bias.total_rows])?),
            None => vec![0.0; linear.out_features()],
        };
        Ok(Self { linear, weight, bias })
    }

    /// Makes a layer from the first row of `minuend` minus row `subtrahend` of the same tensor, divided by `divisor`. The
    /// difference of two logits is the logit of the difference of their rows.
    #[cfg(feature = "decoder")]
    pub(super) fn row_difference(
        weights: &Weights,
        minuend: Linear,
        subtrahend: Option<usize>,
        divisor: f32,
    ) -> Result<Layer> {
        let tensor = weights.require(&minuend.weight.tensor, &minuend.stored_shape())?;
        let row = |index: usize| {
            let mut values = vec![0.0; minuend.in_features];
            tensor.read_row(index, &mut values);
            values
        };
        let mut weight = row(minuend.weight.rows.start);
        for (value, other) in weight.iter_mut().zip(subtrahend.map(row).unwrap_or_default()) {
            *value -= other;
        }
        weight.iter_mut().for_each(|value| *value /= divisor);
        Ok(Layer::Dense(Self { linear: minuend, weight, bias: vec![0.0] }))
    }

    fn apply(&self, x: &[f32]) -> Vec<f32> {
        self.weight.chunks_exact(x.len()).zip(&self.bias).map(|(row, bias)| dot(row, x) + bias).collect()
    }
}

impl Norm {
    /// Reads and checks the tensors of a norm.
    pub(super) fn read(weights: &Weights, name: LayerNorm) -> Result<Layer> {
        let weight = numbers(weights.require(&name.weight, &[name.width])?);
        let bias = match &name.bias {
            Some(bias) => numbers(weights.require(bias, &[name.width])?),
            None => vec![0.0; name.width],
        };
        Ok(Layer::Norm(Self { name, weight, bias }))
    }

    /// Sums in f64 in one fixed order, to give the same bits on every platform.
    fn apply(&self, row: &mut [f32]) {
        let size = row.len() as f64;
        let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / size;
        let variance = row.iter().map(|&x| (f64::from(x) - mean) * (f64::from(x) - mean)).sum::<f64>() / size;
        let scale = 1.0 / (variance + self.name.eps).sqrt();
        for ((x, weight), bias) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
            *x = ((f64::from(*x) - mean) * scale) as f32 * weight + bias;
        }
    }
}

/// Divides a row by its length, at least 1e-12, like torch's `F.normalize`. Sums in f64 like [`Norm`].
fn normalize(row: &mut [f32]) {
    let length = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>().sqrt();
    row.iter_mut().for_each(|x| *x = (f64::from(*x) / length.max(1e-12)) as f32);
}

fn add(values: &mut [f32], others: &[f32]) {
    values.iter_mut().zip(others).for_each(|(value, other)| *value += other);
}

/// Computes a dot product in one fixed order. Eight partial sums allow the compiler to vectorize without reordering.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::TensorRows;

    fn dense(weight: f32) -> Layer {
        let linear = Linear { weight: TensorRows::all(String::new(), 1), bias: None, in_features: 1 };
        Layer::Dense(Dense { linear, weight: vec![weight], bias: vec![0.0] })
    }

    /// `tanh` of infinity is 1, and a maximum with NaN may be a number.
    #[test]
    fn no_activation_hides_values_that_are_not_finite() {
        for activation in [Activation::Tanh, Activation::Relu, Activation::Relu6] {
            let head = Head::new(vec![dense(1e20), Layer::Activate(activation), dense(0.5)]);
            let logits = head.logits(&[0.5, 1e20, -1e20, f32::NAN], 1);
            let finite: Vec<_> = logits.iter().map(|logit| logit.is_finite()).collect();
            assert_eq!(finite, [true, false, false, false], "{activation:?}");
        }
    }
}
