//! Activations of heads and of scores in f32. They use [`crate::math`], so they give the same bits on every platform.
//!
//! The CPU engine's `activate` computes the same functions for vectors. It multiplies in another order, so sharing one
//! formula would change the last bits of scores.

use crate::checkpoint::{Activation, Calibration, ScoreActivation, ScoreFunction};
use crate::math::{self, ScalarF32};

/// Turns the logits of a pair into its scores, in place.
pub(crate) fn apply_score_function(function: ScoreFunction, logits: &mut [f32]) {
    match function {
        ScoreFunction::Activation(activation) => apply_score_activation(activation, logits),
        ScoreFunction::Probability(Calibration { scale, offset }) => {
            logits.iter_mut().for_each(|logit| *logit = sigmoid(scale * *logit + offset));
        }
    }
}

/// Applies an activation to a row, such as the logits of one pair, in place.
pub(crate) fn apply_score_activation(activation: ScoreActivation, row: &mut [f32]) {
    let mut each = |function: fn(f32) -> f32| row.iter_mut().for_each(|x| *x = function(*x));
    match activation {
        ScoreActivation::Identity => {}
        ScoreActivation::Sigmoid => each(sigmoid),
        ScoreActivation::Tanh => each(|x| activate(Activation::Tanh, x)),
        ScoreActivation::Softmax => softmax(row),
        ScoreActivation::Gelu => each(|x| activate(Activation::Gelu, x)),
        ScoreActivation::Relu => each(|x| activate(Activation::Relu, x)),
        ScoreActivation::Silu => each(|x| activate(Activation::Silu, x)),
        ScoreActivation::Softplus => each(softplus),
        ScoreActivation::LogSigmoid => each(|x| -softplus(-x)),
        ScoreActivation::Hardsigmoid => each(|x| (x + 3.0).clamp(0.0, 6.0) / 6.0),
        ScoreActivation::Elu => each(elu),
        ScoreActivation::Selu => each(|x| SELU_SCALE * if x > 0.0 { x } else { SELU_ALPHA * elu(x) }),
        ScoreActivation::LeakyRelu => each(|x| activate(Activation::LeakyRelu, x)),
        ScoreActivation::Relu6 => each(|x| activate(Activation::Relu6, x)),
        ScoreActivation::Hardtanh => each(|x| x.clamp(-1.0, 1.0)),
        ScoreActivation::Hardswish => each(|x| activate(Activation::Hardswish, x)),
        ScoreActivation::Mish => each(|x| activate(Activation::Mish, x)),
        ScoreActivation::Softsign => each(|x| x / (1.0 + x.abs())),
        // `ModelActivation` refuses it before anything is scored. A NaN is never taken for a score.
        ScoreActivation::Unsupported => row.fill(f32::NAN),
    }
}

/// Computes an activation inside a head.
pub(super) fn activate(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Gelu => math::gelu(ScalarF32, x, &math::GELU_TERMS),
        Activation::GeluTanh => {
            /// `sqrt(2 / pi)`
            const SQRT_2_OVER_PI: f32 = 0.797_884_6;
            0.5 * x * (1.0 + math::tanh(ScalarF32, SQRT_2_OVER_PI * (x + 0.044_715 * x * x * x)))
        }
        Activation::Relu => x.max(0.0),
        Activation::Silu => x * sigmoid(x),
        Activation::Tanh => math::tanh(ScalarF32, x),
        Activation::QuickGelu => math::quick_gelu(ScalarF32, x),
        Activation::ClippedGelu => math::gelu(ScalarF32, x, &math::GELU_TERMS).clamp(-10.0, 10.0),
        Activation::ReluSquared => x.max(0.0) * x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::LeakyRelu => x.max(0.01 * x),
        Activation::Mish => math::mish(ScalarF32, x),
        Activation::Hardswish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
        Activation::Sigmoid => math::sigmoid(ScalarF32, x),
        Activation::Linear => x,
    }
}

fn sigmoid(x: f32) -> f32 {
    // The exponent is at most zero, so exp cannot overflow.
    let e = math::exp(ScalarF32, -x.abs());
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

/// torch's constants of SELU (Klambauer et al. 2017, arXiv 1706.02515).
const SELU_SCALE: f32 = 1.050_701;
const SELU_ALPHA: f32 = 1.673_263_2;

/// `x` above 0 and `e^x - 1` below.
fn elu(x: f32) -> f32 {
    if x > 0.0 { x } else { math::exp(ScalarF32, x) - 1.0 }
}

/// `ln(1 + e^x)`, as `max(x, 0) + ln(1 + e^-|x|)`, which cannot overflow.
fn softplus(x: f32) -> f32 {
    x.max(0.0) + math::ln_1p(ScalarF32, math::exp(ScalarF32, -x.abs()))
}

fn softmax(values: &mut [f32]) {
    let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values.iter_mut().for_each(|value| *value = math::exp(ScalarF32, *value - max));
    let sum: f32 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extreme_logits_give_finite_scores() {
        let mut logits = [-1e30, -100.0, 0.0, 100.0, 1e30];
        apply_score_activation(ScoreActivation::Sigmoid, &mut logits);
        assert!(logits[..2].iter().all(|&score| score > 0.0 && score < 1e-37));
        assert_eq!(&logits[2..], &[0.5, 1.0, 1.0]);

        let mut logits = [1e30, -1e30, 1e30];
        apply_score_activation(ScoreActivation::Softmax, &mut logits);
        assert_eq!([logits[0], logits[2]], [0.5; 2]);
        assert!(logits[1] < 1e-37);
    }
}
