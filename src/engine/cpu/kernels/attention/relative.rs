//! The terms of relative positions in logits: products of queries and keys with vectors of relative positions, of which
//! each logit takes the one of its distance.

use std::ops::Range;

use super::{Numbers, Pair};
use crate::engine::cpu::arch::{Isa, MOST_ROWS};
use crate::model::Disentangled;

/// Vectors of relative positions, packed for each head as keys are.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    /// `[heads, panels of rows, head_dim, panel]`; nothing in q8.
    pub(super) floats: Vec<f32>,
    /// `[heads, panels of rows, head_dim / 2, panel]` of pairs; nothing in f32.
    pub(super) pairs: Vec<[i16; 2]>,
    /// What the numbers are multiples of; NaN where one was not finite.
    pub(crate) scale: f32,
}

/// What attention knows of relative positions.
#[derive(Debug)]
pub(crate) struct Relative {
    /// What queries are multiplied with.
    pub(crate) keys: Option<Packed>,
    /// What keys are multiplied with.
    pub(crate) queries: Option<Packed>,
    /// Which row of these a distance has, of a row to the one it looks at.
    pub(crate) place: Disentangled,
}

impl Relative {
    /// How many of the products there are.
    pub(super) fn terms(&self) -> usize {
        usize::from(self.keys.is_some()) + usize::from(self.queries.is_some())
    }
}

/// The products of a pair.
#[derive(Debug, Default)]
pub(super) struct Products {
    /// Which column of the products a distance has: first that of the last query row to the first key, each next one a
    /// place less far.
    places: Vec<u32>,
    /// Query rows of the pair.
    query_rows: usize,
    /// The rows of relative positions that the products are with, as whole panels.
    positions: Range<usize>,
    /// Of a tile's queries: `[MOST_ROWS, positions]`.
    queries: Vec<f32>,
    /// Of all keys: `[keys, positions]`.
    keys: Vec<f32>,
}

#[cfg(test)]
impl Products {
    pub(super) fn bytes(&self) -> usize {
        4 * (self.places.capacity() + self.queries.capacity() + self.keys.capacity())
    }
}

impl Products {
    /// Finds the rows of relative positions that the distances of a pair have: all others are left out.
    #[inline(always)]
    pub(super) fn find_places<S: Isa>(&mut self, pair: &Pair, relative: &Relative) {
        let (queries, keys) = (pair.query.count, pair.key.count);
        let distances = (0..queries + keys - 1).map(|place| (queries - 1).wrapping_sub(place).cast_signed());
        self.places.clear();
        self.places.extend(distances.map(|distance| relative.place.row(distance) as u32));
        self.query_rows = queries;
        let seen = self.seen_places(pair);
        let (least, most) = seen.iter().fold((u32::MAX, 0), |(a, b), &place| (a.min(place), b.max(place)));
        let first = least as usize / S::PANEL * S::PANEL;
        self.positions = first..(most as usize + 1).next_multiple_of(S::PANEL);
        self.places.iter_mut().for_each(|place| *place = place.wrapping_sub(first as u32));
    }

    /// The places of the distances within the window.
    fn seen_places(&self, pair: &Pair) -> &[u32] {
        let zero = self.query_rows - 1;
        let window = pair.window.unwrap_or(usize::MAX);
        &self.places[zero.saturating_sub(window)
            ..self.places.len().min(zero.saturating_add(window).saturating_add(1))]
    }

    /// Multiplies the keys of a head with what stands for queries.
    #[inline(always)]
    pub(super) fn of_keys<S: Isa, N: Numbers<S>>(
        &mut self,
        pair: &Pair,
        head: usize,
        relative: &Relative,
        numbers: &N,
    ) {
        let Some(packed) = &relative.queries else { return };
        let width = self.positions.len();
        reserve(&mut self.keys, (pair.key.count + MOST_ROWS) * width);
        for row in (0..pair.key.count).step_by(S::ROWS) {
            let to = &mut self.keys[row * width..];
            numbers.key_positions(pair, head, row, (packed, &self.positions), to);
        }
    }

    /// Multiplies a tile's queries of a head with what stands for keys.
    #[inline(always)]
    pub(super) fn of_queries<S: Isa, N: Numbers<S>>(
        &mut self,
        pair: &Pair,
        head: usize,
        row: usize,
        relative: &Relative,
        numbers: &N,
    ) {
        let Some(packed) = &relative.keys else { return };
        reserve(&mut self.queries, MOST_ROWS * self.positions.len());
        numbers.query_positions(pair, head, row, (packed, &self.positions), &mut self.queries);
    }

    /// The places of one row's keys.
    #[inline(always)]
    fn places(&self, row: usize, keys: &Range<usize>) -> &[u32] {
        &self.places[self.query_rows - 1 - row..][keys.clone()]
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
        for (logit, &place) in logits.iter_mut().zip(self.places(row, keys)) {
            *logit += products[place as usize] * scale;
        }
    }

    /// Adds the products of a row's keys with their relative positions.
    #[inline(always)]
    pub(super) fn add_key_terms(&self, row: usize, keys: &Range<usize>, scale: f32, logits: &mut [f32]) {
        let width = self.positions.len();
        let products = self.keys[keys.start * width..].chunks_exact(width);
        for ((logit, &place), products) in logits.iter_mut().zip(self.places(row, keys)).zip(products) {
            *logit += products[place as usize] * scale;
        }
    }
}

fn reserve(room: &mut Vec<f32>, count: usize) {
    if room.len() < count {
        room.resize(count, 0.0);
    }
}
