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

pub(crate) use relative::{Packed, Relative};

use std::ops::Range;

use crate::engine::cpu::arch::{Isa, MOST_ROWS};
use relative::Products;

/// Rows of one pair within a matrix of all pairs: row `i`, column `c` is at `values[(first + i) * stride + c]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// With [`MOST_ROWS`] rows to spare at the end.
    pub(crate) values: &'a [f32],
    /// Values from one row to the next.
    pub(crate) stride: usize,
    /// Where the pair begins.
    pub(crate) first: usize,
    /// Rows of the pair.
    pub(crate) count: usize,
}

impl<'a> Rows<'a> {
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
pub(crate) struct Pair<'a> {
    pub(crate) query: Rows<'a>,
    pub(crate) key: Rows<'a>,
    pub(crate) value: Rows<'a>,
    pub(crate) heads: usize,
    pub(crate) head_dim: usize,
    /// A row sees those at most so many places away, on either side.
    pub(crate) window: Option<usize>,
}

impl Pair<'_> {
    /// The keys a row sees.
    #[inline(always)]
    fn seen(&self, row: usize) -> Range<usize> {
        match self.window {
            None => 0..self.key.count,
            Some(window) => {
                row.saturating_sub(window)..self.key.count.min(row.saturating_add(window).saturating_add(1))
            }
        }
    }

    /// The keys that rows see, as whole panels.
    #[inline(always)]
    fn reach<S: Isa>(&self, rows: &Range<usize>) -> Range<usize> {
        let (first, last) = (self.seen(rows.start), self.seen(rows.end - 1));
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
    Relative(&'a Relative),
}

/// A pair, and where the result goes.
#[derive(Debug)]
pub(crate) struct Attend<'a> {
    pub(crate) pair: Pair<'a>,
    pub(crate) positions: Positions<'a>,
    /// `[query rows, heads * head_dim]`.
    pub(crate) context: &'a mut [f32],
    pub(crate) scratch: &'a mut Scratch,
}

/// What attention needs room for; grows to the longest pair and is used again.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    float: float::Float,
    integer: integer::Integer,
    /// Logits of a tile's rows, then powers: `[MOST_ROWS, keys in reach]`.
    logits: Vec<f32>,
    products: Products,
}

#[cfg(test)]
impl Scratch {
    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        4 * self.logits.capacity() + self.float.bytes() + self.integer.bytes() + self.products.bytes()
    }
}

/// How attention multiplies. A pair is taken in whole, then computed head by head, and a head by tiles of query rows.
trait Numbers<S: Isa> {
    /// Takes in a pair and returns what a query and what a key is a multiple of.
    fn take(&mut self, pair: &Pair, positions: Positions) -> [f32; 2];
    /// Makes ready for a head.
    fn begin(&mut self, pair: &Pair, head: usize);
    /// Products of a tile's rows, the queries from `row` on, with the keys `reach`: `[ROWS, reach]`.
    fn logits(&self, pair: &Pair, head: usize, row: usize, reach: &Range<usize>, to: &mut [f32]);
    /// The same with rows of relative positions, which are whole panels.
    fn query_positions(
        &self,
        pair: &Pair,
        head: usize,
        row: usize,
        positions: (&Packed, &Range<usize>),
        to: &mut [f32],
    );
    /// The same of the keys from `row` on.
    fn key_positions(
        &self,
        pair: &Pair,
        head: usize,
        row: usize,
        positions: (&Packed, &Range<usize>),
        to: &mut [f32],
    );
    /// The mean of the values `reach` for the query rows `rows`, weighted by `powers`, whose sums are `sums`.
    fn context(
        &mut self,
        pair: &Pair,
        head: usize,
        rows: &Range<usize>,
        weights: Weights,
        context: &mut [f32],
    );
}

/// Softmax without its division.
struct Weights<'a> {
    /// The keys they are of, as whole panels.
    reach: &'a Range<usize>,
    /// `[ROWS, reach]`.
    powers: &'a [f32],
    /// Their sum, row by row.
    sums: [f32; MOST_ROWS],
    /// 1, or NaN where the logits were no numbers: integers cannot carry that, so the result has to.
    carried: f32,
}

/// Attention over 16-bit integers.
#[inline(always)]
pub(super) fn attend_i16<S: Isa>(attend: Attend) {
    let Attend { pair, positions, context, scratch } = attend;
    let Scratch { integer, logits, products, .. } = scratch;
    attend_over::<S, _>(&pair, positions, integer, logits, products, context);
}

/// Attention in f32.
#[inline(always)]
pub(super) fn attend_f32<S: Isa>(attend: Attend) {
    let Attend { pair, positions, context, scratch } = attend;
    let Scratch { float, logits, products, .. } = scratch;
    attend_over::<S, _>(&pair, positions, float, logits, products, context);
}

/// Relative positions `[rows, heads * head_dim]` as attention over 16-bit integers reads them.
#[inline(always)]
pub(super) fn pack_i16<S: Isa>(rows: Rows, heads: usize, head_dim: usize) -> Packed {
    integer::pack::<S>(rows, heads, head_dim)
}

/// Relative positions `[rows, heads * head_dim]` as attention in f32 reads them.
#[inline(always)]
pub(super) fn pack_f32<S: Isa>(rows: Rows, heads: usize, head_dim: usize) -> Packed {
    float::pack::<S>(rows, heads, head_dim)
}

#[inline(always)]
fn attend_over<S: Isa, N: Numbers<S>>(
    pair: &Pair,
    positions: Positions,
    numbers: &mut N,
    logits: &mut Vec<f32>,
    products: &mut Products,
    context: &mut [f32],
) {
    if pair.query.count == 0 {
        return;
    }
    let scales = numbers.take(pair, positions);
    let scaling = softmax::Scaling::new(pair, positions, scales);
    if let Positions::Relative(relative) = positions {
        products.find_places::<S>(pair, relative);
    }
    for head in 0..pair.heads {
        numbers.begin(pair, head);
        if let Positions::Relative(relative) = positions {
            products.of_keys::<S, N>(pair, head, relative, numbers);
        }
        for first in (0..pair.query.count).step_by(S::ROWS) {
            let rows = first..pair.query.count.min(first + S::ROWS);
            let reach = pair.reach::<S>(&rows);
            if logits.len() < MOST_ROWS * reach.len() {
                logits.resize(MOST_ROWS * reach.len(), 0.0);
            }
            numbers.logits(pair, head, first, &reach, logits);
            if let Positions::Relative(relative) = positions {
                products.of_queries::<S, N>(pair, head, first, relative, numbers);
            }
            let mut sums = [0.0; MOST_ROWS];
            for (row, (logits, sum)) in rows.clone().zip(logits.chunks_exact_mut(reach.len()).zip(&mut sums))
            {
                let line = softmax::Line { head, row, first, reach: reach.start };
                *sum = softmax::powers::<S>(logits, pair, &line, positions, &scaling, products);
            }
            let weights = Weights { reach: &reach, powers: logits, sums, carried: scaling.carried };
            numbers.context(pair, head, &rows, weights, context);
        }
    }
}
