//! Attention in f32.

use std::ops::Range;

use super::{Arithmetic, PackedPositions, Positions, Qkv, RowsView, SoftmaxWeights, TileBuffer};
use crate::engine::cpu::arch::{Isa, Tile};

/// Largest magnitude of queries, keys and relative positions. A product of heads has at most 2^16 terms, the largest hidden
/// size, and a logit is a sum of at most three products, so neither leaves the range of f32 on the way.
const MAX_FACTOR: f32 = 1e16;

/// The packed keys and values of one head.
#[derive(Debug, Default)]
pub(super) struct FloatArithmetic {
    /// `[panels of keys, head_dim, panel columns]`.
    keys: Vec<f32>,
    /// `[panels of columns, keys, panel columns]`.
    values: Vec<f32>,
    tile: TileBuffer<f32>,
}

impl FloatArithmetic {
    /// Bytes for a pair of `tokens` tokens, without padding: keys and values of one head.
    pub(super) fn bytes_for(tokens: u64, head_dim: u64) -> u64 {
        size_of::<f32>() as u64 * 2 * tokens * head_dim
    }
}

#[cfg(test)]
impl FloatArithmetic {
    pub(super) fn bytes(&self) -> usize {
        4 * (self.keys.capacity() + self.values.capacity())
    }
}

impl<S: Isa> Arithmetic<S> for FloatArithmetic {
    const ROWS: usize = S::ROWS_F32;

    #[inline(always)]
    fn load_qkv(&mut self, isa: S, qkv: &Qkv, _: Positions) -> [f32; 2] {
        [
            scale(isa, qkv.query, qkv.heads * qkv.head_dim),
            scale(isa, qkv.key, qkv.key_value_heads * qkv.head_dim),
        ]
    }

    #[inline(always)]
    fn begin_head(&mut self, qkv: &Qkv, head: usize) {
        let key_head = qkv.key_head(head);
        if head > 0 && key_head == qkv.key_head(head - 1) {
            return;
        }
        let columns = key_head * qkv.head_dim..(key_head + 1) * qkv.head_dim;
        self.keys.clear();
        self.keys.resize(qkv.key.count.next_multiple_of(S::PANEL) * qkv.head_dim, 0.0);
        pack_keys::<S>(qkv.key, columns.clone(), &mut self.keys);
        pack_values::<S>(qkv.value, columns, &mut self.values);
    }

    #[inline(always)]
    fn key_products(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        row: usize,
        key_range: &Range<usize>,
        to: &mut [f32],
    ) {
        products(
            isa,
            qkv,
            (qkv.query.from(row, head * qkv.head_dim), qkv.query.stride),
            &self.keys,
            key_range,
            &mut self.tile.0,
            to,
        );
    }

    #[inline(always)]
    fn query_position_products(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        row: usize,
        (packed, positions): (&PackedPositions, &Range<usize>),
        to: &mut [f32],
    ) {
        let rows = qkv.query.from(row, head * qkv.head_dim);
        let packed = of_head(packed, qkv.heads, head);
        products(isa, qkv, (rows, qkv.query.stride), packed, positions, &mut self.tile.0, to);
    }

    #[inline(always)]
    fn key_position_products(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        row: usize,
        (packed, positions): (&PackedPositions, &Range<usize>),
        to: &mut [f32],
    ) {
        let rows = qkv.key.from(row, qkv.key_head(head) * qkv.head_dim);
        let packed = of_head(packed, qkv.heads, head);
        products(isa, qkv, (rows, qkv.key.stride), packed, positions, &mut self.tile.0, to);
    }

    #[inline(always)]
    fn weighted_values(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        rows: &Range<usize>,
        SoftmaxWeights { key_range, exponentials, sums, nan_or_one }: SoftmaxWeights,
        context: &mut [f32],
    ) {
        let (hidden, tile) = (qkv.heads * qkv.head_dim, &mut self.tile.0);
        // The division of softmax, once per result instead of once per key.
        let inverse = sums.map(|sum| nan_or_one / sum);
        for (panel, values) in self.values.chunks_exact(qkv.key.count * S::PANEL).enumerate() {
            let values = &values[key_range.start * S::PANEL..key_range.end.min(qkv.key.count) * S::PANEL];
            isa.tile_f32(exponentials, key_range.len(), values, tile);
            let from = panel * S::PANEL;
            let width = S::PANEL.min(qkv.head_dim - from);
            for (row, (sums, inverse)) in rows.clone().zip(tile.chunks_exact(S::PANEL).zip(inverse)) {
                let to = &mut context[row * hidden + head * qkv.head_dim + from..][..width];
                for (to, sum) in to.iter_mut().zip(sums) {
                    *to = sum * inverse;
                }
            }
        }
    }
}

/// Returns the scale of rows that are not quantized: 1, or NaN if their products could overflow.
#[inline(always)]
fn scale<S: Isa>(isa: S, rows: RowsView, columns: usize) -> f32 {
    if rows.max_magnitude(isa, columns) <= MAX_FACTOR { 1.0 } else { f32::NAN }
}

/// Multiplies a tile's rows with the columns `key_range` of packed panels: `[ROWS, key_range]`.
#[inline(always)]
fn products<S: Isa>(
    isa: S,
    qkv: &Qkv,
    (rows, stride): (&[f32], usize),
    panels: &[f32],
    key_range: &Range<usize>,
    tile: &mut Tile<f32>,
    to: &mut [f32],
) {
    let panels = &panels[key_range.start * qkv.head_dim..key_range.end * qkv.head_dim];
    for (panel, keys) in panels.chunks_exact(qkv.head_dim * S::PANEL).enumerate() {
        isa.tile_f32(rows, stride, keys, tile);
        for (row, sums) in tile.chunks_exact(S::PANEL).take(S::ROWS_F32).enumerate() {
            to[row * key_range.len() + panel * S::PANEL..][..S::PANEL].copy_from_slice(sums);
        }
    }
}

/// Packs relative positions `[rows, heads * head_dim]` for each head.
#[inline(always)]
pub(super) fn pack<S: Isa>(isa: S, rows: RowsView, heads: usize, head_dim: usize) -> PackedPositions {
    let size = rows.count.next_multiple_of(S::PANEL) * head_dim;
    let mut floats = vec![0.0; heads * size];
    for (head, floats) in floats.chunks_exact_mut(size).enumerate() {
        pack_keys::<S>(rows, head * head_dim..(head + 1) * head_dim, floats);
    }
    PackedPositions { floats, pairs: Vec::new(), scale: scale(isa, rows, heads * head_dim) }
}

/// Returns a head's part of packed relative positions.
#[inline(always)]
fn of_head(packed: &PackedPositions, heads: usize, head: usize) -> &[f32] {
    let size = packed.floats.len() / heads;
    &packed.floats[head * size..][..size]
}

/// Packs keys as a tile reads weights; `out` must be zeros.
#[inline(always)]
fn pack_keys<S: Isa>(rows: RowsView, columns: Range<usize>, out: &mut [f32]) {
    for row in 0..rows.count {
        let panel = &mut out[row / S::PANEL * S::PANEL * columns.len()..][..S::PANEL * columns.len()];
        let values = &rows.row(row, columns.end)[columns.start..];
        for (value, lanes) in values.iter().zip(panel.chunks_exact_mut(S::PANEL)) {
            lanes[row % S::PANEL] = *value;
        }
    }
}

/// Packs values as a tile reads weights, zero-padded after the last column.
#[inline(always)]
fn pack_values<S: Isa>(rows: RowsView, columns: Range<usize>, out: &mut Vec<f32>) {
    out.clear();
    out.resize(columns.len().next_multiple_of(S::PANEL) * rows.count, 0.0);
    for row in 0..rows.count {
        for (panel, from) in rows.row(row, columns.end)[columns.start..].chunks(S::PANEL).enumerate() {
            out[(panel * rows.count + row) * S::PANEL..][..from.len()].copy_from_slice(from);
        }
    }
}
