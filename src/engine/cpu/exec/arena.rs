//! The buffers of a forward pass. They grow to the largest batch and are reused.

use crate::engine::cpu::arch::MAX_TILE_ROWS;
use crate::engine::cpu::kernels::{AttentionScratch, QuantizedRows};

/// The buffers that one batch needs at a time.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    /// The residual stream, `[tokens, hidden]`.
    pub(crate) x: Vec<f32>,
    /// The normalized residual stream, if blocks read that, `[tokens, hidden]`.
    pub(crate) normed: Vec<f32>,
    /// Rows of `x` that are the first (CLS) of their pair, ascending.
    pub(crate) cls_rows: Vec<usize>,
    /// Query, key and value projections, or the inner activations of a feed-forward block.
    pub(crate) wide: Vec<f32>,
    /// Queries of the CLS rows, if keys and values have other rows.
    pub(crate) query: Vec<f32>,
    /// The output of attention, `[tokens, hidden]`.
    pub(crate) context: Vec<f32>,
    /// Sums over a pair's rows, `[hidden]`.
    pub(crate) pooling_sums: Vec<f64>,
    /// The quantized input of a linear layer.
    pub(crate) quantized: QuantizedRows,
    pub(crate) scratch: AttentionScratch,
}

/// Grows a buffer to `rows` rows and the padding rows that tiles read, and returns the rows without padding.
pub(crate) fn rows(values: &mut Vec<f32>, rows: usize, columns: usize) -> &mut [f32] {
    let needed = (rows + MAX_TILE_ROWS) * columns;
    if values.len() < needed {
        values.resize(needed, 0.0);
    }
    &mut values[..rows * columns]
}

#[cfg(test)]
impl Arena {
    /// Bytes of the buffers that grow with the input.
    pub(crate) fn bytes(&self) -> usize {
        let rows = [&self.x, &self.normed, &self.wide, &self.query, &self.context];
        let floats: usize = rows.into_iter().map(|rows| 4 * rows.capacity()).sum();
        floats + size_of_val(&*self.quantized.values) + self.scratch.bytes()
    }
}
