//! Loops over rows of any length, eight lanes at a time; the last step is padded.

use crate::engine::cpu::arch::Isa;
use crate::math::{ScalarF32, SimdF32};

/// One step of a fold: combines eight lanes with the accumulator. A trait instead of a closure, because a closure is a
/// separate function that is compiled without the caller's instruction set, so intrinsics would not be inlined in it.
pub(super) trait Fold<S: Isa> {
    fn step(&self, isa: S, accumulator: S::F32, x: S::F32) -> S::F32;
}

/// Adds lanes.
pub(super) struct Add;

impl<S: Isa> Fold<S> for Add {
    #[inline(always)]
    fn step(&self, isa: S, accumulator: S::F32, x: S::F32) -> S::F32 {
        isa.add(accumulator, x)
    }
}

/// Folds a row into eight lanes, eight values at a time. Accumulators start as `start`; the last step is padded with
/// `filler`.
#[inline(always)]
pub(super) fn fold<S: Isa>(isa: S, row: &[f32], start: f32, filler: f32, operation: &impl Fold<S>) -> S::F32 {
    let (whole, rest) = row.as_chunks::<8>();
    let mut lanes = isa.splat(start);
    for eight in whole {
        lanes = operation.step(isa, lanes, isa.load(eight));
    }
    if rest.is_empty() { lanes } else { operation.step(isa, lanes, isa.load(&pad_to_eight(rest, filler))) }
}

/// Returns the sum of eight lanes, always added in the same order.
#[inline(always)]
pub(super) fn reduce_sum<S: Isa>(isa: S, lanes: S::F32) -> f32 {
    let l = to_array(isa, lanes);
    ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}

/// Returns the minimum and maximum of a row, which must not be empty. Two accumulators halve the dependency chain.
#[inline(always)]
pub(super) fn min_max<S: Isa>(isa: S, row: &[f32]) -> (f32, f32) {
    let (pairs, rest) = row.as_chunks::<16>();
    let mut min = [isa.splat(row[0]); 2];
    let mut max = min;
    for pair in pairs {
        for (half, eight) in pair.as_chunks::<8>().0.iter().enumerate() {
            let x = isa.load(eight);
            min[half] = isa.min(x, min[half]);
            max[half] = isa.max(x, max[half]);
        }
    }
    for eight in rest.chunks(8) {
        let x = isa.load(&pad_to_eight(eight, row[0]));
        min[0] = isa.min(x, min[0]);
        max[0] = isa.max(x, max[0]);
    }
    let min = to_array(isa, isa.min(min[0], min[1]));
    let max = to_array(isa, isa.max(max[0], max[1]));
    (
        min.into_iter().fold(row[0], |a, b| ScalarF32.min(a, b)),
        max.into_iter().fold(row[0], |a, b| ScalarF32.max(a, b)),
    )
}

/// Rounds `row * factor`, which must be within ±32767, and returns the sum of the results, exact below 2^24.
#[inline(always)]
pub(super) fn round_to_i16<S: Isa>(isa: S, row: &[f32], factor: f32, out: &mut [i16]) -> f32 {
    let factor = isa.splat(factor);
    let mut total = isa.splat(0.0);
    let (whole, rest) = row.as_chunks::<8>();
    let (eights, last) = out.as_chunks_mut::<8>();
    for (from, to) in whole.iter().zip(eights) {
        let rounded = isa.round(isa.mul(isa.load(from), factor));
        isa.store_i16(rounded, to);
        total = isa.add(total, rounded);
    }
    if !rest.is_empty() {
        let rounded = isa.round(isa.mul(isa.load(&pad_to_eight(rest, 0.0)), factor));
        let mut eight = [0; 8];
        isa.store_i16(rounded, &mut eight);
        total = isa.add(total, rounded);
        last.copy_from_slice(&eight[..last.len()]);
    }
    reduce_sum(isa, total)
}

#[inline(always)]
fn to_array<S: Isa>(isa: S, lanes: S::F32) -> [f32; 8] {
    let mut array = [0.0; 8];
    isa.store(lanes, &mut array);
    array
}

/// Returns fewer than eight values, padded with `filler` to eight.
#[inline(always)]
pub(super) fn pad_to_eight(rest: &[f32], filler: f32) -> [f32; 8] {
    let mut eight = [filler; 8];
    eight[..rest.len()].copy_from_slice(rest);
    eight
}
