//! The terms of relative positions in logits: products of queries and keys with vectors of relative positions, of which
//! each logit takes the one of its distance.

use std::ops::Range;

use super::{Arithmetic, Qkv};
use crate::engine::cpu::arch::{Isa, MAX_TILE_ROWS};
use crate::model::Disentangled;

/// Vectors of relative positions, packed for each head as keys are.
#[derive(Debug, Default)]
pub(crate) struct PackedPositions {
    /// `[heads, panels of rows, head_dim, panel]`; nothing in q8.
    pub(super) floats: Vec<f32>,
    /// `[heads, panels of rows, head_dim / 2, panel]` of pairs; nothing in f32.
    pub(super) pairs: Vec<[i16; 2]>,
    /// What the numbers are multiples of; NaN where one was not finite.
    pub(crate) scale: f32,
}

/// What attention knows of relative positions.
#[derive(Debug)]
pub(crate) struct RelativePositions {
    /// What queries are multiplied with.
    pub(crate) keys: Option<PackedPositions>,
    /// What keys are multiplied with.
    pub(crate) queries: Option<PackedPositions>,
    /// Which row of these a distance has, of a row to the one it looks at.
    pub(crate) disentangled: Disentangled,
}

impl RelativePositions {
    /// How many of the products there are.
    pub(super) fn terms(&self) -> usize {
        usize::from(self.keys.is_some()) + usize::from(self.queries.is_some())
    }
}

/// The products of a pair.
#[derive(Debug, Default)]
pub(super) struct PositionProducts {
    /// Which column of the products a distance has: first that of the last query row to the first key, each next one a
    /// place less far.
    columns: Vec<u32>,
    /// Query rows of the pair.
    query_rows: usize,
    /// The rows of relative positions that the products are with, as whole panels.
    positions: Range<usize>,
    /// Of a tile's queries: `[MAX_TILE_ROWS, positions]`.
    queries: Vec<f32>,
    /// Of all keys: `[keys, positions]`.
    keys: Vec<f32>,
}

#[cfg(test)]
impl PositionProducts {
    pub(super) fn bytes(&self) -> usize {
        4 * (self.columns.capacity() + self.queries.capacity() + self.keys.capacity())
    }
}

impl PositionProducts {
    /// Finds the rows of relative positions that the distances of a pair have: all others are left out.
    #[inline(always)]
    pub(super) fn find_columns<S: Isa>(&mut self, qkv: &Qkv, relative: &RelativePositions) {
        let (queries, keys) = (qkv.query.count, qkv.key.count);
        let distances =
            (0..queries + keys - 1).map(|column| (queries - 1).wrapping_sub(column).cast_signed());
        self.columns.clear();
        self.columns.extend(distances.map(|distance| relative.disentangled.row(distance) as u32));
        self.query_rows = queries;
        let visible = self.visible_columns(qkv);
        let (min, max) = visible.iter().fold((u32::MAX, 0), |(a, b), &column| (a.min(column), b.max(column)));
        let first = min as usize / S::PANEL * S::PANEL;
        self.positions = first..(max as usize + 1).next_multiple_of(S::PANEL);
        self.columns.iter_mut().for_each(|column| *column = column.wrapping_sub(first as u32));
    }

    /// The places of the distances within the window.
    fn visible_columns(&self, qkv: &Qkv) -> &[u32] {
        let zero = self.query_rows - 1;
        let window = qkv.window.unwrap_or(usize::MAX);
        &self.columns[zero.saturating_sub(window)
            ..self.columns.len().min(zero.saturating_add(window).saturating_add(1))]
    }

    /// Multiplies the keys of a head with what stands for queries.
    #[inline(always)]
    pub(super) fn multiply_keys<S: Isa, N: Arithmetic<S>>(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        relative: &RelativePositions,
        arithmetic: &N,
    ) {
        let Some(packed) = &relative.queries else { return };
        let width = self.positions.len();
        reserve(&mut self.keys, (qkv.key.count + MAX_TILE_ROWS) * width);
        for row in (0..qkv.key.count).step_by(S::ROWS) {
            let to = &mut self.keys[row * width..];
            arithmetic.key_position_products(isa, qkv, head, row, (packed, &self.positions), to);
        }
    }

    /// Multiplies a tile's queries of a head with what stands for keys.
    #[inline(always)]
    pub(super) fn multiply_queries<S: Isa, N: Arithmetic<S>>(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        row: usize,
        relative: &RelativePositions,
        arithmetic: &N,
    ) {
        let Some(packed) = &relative.keys else { return };
        reserve(&mut self.queries, MAX_TILE_ROWS * self.positions.len());
        arithmetic.query_position_products(isa, qkv, head, row, (packed, &self.positions), &mut self.queries);
    }

    /// The places of one row's keys.
    #[inline(always)]
    fn columns(&self, row: usize, keys: &Range<usize>) -> &[u32] {
        &self.columns[self.query_rows - 1 - row..][keys.clone()]
    }

    /// Adds the products of a query row with the relative positions of its keys; `first` is the first row of its tile.
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

    /// Adds the products of a row's keys with their relative positions.
    #[inline(always)]
    pub(super) fn add_key_terms(&self, row: usize, keys: &Range<usize>, scale: f32, logits: &mut [f32]) {
        let width = self.positions.len();
        let products = self.keys[keys.start * width..].chunks_exact(width);
        for ((logit, &column), products) in logits.iter_mut().zip(self.columns(row, keys)).zip(products) {
            *logit += products[column as usize] * scale;
        }
    }
}

fn reserve(room: &mut Vec<f32>, count: usize) {
    if room.len() < count {
        room.resize(count, 0.0);
    }
}
