//! From products to weights: scaling, what is added for positions, and the powers of softmax.

use std::ops::Range;

use super::relative::Products;
use super::{Pair, Positions};
use crate::engine::cpu::arch::Isa;
use crate::engine::cpu::kernels::lanes::{range, sum};
use crate::math;

/// What products are multiplied with before they are added up to logits.
pub(super) struct Scaling {
    /// Of queries and keys.
    content: f32,
    /// Of queries and relative positions.
    query: f32,
    /// Of keys and relative positions.
    key: f32,
    /// 1, or NaN where a logit may be no number.
    pub(super) carried: f32,
}

impl Scaling {
    /// From what queries and keys are multiples of.
    #[inline(always)]
    pub(super) fn new(pair: &Pair, positions: Positions, [query, key]: [f32; 2]) -> Self {
        let (mut terms, mut packed) = (1, [0.0; 2]);
        if let Positions::Relative(relative) = positions {
            packed =
                [&relative.keys, &relative.queries].map(|term| term.as_ref().map_or(0.0, |term| term.scale));
            terms += relative.terms();
        }
        let root = ((pair.head_dim * terms) as f32).sqrt();
        let scales = [query * key / root, query * packed[0] / root, key * packed[1] / root];
        // Integer products are below 2^31; with room to spare, so that three of them can be added.
        const PRODUCT: f32 = (1_u64 << 33) as f32;
        let bounded = match positions {
            // Differences of logits may leave f32: they are negative, and the powers of them nothing.
            Positions::Absent => scales[0].is_finite(),
            _ => scales.iter().all(|scale| (scale * PRODUCT).is_finite()),
        };
        let [content, query, key] = if bounded { scales } else { [0.0; 3] };
        Self { content, query, key, carried: if bounded { 1.0 } else { f32::NAN } }
    }
}

/// Which logits these are.
pub(super) struct Line {
    pub(super) head: usize,
    pub(super) row: usize,
    /// The first row of its tile.
    pub(super) first: usize,
    /// The first key that the logits are of.
    pub(super) reach: usize,
}

/// Turns the logits of one row into powers, zero for keys the row does not see, and returns their sum.
#[inline(always)]
pub(super) fn powers<S: Isa>(
    logits: &mut [f32],
    pair: &Pair,
    line: &Line,
    positions: Positions,
    scaling: &Scaling,
    products: &Products,
) -> f32 {
    let keys = pair.seen(line.row);
    let seen = keys.start - line.reach..keys.end - line.reach;
    let scale = match positions {
        Positions::Absent => scaling.content,
        Positions::Alibi(slopes) => {
            let slope = slopes[line.head];
            for (key, logit) in keys.zip(&mut logits[seen.clone()]) {
                *logit = *logit * scaling.content - slope * key.abs_diff(line.row) as f32;
            }
            1.0
        }
        Positions::Relative(relative) => {
            let logits = &mut logits[seen.clone()];
            logits.iter_mut().for_each(|logit| *logit *= scaling.content);
            if relative.keys.is_some() {
                products.add_query_terms(line.row, line.first, &keys, scaling.query, logits);
            }
            if relative.queries.is_some() {
                products.add_key_terms(line.row, &keys, scaling.key, logits);
            }
            1.0
        }
    };
    exponentials::<S>(logits, seen, scale)
}

/// Turns the logits `seen` into `e^(scale (x - largest))`, which is softmax without its division, and returns their sum;
/// the others become zero. Eights begin at multiples of eight keys, whatever the tile: so sums are the same bits.
#[inline(always)]
fn exponentials<S: Isa>(logits: &mut [f32], seen: Range<usize>, scale: f32) -> f32 {
    let eights = seen.start / 8 * 8..seen.end.next_multiple_of(8);
    logits[eights.start..seen.start].fill(f32::NEG_INFINITY);
    logits[seen.end..eights.end].fill(f32::NEG_INFINITY);
    let largest = S::splat(range::<S>(&logits[eights.clone()]).1);
    let scale = S::splat(scale * std::f32::consts::LOG2_E);
    let mut total = S::splat(0.0);
    for eight in logits[eights].as_chunks_mut::<8>().0 {
        let power = math::exp2::<S>(S::mul(S::sub(S::load(eight), largest), scale));
        S::store(power, eight);
        total = S::add(total, power);
    }
    logits[..seen.start].fill(0.0);
    logits[seen.end..].fill(0.0);
    sum::<S>(total)
}
