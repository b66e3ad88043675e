//! Attention in f32.

use std::ops::Range;

use super::{Numbers, Packed, Pair, Positions, Rows, Weights};
use crate::engine::cpu::arch::{Isa, MOST_COLUMNS, MOST_ROWS, Tile};

/// Keys and values of one head, packed.
#[derive(Debug, Default)]
pub(super) struct Float {
    /// `[panels of keys, head_dim, panel]`.
    keys: Vec<f32>,
    /// `[panels of columns, keys, panel]`.
    values: Vec<f32>,
}

#[cfg(test)]
impl Float {
    pub(super) fn bytes(&self) -> usize {
        4 * (self.keys.capacity() + self.values.capacity())
    }
}

impl<S: Isa> Numbers<S> for Float {
    #[inline(always)]
    fn take(&mut self, _: &Pair, _: Positions) -> [f32; 2] {
        [1.0; 2]
    }

    #[inline(always)]
    fn begin(&mut self, pair: &Pair, head: usize) {
        let columns = head * pair.head_dim..(head + 1) * pair.head_dim;
        self.keys.clear();
        self.keys.resize(pair.key.count.next_multiple_of(S::PANEL) * pair.head_dim, 0.0);
        pack_keys::<S>(pair.key, columns.clone(), &mut self.keys);
        pack_values::<S>(pair.value, columns, &mut self.values);
    }

    #[inline(always)]
    fn logits(&self, pair: &Pair, head: usize, row: usize, reach: &Range<usize>, to: &mut [f32]) {
        products::<S>(
            pair,
            pair.query.from(row, head * pair.head_dim),
            pair.query.stride,
            &self.keys,
            reach,
            to,
        );
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
        let rows = pair.query.from(row, head * pair.head_dim);
        products::<S>(pair, rows, pair.query.stride, of_head(packed, pair.heads, head), positions, to);
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
        let rows = pair.key.from(row, head * pair.head_dim);
        products::<S>(pair, rows, pair.key.stride, of_head(packed, pair.heads, head), positions, to);
    }

    #[inline(always)]
    fn context(
        &mut self,
        pair: &Pair,
        head: usize,
        rows: &Range<usize>,
        Weights { reach, powers, sums, carried }: Weights,
        context: &mut [f32],
    ) {
        let mut tile: Tile<f32> = [0.0; MOST_ROWS * MOST_COLUMNS];
        let hidden = pair.heads * pair.head_dim;
        let inverse = sums.map(|sum| carried / sum);
        for (panel, values) in self.values.chunks_exact(pair.key.count * S::PANEL).enumerate() {
            let values = &values[reach.start * S::PANEL..reach.end.min(pair.key.count) * S::PANEL];
            S::tile_f32(powers, reach.len(), values, &mut tile);
            let from = panel * S::PANEL;
            let width = S::PANEL.min(pair.head_dim - from);
            for (row, (sums, inverse)) in rows.clone().zip(tile.chunks_exact(S::PANEL).zip(inverse)) {
                let to = &mut context[row * hidden + head * pair.head_dim + from..][..width];
                for (to, sum) in to.iter_mut().zip(sums) {
                    *to = sum * inverse;
                }
            }
        }
    }
}

/// Products of a tile's rows with the columns `reach` of packed panels: `[ROWS, reach]`.
#[inline(always)]
fn products<S: Isa>(
    pair: &Pair,
    rows: &[f32],
    stride: usize,
    panels: &[f32],
    reach: &Range<usize>,
    to: &mut [f32],
) {
    let mut tile: Tile<f32> = [0.0; MOST_ROWS * MOST_COLUMNS];
    let panels = &panels[reach.start * pair.head_dim..reach.end * pair.head_dim];
    for (panel, keys) in panels.chunks_exact(pair.head_dim * S::PANEL).enumerate() {
        S::tile_f32(rows, stride, keys, &mut tile);
        for (row, sums) in tile.chunks_exact(S::PANEL).take(S::ROWS).enumerate() {
            to[row * reach.len() + panel * S::PANEL..][..S::PANEL].copy_from_slice(sums);
        }
    }
}

/// Relative positions `[rows, heads * head_dim]`, packed for every head.
#[inline(always)]
pub(super) fn pack<S: Isa>(rows: Rows, heads: usize, head_dim: usize) -> Packed {
    let size = rows.count.next_multiple_of(S::PANEL) * head_dim;
    let mut floats = vec![0.0; heads * size];
    for (head, floats) in floats.chunks_exact_mut(size).enumerate() {
        pack_keys::<S>(rows, head * head_dim..(head + 1) * head_dim, floats);
    }
    Packed { floats, pairs: Vec::new(), scale: 1.0 }
}

#[inline(always)]
fn of_head(packed: &Packed, heads: usize, head: usize) -> &[f32] {
    let size = packed.floats.len() / heads;
    &packed.floats[head * size..][..size]
}

/// Keys as the tile wants weights; `out` is zeros.
#[inline(always)]
fn pack_keys<S: Isa>(rows: Rows, columns: Range<usize>, out: &mut [f32]) {
    for row in 0..rows.count {
        let panel = &mut out[row / S::PANEL * S::PANEL * columns.len()..][..S::PANEL * columns.len()];
        let values = &rows.row(row, columns.end)[columns.start..];
        for (value, lanes) in values.iter().zip(panel.chunks_exact_mut(S::PANEL)) {
            lanes[row % S::PANEL] = *value;
        }
    }
}

/// Values as the tile wants weights, zeros after the last column.
#[inline(always)]
fn pack_values<S: Isa>(rows: Rows, columns: Range<usize>, out: &mut Vec<f32>) {
    out.clear();
    out.resize(columns.len().next_multiple_of(S::PANEL) * rows.count, 0.0);
    for row in 0..rows.count {
        for (panel, from) in rows.row(row, columns.end)[columns.start..].chunks(S::PANEL).enumerate() {
            out[(panel * rows.count + row) * S::PANEL..][..from.len()].copy_from_slice(from);
        }
    }
}
