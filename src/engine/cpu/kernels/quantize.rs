//! Quantization of activations: signed 8-bit, each row with its own scale and zero point.

use super::lanes::{MAX_LANES, clear, min_max, pad, reduce_sum};
use crate::checkpoint::Q7_OFFSET;
use crate::engine::cpu::arch::{
    DEPTH_MULTIPLE, Isa, MAX_TILE_ROWS, MAX_TILES_Q8, QuantizedValue, RowConstants, WideF32,
};
use crate::math::SimdF32;

/// Half the range of a row below which the row counts as constant, because the inverse scale would overflow.
const MIN_HALF_RANGE: f32 = 1e-30;

/// Quantized rows, each with its own scale and zero point: `x = value * scale + zero_point`, zero points in f32.
///
/// Some rows are quantized in two steps: the rounding errors of the first step, the residuals, are quantized again and
/// stored as further rows after all others.
#[derive(Debug, Default)]
pub(crate) struct QuantizedRows {
    /// `[rows and residuals, stride]`; padding columns are zero.
    pub(crate) values: Vec<QuantizedValue>,
    /// Columns, rounded up to a multiple of `DEPTH_MULTIPLE`, and the terms of `Isa::add_row_terms`.
    pub(crate) stride: usize,
    /// `[rows and residuals]`.
    pub(crate) scales: Vec<f32>,
    /// `[rows and residuals]`: the middle of each row's range.
    pub(crate) zero_points: Vec<f32>,
    /// `64 * sum(values)` of each row: what the offset of the stored codes adds to its products.
    pub(crate) offset_terms: Vec<f32>,
    /// Rows before the residuals.
    pub(crate) rows: usize,
    /// Indices of the rows that have residuals, ascending.
    pub(crate) two_step_rows: Vec<usize>,
    /// Products of the residuals with one panel of a layer, `[residuals, panel columns]`.
    pub(super) residual_products: Vec<f32>,
    /// Buffer for one row, `[columns]`.
    row_buffer: Vec<f32>,
}

impl QuantizedRows {
    /// Bytes of `rows` rows, without padding and the few values per row.
    pub(crate) fn bytes_for(rows: u64, columns: u64) -> u64 {
        size_of::<QuantizedValue>() as u64 * rows * columns
    }

    /// Grows the buffers to `rows` rows of `stride` values and the residuals of `two_step_rows`.
    pub(crate) fn reserve(&mut self, rows: usize, stride: usize, two_step_rows: impl Iterator<Item = usize>) {
        self.two_step_rows.clear();
        self.two_step_rows.extend(two_step_rows);
        let all = rows + self.two_step_rows.len();
        let needed = (all + MAX_TILES_Q8 * MAX_TILE_ROWS) * stride;
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

/// Quantizes each row of `rows`, `[out.rows, columns]`, times `factors` unless they are empty, and then the
/// residuals of `out.two_step_rows`.
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
            quantize_row(isa, row, min_max(isa, row), index, out);
        } else {
            let range = multiply_columns(isa, row, factors, &mut buffer);
            quantize_row(isa, &buffer, range, index, out);
        }
    }
    for residual in 0..out.two_step_rows.len() {
        let index = out.two_step_rows[residual];
        let row = &rows[index * columns..][..columns];
        if factors.is_empty() {
            buffer.copy_from_slice(row)
        } else {
            multiply_columns(isa, row, factors, &mut buffer);
        };
        let (scale, zero_point) = (out.scales[index], out.zero_points[index]);
        // The residual is the input minus what the first step stored of it.
        let values = &out.values[index * out.stride..][..out.stride];
        for (column, x) in buffer.iter_mut().enumerate() {
            *x -= f32::from(values[isa.position(column)]) * scale + zero_point;
        }
        quantize_row(isa, &buffer, min_max(isa, &buffer), out.rows + residual, out);
    }
    out.row_buffer = buffer;
}

/// Quantizes one row: its minimum and maximum become -127 and 127.
#[inline(always)]
fn quantize_row<S: Isa>(isa: S, row: &[f32], (min, max): (f32, f32), index: usize, out: &mut QuantizedRows) {
    let (wide, lanes) = (isa.wide(), <S::Wide as WideF32<S>>::LANES);
    // Adding zero makes -0 to 0: of zeros of both signs, minimum and maximum depend on the order of lanes.
    let (zero_point, half_range) = ((max + min) * 0.5 + 0.0, (max - min) * 0.5 + 0.0);
    let inverse = wide.splat(if half_range > MIN_HALF_RANGE { 127.0 / half_range } else { 0.0 });
    let zero_points = wide.splat(zero_point);
    let mut whole = row.chunks_exact(lanes);
    let depth = row.len().next_multiple_of(DEPTH_MULTIPLE);
    let values = &mut out.values[index * out.stride..][..out.stride];
    let (to, padding) = values[..depth].split_at_mut(row.len());
    clear(padding);
    let mut to = to.chunks_exact_mut(lanes);
    // Integers whose sum is below 2^24, so f32 adds them exactly, in any order. NaN in the row makes the sum NaN, and by the
    // offset term all its products.
    let mut total = wide.splat(0.0);
    for (from, to) in whole.by_ref().zip(to.by_ref()) {
        let rounded = wide.round(wide.mul(wide.sub(wide.read(from), zero_points), inverse));
        wide.write_quantized(rounded, to);
        total = wide.add(total, rounded);
    }
    let rest = whole.remainder();
    if !rest.is_empty() {
        let padded = wide.read(&pad(rest, zero_point));
        let rounded = wide.round(wide.mul(wide.sub(padded, zero_points), inverse));
        let mut last = [0; MAX_LANES];
        wide.write_quantized(rounded, &mut last);
        total = wide.add(total, rounded);
        to.into_remainder().copy_from_slice(&last[..rest.len()]);
    }
    let offset_term = Q7_OFFSET * reduce_sum(isa, wide.add_eights(isa.splat(0.0), total));
    let scale = half_range / 127.0;
    isa.add_row_terms(values, depth, RowConstants { scale, zero_point, offset_term });
    out.scales[index] = scale;
    out.zero_points[index] = zero_point;
    out.offset_terms[index] = offset_term;
}

/// Multiplies `row` by `factors`, column by column, and returns the minimum and maximum of the products.
#[inline(always)]
fn multiply_columns<S: Isa>(isa: S, row: &[f32], factors: &[f32], out: &mut [f32]) -> (f32, f32) {
    let (wide, lanes) = (isa.wide(), <S::Wide as WideF32<S>>::LANES);
    let first = row[0] * factors[0];
    let (mut min, mut max) = (wide.splat(first), wide.splat(first));
    let mut rows = row.chunks_exact(lanes);
    let mut columns = factors[..row.len()].chunks_exact(lanes);
    let mut products = out[..row.len()].chunks_exact_mut(lanes);
    for ((x, factor), product) in rows.by_ref().zip(columns.by_ref()).zip(products.by_ref()) {
        let x = wide.mul(wide.read(x), wide.read(factor));
        (min, max) = (wide.min(x, min), wide.max(x, max));
        wide.write(x, product);
    }
    let rest = products.into_remainder();
    if !rest.is_empty() {
        for ((x, factor), product) in rows.remainder().iter().zip(columns.remainder()).zip(&mut *rest) {
            *product = x * factor;
        }
        let x = wide.read(&pad(rest, first));
        (min, max) = (wide.min(x, min), wide.max(x, max));
    }
    wide.min_max([min, max])
}
