//! Attention over 16-bit integers, for the q8 path.
//!
//! Queries, keys and values are quantized with one scale each per pair, and probabilities to multiples of about 2^-15.
//! Each scale is the finest with which no sum of products can overflow i32.

use std::ops::Range;

use super::int16_quant::{HeadShape, Int16Rows, MAX_INT16, quantize_keys, quantize_values};
use super::{Arithmetic, PackedPositions, Positions, Qkv, RowsView, SoftmaxWeights, TileBuffer};
use crate::engine::cpu::arch::{Isa, MAX_TILE_ROWS, Tile, WideF32};
use crate::engine::cpu::kernels::lanes::{clear, round_to_i16};
use crate::math::SimdF32;

/// A pair, quantized and packed head by head. Depths are rounded up to even numbers.
#[derive(Debug, Default)]
pub(super) struct IntegerArithmetic {
    queries: Int16Rows,
    /// The keys as rows, if they are multiplied with relative positions.
    key_rows: Int16Rows,
    /// `[heads, panels of keys, depth / 2, panel columns]` of two columns each.
    keys: Vec<[i16; 2]>,
    /// `[heads, panels of columns, keys / 2, panel columns]` of two keys each.
    values: Vec<[i16; 2]>,
    /// Quantization scale of the values.
    value_scale: f32,
    /// `[MAX_TILE_ROWS, keys in range]`.
    probabilities: Vec<i16>,
    /// Buffers for one row or two, `[hidden]` each.
    rows: [Vec<i16>; 2],
    tile: TileBuffer<i32>,
}

impl IntegerArithmetic {
    /// Bytes for a pair of `tokens` tokens, without padding. All heads are quantized at once.
    pub(super) fn bytes_for(tokens: u64, hidden: u64, key_range: u64, key_rows: bool) -> u64 {
        let probabilities = MAX_TILE_ROWS as u64 * key_range;
        let matrices = if key_rows { 4 } else { 3 };
        size_of::<i16>() as u64 * (matrices * tokens * hidden + probabilities)
    }
}

#[cfg(test)]
impl IntegerArithmetic {
    pub(super) fn bytes(&self) -> usize {
        let pairs = self.keys.capacity() + self.values.capacity();
        4 * pairs
            + 2 * (self.queries.0.capacity() + self.key_rows.0.capacity() + self.probabilities.capacity())
    }
}

impl<S: Isa> Arithmetic<S> for IntegerArithmetic {
    const ROWS: usize = S::ROWS_I16;

    #[inline(always)]
    fn load_qkv(&mut self, isa: S, qkv: &Qkv, positions: Positions) -> [f32; 2] {
        let (shape, keys) = (HeadShape::of(qkv), HeadShape::of_keys(qkv));
        let max_code = shape.max_code();
        // The probabilities of a row sum to MAX_INT16, and to at most half a unit more per key after rounding. Values
        // are limited so that their products with such probabilities fit i32.
        let sum = MAX_INT16 + 0.5 * qkv.key.count as f32;
        let max_value_code = MAX_INT16.min((i32::MAX as f32 / sum).floor() - 1.0);
        let [row, other] = &mut self.rows;
        let query_scale = self.queries.quantize(isa, qkv.query, shape, max_code, row);
        if matches!(positions, Positions::Relative(relative) if relative.queries.is_some()) {
            self.key_rows.quantize(isa, qkv.key, keys, max_code, row);
        }
        let key_scale = quantize_keys(isa, qkv.key, keys, max_code, row, &mut self.keys);
        self.value_scale =
            quantize_values(isa, qkv.value, keys, max_value_code, [row, other], &mut self.values);
        [query_scale, key_scale]
    }

    #[inline(always)]
    fn begin_head(&mut self, _: &Qkv, _: usize) {}

    #[inline(always)]
    fn key_products(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        row: usize,
        key_range: &Range<usize>,
        to: &mut [f32],
    ) {
        let shape = HeadShape::of(qkv);
        let size = shape.key_pairs::<S>(qkv.key.count);
        let queries = self.queries.from(shape, qkv.query.count, head, row);
        let keys = &self.keys[qkv.key_head(head) * size..][..size];
        products(isa, shape, queries, keys, key_range, &mut self.tile.0, to);
    }

    #[inline(always)]
    fn query_position_products(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        row: usize,
        (packed, positions): (&PackedPositions, &Range<usize>),
        to: &mut [f32],
    ) {
        let shape = HeadShape::of(qkv);
        let queries = self.queries.from(shape, qkv.query.count, head, row);
        products(isa, shape, queries, of_head(packed, shape, head), positions, &mut self.tile.0, to);
    }

    #[inline(always)]
    fn key_position_products(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        row: usize,
        (packed, positions): (&PackedPositions, &Range<usize>),
        to: &mut [f32],
    ) {
        let shape = HeadShape::of(qkv);
        let keys = self.key_rows.from(HeadShape::of_keys(qkv), qkv.key.count, qkv.key_head(head), row);
        products(isa, shape, keys, of_head(packed, shape, head), positions, &mut self.tile.0, to);
    }

    #[inline(always)]
    fn weighted_values(
        &mut self,
        isa: S,
        qkv: &Qkv,
        head: usize,
        rows: &Range<usize>,
        weights: SoftmaxWeights,
        context: &mut [f32],
    ) {
        let scales = self.quantize_weights(isa, qkv, rows, &weights);
        let (shape, key_range) = (HeadShape::of(qkv), weights.key_range);
        let (wide, lanes) = (isa.wide(), <S::Wide as WideF32<S>>::LANES);
        let size = shape.value_pairs::<S>(qkv.key.count);
        let values = &self.values[qkv.key_head(head) * size..][..size];
        let tile = &mut self.tile.0;
        for (panel, values) in values.chunks_exact(qkv.key.count.div_ceil(2) * S::PANEL).enumerate() {
            let end = key_range.end.min(qkv.key.count).div_ceil(2);
            let values = &values[key_range.start / 2 * S::PANEL..end * S::PANEL];
            isa.tile_i16(&self.probabilities, key_range.len(), values, tile);
            let from = panel * S::PANEL;
            let columns = S::PANEL.min(shape.head_dim - from);
            for (row, (sums, scale)) in rows.clone().zip(tile.chunks_exact(S::PANEL).zip(scales)) {
                let to = &mut context[row * shape.hidden() + head * shape.head_dim + from..][..columns];
                if columns == S::PANEL {
                    let scale = wide.splat(scale);
                    for column in (0..S::PANEL).step_by(lanes) {
                        wide.write(wide.mul(wide.read_i32(&sums[column..]), scale), &mut to[column..]);
                    }
                } else {
                    for (to, &sum) in to.iter_mut().zip(sums) {
                        *to = sum as f32 * scale;
                    }
                }
            }
        }
    }
}

impl IntegerArithmetic {
    /// Rounds the softmax weights of a tile's rows to 16-bit probabilities and returns the scales of their products
    /// with values.
    #[inline(always)]
    fn quantize_weights<S: Isa>(
        &mut self,
        isa: S,
        qkv: &Qkv,
        rows: &Range<usize>,
        SoftmaxWeights { key_range, exponentials, sums, nan_or_one }: &SoftmaxWeights,
    ) -> [f32; MAX_TILE_ROWS] {
        let width = key_range.len();
        if self.probabilities.len() < MAX_TILE_ROWS * width {
            self.probabilities.resize(MAX_TILE_ROWS * width, 0);
        }
        // Products read two keys at a time, and none after the last.
        let keys = width.min(qkv.key.count.next_multiple_of(2) - key_range.start);
        let mut scales = [0.0; MAX_TILE_ROWS];
        for (index, row) in rows.clone().enumerate() {
            let visible = qkv.visible(row);
            // Groups of eight start at multiples of eight keys, whatever the tile, so that sums have the same bits.
            let eights =
                visible.start / 8 * 8 - key_range.start..visible.end.next_multiple_of(8) - key_range.start;
            let probabilities = &mut self.probabilities[index * width..][..width];
            clear(&mut probabilities[..eights.start]);
            if eights.end < keys {
                clear(&mut probabilities[eights.end..keys]);
            }
            let exponentials = &exponentials[index * width..][eights.clone()];
            let sum = round_to_i16(isa, exponentials, MAX_INT16 / sums[index], &mut probabilities[eights]);
            // Divided by the rounded probabilities' own sum, so that they are a mean again.
            scales[index] = 1.0 / sum * (nan_or_one * self.value_scale);
        }
        scales
    }
}

/// Multiplies a tile's rows with the columns `key_range` of packed panels: `[ROWS, key_range]`.
#[inline(always)]
fn products<S: Isa>(
    isa: S,
    shape: HeadShape,
    rows: &[i16],
    panels: &[[i16; 2]],
    key_range: &Range<usize>,
    tile: &mut Tile<i32>,
    to: &mut [f32],
) {
    let (wide, lanes) = (isa.wide(), <S::Wide as WideF32<S>>::LANES);
    let pairs = shape.depth() / 2;
    for (panel, keys) in
        panels[key_range.start * pairs..key_range.end * pairs].chunks_exact(pairs * S::PANEL).enumerate()
    {
        isa.tile_i16(rows, shape.depth(), keys, tile);
        for (row, sums) in tile.chunks_exact(S::PANEL).take(S::ROWS_I16).enumerate() {
            let to = &mut to[row * key_range.len() + panel * S::PANEL..][..S::PANEL];
            for column in (0..S::PANEL).step_by(lanes) {
                wide.write(wide.read_i32(&sums[column..]), &mut to[column..]);
            }
        }
    }
}

/// Packs relative positions `[rows, heads * head_dim]` for each head.
#[inline(always)]
pub(super) fn pack<S: Isa>(isa: S, rows: RowsView, heads: usize, head_dim: usize) -> PackedPositions {
    let (shape, mut pairs) = (HeadShape { heads, head_dim }, Vec::new());
    let scale = quantize_keys(isa, rows, shape, shape.max_code(), &mut Vec::new(), &mut pairs);
    PackedPositions { floats: Vec::new(), pairs, scale }
}

/// Returns a head's part of packed relative positions.
#[inline(always)]
fn of_head(packed: &PackedPositions, shape: HeadShape, head: usize) -> &[[i16; 2]] {
    let size = packed.pairs.len() / shape.heads;
    &packed.pairs[head * size..][..size]
}
