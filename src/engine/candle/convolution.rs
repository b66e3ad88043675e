//! The convolution after the first layer.

use candle_core::Tensor;

use super::{ApplyLinear, CandleEngine, activate};
use crate::engine::lower;
use crate::model::Unfold;
use crate::text::Batch;

type Convolution = lower::Convolution<CandleEngine>;

/// Returns each row of `x` with its neighbors in the pair, `[tokens, hidden * kernel_size]`; see [`Unfold`].
pub(super) fn unfold(
    Unfold { kernel_size, .. }: Unfold,
    x: &Tensor,
    batch: &Batch,
) -> candle_core::Result<Tensor> {
    let half = kernel_size / 2;
    let pairs = batch.ranges().map(|range| {
        let count = range.len();
        let padded = x.narrow(0, range.start, count)?.pad_with_zeros(0, half, half)?;
        let taps = (0..kernel_size).map(|tap| padded.narrow(0, tap, count));
        // `[tokens, hidden, kernel_size]`: the neighbors of a column are side by side.
        Tensor::stack(&taps.collect::<candle_core::Result<Vec<_>>>()?, 2)?.flatten_from(1)
    });
    Tensor::cat(&pairs.collect::<candle_core::Result<Vec<_>>>()?, 0)
}

impl Convolution {
    /// Adds the convolution of the rows that [`unfold`] returned to `x`, and normalizes the sum.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        unfolded: Option<Tensor>,
        apply: ApplyLinear,
    ) -> candle_core::Result<Tensor> {
        let unfolded = unfolded.ok_or_else(|| candle_core::Error::msg("no rows were saved"))?;
        let added = activate(self.activation, &self.linear.apply(&unfolded, apply)?)?;
        self.norm.forward(&(x + added)?)
    }
}
