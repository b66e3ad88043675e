//! LayerNorm and RMSNorm, row by row.

use super::lanes::{Add, Fold, fold, pad_to_eight, reduce_sum};
use crate::engine::cpu::arch::Isa;

/// Weights of a LayerNorm.
#[derive(Debug)]
pub(crate) struct Norm {
    /// `[hidden_size]`.
    pub(crate) weight: Vec<f32>,
    /// `[hidden_size]`.
    pub(crate) bias: Vec<f32>,
    /// Added to the variance.
    pub(crate) eps: f32,
    /// Whether the mean counts as zero (RMSNorm).
    pub(crate) rms: bool,
}

/// Computes `(x - mean) / sqrt(variance + eps) * weight + bias` for each row, in place, and returns whether every row
/// was finite and has a finite result.
#[inline(always)]
pub(super) fn norm<S: Isa>(isa: S, rows: &mut [f32], norm: &Norm) -> bool {
    let mut finite = true;
    let size = norm.weight.len() as f32;
    for row in rows.chunks_exact_mut(norm.weight.len()) {
        // Two passes, mean first: the one-pass formula E[x²] - E[x]² cancels if the mean is large.
        let mean = if norm.rms { 0.0 } else { reduce_sum(isa, fold(isa, row, 0.0, 0.0, &Add)) / size };
        // Padded with the mean, whose deviation is zero.
        let squares = fold(isa, row, 0.0, mean, &SquaredDeviation::<S> { mean: isa.splat(mean) });
        let variance = reduce_sum(isa, squares) / size;
        let scale = 1.0 / (variance + norm.eps).sqrt();
        // NaN or infinity in any value makes the variance NaN or infinite. The scale is infinite if both terms are zero.
        finite &= variance.is_finite() && scale.is_finite();
        let normalize = Normalize::<S> { mean: isa.splat(mean), scale: isa.splat(scale) };
        let (whole, rest) = row.as_chunks_mut::<8>();
        let (weights, last_weights) = norm.weight.as_chunks::<8>();
        let (biases, last_biases) = norm.bias.as_chunks::<8>();
        for ((x, weight), bias) in whole.iter_mut().zip(weights).zip(biases) {
            isa.store(normalize.apply(isa, isa.load(x), isa.load(weight), isa.load(bias)), x);
        }
        if !rest.is_empty() {
            let (mut x, weight, bias) =
                (pad_to_eight(rest, 0.0), pad_to_eight(last_weights, 0.0), pad_to_eight(last_biases, 0.0));
            isa.store(normalize.apply(isa, isa.load(&x), isa.load(&weight), isa.load(&bias)), &mut x);
            rest.copy_from_slice(&x[..rest.len()]);
        }
    }
    finite
}

struct SquaredDeviation<S: Isa> {
    mean: S::F32,
}

impl<S: Isa> Fold<S> for SquaredDeviation<S> {
    #[inline(always)]
    fn step(&self, isa: S, accumulator: S::F32, x: S::F32) -> S::F32 {
        let deviation = isa.sub(x, self.mean);
        isa.add(accumulator, isa.mul(deviation, deviation))
    }
}

/// `(x - mean) * scale * weight + bias`.
struct Normalize<S: Isa> {
    mean: S::F32,
    scale: S::F32,
}

impl<S: Isa> Normalize<S> {
    #[inline(always)]
    fn apply(&self, isa: S, x: S::F32, weight: S::F32, bias: S::F32) -> S::F32 {
        isa.add(isa.mul(isa.mul(isa.sub(x, self.mean), self.scale), weight), bias)
    }
}
