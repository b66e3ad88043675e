//! Checks of weights that every engine with packed weights makes.

use crate::checkpoint::Tensor;
use crate::error::{Result, weights};

/// Largest accepted magnitude of a weight.
///
/// With larger weights, activations between two norms could leave the range of f32. Norms detect values that are not
/// finite, but the integer kernels before a norm turn them into arbitrary finite ones.
const MAX_WEIGHT: f32 = 1e12;

/// Refuses values beyond [`MAX_WEIGHT`]; `name` is the tensor they belong to.
pub(crate) fn check_magnitude(name: &str, values: impl IntoIterator<Item = f32>) -> Result<()> {
    match values.into_iter().find(|value| value.abs() > MAX_WEIGHT) {
        None => Ok(()),
        Some(value) => Err(weights(format!("{name} holds {value:e}, which is too large to compute with"))),
    }
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
