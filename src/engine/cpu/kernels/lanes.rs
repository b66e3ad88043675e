//! Loops over rows of any length, a vector at a time; the last step is padded.
//!
//! In WebAssembly, functions that several kernels call are not inlined, which keeps the file small.

use crate::engine::cpu::arch::{Isa, WideF32};
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
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
pub(super) fn min_max<S: Isa>(isa: S, row: &[f32]) -> (f32, f32) {
    let (wide, lanes) = (isa.wide(), <S::Wide as WideF32<S>>::LANES);
    let mut min = [wide.splat(row[0]); 2];
    let mut max = min;
    let mut pairs = row.chunks_exact(2 * lanes);
    for pair in pairs.by_ref() {
        for (half, values) in pair.chunks_exact(lanes).enumerate() {
            let x = wide.read(values);
            min[half] = wide.min(x, min[half]);
            max[half] = wide.max(x, max[half]);
        }
    }
    let mut rest = pairs.remainder().chunks_exact(lanes);
    for values in rest.by_ref() {
        let x = wide.read(values);
        min[0] = wide.min(x, min[0]);
        max[0] = wide.max(x, max[0]);
    }
    if !rest.remainder().is_empty() {
        let x = wide.read(&pad(rest.remainder(), row[0]));
        min[1] = wide.min(x, min[1]);
        max[1] = wide.max(x, max[1]);
    }
    wide.min_max([wide.min(min[0], min[1]), wide.max(max[0], max[1])])
}

/// Returns the maximum of a row of a multiple of eight values.
#[inline(always)]
pub(super) fn max_of_eights<S: Isa>(isa: S, row: &[f32]) -> f32 {
    let (wide, lanes) = (isa.wide(), <S::Wide as WideF32<S>>::LANES);
    let first = wide.splat(row[0]);
    let mut max = [first; 2];
    let mut pairs = row.chunks_exact(2 * lanes);
    for pair in pairs.by_ref() {
        max[0] = wide.max(wide.read(pair), max[0]);
        max[1] = wide.max(wide.read(&pair[lanes..]), max[1]);
    }
    let mut rest = isa.splat(row[0]);
    for eight in pairs.remainder().as_chunks::<8>().0 {
        rest = isa.max(isa.load(eight), rest);
    }
    let lanes = to_array(isa, wide.max_eights(rest, wide.max(max[0], max[1])));
    lanes.into_iter().fold(lanes[0], |a, b| ScalarF32.max(a, b))
}

/// Rounds `row * factor`, which must be within ±32767, and returns the sum of the results, exact below 2^24.
#[cfg_attr(target_arch = "wasm32", inline(never))]
#[cfg_attr(not(target_arch = "wasm32"), inline(always))]
pub(super) fn round_to_i16<S: Isa>(isa: S, row: &[f32], factor: f32, out: &mut [i16]) -> f32 {
    let (wide, lanes) = (isa.wide(), <S::Wide as WideF32<S>>::LANES);
    let wide_factor = wide.splat(factor);
    // Whole numbers: their sum does not depend on the order.
    let mut wide_total = wide.splat(0.0);
    let (mut whole, mut to) = (row.chunks_exact(lanes), out[..row.len()].chunks_exact_mut(lanes));
    for (from, to) in whole.by_ref().zip(to.by_ref()) {
        let rounded = wide.round(wide.mul(wide.read(from), wide_factor));
        wide.write_i16(rounded, to);
        wide_total = wide.add(wide_total, rounded);
    }
    let mut total = wide.add_eights(isa.splat(0.0), wide_total);
    let (eights, rest) = whole.remainder().as_chunks::<8>();
    let (to, last) = to.into_remainder().as_chunks_mut::<8>();
    for (from, to) in eights.iter().zip(to) {
        let rounded = isa.round(isa.mul(isa.load(from), isa.splat(factor)));
        isa.store_i16(rounded, to);
        total = isa.add(total, rounded);
    }
    if !rest.is_empty() {
        let rounded = isa.round(isa.mul(isa.load(&pad_to_eight(rest, 0.0)), isa.splat(factor)));
        let mut eight = [0; 8];
        isa.store_i16(rounded, &mut eight);
        total = isa.add(total, rounded);
        last.copy_from_slice(&eight[..last.len()]);
    }
    reduce_sum(isa, total)
}

/// Fills values with zero. Often there are none, and a call that fills them takes long in WebAssembly.
#[inline(always)]
pub(super) fn clear<T: Copy + Default>(values: &mut [T]) {
    if !values.is_empty() {
        values.fill(T::default());
    }
}

#[inline(always)]
fn to_array<S: Isa>(isa: S, lanes: S::F32) -> [f32; 8] {
    let mut array = [0.0; 8];
    isa.store(lanes, &mut array);
    array
}

/// Maximum lanes of a vector.
pub(super) const MAX_LANES: usize = 16;

/// Returns fewer values than a vector has lanes, padded with `filler`.
#[inline(always)]
pub(super) fn pad(rest: &[f32], filler: f32) -> [f32; MAX_LANES] {
    let mut lanes = [filler; MAX_LANES];
    lanes[..rest.len()].copy_from_slice(rest);
    lanes
}

/// Returns fewer than eight values, padded with `filler` to eight.
#[inline(always)]
pub(super) fn pad_to_eight(rest: &[f32], filler: f32) -> [f32; 8] {
    let mut eight = [filler; 8];
    eight[..rest.len()].copy_from_slice(rest);
    eight
}
