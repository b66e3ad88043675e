//! What happens to rows one by one: norms and quantisation.

use super::super::arch::{Isa, Quantised};
use super::super::pack::Q7_OFFSET;
use super::lanes::{Fold, Sum, fold, padded, range, sum};

/// Below this a row counts as constant: the inverse would not be finite.
const LEAST_REACH: f32 = 1e-30;

/// Weights of a LayerNorm.
#[derive(Debug)]
pub(in super::super) struct Norm {
    /// `[hidden_size]`.
    pub(in super::super) weight: Vec<f32>,
    /// `[hidden_size]`.
    pub(in super::super) bias: Vec<f32>,
    /// Added to the variance.
    pub(in super::super) eps: f32,
}

/// Quantised rows, each with its own scale and middle: `x = value * scale + middle`.
///
/// After the rows come the remainders of those that are to be precise: what rounding took from them, rounded in turn.
#[derive(Debug, Default)]
pub(in super::super) struct QuantisedRows {
    /// `[rows and remainders, stride]`; columns beyond the last are zero.
    pub(in super::super) values: Vec<Quantised>,
    /// Columns, rounded up to what a tile takes at once.
    pub(in super::super) stride: usize,
    /// `[rows and remainders]`, and so the next two.
    pub(in super::super) scales: Vec<f32>,
    pub(in super::super) middles: Vec<f32>,
    /// What the offset of the stored weights adds to every product of a row.
    pub(in super::super) offsets: Vec<f32>,
    /// Rows in front of the remainders.
    pub(in super::super) rows: usize,
    /// The rows the remainders are of, ascending.
    pub(in super::super) precise: Vec<usize>,
    /// What the remainders give in one panel of a layer, `[remainders, panel]`.
    pub(super) corrections: Vec<f32>,
    /// Room for one row.
    row: Vec<f32>,
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias` for each row, in place; whether every row was finite.
#[inline(always)]
pub(super) fn norm<S: Isa>(rows: &mut [f32], norm: &Norm) -> bool {
    let mut finite = true;
    let size = norm.weight.len() as f32;
    for row in rows.chunks_exact_mut(norm.weight.len()) {
        let mean = sum::<S>(fold::<S>(row, 0.0, 0.0, &Sum)) / size;
        // Filled up with the mean, which adds nothing.
        let squares = fold::<S>(row, 0.0, mean, &SquaredDistance::<S> { from: S::splat(mean) });
        let variance = sum::<S>(squares) / size;
        finite &= variance.is_finite();
        let scale = 1.0 / (variance + norm.eps).sqrt();
        let line = Line::<S> { mean: S::splat(mean), scale: S::splat(scale) };
        let (whole, rest) = row.as_chunks_mut::<8>();
        let (weights, last_weights) = norm.weight.as_chunks::<8>();
        let (biases, last_biases) = norm.bias.as_chunks::<8>();
        for ((x, weight), bias) in whole.iter_mut().zip(weights).zip(biases) {
            S::store(line.at(S::load(x), S::load(weight), S::load(bias)), x);
        }
        if !rest.is_empty() {
            let (mut x, weight, bias) =
                (padded(rest, 0.0), padded(last_weights, 0.0), padded(last_biases, 0.0));
            S::store(line.at(S::load(&x), S::load(&weight), S::load(&bias)), &mut x);
            rest.copy_from_slice(&x[..rest.len()]);
        }
    }
    finite
}

struct SquaredDistance<S: Isa> {
    from: S::F32,
}

impl<S: Isa> Fold<S> for SquaredDistance<S> {
    #[inline(always)]
    fn step(&self, so_far: S::F32, x: S::F32) -> S::F32 {
        let difference = S::sub(x, self.from);
        S::add(so_far, S::mul(difference, difference))
    }
}

/// `(x - mean) * scale * weight + bias`.
struct Line<S: Isa> {
    mean: S::F32,
    scale: S::F32,
}

impl<S: Isa> Line<S> {
    #[inline(always)]
    fn at(&self, x: S::F32, weight: S::F32, bias: S::F32) -> S::F32 {
        S::add(S::mul(S::mul(S::sub(x, self.mean), self.scale), weight), bias)
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
