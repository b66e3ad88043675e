//! Quantization of activations, row by row.

use super::lanes::{min_max, pad_to_eight, reduce_sum};
use crate::checkpoint::Q7_OFFSET;
use crate::engine::cpu::arch::{Isa, MAX_TILE_ROWS, QuantizedValue};

/// Below this a row counts as constant: the inverse would not be finite.
const MIN_HALF_RANGE: f32 = 1e-30;

/// Quantized rows, each with its own scale and middle: `x = value * scale + middle`.
///
/// After the rows come the remainders of those that are to be precise: what rounding took from them, rounded in turn.
#[derive(Debug, Default)]
pub(crate) struct QuantizedRows {
    /// `[rows and remainders, stride]`; columns beyond the last are zero.
    pub(crate) values: Vec<QuantizedValue>,
    /// Columns, rounded up to what a tile takes at once.
    pub(crate) stride: usize,
    /// `[rows and remainders]`, and so the next two.
    pub(crate) scales: Vec<f32>,
    pub(crate) zero_points: Vec<f32>,
    /// What the offset of the stored weights adds to every product of a row.
    pub(crate) offset_terms: Vec<f32>,
    /// Rows in front of the remainders.
    pub(crate) rows: usize,
    /// The rows the remainders are of, ascending.
    pub(crate) two_step_rows: Vec<usize>,
    /// What the remainders give in one panel of a layer, `[remainders, panel]`.
    pub(super) residual_products: Vec<f32>,
    /// Room for one row.
    row_buffer: Vec<f32>,
}

impl QuantizedRows {
    /// Makes room for `rows` rows of `stride` values, those at `two_step_rows` with remainders.
    pub(crate) fn reserve(&mut self, rows: usize, stride: usize, two_step_rows: impl Iterator<Item = usize>) {
        self.two_step_rows.clear();
        self.two_step_rows.extend(two_step_rows);
        let all = rows + self.two_step_rows.len();
        let needed = (all + MAX_TILE_ROWS) * stride;
        if self.values.len() < needed {
            self.values.resize(needed, 0);
        }
        if self.scales.len() < all {
            self.scales.resize(all, 0.0);
            self.zero_points.resize(all, 0.0);
            self.offset_terms.resize(all, 0.0);
        }
        (self.rows, self.stride) = (rows, stride);
    }
}

/// Quantizes each row of `rows`, `[out.rows, columns]`, times `factors` where there are any, and the remainders of
/// `out.two_step_rows`.
#[inline(always)]
pub(super) fn quantize<S: Isa>(
    isa: S,
    rows: &[f32],
    columns: usize,
    factors: &[f32],
    out: &mut QuantizedRows,
) {
    let mut buffer = std::mem::take(&mut out.row_buffer);
    buffer.resize(columns, 0.0);
    for (index, row) in rows.chunks_exact(columns).enumerate() {
        if factors.is_empty() {
            quantize_row(isa, row, index, out);
        } else {
            multiply_columns(isa, row, factors, &mut buffer);
            quantize_row(isa, &buffer, index, out);
        }
    }
    for residual in 0..out.two_step_rows.len() {
        let index = out.two_step_rows[residual];
        let row = &rows[index * columns..][..columns];
        if factors.is_empty() {
            buffer.copy_from_slice(row)
        } else {
            multiply_columns(isa, row, factors, &mut buffer)
        };
        let (scale, zero_point) = (out.scales[index], out.zero_points[index]);
        for (x, &value) in buffer.iter_mut().zip(&out.values[index * out.stride..]) {
            *x -= f32::from(value) * scale + zero_point;
        }
        quantize_row(isa, &buffer, out.rows + residual, out);
    }
    out.row_buffer = buffer;
}

/// Quantizes one row to -127..=127 between its least and its largest value.
#[inline(always)]
fn quantize_row<S: Isa>(isa: S, row: &[f32], index: usize, out: &mut QuantizedRows) {
    let (min, max) = min_max(isa, row);
    let (zero_point, half_range) = ((max + min) * 0.5, (max - min) * 0.5);
    let inverse = isa.splat(if half_range > MIN_HALF_RANGE { 127.0 / half_range } else { 0.0 });
    let zero_points = isa.splat(zero_point);
    let (whole, rest) = row.as_chunks::<8>();
    let (eights, last) = out.values[index * out.stride..][..out.stride].as_chunks_mut::<8>();
    // Sums of whole numbers below 2^24: exact in whatever order.
    let mut total = isa.splat(0.0);
    for (from, to) in whole.iter().zip(eights.iter_mut()) {
        let rounded = isa.round(isa.mul(isa.sub(isa.load(from), zero_points), inverse));
        isa.store_quantized(rounded, to);
        total = isa.add(total, rounded);
    }
    if !rest.is_empty() {
        let rounded =
            isa.round(isa.mul(isa.sub(isa.load(&pad_to_eight(rest, zero_point)), zero_points), inverse));
        let mut eight = [0; 8];
        isa.store_quantized(rounded, &mut eight);
        total = isa.add(total, rounded);
        let tail = if last.is_empty() { &mut eights[whole.len()][..] } else { last };
        tail.copy_from_slice(&eight[..tail.len()]);
    }
    out.scales[index] = half_range / 127.0;
    out.zero_points[index] = zero_point;
    out.offset_terms[index] = Q7_OFFSET * reduce_sum(isa, total);
}

/// `row` times `factors`, column by column.
#[inline(always)]
fn multiply_columns<S: Isa>(isa: S, row: &[f32], factors: &[f32], out: &mut [f32]) {
    let (rows, rest) = row.as_chunks::<8>();
    let (eights, last) = factors.as_chunks::<8>();
    let (products, tail) = out.as_chunks_mut::<8>();
    for ((x, factor), product) in rows.iter().zip(eights).zip(products) {
        isa.store(isa.mul(isa.load(x), isa.load(factor)), product);
    }
    for ((x, factor), product) in rest.iter().zip(last).zip(tail) {
        *product = x * factor;
    }
}
