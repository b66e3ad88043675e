//! Rows of any length in steps of eight lanes, the last step filled up.

use crate::engine::cpu::arch::Isa;
use crate::math::{ScalarF32, SimdF32};

/// How eight lanes more go into a result. A trait and not a closure: a closure is a function of its own that is compiled
/// without the caller's instructions, and would call each of them.
pub(super) trait Fold<S: Isa> {
    fn step(&self, isa: S, accumulator: S::F32, x: S::F32) -> S::F32;
}

/// Adds.
pub(super) struct Add;

impl<S: Isa> Fold<S> for Add {
    #[inline(always)]
    fn step(&self, isa: S, accumulator: S::F32, x: S::F32) -> S::F32 {
        isa.add(accumulator, x)
    }
}

/// Folds a row eight at a time into eight lanes that start as `start`; beyond the end, lanes read `filler`.
#[inline(always)]
pub(super) fn fold<S: Isa>(isa: S, row: &[f32], start: f32, filler: f32, operation: &impl Fold<S>) -> S::F32 {
    let (whole, rest) = row.as_chunks::<8>();
    let mut lanes = isa.splat(start);
    for eight in whole {
        lanes = operation.step(isa, lanes, isa.load(eight));
    }
    if rest.is_empty() { lanes } else { operation.step(isa, lanes, isa.load(&pad_to_eight(rest, filler))) }
}

/// The sum of eight lanes, always in the same order.
#[inline(always)]
pub(super) fn reduce_sum<S: Isa>(isa: S, lanes: S::F32) -> f32 {
    let l = to_array(isa, lanes);
    ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}

/// The least and the largest value of a row that is not empty. Two vectors at a time, for each waits for the one before.
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

/// Rounds `row * factor`, which is within ±32767, and returns the sum of the results, which is exact below 2^24.
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

/// Fewer than eight values and a filler after them.
#[inline(always)]
pub(super) fn pad_to_eight(rest: &[f32], filler: f32) -> [f32; 8] {
    let mut eight = [filler; 8];
    eight[..rest.len()].copy_from_slice(rest);
    eight
}
