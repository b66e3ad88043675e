//! Quantization of queries, keys and values to 16-bit integers, in the order in which tiles read them.

use super::{Qkv, RowsView};
use crate::engine::cpu::arch::{Isa, MAX_TILE_ROWS};
use crate::engine::cpu::kernels::lanes::{clear, round_to_i16};

/// Largest 16-bit magnitude in use, and the sum of a row's probabilities before rounding.
pub(super) const MAX_INT16: f32 = 32767.0;

/// Magnitude below which all values count as zero, because the inverse scale would overflow.
const MIN_MAGNITUDE: f32 = 1e-30;

/// The sizes of heads in packed matrices.
#[derive(Clone, Copy)]
pub(super) struct HeadShape {
    pub(super) heads: usize,
    pub(super) head_dim: usize,
}

impl HeadShape {
    /// Returns the sizes of queries.
    pub(super) fn of(qkv: &Qkv) -> Self {
        Self { heads: qkv.heads, head_dim: qkv.head_dim }
    }
    /// Returns the sizes of keys and values.
    pub(super) fn of_keys(qkv: &Qkv) -> Self {
        Self { heads: qkv.key_value_heads, head_dim: qkv.head_dim }
    }
    pub(super) fn hidden(self) -> usize {
        self.heads * self.head_dim
    }
    /// `head_dim`, rounded up to an even number.
    pub(super) fn depth(self) -> usize {
        self.head_dim.next_multiple_of(2)
    }
    /// Values of a head in quantized rows.
    pub(super) fn rows(self, count: usize) -> usize {
        (count + MAX_TILE_ROWS) * self.depth()
    }
    /// Pairs of a head in packed keys.
    pub(super) fn key_pairs<S: Isa>(self, keys: usize) -> usize {
        keys.next_multiple_of(S::PANEL) * self.depth() / 2
    }
    /// Pairs of a head in packed values.
    pub(super) fn value_pairs<S: Isa>(self, keys: usize) -> usize {
        self.head_dim.next_multiple_of(S::PANEL) * keys.div_ceil(2)
    }
    /// Largest magnitude with which a sum of `head_dim` products fits i32.
    pub(super) fn max_code(self) -> f32 {
        MAX_INT16.min((i32::MAX as f32 / self.head_dim as f32).sqrt().floor() - 1.0)
    }
}

/// Quantized rows as a tile reads rows: `[heads, rows and padding rows, depth]`.
#[derive(Debug, Default)]
pub(super) struct Int16Rows(pub(super) Vec<i16>);

impl Int16Rows {
    /// Quantizes rows and returns their scale: `x = value * scale`.
    #[inline(always)]
    pub(super) fn quantize<S: Isa>(
        &mut self,
        isa: S,
        rows: RowsView,
        shape: HeadShape,
        max_code: f32,
        row: &mut Vec<i16>,
    ) -> f32 {
        let (size, depth) = (shape.rows(rows.count), shape.depth());
        self.0.resize(shape.heads * size, 0);
        let (scale, factor) = scale(isa, rows, shape.hidden(), max_code);
        row.resize(shape.hidden(), 0);
        for index in 0..rows.count {
            round_to_i16(isa, rows.row(index, shape.hidden()), factor, row);
            for (head, from) in row.chunks_exact(shape.head_dim).enumerate() {
                let to = &mut self.0[head * size + index * depth..][..depth];
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
                clear(&mut to[shape.head_dim..]);
            }
        }
        scale
    }

    /// Returns a head's rows from `row` on; `count` is the number of all rows.
    #[inline(always)]
    pub(super) fn from(&self, shape: HeadShape, count: usize, head: usize, row: usize) -> &[i16] {
        &self.0[head * shape.rows(count) + row * shape.depth()..]
    }
}

/// Quantizes rows, packs them as a tile reads weights, and returns their scale.
#[inline(always)]
pub(super) fn quantize_keys<S: Isa>(
    isa: S,
    rows: RowsView,
    shape: HeadShape,
    max_code: f32,
    row: &mut Vec<i16>,
    out: &mut Vec<[i16; 2]>,
) -> f32 {
    let (size, pairs) = (shape.key_pairs::<S>(rows.count), shape.depth() / 2);
    out.resize(shape.heads * size, [0; 2]);
    let (scale, factor) = scale(isa, rows, shape.hidden(), max_code);
    row.resize(shape.hidden(), 0);
    for index in 0..rows.count {
        round_to_i16(isa, rows.row(index, shape.hidden()), factor, row);
        for (head, from) in row.chunks_exact(shape.head_dim).enumerate() {
            let panel = head * size + index / S::PANEL * S::PANEL * pairs;
            let lanes = out[panel..][..S::PANEL * pairs].chunks_exact_mut(S::PANEL);
            let (whole, last) = from.as_chunks();
            let mut lanes = lanes.map(|lanes| &mut lanes[index % S::PANEL]);
            for (pair, lane) in whole.iter().zip(lanes.by_ref()) {
                *lane = *pair;
            }
            if let ([last], Some(lane)) = (last, lanes.next()) {
                *lane = [*last, 0];
            }
        }
    }
    scale
}

/// Quantizes values as [`quantize_keys`] does, for the product with probabilities: two keys per entry, and panels of
/// columns of the head.
#[inline(always)]
pub(super) fn quantize_values<S: Isa>(
    isa: S,
    rows: RowsView,
    shape: HeadShape,
    max_code: f32,
    [even, odd]: [&mut Vec<i16>; 2],
    out: &mut Vec<[i16; 2]>,
) -> f32 {
    let (size, pairs) = (shape.value_pairs::<S>(rows.count), rows.count.div_ceil(2));
    out.resize(shape.heads * size, [0; 2]);
    let (scale, factor) = scale(isa, rows, shape.hidden(), max_code);
    even.resize(shape.hidden(), 0);
    odd.resize(shape.hidden(), 0);
    for pair in 0..pairs {
        round_to_i16(isa, rows.row(2 * pair, shape.hidden()), factor, even);
        if 2 * pair + 1 < rows.count {
            round_to_i16(isa, rows.row(2 * pair + 1, shape.hidden()), factor, odd);
        } else {
            odd.fill(0);
        }
        let heads = even.chunks_exact(shape.head_dim).zip(odd.chunks_exact(shape.head_dim));
        for (head, (even, odd)) in heads.enumerate() {
            let first = head * size + pair * S::PANEL;
            for (panel, (even, odd)) in even.chunks(S::PANEL).zip(odd.chunks(S::PANEL)).enumerate() {
                let to = &mut out[first + panel * pairs * S::PANEL..][..even.len()];
                for ((to, &even), &odd) in to.iter_mut().zip(even).zip(odd) {
                    *to = [even, odd];
                }
            }
        }
    }
    scale
}

/// Returns the scale with which the largest magnitude becomes `max_code`, and its inverse. If all values count as zero,
/// both are 0; if one is infinite, the scale is NaN.
#[inline(always)]
fn scale<S: Isa>(isa: S, rows: RowsView, columns: usize, max_code: f32) -> (f32, f32) {
    let max_magnitude = rows.max_magnitude(isa, columns);
    match max_magnitude {
        _ if !max_magnitude.is_finite() => (f32::NAN, 0.0),
        _ if max_magnitude > MIN_MAGNITUDE => (max_magnitude / max_code, max_code / max_magnitude),
        _ => (0.0, 0.0),
    }
}
