//! From products to softmax weights: scaling, the terms of positions, and exponentials.

use std::ops::Range;

use super::relative::PositionProducts;
use super::{Positions, Qkv};
use crate::engine::cpu::arch::{Isa, WideF32};
use crate::engine::cpu::kernels::lanes::{clear, max_of_eights, reduce_sum};
use crate::engine::positions::{BIAS_COLUMNS, bias_column};
use crate::math::{self, SimdF32, Twice};

/// The factors of products in logits.
pub(super) struct Scaling {
    /// Factor of products of queries and keys.
    content: f32,
    /// Factor of products of queries and relative positions.
    query: f32,
    /// Factor of products of keys and relative positions.
    key: f32,
    /// 1, or NaN if a logit may not be finite.
    pub(super) nan_or_one: f32,
    /// Factor of logits after the terms of positions.
    pub(super) logits: f32,
}

impl Scaling {
    /// Returns the factors for the given scales of queries and keys.
    #[inline(always)]
    pub(super) fn new(qkv: &Qkv, positions: Positions, [query, key]: [f32; 2]) -> Self {
        let (mut terms, mut packed) = (1, [0.0; 2]);
        if let Positions::Relative(relative) = positions {
            packed =
                [&relative.keys, &relative.queries].map(|term| term.as_ref().map_or(0.0, |term| term.scale));
            terms += relative.terms();
        }
        let root = ((qkv.head_dim * terms) as f32).sqrt();
        let scales = [query * key / root, query * packed[0] / root, key * packed[1] / root];
        // Integer products are below 2^31; a margin of 4 allows the sum of three of them.
        const PRODUCT: f32 = (1_u64 << 33) as f32;
        let bounded = match positions {
            // Only differences from the maximum are scaled. They are negative, so an overflow becomes `e^-inf = 0`.
            Positions::Absent => scales[0].is_finite(),
            _ => scales.iter().all(|scale| (scale * PRODUCT).is_finite()),
        };
        let [content, query, key] = if bounded { scales } else { [0.0; 3] };
        let logits = if matches!(positions, Positions::Absent) { content } else { 1.0 };
        Self { content, query, key, nan_or_one: if bounded { 1.0 } else { f32::NAN }, logits }
    }
}

/// The position of a row of logits.
pub(super) struct LogitRow {
    pub(super) head: usize,
    pub(super) row: usize,
    /// The first row of its tile.
    pub(super) first: usize,
    /// The key of the first logit.
    pub(super) first_key: usize,
}

impl LogitRow {
    /// Returns the indices of the visible keys' logits.
    #[inline(always)]
    fn visible(&self, qkv: &Qkv) -> Range<usize> {
        let keys = qkv.visible(self.row);
        keys.start - self.first_key..keys.end - self.first_key
    }
}

/// Adds the terms of positions to the products of one row, masks the invisible keys around it, and returns the maximum.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
pub(super) fn row_maximum<S: Isa>(
    isa: S,
    logits: &mut [f32],
    qkv: &Qkv,
    logit_row: &LogitRow,
    positions: Positions,
    scaling: &Scaling,
    products: &PositionProducts,
) -> f32 {
    let keys = qkv.visible(logit_row.row);
    let visible = logit_row.visible(qkv);
    match positions {
        Positions::Absent => {}
        Positions::Alibi(slopes) => {
            let slope = slopes[logit_row.head];
            for (key, logit) in keys.zip(&mut logits[visible.clone()]) {
                *logit = *logit * scaling.content - slope * key.abs_diff(logit_row.row) as f32;
            }
        }
        Positions::Bucketed(biases) => {
            let biases = &biases[logit_row.head * BIAS_COLUMNS..][..BIAS_COLUMNS];
            for (key, logit) in keys.zip(&mut logits[visible.clone()]) {
                *logit = *logit * scaling.content + biases[bias_column(logit_row.row, key)];
            }
        }
        Positions::Relative(relative) => {
            let logits = &mut logits[visible.clone()];
            logits.iter_mut().for_each(|logit| *logit *= scaling.content);
            if relative.keys.is_some() {
                products.add_query_terms(logit_row.row, logit_row.first, &keys, scaling.query, logits);
            }
            if relative.queries.is_some() {
                products.add_key_terms(logit_row.row, &keys, scaling.key, logits);
            }
        }
    }
    let eights = eights(&visible);
    logits[eights.start..visible.start].fill(f32::NEG_INFINITY);
    logits[visible.end..eights.end].fill(f32::NEG_INFINITY);
    max_of_eights(isa, &logits[eights])
}

/// Extends a range to whole groups of eight. They start at multiples of eight keys, whatever the tile, so that sums have
/// the same bits for every tile size.
#[inline(always)]
pub(super) fn eights(visible: &Range<usize>) -> Range<usize> {
    visible.start / 8 * 8..visible.end.next_multiple_of(8)
}

/// Replaces the logits of a row's visible keys by `e^(scale (x - max))`, the numerators of softmax, and returns their
/// sum; the logits of all other keys become zero.
///
/// The maximum is subtracted before scaling, so the largest exponent is 0 and nothing overflows. `e^y` is computed as
/// `2^(y log2(e))`, with the factor folded into the scale.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
pub(super) fn exponentials<S: Isa>(
    isa: S,
    logits: &mut [f32],
    qkv: &Qkv,
    logit_row: &LogitRow,
    max: f32,
    scale: f32,
) -> f32 {
    let visible = logit_row.visible(qkv);
    let keys = logits.len().min(qkv.key.count - logit_row.first_key);
    let (wide, lanes) = (isa.wide(), <S::Wide as WideF32<S>>::LANES);
    let scale = scale * std::f32::consts::LOG2_E;
    let (wide_max, wide_scale) = (wide.splat(max), wide.splat(scale));
    let mut total = isa.splat(0.0);
    let terms = math::opaque(&math::EXP2_TERMS);
    let mut pairs = logits[eights(&visible)].chunks_exact_mut(2 * lanes);
    for values in pairs.by_ref() {
        // Not by `map`: a closure has no target features, so its operations would be calls.
        let exponents = [
            wide.mul(wide.sub(wide.read(values), wide_max), wide_scale),
            wide.mul(wide.sub(wide.read(&values[lanes..]), wide_max), wide_scale),
        ];
        let [first, second] = math::exp2(Twice(wide), exponents, terms);
        wide.write(first, values);
        wide.write(second, &mut values[lanes..]);
        total = wide.add_eights(wide.add_eights(total, first), second);
    }
    let mut whole = pairs.into_remainder().chunks_exact_mut(lanes);
    for values in whole.by_ref() {
        let exponents = wide.mul(wide.sub(wide.read(values), wide_max), wide_scale);
        let power = math::exp2(wide, exponents, terms);
        wide.write(power, values);
        total = wide.add_eights(total, power);
    }
    for eight in whole.into_remainder().as_chunks_mut::<8>().0 {
        let exponents = isa.mul(isa.sub(isa.load(eight), isa.splat(max)), isa.splat(scale));
        let power = math::exp2(isa, exponents, terms);
        isa.store(power, eight);
        total = isa.add(total, power);
    }
    clear(&mut logits[..visible.start]);
    if visible.end < keys {
        clear(&mut logits[visible.end..keys]);
    }
    reduce_sum(isa, total)
}
