//! A reference for each kernel, in plain Rust and f64.

use super::super::shader::{PoolKernel, Storage};
use crate::checkpoint::Activation;

/// See `Tile` in `attention.wgsl`.
pub(super) type AttentionTile = [u32; 4];

/// A matrix `[rows, stride]`.
pub(super) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    pub(super) stride: usize,
}

impl Matrix<'_> {
    pub(super) fn at(&self, row: usize, column: usize) -> f64 {
        f64::from(self.values[row * self.stride + column])
    }
}

/// Returns one element of `input weights^T + bias`; `weights` is `[columns, inputs]`.
pub(super) fn gemm(input: &Matrix, weights: &Matrix, bias: &[f32], row: usize, column: usize) -> f64 {
    let products = (0..weights.stride).map(|k| input.at(row, k) * weights.at(column, k));
    products.sum::<f64>() + f64::from(bias[column])
}

/// Returns a weight after rounding to its storage format.
pub(super) fn stored(weight: f32, storage: Storage) -> f32 {
    match storage {
        Storage::F16 => half::f16::from_f32(weight).to_f32(),
        _ => weight,
    }
}

pub(super) fn activate(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Gelu => x * 0.5 * (1.0 + libm::erf(x / 2f64.sqrt())),
        Activation::GeluTanh => {
            0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
        }
        Activation::Relu => x.max(0.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
        Activation::QuickGelu => x / (1.0 + (-1.702 * x).exp()),
        Activation::ClippedGelu => activate(Activation::Gelu, x).clamp(-10.0, 10.0),
        Activation::ReluSquared => x.max(0.0).powi(2),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::LeakyRelu => x.max(0.01 * x),
        Activation::Mish => x * x.exp().ln_1p().tanh(),
        Activation::Hardswish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Linear => x,
    }
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias`. With `rms`, the mean counts as zero.
pub(super) fn norm(x: &[f32], weight: &[f32], bias: &[f32], (eps, rms): (f64, bool)) -> Vec<f64> {
    let sum = x.iter().map(|&value| f64::from(value)).sum::<f64>();
    let mean = if rms { 0.0 } else { sum / x.len() as f64 };
    let variance = x.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / x.len() as f64;
    x.iter()
        .zip(weight.iter().zip(bias))
        .map(|(&x, (&weight, &bias))| {
            (f64::from(x) - mean) / (variance + eps).sqrt() * f64::from(weight) + f64::from(bias)
        })
        .collect()
}

/// Reduces rows `first..end` to one.
pub(super) fn pool(pool: PoolKernel, x: &Matrix, first: usize, end: usize) -> Vec<f64> {
    let count = (end - first) as f64;
    let column = |column: usize| {
        let values = (first..end).map(|row| x.at(row, column));
        match pool {
            PoolKernel::Mean => values.sum::<f64>() / count,
            PoolKernel::MeanSqrtLen => values.sum::<f64>() / count.sqrt(),
            PoolKernel::WeightedMean => {
                let weights = || (1..=end - first).map(|weight| weight as f64);
                values.zip(weights()).map(|(value, weight)| value * weight).sum::<f64>()
                    / weights().sum::<f64>()
            }
            PoolKernel::Max => values.fold(f64::NEG_INFINITY, f64::max),
        }
    };
    (0..x.stride).map(column).collect()
}

/// Rotates one head by cosines and sines, `[head_dim / 2]`.
pub(super) fn rotate(head: &[f32], rotations: &[[f32; 2]]) -> Vec<f64> {
    let half = rotations.len();
    (0..2 * half)
        .map(|index| {
            let [cos, sin] = rotations[index % half].map(f64::from);
            let (x, y) = (f64::from(head[index % half]), f64::from(head[index % half + half]));
            if index < half { x * cos - y * sin } else { y * cos + x * sin }
        })
        .collect()
}

/// Returns the logit for a distance, a query and a key.
pub(super) type Logit<'a> = &'a dyn Fn(isize, &[f64], &[f64]) -> f64;

/// Returns one row of one head: `softmax(logit(query, keys)) values` over the keys within the window.
pub(super) fn attention(
    query: &[f64],
    (keys, values): (&[Vec<f64>], &[Vec<f64>]),
    position: usize,
    window: usize,
    logit: Logit,
) -> Vec<f64> {
    let visible: Vec<usize> = (0..keys.len()).filter(|key| key.abs_diff(position) <= window).collect();
    let logits: Vec<f64> =
        visible.iter().map(|&key| logit(position as isize - key as isize, query, &keys[key])).collect();
    let max_logit = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logits.iter().map(|logit| (logit - max_logit).exp()).collect();
    let sum: f64 = weights.iter().sum();
    (0..query.len())
        .map(|index| {
            visible.iter().zip(&weights).map(|(&key, weight)| weight * values[key][index]).sum::<f64>() / sum
        })
        .collect()
}
