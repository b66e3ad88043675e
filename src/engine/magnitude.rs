//! The bound on the magnitude of weights, the same for every engine.

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
