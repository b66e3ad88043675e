//! The terms of relative positions in logits (disentangled attention, DeBERTa, He et al. 2020, arXiv 2006.03654).
//!
//! The logit of query `i` and key `j` gets two terms, `q_i . pk[i - j]` and `k_j . pq[i - j]`, where `pk` and `pq`
//! are projected vectors of relative positions. Tiles multiply queries and keys with all vectors whose distances
//! occur in the pair; each logit then adds the products of its distance.

use std::ops::Range;

use super::{Arithmetic, Qkv};
use crate::engine::cpu::arch::{Isa, MAX_TILE_ROWS};
use crate::model::Disentangled;

/// Vectors of relative positions, packed for each head as keys are.
#[derive(Debug, Default)]
pub(crate) struct PackedPositions {
    /// `[heads, panels of rows, head_dim, panel columns]`; empty in q8.
    pub(super) floats: Vec<f32>,
    /// `[heads, panels of rows, depth / 2, panel columns]` of two columns each; empty in f32.
    pub(super) pairs: Vec<[i16; 2]>,
    /// Quantization scale, 1 in f32; NaN if the values are too large to multiply.
    pub(crate) scale: f32,
}

/// The relative positions of one layer.
pub(crate) type RelativePositions = crate::engine::lower::RelativePositions<PackedPositions, Disentangled>;

impl PackedPositions {
    /// Bytes of packed vectors `[rows, width]`, without padding.
    pub(crate) fn bytes_for(rows: u64, width: u64, q8: bool) -> u64 {
        let value = if q8 { size_of::<i16>() } else { size_of::<f32>() };
        value as u64 * rows * width
    }
}

/// The products of a pair with relative positions.
#[derive(Debug, Default)]
pub(super) struct PositionProducts {
    /// Column index per distance, from the largest (last query, first key) down to the smallest.
    columns: Vec<u32>,
    /// Query rows of the pair.
    query_rows: usize,
    /// The rows of relative positions that are multiplied, as whole panels.
    positions: Range<usize>,
    /// Products of a tile's queries: `[MAX_TILE_ROWS, positions]`.
    queries: Vec<f32>,
    /// Products of all keys: `[keys, positions]`.
    keys: Vec<f32>,
}

impl PositionProducts {
    /// Bytes for a pair of `tokens` tokens, which has fewer than `2 * tokens` distances, and a table of `rows` rows.
    pub(super) fn bytes_for(tokens: u64, rows: u64) -> u64 {
        let positions = rows.min(2 * tokens);
        size_of::<f32>() as u64 * (tokens + MAX_TILE_ROWS as u64) * positions
    }
}

#[cfg(test)]
impl PositionProducts {
    pub(super) fn bytes(&self) -> usize {
        4 * (self.columns.capacity() + self.queries.capacity() + self.keys.capacity())
    }
}

impl PositionProducts {
    /// Finds the rows of relative positions that occur in a pair, so that no others are multiplied.
    #[inline(always)]
    pub(super) fn find_columns<S: Isa>(&mut self, qkv: &Qkv, relative: &RelativePositions) {
        let (queries, keys) = (qkv.query.count, qkv.key.count);
        let distances =
            (0..queries + keys - 1).map(|column| (queries - 1).wrapping_sub(column).cast_signed());
        self.columns.clear();
        self.columns.extend(distances.map(|distance| relative.distance_rows.row(distance) as u32));
        self.query_rows = queries;
        let visible = self.visible_columns(qkv);
        let (min, max) = visible.iter().fold((u32::MAX, 0), |(a, b), &column| (a.min(column), b.max(column)));
        let first = min as usize / S::PANEL * S::PANEL;
        self.positions = first..(max as usize + 1).next_multiple_of(S::PANEL);
        self.columns.iter_mut().for_each(|column| *column = column.wrapping_sub(first as u32));
    }

    /// Returns the columns of the distances within the window.
    fn visible_columns(&self, qkv: &Qkv) -> &[u32] {
        let zero = self.query_rows - 1;
        let window = qkv.window.unwrap_or(usize::MAX);
        &self.columns[zero.saturating_sub(window)
            ..self.columns.len().min(zero.saturating_add(window).saturating_add(1))]
    }

    /// Multiplies all keys of a head with relative positions.
    #[inline(always)]
    pub(super) fn multiply_keys<S: Isa, N: Arithmetic<S>>(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        relative: &RelativePositions,
        arithmetic: &mut N,
    ) {
        let Some(packed) = &relative.queries else { return };
        let width = self.positions.len();
        reserve(&mut self.keys, (qkv.key.count + MAX_TILE_ROWS) * width);
        for row in (0..qkv.key.count).step_by(N::ROWS) {
            let to = &mut self.keys[row * width..];
            arithmetic.key_position_products(isa, qkv, head, row, (packed, &self.positions), to);
        }
    }

    /// Multiplies a tile's queries of a head with relative positions.
    #[inline(always)]
    pub(super) fn multiply_queries<S: Isa, N: Arithmetic<S>>(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        row: usize,
        relative: &RelativePositions,
        arithmetic: &mut N,
    ) {
        let Some(packed) = &relative.keys else { return };
        reserve(&mut self.queries, MAX_TILE_ROWS * self.positions.len());
        arithmetic.query_position_products(isa, qkv, head, row, (packed, &self.positions), &mut self.queries);
    }

    /// Returns the columns of the distances from one query row to `keys`.
    #[inline(always)]
    fn columns(&self, row: usize, keys: &Range<usize>) -> &[u32] {
        &self.columns[self.query_rows - 1 - row..][keys.clone()]
    }

    /// Adds the products of a query row with the relative positions of `keys`; `first` is the first row of its tile.
    #[inline(always)]
    pub(super) fn add_query_terms(
        &self,
        row: usize,
        first: usize,
        keys: &Range<usize>,
        scale: f32,
        logits: &mut [f32],
    ) {
        let width = self.positions.len();
        let products = &self.queries[(row - first) * width..][..width];
        for (logit, &column) in logits.iter_mut().zip(self.columns(row, keys)) {
            *logit += products[column as usize] * scale;
        }
    }

    /// Adds the products of `keys` with their relative positions to a query row.
    #[inline(always)]
    pub(super) fn add_key_terms(&self, row: usize, keys: &Range<usize>, scale: f32, logits: &mut [f32]) {
        let width = self.positions.len();
        let products = self.keys[keys.start * width..].chunks_exact(width);
        for ((logit, &column), products) in logits.iter_mut().zip(self.columns(row, keys)).zip(products) {
            *logit += products[column as usize] * scale;
        }
    }
}

/// Grows a buffer to `count` values.
fn reserve(buffer: &mut Vec<f32>, count: usize) {
    if buffer.len() < count {
        buffer.resize(count, 0.0);
    }
}
