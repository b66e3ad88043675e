//! Quantisation of activations, row by row.

use super::lanes::{padded, range, sum};
use crate::engine::cpu::arch::{Isa, MOST_ROWS, Quantised};
use crate::engine::cpu::packed_weights::Q7_OFFSET;

/// Below this a row counts as constant: the inverse would not be finite.
const LEAST_REACH: f32 = 1e-30;

/// Quantised rows, each with its own scale and middle: `x = value * scale + middle`.
///
/// After the rows come the remainders of those that are to be precise: what rounding took from them, rounded in turn.
#[derive(Debug, Default)]
pub(crate) struct QuantisedRows {
    /// `[rows and remainders, stride]`; columns beyond the last are zero.
    pub(crate) values: Vec<Quantised>,
    /// Columns, rounded up to what a tile takes at once.
    pub(crate) stride: usize,
    /// `[rows and remainders]`, and so the next two.
    pub(crate) scales: Vec<f32>,
    pub(crate) middles: Vec<f32>,
    /// What the offset of the stored weights adds to every product of a row.
    pub(crate) offsets: Vec<f32>,
    /// Rows in front of the remainders.
    pub(crate) rows: usize,
    /// The rows the remainders are of, ascending.
    pub(crate) precise: Vec<usize>,
    /// What the remainders give in one panel of a layer, `[remainders, panel]`.
    pub(super) corrections: Vec<f32>,
    /// Room for one row.
    row: Vec<f32>,
}

impl QuantisedRows {
    /// Makes room for `rows` rows of `stride` values, those at `precise` with remainders.
    pub(crate) fn reserve(&mut self, rows: usize, stride: usize, precise: impl Iterator<Item = usize>) {
        self.precise.clear();
        self.precise.extend(precise);
        let all = rows + self.precise.len();
        let needed = (all + MOST_ROWS) * stride;
        if self.values.len() < needed {
            self.values.resize(needed, 0);
        }
        if self.scales.len() < all {
            self.scales.resize(all, 0.0);
            self.middles.resize(all, 0.0);
            self.offsets.resize(all, 0.0);
        }
        (self.rows, self.stride) = (rows, stride);
    }
}

/// Quantises each row of `rows`, `[out.rows, columns]`, times `factors` where there are any, and the remainders of
/// `out.precise`.
#[inline(always)]
pub(super) fn quantise<S: Isa>(rows: &[f32], columns: usize, factors: &[f32], out: &mut QuantisedRows) {
    let mut room = std::mem::take(&mut out.row);
    room.resize(columns, 0.0);
    for (index, row) in rows.chunks_exact(columns).enumerate() {
        if factors.is_empty() {
            quantise_row::<S>(row, index, out);
        } else {
            multiplied::<S>(row, factors, &mut room);
            quantise_row::<S>(&room, index, out);
        }
    }
    for remainder in 0..out.precise.len() {
        let index = out.precise[remainder];
        let row = &rows[index * columns..][..columns];
        if factors.is_empty() {
            room.copy_from_slice(row)
        } else {
            multiplied::<S>(row, factors, &mut room)
        };
        let (scale, middle) = (out.scales[index], out.middles[index]);
        for (x, &value) in room.iter_mut().zip(&out.values[index * out.stride..]) {
            *x -= f32::from(value) * scale + middle;
        }
        quantise_row::<S>(&room, out.rows + remainder, out);
    }
    out.row = room;
}

/// Quantises one row to -127..=127 between its least and its largest value.
#[inline(always)]
fn quantise_row<S: Isa>(row: &[f32], index: usize, out: &mut QuantisedRows) {
    let (least, most) = range::<S>(row);
    let (middle, reach) = ((most + least) * 0.5, (most - least) * 0.5);
    let inverse = S::splat(if reach > LEAST_REACH { 127.0 / reach } else { 0.0 });
    let middles = S::splat(middle);
    let (whole, rest) = row.as_chunks::<8>();
    let (eights, last) = out.values[index * out.stride..][..out.stride].as_chunks_mut::<8>();
    // Sums of whole numbers below 2^24: exact in whatever order.
    let mut total = S::splat(0.0);
    for (from, to) in whole.iter().zip(eights.iter_mut()) {
        let rounded = S::round(S::mul(S::sub(S::load(from), middles), inverse));
        S::store_quantised(rounded, to);
        total = S::add(total, rounded);
    }
    if !rest.is_empty() {
        let rounded = S::round(S::mul(S::sub(S::load(&padded(rest, middle)), middles), inverse));
        let mut eight = [0; 8];
        S::store_quantised(rounded, &mut eight);
        total = S::add(total, rounded);
        let tail = if last.is_empty() { &mut eights[whole.len()][..] } else { last };
        tail.copy_from_slice(&eight[..tail.len()]);
    }
    out.scales[index] = reach / 127.0;
    out.middles[index] = middle;
    out.offsets[index] = Q7_OFFSET as f32 * sum::<S>(total);
}

/// `row` times `factors`, column by column.
#[inline(always)]
fn multiplied<S: Isa>(row: &[f32], factors: &[f32], out: &mut [f32]) {
    let (rows, rest) = row.as_chunks::<8>();
    let (eights, last) = factors.as_chunks::<8>();
    let (products, tail) = out.as_chunks_mut::<8>();
    for ((x, factor), product) in rows.iter().zip(eights).zip(products) {
        S::store(S::mul(S::load(x), S::load(factor)), product);
    }
    for ((x, factor), product) in rest.iter().zip(last).zip(tail) {
        *product = x * factor;
    }
}
