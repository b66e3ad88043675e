//! aarch64: NEON, which every such processor has, and the dot product extension, which most have.
#![expect(unsafe_code, reason = "intrinsics that a token vouches for, and loads and stores of vectors")]

use std::arch::aarch64::*;
use std::arch::{asm, is_aarch64_feature_detected};
use std::fmt::Debug;

use super::{DEPTH_STEP, Isa, Panel, QuantizedValue, Tile, TileOps, compute_tile};
use crate::math::SimdF32;

/// NEON with a way to multiply bytes. A value exists only if the processor has the instructions of both.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neon<D>(D);

const ROWS: usize = 8;
const PANEL: usize = 8;

impl<D: Q8Dot> SimdF32 for Neon<D> {
    /// Lanes 0 to 3 and lanes 4 to 7.
    type F32 = [float32x4_t; 2];

    #[inline(always)]
    fn splat(self, value: f32) -> [float32x4_t; 2] {
        // SAFETY: `self` exists only if the processor has NEON.
        unsafe { [vdupq_n_f32(value); 2] }
    }
    #[inline(always)]
    fn add(self, a: [float32x4_t; 2], b: [float32x4_t; 2]) -> [float32x4_t; 2] {
        // SAFETY: see `splat`.
        unsafe { [vaddq_f32(a[0], b[0]), vaddq_f32(a[1], b[1])] }
    }
    #[inline(always)]
    fn sub(self, a: [float32x4_t; 2], b: [float32x4_t; 2]) -> [float32x4_t; 2] {
        // SAFETY: see `splat`.
        unsafe { [vsubq_f32(a[0], b[0]), vsubq_f32(a[1], b[1])] }
    }
    #[inline(always)]
    fn mul(self, a: [float32x4_t; 2], b: [float32x4_t; 2]) -> [float32x4_t; 2] {
        // SAFETY: see `splat`.
        unsafe { [vmulq_f32(a[0], b[0]), vmulq_f32(a[1], b[1])] }
    }
    #[inline(always)]
    fn div(self, a: [float32x4_t; 2], b: [float32x4_t; 2]) -> [float32x4_t; 2] {
        // SAFETY: see `splat`.
        unsafe { [vdivq_f32(a[0], b[0]), vdivq_f32(a[1], b[1])] }
    }
    #[inline(always)]
    fn min(self, a: [float32x4_t; 2], b: [float32x4_t; 2]) -> [float32x4_t; 2] {
        // SAFETY: see `splat`. Not `vminq_f32`, which gives other results for NaN and signed zeros.
        unsafe {
            [vbslq_f32(vcltq_f32(a[0], b[0]), a[0], b[0]), vbslq_f32(vcltq_f32(a[1], b[1]), a[1], b[1])]
        }
    }
    #[inline(always)]
    fn max(self, a: [float32x4_t; 2], b: [float32x4_t; 2]) -> [float32x4_t; 2] {
        // SAFETY: see `splat`. Not `vmaxq_f32`, as in `min`.
        unsafe {
            [vbslq_f32(vcgtq_f32(a[0], b[0]), a[0], b[0]), vbslq_f32(vcgtq_f32(a[1], b[1]), a[1], b[1])]
        }
    }
    #[inline(always)]
    fn round(self, a: [float32x4_t; 2]) -> [float32x4_t; 2] {
        // SAFETY: see `splat`.
        unsafe { [vrndnq_f32(a[0]), vrndnq_f32(a[1])] }
    }
    #[inline(always)]
    fn exp2_int(self, a: [float32x4_t; 2]) -> [float32x4_t; 2] {
        // SAFETY: see `splat`.
        unsafe { [exp2_int(a[0]), exp2_int(a[1])] }
    }
}

/// Returns two to the power of whole numbers.
///
/// # Safety
/// The processor has NEON.
#[inline(always)]
unsafe fn exp2_int(a: float32x4_t) -> float32x4_t {
    // SAFETY: the caller guarantees NEON.
    unsafe { vreinterpretq_f32_s32(vshlq_n_s32::<23>(vaddq_s32(vcvtq_s32_f32(a), vdupq_n_s32(127)))) }
}

impl<D: Q8Dot> Isa for Neon<D> {
    const NAME: &'static str = D::NAME;
    const ROWS_Q8: usize = ROWS;
    const ROWS_I16: usize = ROWS;
    const ROWS_F32: usize = ROWS;
    const PANEL: usize = PANEL;
    type Wide = Self;

    #[inline(always)]
    fn wide(self) -> Self {
        self
    }

    fn detect() -> Option<Self> {
        let dot = D::detect()?;
        is_aarch64_feature_detected!("neon").then_some(Self(dot))
    }
    #[inline(always)]
    fn load(self, values: &[f32; 8]) -> [float32x4_t; 2] {
        // SAFETY: see `splat`. Eight f32 are two vectors.
        unsafe { [vld1q_f32(values.as_ptr()), vld1q_f32(values.as_ptr().add(4))] }
    }
    #[inline(always)]
    fn store(self, lanes: [float32x4_t; 2], values: &mut [f32; 8]) {
        // SAFETY: see `splat`. Eight f32 are two vectors.
        unsafe {
            vst1q_f32(values.as_mut_ptr(), lanes[0]);
            vst1q_f32(values.as_mut_ptr().add(4), lanes[1]);
        }
    }
    #[inline(always)]
    fn load_i32(self, values: &[i32; 8]) -> [float32x4_t; 2] {
        // SAFETY: see `splat`. Eight i32 are two vectors.
        unsafe {
            [vcvtq_f32_s32(vld1q_s32(values.as_ptr())), vcvtq_f32_s32(vld1q_s32(values.as_ptr().add(4)))]
        }
    }
    #[inline(always)]
    fn store_i16(self, a: [float32x4_t; 2], values: &mut [i16; 8]) {
        // SAFETY: see `splat`. Eight i16 are one vector.
        unsafe { vst1q_s16(values.as_mut_ptr(), to_i16(a)) };
    }
    #[inline(always)]
    fn store_quantized(self, a: [float32x4_t; 2], values: &mut [QuantizedValue; 8]) {
        // SAFETY: see `splat`. Eight i8 are half a vector.
        unsafe { vst1_s8(values.as_mut_ptr(), vmovn_s16(to_i16(a))) };
    }

    #[inline(always)]
    fn tile_q8(self, a: &[i8], stride: usize, panel: Panel, tile: &mut Tile<i32>) {
        self.0.tile_q8(a, stride, panel.codes, tile);
    }
    #[inline(always)]
    fn tile_i16(self, a: &[i16], stride: usize, panel: &[[i16; 2]], to: &mut Tile<i32>) {
        // SAFETY: see `splat`.
        unsafe { compute_tile::<WordDot, ROWS, 2, PANEL>(a, stride, panel, to) }
    }
    #[inline(always)]
    fn tile_f32(self, a: &[f32], stride: usize, panel: &[f32], to: &mut Tile<f32>) {
        // SAFETY: see `splat`.
        unsafe { compute_tile::<FloatMulAdd, ROWS, 2, PANEL>(a, stride, panel, to) }
    }
}

/// Converts whole numbers to 16-bit lanes.
///
/// # Safety
/// The processor has NEON.
#[inline(always)]
unsafe fn to_i16(a: [float32x4_t; 2]) -> int16x8_t {
    // SAFETY: the caller guarantees NEON.
    unsafe { vcombine_s16(vmovn_s32(vcvtq_s32_f32(a[0])), vmovn_s32(vcvtq_s32_f32(a[1]))) }
}

/// How bytes are multiplied; a value proves that the processor has the instructions.
pub(crate) trait Q8Dot: Copy + Debug + Send + Sync + 'static {
    const NAME: &'static str;
    fn detect() -> Option<Self>;
    fn tile_q8(self, a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tile: &mut Tile<i32>);
}

/// Widening products, added in pairs: NEON without extensions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WideningMul(());

/// The dot product extension: `sdot` adds four byte products to a sum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DotProd(());

impl Q8Dot for WideningMul {
    const NAME: &'static str = "neon";

    fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
    #[inline(always)]
    fn tile_q8(self, a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], to: &mut Tile<i32>) {
        // SAFETY: `self` exists only if the processor has NEON.
        unsafe { compute_tile::<Self, ROWS, 2, PANEL>(a, stride, panel, to) }
    }
}

impl Q8Dot for DotProd {
    const NAME: &'static str = "neon dot product";

    fn detect() -> Option<Self> {
        (is_aarch64_feature_detected!("neon") && is_aarch64_feature_detected!("dotprod")).then_some(Self(()))
    }
    #[inline(always)]
    fn tile_q8(self, a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], to: &mut Tile<i32>) {
        // SAFETY: `self` exists only if the processor has NEON and the dot product.
        unsafe { dot_product_q8(a, stride, panel, to) }
    }
}

#[target_feature(enable = "neon,dotprod")]
fn dot_product_q8(a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], to: &mut Tile<i32>) {
    // SAFETY: this function enables the instructions.
    unsafe { compute_tile::<DotProd, ROWS, 2, PANEL>(a, stride, panel, to) }
}

/// Two products of 16-bit integers per column.
struct WordDot;
/// One product of f32 per column.
struct FloatMulAdd;

/// Implements [`TileOps`] over integers; implementations differ in how products are added. Codes of 7 bits have the
/// same value signed and unsigned.
macro_rules! tile_ops {
    ($product:ty: $a:ty, $b:ty, $step:literal, |$sums:ident, $weights:ident, $values:ident| $add:expr) => {
        impl TileOps for $product {
            type A = $a;
            type B = $b;
            type Accumulator = i32;
            type RowVector = int32x4_t;
            type WeightVector = int32x4_t;
            type AccumulatorVector = int32x4_t;
            const STEP: usize = $step;
            const COLUMNS: usize = 4;

            #[inline(always)]
            unsafe fn zero() -> int32x4_t {
                // SAFETY: the caller guarantees the instructions.
                unsafe { vdupq_n_s32(0) }
            }
            #[inline(always)]
            unsafe fn broadcast_row(from: *const $a) -> int32x4_t {
                // SAFETY: the caller guarantees the instructions and `STEP` readable values, which are four bytes.
                unsafe { vdupq_n_s32(from.cast::<i32>().read_unaligned()) }
            }
            #[inline(always)]
            unsafe fn load_weights(from: *const $b) -> int32x4_t {
                // SAFETY: the caller guarantees the instructions and `COLUMNS` readable columns.
                unsafe { vreinterpretq_s32_u8(vld1q_u8(from.cast())) }
            }
            #[inline(always)]
            unsafe fn multiply_add($sums: int32x4_t, $weights: int32x4_t, $values: int32x4_t) -> int32x4_t {
                // SAFETY: the caller guarantees the instructions.
                unsafe { $add }
            }
            #[inline(always)]
            unsafe fn store_sums(sums: int32x4_t, to: *mut i32) {
                // SAFETY: the caller guarantees the instructions and `COLUMNS` writable sums.
                unsafe { vst1q_s32(to, sums) }
            }
        }
    };
}

tile_ops!(WideningMul: i8, [u8; 4], 4, |sums, weights, row| {
    let (weights, row) = (vreinterpretq_s8_s32(weights), vreinterpretq_s8_s32(row));
    let low = vmull_s8(vget_low_s8(weights), vget_low_s8(row));
    let high = vmull_high_s8(weights, row);
    // A sum of two products fits i16: 2 * 127 * 127 < 2^15.
    vaddq_s32(sums, vpaddlq_s16(vpaddq_s16(low, high)))
});
tile_ops!(DotProd: i8, [u8; 4], 4, |sums, weights, row| {
    let mut sums = sums;
    // The intrinsic `vdotq_s32` is not stable yet.
    asm!(
        "sdot {sums:v}.4s, {weights:v}.16b, {row:v}.16b",
        sums = inout(vreg) sums, weights = in(vreg) weights, row = in(vreg) row,
        options(pure, nomem, nostack, preserves_flags),
    );
    sums
});
tile_ops!(WordDot: i16, [i16; 2], 2, |sums, weights, row| {
    let (weights, row) = (vreinterpretq_s16_s32(weights), vreinterpretq_s16_s32(row));
    let low = vmull_s16(vget_low_s16(weights), vget_low_s16(row));
    let high = vmull_high_s16(weights, row);
    vaddq_s32(sums, vpaddq_s32(low, high))
});

impl TileOps for FloatMulAdd {
    type A = f32;
    type B = f32;
    type Accumulator = f32;
    type RowVector = float32x4_t;
    type WeightVector = float32x4_t;
    type AccumulatorVector = float32x4_t;
    const STEP: usize = 1;
    const COLUMNS: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> float32x4_t {
        // SAFETY: the caller guarantees NEON.
        unsafe { vdupq_n_f32(0.0) }
    }
    #[inline(always)]
    unsafe fn broadcast_row(from: *const f32) -> float32x4_t {
        // SAFETY: the caller guarantees NEON and a readable value.
        unsafe { vld1q_dup_f32(from) }
    }
    #[inline(always)]
    unsafe fn load_weights(from: *const f32) -> float32x4_t {
        // SAFETY: the caller guarantees NEON and `COLUMNS` readable columns.
        unsafe { vld1q_f32(from) }
    }
    #[inline(always)]
    unsafe fn multiply_add(sums: float32x4_t, weights: float32x4_t, row: float32x4_t) -> float32x4_t {
        // SAFETY: the caller guarantees NEON.
        unsafe { vfmaq_f32(sums, weights, row) }
    }
    #[inline(always)]
    unsafe fn store_sums(sums: float32x4_t, to: *mut f32) {
        // SAFETY: the caller guarantees NEON and `COLUMNS` writable sums.
        unsafe { vst1q_f32(to, sums) }
    }
}
