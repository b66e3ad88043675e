//! From products to softmax weights: scaling, the terms of positions, and exponentials.

use std::ops::Range;

use super::relative::PositionProducts;
use super::{Positions, Qkv};
use crate::engine::cpu::arch::Isa;
use crate::engine::cpu::kernels::lanes::{min_max, reduce_sum};
use crate::engine::positions::{BIAS_COLUMNS, bias_column};
use crate::math;

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
        Self { content, query, key, nan_or_one: if bounded { 1.0 } else { f32::NAN } }
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

/// Replaces the products of one row by softmax numerators, zero for invisible keys, and returns their sum.
#[inline(always)]
pub(super) fn row_exponentials<S: Isa>(
    isa: S,
    logits: &mut [f32],
    qkv: &Qkv,
    logit_row: &LogitRow,
    positions: Positions,
    scaling: &Scaling,
    products: &PositionProducts,
) -> f32 {
    let keys = qkv.visible(logit_row.row);
    let visible = keys.start - logit_row.first_key..keys.end - logit_row.first_key;
    let scale = match positions {
        Positions::Absent => scaling.content,
        Positions::Alibi(slopes) => {
            let slope = slopes[logit_row.head];
            for (key, logit) in keys.zip(&mut logits[visible.clone()]) {
                *logit = *logit * scaling.content - slope * key.abs_diff(logit_row.row) as f32;
            }
            1.0
        }
        Positions::Bucketed(biases) => {
            let biases = &biases[logit_row.head * BIAS_COLUMNS..][..BIAS_COLUMNS];
            for (key, logit) in keys.zip(&mut logits[visible.clone()]) {
                *logit = *logit * scaling.content + biases[bias_column(logit_row.row, key)];
            }
            1.0
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
            1.0
        }
    };
    exponentials(isa, logits, visible, scale)
}

/// Replaces the logits `visible` by `e^(scale (x - max))`, the numerators of softmax, and returns their sum; all others
/// become zero.
///
/// The maximum is subtracted before scaling, so the largest exponent is 0 and nothing overflows. `e^y` is computed as
/// `2^(y log2(e))`, with the factor folded into `scale`. Groups of eight start at multiples of eight keys, whatever the
/// tile, so that the sum has the same bits for every tile size.
#[inline(always)]
fn exponentials<S: Isa>(isa: S, logits: &mut [f32], visible: Range<usize>, scale: f32) -> f32 {
    let eights = visible.start / 8 * 8..visible.end.next_multiple_of(8);
    logits[eights.start..visible.start].fill(f32::NEG_INFINITY);
    logits[visible.end..eights.end].fill(f32::NEG_INFINITY);
    let max = isa.splat(min_max(isa, &logits[eights.clone()]).1);
    let scale = isa.splat(scale * std::f32::consts::LOG2_E);
    let mut total = isa.splat(0.0);
    for eight in logits[eights].as_chunks_mut::<8>().0 {
        let power = math::exp2(isa, isa.mul(isa.sub(isa.load(eight), max), scale));
        isa.store(power, eight);
        total = isa.add(total, power);
    }
    logits[..visible.start].fill(0.0);
    logits[visible.end..].fill(0.0);
    reduce_sum(isa, total)
}
