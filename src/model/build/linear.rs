//! Linear layers, named by their tensors.

use crate::model::plan::{Linear, TensorRows};

pub(super) fn linear(name: &str, in_features: usize, out_features: usize, bias: bool) -> Linear {
    Linear {
        weight: TensorRows::all(format!("{name}.weight"), out_features),
        bias: bias.then(|| TensorRows::all(format!("{name}.bias"), out_features)),
        in_features,
    }
}

/// Returns linear layers whose matrices are stacked in one tensor, from top to bottom.
pub(super) fn stacked<const COUNT: usize>(
    name: &str,
    in_features: usize,
    out_features: usize,
    bias: bool,
) -> [Linear; COUNT] {
    let part = |name: String, index: usize| TensorRows {
        tensor: name,
        rows: index * out_features..(index + 1) * out_features,
        total_rows: COUNT * out_features,
    };
    std::array::from_fn(|index| Linear {
        weight: part(format!("{name}.weight"), index),
        bias: bias.then(|| part(format!("{name}.bias"), index)),
        in_features,
    })
}
