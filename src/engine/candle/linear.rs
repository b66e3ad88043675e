//! Linear layers.

use candle_core::{Device, Tensor};

use crate::model;

/// A linear layer as candle tensors.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    /// The layer in the Plan.
    pub(crate) name: model::Linear,
    /// `[in_features, out_features]`, a transposed view of the stored matrix.
    pub(super) weight: Tensor,
    /// `[out_features]`, if the layer has a bias.
    pub(super) bias: Option<Tensor>,
}

/// Linear layers over the same input.
#[derive(Debug)]
pub(crate) struct Layers(pub(super) Vec<Linear>);

/// Applies a linear layer to rows. A caller can observe or change the activations here.
pub(crate) type ApplyLinear<'a> = &'a mut dyn FnMut(&Linear, &Tensor) -> candle_core::Result<Tensor>;

impl Linear {
    /// Returns `x W^T + b`.
    ///
    /// For few rows the matrix product takes another path with another order of sums. They are padded, so that the
    /// result of a row does not depend on the number of rows.
    pub(crate) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        const MIN_ROWS: usize = 16;
        let rows = x.dim(0)?;
        let padded = x.pad_with_zeros(0, 0, MIN_ROWS.saturating_sub(rows))?;
        let product = padded.matmul(&self.weight)?.narrow(0, 0, rows)?;
        self.bias.as_ref().map_or(Ok(product.clone()), |bias| product.broadcast_add(bias))
    }

    /// Returns the layer with other values: `weight` is `[out_features, in_features]`, `bias` is `[out_features]`.
    pub(crate) fn with(&self, weight: &[f32], bias: Option<&[f32]>) -> candle_core::Result<Self> {
        let shape = (self.name.out_features(), self.name.in_features);
        let weight = Tensor::from_slice(weight, shape, &Device::Cpu)?.t()?;
        let bias = bias.map(|bias| Tensor::new(bias, &Device::Cpu)).transpose()?;
        Ok(Self { name: self.name.clone(), weight, bias })
    }
}

impl Layers {
    /// Applies each layer to `x` and returns their outputs side by side.
    pub(super) fn apply(&self, x: &Tensor, apply: ApplyLinear) -> candle_core::Result<Tensor> {
        let outputs = self.0.iter().map(|layer| apply(layer, x)).collect::<candle_core::Result<Vec<_>>>()?;
        Tensor::cat(&outputs, 1)
    }
}

/// Splits the columns of `x` into parts of these widths.
pub(super) fn split_columns<const N: usize>(
    x: &Tensor,
    widths: [usize; N],
) -> candle_core::Result<[Tensor; N]> {
    let mut parts = std::array::from_fn(|_| x.clone());
    let mut start = 0;
    for (part, width) in parts.iter_mut().zip(widths) {
        *part = x.narrow(1, start, width)?;
        start += width;
    }
    Ok(parts)
}
