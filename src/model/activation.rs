//! Functions of single numbers and of logits, in f32, from those of [`crate::math`]: the same bits everywhere.

use crate::checkpoint::{Activation, ScoreActivation};
use crate::math::{self, ScalarF32};

/// Applies a function of a row, such as the logits of one pair, in place.
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
    }
}

/// An activation inside a head.
pub(super) fn activate(activation: Activation, x: f32) -> f32 {
    match activation {
        Activation::Gelu => math::gelu(ScalarF32, x),
        Activation::GeluTanh => {
            /// The root of 2 / pi.
            const ROOT: f32 = 0.797_884_6;
            0.5 * x * (1.0 + math::tanh(ScalarF32, ROOT * (x + 0.044_715 * x * x * x)))
        }
        Activation::Relu => x.max(0.0),
        Activation::Silu => x * sigmoid(x),
        Activation::Tanh => math::tanh(ScalarF32, x),
    }
}

fn sigmoid(x: f32) -> f32 {
    // The form that never overflows: the exponent is at most zero.
    let e = math::exp(ScalarF32, -x.abs());
    if x >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

fn softmax(values: &mut [f32]) {
    let largest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values.iter_mut().for_each(|value| *value = math::exp(ScalarF32, *value - largest));
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
