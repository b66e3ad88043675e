//! The memory of a run, used again by the next: it grows to what the largest batch needs and stays there.

use super::arch::MOST_ROWS;
use super::kernels::{QuantisedRows, Scratch};

/// What one batch needs at a time.
#[derive(Debug, Default)]
pub(super) struct Arena {
    /// The residual stream, `[tokens, hidden]`.
    pub(super) x: Vec<f32>,
    /// The same normalised, where blocks read that.
    pub(super) normed: Vec<f32>,
    /// Rows of `x` that are the first of their pair.
    pub(super) firsts: Vec<usize>,
    /// Projections into attention, or the inside of a feed-forward block.
    pub(super) wide: Vec<f32>,
    /// Queries, where they are of other rows than keys and values.
    pub(super) query: Vec<f32>,
    /// What attention gives, `[tokens, hidden]`.
    pub(super) context: Vec<f32>,
    /// Sums of a pair's rows, `[hidden]`.
    pub(super) sums: Vec<f64>,
    /// The input of a linear layer in q8.
    pub(super) quantised: QuantisedRows,
    pub(super) scratch: Scratch,
}

/// Makes room for `rows` rows and the ones to spare that tiles read, and returns the rows.
pub(super) fn rows(values: &mut Vec<f32>, rows: usize, columns: usize) -> &mut [f32] {
    let needed = (rows + MOST_ROWS) * columns;
    if values.len() < needed {
        values.resize(needed, 0.0);
    }
    &mut values[..rows * columns]
}

impl QuantisedRows {
    /// Makes room for `rows` rows of `stride` values, those at `precise` with remainders.
    pub(super) fn reserve(&mut self, rows: usize, stride: usize, precise: impl Iterator<Item = usize>) {
        self.precise.clear();
        self.precise.extend(precise);
        let all = rows + self.precise.len();
        let needed = (all + MOST_ROWS) * stride;
        if self.values.len() < needed {
            self.values.resize(needed, 0);
        }
        if self.scales.len() < all {
            self.scales.resize(all, 0.0);
            self.middles.resize(all, 0.0);
            self.offsets.resize(all, 0.0);
        }
        (self.rows, self.stride) = (rows, stride);
    }
}

#[cfg(test)]
impl Arena {
    /// Bytes held by what grows with the input.
    pub(super) fn bytes(&self) -> usize {
        let rows = [&self.x, &self.normed, &self.wide, &self.query, &self.context];
        let floats: usize = rows.into_iter().map(|rows| 4 * rows.capacity()).sum();
        floats + size_of_val(&*self.quantised.values) + self.scratch.bytes()
    }
}
