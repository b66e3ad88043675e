//! Activation functions over rows, and gated linear units.

use super::lanes::{MAX_LANES, pad};
use crate::checkpoint::Activation;
use crate::engine::cpu::arch::{Isa, WideF32};
use crate::math::{self, SimdF32, Twice};

/// Applies an activation function to values in place.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
pub(super) fn activate<S: Isa>(isa: S, values: &mut [f32], activation: Activation) {
    let (wide, lanes) = (isa.wide(), <S::Wide as WideF32<S>>::LANES);
    let (mut rest, mut last) = (values, [0.0; MAX_LANES]);
    // GELU takes the most time, and two vectors at a time share its many constants.
    if activation == Activation::Gelu {
        let terms = math::opaque(&math::GELU_TERMS);
        let mut whole = rest.chunks_exact_mut(2 * lanes);
        for values in whole.by_ref() {
            let x = [wide.read(values), wide.read(&values[lanes..])];
            let [first, second] = math::gelu(Twice(wide), x, terms);
            wide.write(first, values);
            wide.write(second, &mut values[lanes..]);
        }
        rest = whole.into_remainder();
    }
    for values in rest.chunks_mut(lanes) {
        let is_whole = values.len() == lanes;
        let to = if is_whole {
            &mut *values
        } else {
            last = pad(values, 0.0);
            &mut last[..lanes]
        };
        wide.write(apply(wide, activation, wide.read(to)), to);
        if !is_whole {
            values.copy_from_slice(&last[..values.len()]);
        }
    }
}

/// Computes a gated linear unit in place, `activation(x) * gate` (GLU Variants, Shazeer 2020, arXiv 2002.05202): rows
/// `[x, gate]` of `2 * columns` values become rows of `columns` values, end to end from the start of `rows`.
#[inline(always)]
pub(super) fn glu<S: Isa>(isa: S, rows: &mut [f32], columns: usize, activation: Activation) {
    let (wide, lanes) = (isa.wide(), <S::Wide as WideF32<S>>::LANES);
    for row in 0..rows.len() / (2 * columns) {
        // In place, because a result is written only over values that were read before.
        let (from, to) = (2 * row * columns, row * columns);
        activate(isa, &mut rows[from..from + columns], activation);
        let whole = columns / lanes * lanes;
        for column in (0..whole).step_by(lanes) {
            let gate = wide.read(&rows[from + columns + column..]);
            let product = wide.mul(wide.read(&rows[from + column..]), gate);
            wide.write(product, &mut rows[to + column..]);
        }
        for column in whole..columns {
            rows[to + column] = rows[from + column] * rows[from + columns + column];
        }
    }
}

/// Computes an activation function, lane by lane.
#[inline(always)]
fn apply<S: SimdF32>(simd: S, activation: Activation, x: S::F32) -> S::F32 {
    match activation {
        Activation::Gelu => math::gelu(simd, x, &math::GELU_TERMS),
        Activation::GeluTanh => {
            // sqrt(2 / pi) (x + 0.044715 x^3)
            let cube = simd.mul(simd.mul(x, x), x);
            let inner = simd.mul(simd.splat(0.797_884_6), simd.add(x, simd.mul(simd.splat(0.044_715), cube)));
            let half = simd.mul(x, simd.splat(0.5));
            simd.mul(half, simd.add(simd.splat(1.0), math::tanh(simd, inner)))
        }
        Activation::Relu => simd.max(x, simd.splat(0.0)),
        Activation::Silu => {
            simd.div(x, simd.add(simd.splat(1.0), math::exp(simd, simd.sub(simd.splat(0.0), x))))
        }
        Activation::Tanh => math::tanh(simd, x),
        Activation::QuickGelu => math::quick_gelu(simd, x),
        Activation::ClippedGelu => {
            simd.min(simd.max(math::gelu(simd, x, &math::GELU_TERMS), simd.splat(-10.0)), simd.splat(10.0))
        }
        Activation::ReluSquared => {
            let positive = simd.max(x, simd.splat(0.0));
            simd.mul(positive, positive)
        }
        Activation::Relu6 => simd.min(simd.max(x, simd.splat(0.0)), simd.splat(6.0)),
        Activation::LeakyRelu => simd.max(x, simd.mul(x, simd.splat(0.01))),
        Activation::Mish => math::mish(simd, x),
        Activation::Hardswish => {
            let gate = simd.min(simd.max(simd.add(x, simd.splat(3.0)), simd.splat(0.0)), simd.splat(6.0));
            simd.div(simd.mul(x, gate), simd.splat(6.0))
        }
        Activation::Sigmoid => math::sigmoid(simd, x),
        Activation::Linear => x,
    }
}
