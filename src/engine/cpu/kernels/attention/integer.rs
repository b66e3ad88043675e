//! Attention over 16-bit integers, for the q8 path.
//!
//! Queries, keys and values are rounded to whole multiples of one scale each, probabilities to multiples of about
//! 2^-15. Each scale is the finest with which no sum of products leaves i32.

use std::ops::Range;

use super::int16_quant::{LARGEST, RoundedRows, Shape, round_keys, round_values};
use super::{Numbers, Packed, Pair, Positions, Rows, Weights};
use crate::engine::cpu::arch::{Isa, MOST_COLUMNS, MOST_ROWS, Tile};
use crate::engine::cpu::kernels::lanes::round_row;

/// A pair, rounded and packed head by head. Depths are rounded up to whole pairs.
#[derive(Debug, Default)]
pub(super) struct Integer {
    queries: RoundedRows,
    /// Keys once more, where they are multiplied with relative positions.
    key_rows: RoundedRows,
    /// `[heads, panels of keys, head_dim / 2, panel]` of pairs.
    keys: Vec<[i16; 2]>,
    /// `[heads, panels of columns, keys / 2, panel]` of pairs.
    values: Vec<[i16; 2]>,
    /// What values are multiples of.
    value_scale: f32,
    /// `[MOST_ROWS, keys in reach]`.
    probabilities: Vec<i16>,
    /// One row or two on their way, `[hidden]` each.
    rows: [Vec<i16>; 2],
}

#[cfg(test)]
impl Integer {
    pub(super) fn bytes(&self) -> usize {
        let pairs = self.keys.capacity() + self.values.capacity();
        4 * pairs
            + 2 * (self.queries.0.capacity() + self.key_rows.0.capacity() + self.probabilities.capacity())
    }
}

impl<S: Isa> Numbers<S> for Integer {
    #[inline(always)]
    fn take(&mut self, pair: &Pair, positions: Positions) -> [f32; 2] {
        let (shape, finest) = (Shape::of(pair), Shape::of(pair).finest());
        // `keys` products of values and probabilities fit i32, which add up to at most `LARGEST + keys / 2` once they
        // are rounded.
        let sum = LARGEST + 0.5 * pair.key.count as f32;
        let value_finest = LARGEST.min((i32::MAX as f32 / sum).floor() - 1.0);
        let [row, other] = &mut self.rows;
        let query_scale = self.queries.round::<S>(pair.query, shape, finest, row);
        if matches!(positions, Positions::Relative(relative) if relative.queries.is_some()) {
            self.key_rows.round::<S>(pair.key, shape, finest, row);
        }
        let key_scale = round_keys::<S>(pair.key, shape, finest, row, &mut self.keys);
        self.value_scale = round_values::<S>(pair.value, shape, value_finest, [row, other], &mut self.values);
        [query_scale, key_scale]
    }

    #[inline(always)]
    fn begin(&mut self, _: &Pair, _: usize) {}

    #[inline(always)]
    fn logits(&self, pair: &Pair, head: usize, row: usize, reach: &Range<usize>, to: &mut [f32]) {
        let shape = Shape::of(pair);
        let size = shape.key_pairs::<S>(pair.key.count);
        let queries = self.queries.from(shape, pair.query.count, head, row);
        products::<S>(shape, queries, &self.keys[head * size..][..size], reach, to);
    }

    #[inline(always)]
    fn query_positions(
        &self,
        pair: &Pair,
        head: usize,
        row: usize,
        (packed, positions): (&Packed, &Range<usize>),
        to: &mut [f32],
    ) {
        let shape = Shape::of(pair);
        let queries = self.queries.from(shape, pair.query.count, head, row);
        products::<S>(shape, queries, of_head(packed, shape, head), positions, to);
    }

    #[inline(always)]
    fn key_positions(
        &self,
        pair: &Pair,
        head: usize,
        row: usize,
        (packed, positions): (&Packed, &Range<usize>),
        to: &mut [f32],
    ) {
        let shape = Shape::of(pair);
        let keys = self.key_rows.from(shape, pair.key.count, head, row);
        products::<S>(shape, keys, of_head(packed, shape, head), positions, to);
    }

    #[inline(always)]
    fn context(
        &mut self,
        pair: &Pair,
        head: usize,
        rows: &Range<usize>,
        weights: Weights,
        context: &mut [f32],
    ) {
        let scales = self.round_weights::<S>(pair, rows, &weights);
        let (shape, reach) = (Shape::of(pair), weights.reach);
        let mut tile: Tile<i32> = [0; MOST_ROWS * MOST_COLUMNS];
        let size = shape.value_pairs::<S>(pair.key.count);
        let values = &self.values[head * size..][..size];
        for (panel, values) in values.chunks_exact(pair.key.count.div_ceil(2) * S::PANEL).enumerate() {
            let end = reach.end.min(pair.key.count).div_ceil(2);
            let values = &values[reach.start / 2 * S::PANEL..end * S::PANEL];
            S::tile_i16(&self.probabilities, reach.len(), values, &mut tile);
            let from = panel * S::PANEL;
            let columns = S::PANEL.min(shape.head_dim - from);
            for (row, (sums, scale)) in rows.clone().zip(tile.chunks_exact(S::PANEL).zip(scales)) {
                let to = &mut context[row * shape.hidden() + head * shape.head_dim + from..][..columns];
                for (to, &sum) in to.iter_mut().zip(sums) {
                    *to = sum as f32 * scale;
                }
            }
        }
    }
}

impl Integer {
    /// Rounds the powers of a tile's rows to probabilities and returns what their products with values are multiples of.
    #[inline(always)]
    fn round_weights<S: Isa>(
        &mut self,
        pair: &Pair,
        rows: &Range<usize>,
        Weights { reach, powers, sums, carried }: &Weights,
    ) -> [f32; MOST_ROWS] {
        let width = reach.len();
        if self.probabilities.len() < MOST_ROWS * width {
            self.probabilities.resize(MOST_ROWS * width, 0);
        }
        let mut scales = [0.0; MOST_ROWS];
        for (index, row) in rows.clone().enumerate() {
            let seen = pair.seen(row);
            // Eights begin at multiples of eight keys, whatever the tile.
            let eights = seen.start / 8 * 8 - reach.start..seen.end.next_multiple_of(8) - reach.start;
            let probabilities = &mut self.probabilities[index * width..][..width];
            probabilities[..eights.start].fill(0);
            probabilities[eights.end..].fill(0);
            let powers = &powers[index * width..][eights.clone()];
            let sum = round_row::<S>(powers, LARGEST / sums[index], &mut probabilities[eights]);
            scales[index] = 1.0 / sum * (carried * self.value_scale);
        }
        scales
    }
}

/// Products of a tile's rows with the columns `reach` of packed panels: `[ROWS, reach]`.
#[inline(always)]
fn products<S: Isa>(shape: Shape, rows: &[i16], panels: &[[i16; 2]], reach: &Range<usize>, to: &mut [f32]) {
    let mut tile: Tile<i32> = [0; MOST_ROWS * MOST_COLUMNS];
    let pairs = shape.depth() / 2;
    for (panel, keys) in
        panels[reach.start * pairs..reach.end * pairs].chunks_exact(pairs * S::PANEL).enumerate()
    {
        S::tile_i16(rows, shape.depth(), keys, &mut tile);
        for (row, sums) in tile.chunks_exact(S::PANEL).take(S::ROWS).enumerate() {
            let to = &mut to[row * reach.len() + panel * S::PANEL..][..S::PANEL];
            for (from, to) in sums.as_chunks::<8>().0.iter().zip(to.as_chunks_mut::<8>().0) {
                S::store(S::load_i32(from), to);
            }
        }
    }
}

/// Relative positions `[rows, heads * head_dim]`, packed for every head.
#[inline(always)]
pub(super) fn pack<S: Isa>(rows: Rows, heads: usize, head_dim: usize) -> Packed {
    let (shape, mut pairs) = (Shape { heads, head_dim }, Vec::new());
    let scale = round_keys::<S>(rows, shape, shape.finest(), &mut Vec::new(), &mut pairs);
    Packed { floats: Vec::new(), pairs, scale }
}

#[inline(always)]
fn of_head(packed: &Packed, shape: Shape, head: usize) -> &[[i16; 2]] {
    let size = packed.pairs.len() / shape.heads;
    &packed.pairs[head * size..][..size]
}
