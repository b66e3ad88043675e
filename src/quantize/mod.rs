//! Writing our q8 and q4 files.

#[cfg(feature = "candle")]
mod calibrate;
#[cfg(feature = "candle")]
mod format;
#[cfg(feature = "candle")]
mod gptq;
#[cfg(feature = "candle")]
mod quantize;
#[cfg(feature = "candle")]
mod quantized_tensors;
#[cfg(feature = "candle")]
mod smoothquant;

use std::collections::HashMap;

#[cfg(feature = "candle")]
pub use quantize::quantize;

use crate::checkpoint::Grid;
use crate::model::{Plan, TensorRole};

/// How a plain file's tensors are rounded for `dtype: q8`: each to nearest, on the grid of its role. `plans` are those
/// the model may have, before its tensors are known by name.
pub(crate) fn grids(plans: &[Plan]) -> HashMap<String, Grid> {
    let grid = |role| match role {
        TensorRole::Matrix => Some(Grid::MATRIX),
        TensorRole::Table => Some(Grid::EMBEDDING),
        TensorRole::Vector => None,
    };
    plans
        .iter()
        .flat_map(Plan::tensors)
        .filter_map(|(name, role, _)| Some((name.to_owned(), grid(role)?)))
        .collect()
}
