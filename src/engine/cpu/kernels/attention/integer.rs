//! Attention over 16-bit integers, for the q8 path.
//!
//! Queries, keys and values are rounded to whole multiples of one scale each, probabilities to multiples of about
//! 2^-15. Each scale is the finest with which no sum of products leaves i32.

use super::super::super::arch::{Isa, MOST_COLUMNS, MOST_ROWS, Tile};
use super::super::lanes::{range, round_row};
use super::{Attend, Rows, exponentials};

/// The largest 16-bit magnitude in use, and what a row's probabilities add up to before each is rounded.
const LARGEST: f32 = 32767.0;

/// Below this everything counts as zero: its inverse would not be finite.
const LEAST: f32 = 1e-30;

/// A pair, rounded and packed head by head. Depths are rounded up to whole pairs.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// `[heads, query rows and those to spare, head_dim]`.
    queries: Vec<i16>,
    /// `[heads, panels of keys, head_dim / 2, panel]` of pairs.
    keys: Vec<[i16; 2]>,
    /// `[heads, panels of columns, keys / 2, panel]` of pairs.
    values: Vec<[i16; 2]>,
    /// `[MOST_ROWS, keys rounded up to eights]`.
    probabilities: Vec<i16>,
    /// One row or two on their way, `[hidden]` each.
    rows: [Vec<i16>; 2],
}

/// What a head has in the packed matrices.
struct Shape {
    heads: usize,
    head_dim: usize,
    /// `head_dim`, rounded up to pairs.
    depth: usize,
    query_rows: usize,
    keys: usize,
}

impl Shape {
    fn hidden(&self) -> usize {
        self.heads * self.head_dim
    }
    /// Values of a head in the packed queries.
    fn queries(&self) -> usize {
        (self.query_rows + MOST_ROWS) * self.depth
    }
    /// Pairs of a head in the packed keys.
    fn key_pairs<S: Isa>(&self) -> usize {
        self.keys.next_multiple_of(S::PANEL) * self.depth / 2
    }
    /// Pairs of a head in the packed values.
    fn value_pairs<S: Isa>(&self) -> usize {
        self.head_dim.next_multiple_of(S::PANEL) * self.keys.div_ceil(2)
    }
}

/// See [the module](super).
#[inline(always)]
pub(in super::super) fn attend<S: Isa>(attend: Attend) {
    let Attend { query, key, value, heads, head_dim, context, scratch } = attend;
    let depth = head_dim.next_multiple_of(2);
    let shape = Shape { heads, head_dim, depth, query_rows: query.count, keys: key.count };
    // `head_dim` products of two such numbers fit i32; and so do `keys` products of values and probabilities, which add
    // up to at most `LARGEST + keys / 2` once they are rounded.
    let finest = LARGEST.min((i32::MAX as f32 / head_dim as f32).sqrt().floor() - 1.0);
    let value_finest = LARGEST.min((i32::MAX as f32 / (LARGEST + 0.5 * key.count as f32)).floor() - 1.0);
    let integer = &mut scratch.integer;
    let query_scale = integer.round_queries::<S>(query, &shape, finest);
    let key_scale = integer.round_keys::<S>(key, &shape, finest);
    let logit_scale = query_scale * key_scale / (head_dim as f32).sqrt();
    // Probabilities are rounded to integers, so that their being no numbers has to be carried by the result.
    let carried = if logit_scale.is_finite() { 1.0 } else { f32::NAN };
    let value_scale = carried * integer.round_values::<S>(value, &shape, value_finest);
    integer.probabilities.resize(MOST_ROWS * key.count.next_multiple_of(8), 0);
    scratch.logits.resize(MOST_ROWS * key.count.next_multiple_of(S::PANEL), 0.0);
    for head in 0..heads {
        for first in (0..query.count).step_by(S::ROWS) {
            integer.logits::<S>(&shape, head, first, &mut scratch.logits);
            let scales = integer.probabilities::<S>(&shape, first, &mut scratch.logits, logit_scale);
            integer.context::<S>(&shape, head, first, scales.map(|scale| scale * value_scale), context);
        }
    }
}

impl Scratch {
    /// Logits of a tile's rows, not scaled yet: `[rows, keys rounded up to panels]`.
    #[inline(always)]
    fn logits<S: Isa>(&self, shape: &Shape, head: usize, first: usize, logits: &mut [f32]) {
        let mut tile: Tile<i32> = [0; MOST_ROWS * MOST_COLUMNS];
        let padded = shape.keys.next_multiple_of(S::PANEL);
        let queries = &self.queries[head * shape.queries() + first * shape.depth..];
        let keys = &self.keys[head * shape.key_pairs::<S>()..][..shape.key_pairs::<S>()];
        for (panel, keys) in keys.chunks_exact(shape.depth / 2 * S::PANEL).enumerate() {
            S::tile_i16(queries, shape.depth, keys, &mut tile);
            for (row, sums) in tile.chunks_exact(S::PANEL).take(S::ROWS).enumerate() {
                let to = &mut logits[row * padded + panel * S::PANEL..][..S::PANEL];
                for (from, to) in sums.as_chunks::<8>().0.iter().zip(to.as_chunks_mut::<8>().0) {
                    S::store(S::load_i32(from), to);
                }
            }
        }
    }

    /// Rounded probabilities of a tile's rows, and what they are multiples of.
    #[inline(always)]
    fn probabilities<S: Isa>(
        &mut self,
        shape: &Shape,
        first: usize,
        logits: &mut [f32],
        logit_scale: f32,
    ) -> [f32; MOST_ROWS] {
        let (padded, eights) = (shape.keys.next_multiple_of(S::PANEL), shape.keys.next_multiple_of(8));
        let mut scales = [0.0; MOST_ROWS];
        for (row, scale) in scales.iter_mut().enumerate().take(S::ROWS.min(shape.query_rows - first)) {
            let powers = &mut logits[row * padded..][..eights];
            let sum = exponentials::<S>(powers, shape.keys, logit_scale);
            let rounded = &mut self.probabilities[row * eights..][..eights];
            *scale = 1.0 / round_row::<S>(powers, LARGEST / sum, rounded);
        }
        scales
    }

    /// Probabilities times values.
    #[inline(always)]
    fn context<S: Isa>(
        &self,
        shape: &Shape,
        head: usize,
        first: usize,
        scales: [f32; MOST_ROWS],
        context: &mut [f32],
    ) {
        let mut tile: Tile<i32> = [0; MOST_ROWS * MOST_COLUMNS];
        let values = &self.values[head * shape.value_pairs::<S>()..][..shape.value_pairs::<S>()];
        for (panel, values) in values.chunks_exact(shape.keys.div_ceil(2) * S::PANEL).enumerate() {
            S::tile_i16(&self.probabilities, shape.keys.next_multiple_of(8), values, &mut tile);
            let from = panel * S::PANEL;
            let columns = S::PANEL.min(shape.head_dim - from);
            for (row, sums) in (first..shape.query_rows).zip(tile.chunks_exact(S::PANEL).take(S::ROWS)) {
                let to = &mut context[row * shape.hidden() + head * shape.head_dim + from..][..columns];
                for (to, &sum) in to.iter_mut().zip(sums) {
                    *to = sum as f32 * scales[row - first];
                }
            }
        }
    }

    /// Rounds the queries and returns their scale: a number is so many times that.
    #[inline(always)]
    fn round_queries<S: Isa>(&mut self, rows: Rows, shape: &Shape, finest: f32) -> f32 {
        self.queries.resize(shape.heads * shape.queries(), 0);
        let (scale, factor) = scale::<S>(rows, shape.hidden(), finest);
        let [rounded, _] = &mut self.rows;
        rounded.resize(shape.hidden(), 0);
        for row in 0..rows.count {
            round_row::<S>(rows.row(row, shape.hidden()), factor, rounded);
            for (head, from) in rounded.chunks_exact(shape.head_dim).enumerate() {
                let to = &mut self.queries[head * shape.queries() + row * shape.depth..][..shape.depth];
                to[..shape.head_dim].copy_from_slice(from);
                to[shape.head_dim..].fill(0);
            }
        }
        scale
    }

    /// As `round_queries`, packed as the tile wants weights.
    #[inline(always)]
    fn round_keys<S: Isa>(&mut self, rows: Rows, shape: &Shape, finest: f32) -> f32 {
        self.keys.resize(shape.heads * shape.key_pairs::<S>(), [0; 2]);
        let (scale, factor) = scale::<S>(rows, shape.hidden(), finest);
        let [rounded, _] = &mut self.rows;
        rounded.resize(shape.hidden(), 0);
        for row in 0..rows.count {
            round_row::<S>(rows.row(row, shape.hidden()), factor, rounded);
            for (head, from) in rounded.chunks_exact(shape.head_dim).enumerate() {
                let panel = head * shape.key_pairs::<S>() + row / S::PANEL * S::PANEL * shape.depth / 2;
                let lanes = self.keys[panel..][..S::PANEL * shape.depth / 2].chunks_exact_mut(S::PANEL);
                for (pair, lanes) in from.chunks(2).zip(lanes) {
                    lanes[row % S::PANEL] = [pair[0], pair.get(1).copied().unwrap_or(0)];
                }
            }
        }
        scale
    }

    /// As `round_keys`, for the product with probabilities: keys in pairs, a panel a few columns.
    #[inline(always)]
    fn round_values<S: Isa>(&mut self, rows: Rows, shape: &Shape, finest: f32) -> f32 {
        self.values.resize(shape.heads * shape.value_pairs::<S>(), [0; 2]);
        let (scale, factor) = scale::<S>(rows, shape.hidden(), finest);
        let pairs = rows.count.div_ceil(2);
        let [even, odd] = &mut self.rows;
        even.resize(shape.hidden(), 0);
        odd.resize(shape.hidden(), 0);
        for pair in 0..pairs {
            round_row::<S>(rows.row(2 * pair, shape.hidden()), factor, even);
            if 2 * pair + 1 < rows.count {
                round_row::<S>(rows.row(2 * pair + 1, shape.hidden()), factor, odd);
            } else {
                odd.fill(0);
            }
            let heads = even.chunks_exact(shape.head_dim).zip(odd.chunks_exact(shape.head_dim));
            for (head, (even, odd)) in heads.enumerate() {
                let first = head * shape.value_pairs::<S>() + pair * S::PANEL;
                for (panel, (even, odd)) in even.chunks(S::PANEL).zip(odd.chunks(S::PANEL)).enumerate() {
                    let to = &mut self.values[first + panel * pairs * S::PANEL..][..even.len()];
                    for ((to, &even), &odd) in to.iter_mut().zip(even).zip(odd) {
                        *to = [even, odd];
                    }
                }
            }
        }
        scale
    }
}

/// The scale with which the largest magnitude becomes `finest`, and its inverse; zeros have the scale 0, and what is not
/// finite NaN.
#[inline(always)]
fn scale<S: Isa>(rows: Rows, columns: usize, finest: f32) -> (f32, f32) {
    let mut most = 0.0;
    for row in 0..rows.count {
        let (least, largest) = range::<S>(rows.row(row, columns));
        for magnitude in [-least, largest] {
            most = if magnitude > most { magnitude } else { most };
        }
    }
    match most {
        _ if !most.is_finite() => (f32::NAN, 0.0),
        _ if most > LEAST => (most / finest, finest / most),
        _ => (0.0, 0.0),
    }
}
