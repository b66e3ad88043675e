//! Checks of weights that every engine with packed weights makes.

use crate::checkpoint::Tensor;
use crate::error::{Result, unsupported, weights};

/// Largest accepted magnitude of a weight.
///
/// With larger weights, activations between two norms could leave the range of f32. Norms detect values that are not
/// finite, but attention before a norm could turn them into arbitrary finite ones.
const MAX_WEIGHT: f32 = 1e12;

/// Refuses values beyond [`MAX_WEIGHT`]; `name` is the tensor they belong to.
pub(crate) fn check_magnitude(name: &str, values: impl IntoIterator<Item = f32>) -> Result<()> {
    match values.into_iter().find(|value| value.abs() > MAX_WEIGHT) {
        None => Ok(()),
        Some(value) => Err(weights(format!("{name} holds {value:e}, which is too large to compute with"))),
    }
}

/// Most input features of a matrix in q8. The sum of a quantized row, whose values are at most 127, must be exact in f32; the
/// sum of its products with 7-bit weights then fits in an `i32`.
const MAX_Q8_INPUTS: usize = (1 << 24) / 127;

/// Checks that a q8 engine can compute with the matrices.
///
/// # Errors
/// `weights` for a matrix that is not stored in codes, `unsupported` for one with too many input features.
pub(crate) fn check_q8<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> Result<()> {
    for tensor in tensors {
        let (name, in_features) = (tensor.name(), tensor.shape()[1]);
        if !tensor.has_codes() {
            return Err(weights(format!(
                "{name} is not stored in 7-bit codes, which q8 computes with: use the dtype f32"
            )));
        }
        if in_features > MAX_Q8_INPUTS {
            return Err(unsupported(format!(
                "{name} has {in_features} input features, more than the {MAX_Q8_INPUTS} of q8: use the dtype f32"
            )));
        }
    }
    Ok(())
}

/// Checks that matrices which are packed as one have the same input scales.
pub(crate) fn check_input_scales<'a>(tensors: impl IntoIterator<Item = &'a Tensor>) -> Result<()> {
    let mut tensors = tensors.into_iter();
    let Some(first) = tensors.next() else { return Ok(()) };
    match tensors.find(|other| other.input_scales() != first.input_scales()) {
        None => Ok(()),
        Some(other) => Err(weights(format!(
            "{} and {} read the same inputs, but their input scales differ",
            first.name(),
            other.name()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    /// The kernels add products in `i32`, and the values of a row in f32.
    #[test]
    fn q8_refuses_rows_whose_sums_would_not_be_exact() {
        let matrix = |in_features| Tensor::from_codes(&vec![64; in_features], &[1.0], [1, in_features]);
        assert!(check_q8([&matrix(MAX_Q8_INPUTS)]).is_ok());
        assert!(MAX_Q8_INPUTS * 127 * 127 <= i32::MAX as usize && MAX_Q8_INPUTS * 127 <= 1 << 24);
        let error = check_q8([&matrix(MAX_Q8_INPUTS + 1)]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.context().contains("test has 132105 input features"), "{error}");
    }
}
