//! Multi-head attention of one pair: `softmax(logits) v` for each head, with logits of `q k^T` and of where rows stand.
//!
//! In f32 over f32, and in q8 over 16-bit integers: those are exact in whatever order they are added, twice as fast as
//! f32 where nothing may be fused, and so fine that the 8-bit layers around them drown what they lose. What lies between
//! the products is written once, here.

mod float;
mod int16_quant;
mod integer;
mod relative;
mod softmax;
#[cfg(test)]
mod tests;

pub(crate) use relative::{PackedPositions, RelativePositions};

use std::ops::Range;

use crate::engine::cpu::arch::{Isa, MAX_TILE_ROWS};
use relative::PositionProducts;

/// Rows of one pair within a matrix of all pairs: row `i`, column `c` is at `values[(first + i) * stride + c]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowsView<'a> {
    /// With [`MAX_TILE_ROWS`] rows to spare at the end.
    pub(crate) values: &'a [f32],
    /// Values from one row to the next.
    pub(crate) stride: usize,
    /// Where the pair begins.
    pub(crate) first: usize,
    /// Rows of the pair.
    pub(crate) count: usize,
}

impl<'a> RowsView<'a> {
    /// A row's first `columns` columns.
    #[inline(always)]
    fn row(&self, row: usize, columns: usize) -> &'a [f32] {
        &self.values[(self.first + row) * self.stride..][..columns]
    }

    /// All from the column `column` of the row `row` on.
    #[inline(always)]
    fn from(&self, row: usize, column: usize) -> &'a [f32] {
        &self.values[(self.first + row) * self.stride + column..]
    }
}

/// Queries, keys and values of one pair with the heads side by side. The query rows are the first rows of the pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Qkv<'a> {
    pub(crate) query: RowsView<'a>,
    pub(crate) key: RowsView<'a>,
    pub(crate) value: RowsView<'a>,
    pub(crate) heads: usize,
    pub(crate) head_dim: usize,
    /// A row sees those at most so many places away, on either side.
    pub(crate) window: Option<usize>,
}

impl Qkv<'_> {
    /// The keys a row sees.
    #[inline(always)]
    fn visible(&self, row: usize) -> Range<usize> {
        match self.window {
            None => 0..self.key.count,
            Some(window) => {
                row.saturating_sub(window)..self.key.count.min(row.saturating_add(window).saturating_add(1))
            }
        }
    }

    /// The keys that rows see, as whole panels.
    #[inline(always)]
    fn key_range<S: Isa>(&self, rows: &Range<usize>) -> Range<usize> {
        let (first, last) = (self.visible(rows.start), self.visible(rows.end - 1));
        first.start / S::PANEL * S::PANEL..last.end.next_multiple_of(S::PANEL)
    }
}

/// What logits know of where rows stand.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Positions<'a> {
    /// Nothing.
    Absent,
    /// How fast the logits of each head fall with distance.
    Alibi(&'a [f32]),
    /// Products with vectors of relative positions.
    Relative(&'a RelativePositions),
}

/// A pair, and where the result goes.
#[derive(Debug)]
pub(crate) struct AttentionCall<'a> {
    pub(crate) qkv: Qkv<'a>,
    pub(crate) positions: Positions<'a>,
    /// `[query rows, heads * head_dim]`.
    pub(crate) context: &'a mut [f32],
    pub(crate) scratch: &'a mut AttentionScratch,
}

/// What attention needs room for; grows to the longest pair and is used again.
#[derive(Debug, Default)]
pub(crate) struct AttentionScratch {
    float: float::FloatArithmetic,
    integer: integer::IntegerArithmetic,
    /// Logits of a tile's rows, then powers: `[MAX_TILE_ROWS, keys in reach]`.
    logits: Vec<f32>,
    products: PositionProducts,
}

#[cfg(test)]
impl AttentionScratch {
    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        4 * self.logits.capacity() + self.float.bytes() + self.integer.bytes() + self.products.bytes()
    }
}

/// How attention multiplies. A pair is taken in whole, then computed head by head, and a head by tiles of query rows.
trait Arithmetic<S: Isa> {
    /// Takes in a pair and returns what a query and what a key is a multiple of.
    fn load_qkv(&mut self, isa: S, qkv: &Qkv, positions: Positions) -> [f32; 2];
    /// Makes ready for a head.
    fn begin_head(&mut self, qkv: &Qkv, head: usize);
    /// Products of a tile's rows, the queries from `row` on, with the keys `key_range`: `[ROWS, reach]`.
    fn key_products(
        &self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        row: usize,
        key_range: &Range<usize>,
        to: &mut [f32],
    );
    /// The same with rows of relative positions, which are whole panels.
    fn query_position_products(
        &self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        row: usize,
        positions: (&PackedPositions, &Range<usize>),
        to: &mut [f32],
    );
    /// The same of the keys from `row` on.
    fn key_position_products(
        &self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        row: usize,
        positions: (&PackedPositions, &Range<usize>),
        to: &mut [f32],
    );
    /// The mean of the values `key_range` for the query rows `rows`, weighted by `exponentials`, whose sums are `sums`.
    fn weighted_values(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        rows: &Range<usize>,
        weights: SoftmaxWeights,
        context: &mut [f32],
    );
}

/// Softmax without its division.
struct SoftmaxWeights<'a> {
    /// The keys they are of, as whole panels.
    key_range: &'a Range<usize>,
    /// `[ROWS, reach]`.
    exponentials: &'a [f32],
    /// Their sum, row by row.
    sums: [f32; MAX_TILE_ROWS],
    /// 1, or NaN where the logits were no numbers: integers cannot carry that, so the result has to.
    nan_or_one: f32,
}

/// Attention over 16-bit integers.
#[inline(always)]
pub(super) fn attend_i16<S: Isa>(isa: S, call: AttentionCall) {
    let AttentionCall { qkv, positions, context, scratch } = call;
    let AttentionScratch { integer, logits, products, .. } = scratch;
    attend_over(isa, &qkv, positions, integer, logits, products, context);
}

/// Attention in f32.
#[inline(always)]
pub(super) fn attend_f32<S: Isa>(isa: S, call: AttentionCall) {
    let AttentionCall { qkv, positions, context, scratch } = call;
    let AttentionScratch { float, logits, products, .. } = scratch;
    attend_over(isa, &qkv, positions, float, logits, products, context);
}

/// Relative positions `[rows, heads * head_dim]` as attention over 16-bit integers reads them.
#[inline(always)]
pub(super) fn pack_i16<S: Isa>(isa: S, rows: RowsView, heads: usize, head_dim: usize) -> PackedPositions {
    integer::pack(isa, rows, heads, head_dim)
}

/// Relative positions `[rows, heads * head_dim]` as attention in f32 reads them.
#[inline(always)]
pub(super) fn pack_f32<S: Isa>(_: S, rows: RowsView, heads: usize, head_dim: usize) -> PackedPositions {
    float::pack::<S>(rows, heads, head_dim)
}

#[inline(always)]
fn attend_over<S: Isa, N: Arithmetic<S>>(
    isa: S,
    qkv: &Qkv,
    positions: Positions,
    arithmetic: &mut N,
    logits: &mut Vec<f32>,
    products: &mut PositionProducts,
    context: &mut [f32],
) {
    if qkv.query.count == 0 {
        return;
    }
    let scales = arithmetic.load_qkv(isa, qkv, positions);
    let scaling = softmax::Scaling::new(qkv, positions, scales);
    if let Positions::Relative(relative) = positions {
        products.find_columns::<S>(qkv, relative);
    }
    for head in 0..qkv.heads {
        arithmetic.begin_head(qkv, head);
        if let Positions::Relative(relative) = positions {
            products.multiply_keys(isa, qkv, head, relative, arithmetic);
        }
        for first in (0..qkv.query.count).step_by(S::ROWS) {
            let rows = first..qkv.query.count.min(first + S::ROWS);
            let key_range = qkv.key_range::<S>(&rows);
            if logits.len() < MAX_TILE_ROWS * key_range.len() {
                logits.resize(MAX_TILE_ROWS * key_range.len(), 0.0);
            }
            arithmetic.key_products(isa, qkv, head, first, &key_range, logits);
            if let Positions::Relative(relative) = positions {
                products.multiply_queries(isa, qkv, head, first, relative, arithmetic);
            }
            let mut sums = [0.0; MAX_TILE_ROWS];
            for (row, (logits, sum)) in
                rows.clone().zip(logits.chunks_exact_mut(key_range.len()).zip(&mut sums))
            {
                let logit_row = softmax::LogitRow { head, row, first, first_key: key_range.start };
                *sum = softmax::row_exponentials(isa, logits, qkv, &logit_row, positions, &scaling, products);
            }
            let weights = SoftmaxWeights {
                key_range: &key_range,
                exponentials: logits,
                sums,
                nan_or_one: scaling.nan_or_one,
            };
            arithmetic.weighted_values(isa, qkv, head, &rows, weights, context);
        }
    }
}
