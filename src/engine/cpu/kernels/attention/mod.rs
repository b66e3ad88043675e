//! Multi-head attention of one pair: `softmax(logits) v` for each head, where logits are scaled products `q k^T` plus
//! terms of relative positions.
//!
//! There are two arithmetics. Float uses f32 throughout. Integer, for q8, multiplies 16-bit integers: their sums are
//! exact in any order, so scores are bit-identical everywhere; without fused multiply-add they are twice as fast as
//! f32; and their rounding errors are far below those of the 8-bit layers around them. Everything between the
//! products is shared.
//!
//! A head is computed by tiles of query rows. For each tile, the logits of all visible keys are held at once, so
//! softmax needs no online rescaling, and memory grows with the length of the pair instead of its square.

mod float;
mod int16_quant;
mod integer;
mod relative;
mod softmax;
#[cfg(test)]
mod tests;

pub(crate) use relative::{PackedPositions, RelativePositions};

use std::ops::Range;

use super::lanes::min_max;
use crate::engine::cpu::arch::{Isa, MAX_TILE_COLUMNS, MAX_TILE_ROWS, Tile};
use relative::PositionProducts;

/// Rows of one pair within a matrix of all pairs: row `i`, column `c` is at `values[(first + i) * stride + c]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowsView<'a> {
    /// With [`MAX_TILE_ROWS`] padding rows at the end.
    pub(crate) values: &'a [f32],
    /// Values from one row to the next.
    pub(crate) stride: usize,
    /// First row of the pair.
    pub(crate) first: usize,
    /// Rows of the pair.
    pub(crate) count: usize,
}

impl<'a> RowsView<'a> {
    /// Returns the first `columns` columns of a row.
    #[inline(always)]
    fn row(&self, row: usize, columns: usize) -> &'a [f32] {
        &self.values[(self.first + row) * self.stride..][..columns]
    }

    /// Returns all values from column `column` of row `row` on.
    #[inline(always)]
    fn from(&self, row: usize, column: usize) -> &'a [f32] {
        &self.values[(self.first + row) * self.stride + column..]
    }

    /// Returns the largest magnitude in the first `columns` columns. They must not have NaN.
    #[inline(always)]
    fn max_magnitude<S: Isa>(&self, isa: S, columns: usize) -> f32 {
        let mut largest = 0.0;
        for row in 0..self.count {
            let (min, max) = min_max(isa, self.row(row, columns));
            for magnitude in [-min, max] {
                largest = if magnitude > largest { magnitude } else { largest };
            }
        }
        largest
    }
}

/// Queries, keys and values of one pair with the heads side by side. The query rows are the first rows of the pair.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Qkv<'a> {
    pub(crate) query: RowsView<'a>,
    pub(crate) key: RowsView<'a>,
    pub(crate) value: RowsView<'a>,
    /// Heads of queries.
    pub(crate) heads: usize,
    /// Heads of keys and values. It divides `heads`: heads of queries that follow each other share one.
    pub(crate) key_value_heads: usize,
    pub(crate) head_dim: usize,
    /// Largest distance of a visible key, on either side.
    pub(crate) window: Option<usize>,
}

impl Qkv<'_> {
    /// Returns the head of keys and values for a head of queries.
    #[inline(always)]
    fn key_head(&self, head: usize) -> usize {
        head / (self.heads / self.key_value_heads)
    }

    /// Returns the keys that are visible to a query row.
    #[inline(always)]
    fn visible(&self, row: usize) -> Range<usize> {
        match self.window {
            None => 0..self.key.count,
            Some(window) => {
                row.saturating_sub(window)..self.key.count.min(row.saturating_add(window).saturating_add(1))
            }
        }
    }

    /// Returns the keys that are visible to any of `rows`, extended to whole panels.
    #[inline(always)]
    fn key_range<S: Isa>(&self, rows: &Range<usize>) -> Range<usize> {
        let (first, last) = (self.visible(rows.start), self.visible(rows.end - 1));
        first.start / S::PANEL * S::PANEL..last.end.next_multiple_of(S::PANEL)
    }
}

/// The terms that relative positions add to logits.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Positions<'a> {
    /// No terms.
    Absent,
    /// ALiBi (Press et al. 2021, arXiv 2108.12409): minus the distance times a slope per head.
    Alibi(&'a [f32]),
    /// A learned bias per head and distance, `[heads, BIAS_COLUMNS]`.
    Bucketed(&'a [f32]),
    /// DeBERTa's products of queries and keys with vectors of relative positions.
    Relative(&'a RelativePositions),
}

/// The arguments of attention over one pair.
#[derive(Debug)]
pub(crate) struct AttentionCall<'a> {
    pub(crate) qkv: Qkv<'a>,
    pub(crate) positions: Positions<'a>,
    /// `[query rows, heads * head_dim]`.
    pub(crate) context: &'a mut [f32],
    pub(crate) scratch: &'a mut AttentionScratch,
}

/// The buffers of attention. They grow to the longest pair and are reused.
#[derive(Debug, Default)]
pub(crate) struct AttentionScratch {
    float: float::FloatArithmetic,
    integer: integer::IntegerArithmetic,
    /// Logits of a tile's rows, then their exponentials: `[MAX_TILE_ROWS, keys in range]`.
    logits: Vec<f32>,
    products: PositionProducts,
}

/// A tile that is not cleared before each use, because every value that is read was written before.
#[derive(Debug)]
struct TileBuffer<T>(Tile<T>);

impl<T: Copy + Default> Default for TileBuffer<T> {
    fn default() -> Self {
        Self([T::default(); MAX_TILE_ROWS * MAX_TILE_COLUMNS])
    }
}

/// The sizes that decide how large [`AttentionScratch`] grows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionSizes {
    /// Tokens of the longest pair.
    pub(crate) tokens: u64,
    pub(crate) heads: u64,
    pub(crate) head_dim: u64,
    /// Largest distance of a visible key.
    pub(crate) window: Option<u64>,
    /// Rows of the table of relative positions, if there are any.
    pub(crate) relative_rows: Option<u64>,
    /// Whether attention uses 16-bit integers.
    pub(crate) q8: bool,
}

impl AttentionScratch {
    /// Bytes of the buffers, without padding.
    pub(crate) fn bytes_for(sizes: AttentionSizes) -> u64 {
        let AttentionSizes { tokens, heads, head_dim, window, relative_rows, q8 } = sizes;
        let key_range = window.map_or(tokens, |window| tokens.min(2 * window + 1));
        let logits = size_of::<f32>() as u64 * MAX_TILE_ROWS as u64 * key_range;
        let arithmetic = if q8 {
            integer::IntegerArithmetic::bytes_for(
                tokens,
                heads * head_dim,
                key_range,
                relative_rows.is_some(),
            )
        } else {
            float::FloatArithmetic::bytes_for(tokens, head_dim)
        };
        logits + arithmetic + relative_rows.map_or(0, |rows| PositionProducts::bytes_for(tokens, rows))
    }
}

#[cfg(test)]
impl AttentionScratch {
    /// Bytes of the buffers that grow with the pair.
    pub(crate) fn bytes(&self) -> usize {
        4 * self.logits.capacity() + self.float.bytes() + self.integer.bytes() + self.products.bytes()
    }
}

/// The number format and the products of attention. A pair is loaded whole, then computed head by head, and a head by
/// tiles of query rows.
trait Arithmetic<S: Isa> {
    /// Rows of a tile.
    const ROWS: usize;

    /// Loads a pair and returns the quantization scales of queries and keys; NaN if they are too large to multiply.
    fn load_qkv(&mut self, isa: S, qkv: &Qkv, positions: Positions) -> [f32; 2];
    /// Prepares the keys and values of a head.
    fn begin_head(&mut self, qkv: &Qkv, head: usize);
    /// Multiplies a tile of queries, from `row` on, with the keys `key_range`: `[ROWS, key_range]`.
    fn key_products(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        row: usize,
        key_range: &Range<usize>,
        to: &mut [f32],
    );
    /// Multiplies the same queries with rows of relative positions, whose range is whole panels: `[ROWS, positions]`.
    fn query_position_products(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        row: usize,
        positions: (&PackedPositions, &Range<usize>),
        to: &mut [f32],
    );
    /// Multiplies a tile of keys, from `row` on, with rows of relative positions: `[ROWS, positions]`.
    fn key_position_products(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        row: usize,
        positions: (&PackedPositions, &Range<usize>),
        to: &mut [f32],
    );
    /// Computes the weighted mean of the values for the query rows `rows` and stores it in `context`.
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

/// The weights of values: the numerators of softmax and their sums.
struct SoftmaxWeights<'a> {
    /// The keys, as whole panels.
    key_range: &'a Range<usize>,
    /// `[ROWS, key_range]`.
    exponentials: &'a [f32],
    /// One sum per row.
    sums: [f32; MAX_TILE_ROWS],
    /// 1, or NaN if the logits may not be finite. It is multiplied into the result, because integers cannot represent NaN,
    /// and softmax of infinite logits in f32 may be finite.
    nan_or_one: f32,
}

/// Computes attention with 16-bit integer products.
#[inline(always)]
pub(super) fn attend_i16<S: Isa>(isa: S, call: AttentionCall) {
    let AttentionCall { qkv, positions, context, scratch } = call;
    let AttentionScratch { integer, logits, products, .. } = scratch;
    attend_over(isa, &qkv, positions, integer, logits, products, context);
}

/// Computes attention in f32.
#[inline(always)]
pub(super) fn attend_f32<S: Isa>(isa: S, call: AttentionCall) {
    let AttentionCall { qkv, positions, context, scratch } = call;
    let AttentionScratch { float, logits, products, .. } = scratch;
    attend_over(isa, &qkv, positions, float, logits, products, context);
}

/// Packs relative positions `[rows, heads * head_dim]` for [`attend_i16`].
#[inline(always)]
pub(super) fn pack_i16<S: Isa>(isa: S, rows: RowsView, heads: usize, head_dim: usize) -> PackedPositions {
    integer::pack(isa, rows, heads, head_dim)
}

/// Packs relative positions `[rows, heads * head_dim]` for [`attend_f32`].
#[inline(always)]
pub(super) fn pack_f32<S: Isa>(isa: S, rows: RowsView, heads: usize, head_dim: usize) -> PackedPositions {
    float::pack(isa, rows, heads, head_dim)
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
        for first in (0..qkv.query.count).step_by(N::ROWS) {
            let rows = first..qkv.query.count.min(first + N::ROWS);
            let key_range = qkv.key_range::<S>(&rows);
            if logits.len() < MAX_TILE_ROWS * key_range.len() {
                logits.resize(MAX_TILE_ROWS * key_range.len(), 0.0);
            }
            arithmetic.key_products(isa, qkv, head, first, &key_range, logits);
            if let Positions::Relative(relative) = positions {
                products.multiply_queries(isa, qkv, head, first, relative, arithmetic);
            }
            // Each row of logits becomes the numerators of its softmax, in place. All maxima come first, so that the
            // processor computes the next row's exponentials while it waits for a sum.
            let (mut maxima, mut sums) = ([0.0; MAX_TILE_ROWS], [0.0; MAX_TILE_ROWS]);
            let logit_row = |row| softmax::LogitRow { head, row, first, first_key: key_range.start };
            let width = key_range.len();
            for (row, (logits, max)) in rows.clone().zip(logits.chunks_exact_mut(width).zip(&mut maxima)) {
                *max = softmax::row_maximum(isa, logits, qkv, &logit_row(row), positions, &scaling, products);
            }
            let outputs = maxima.iter().zip(&mut sums);
            for (row, (logits, (max, sum))) in rows.clone().zip(logits.chunks_exact_mut(width).zip(outputs)) {
                *sum = softmax::exponentials(isa, logits, qkv, &logit_row(row), *max, scaling.logits);
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
