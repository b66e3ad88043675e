//! The memory of a run, used again by the next: it grows to what the largest batch needs and stays there.

use crate::engine::cpu::arch::MAX_TILE_ROWS;
use crate::engine::cpu::kernels::{AttentionScratch, QuantizedRows};

/// What one batch needs at a time.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    /// The residual stream, `[tokens, hidden]`.
    pub(crate) x: Vec<f32>,
    /// The same normalized, where blocks read that.
    pub(crate) normed: Vec<f32>,
    /// Rows of `x` that are the first of their pair.
    pub(crate) cls_rows: Vec<usize>,
    /// Projections into attention, or the inside of a feed-forward block.
    pub(crate) wide: Vec<f32>,
    /// Queries, where they are of other rows than keys and values.
    pub(crate) query: Vec<f32>,
    /// What attention gives, `[tokens, hidden]`.
    pub(crate) context: Vec<f32>,
    /// Sums of a pair's rows, `[hidden]`.
    pub(crate) pooling_sums: Vec<f64>,
    /// The input of a linear layer in q8.
    pub(crate) quantized: QuantizedRows,
    pub(crate) scratch: AttentionScratch,
}

/// Makes room for `rows` rows and the ones to spare that tiles read, and returns the rows.
pub(crate) fn rows(values: &mut Vec<f32>, rows: usize, columns: usize) -> &mut [f32] {
    let needed = (rows + MAX_TILE_ROWS) * columns;
    if values.len() < needed {
        values.resize(needed, 0.0);
    }
    &mut values[..rows * columns]
}

#[cfg(test)]
impl Arena {
    /// Bytes held by what grows with the input.
    pub(crate) fn bytes(&self) -> usize {
        let rows = [&self.x, &self.normed, &self.wide, &self.query, &self.context];
        let floats: usize = rows.into_iter().map(|rows| 4 * rows.capacity()).sum();
        floats + size_of_val(&*self.quantized.values) + self.scratch.bytes()
    }
}
