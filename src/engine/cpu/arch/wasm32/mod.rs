//! WebAssembly: 128-bit SIMD, and relaxed SIMD if the build enables it.
#![expect(unsafe_code, reason = "loads and stores of vectors")]

#[cfg(feature = "relaxed-simd")]
mod blocks;
#[cfg(not(feature = "relaxed-simd"))]
pub(super) mod words;

use std::arch::wasm32::*;
use std::fmt::Debug;

use super::{
    DEPTH_STEP, Isa, Panel, PanelColumns, PanelRows, QuantizedValue, Remainders, RowConstants, Tile, TileOps,
    compute_tile,
};
use crate::math::SimdF32;

/// WebAssembly with a way to multiply bytes. A browser compiles a file only if it has all of its instructions, so a
/// build has the tokens of its own file and no others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wasm<D>(D);

const PANEL: usize = 8;

// V8 has fifteen of the processor's sixteen vector registers for values. Two weights, a row and the sums must fit into
// them, and products, unless one instruction multiplies and adds. A sum that does not fit goes through memory in every
// step, which takes longer than its arithmetic.
/// Rows of a tile whose products are added by a second instruction.
const ROWS_WITH_PRODUCTS: usize = 5;
/// Rows of a tile whose products are added by the instruction that multiplies.
#[cfg(feature = "relaxed-simd")]
const ROWS_OF_SUMS: usize = 6;
const ROWS_I16: usize = ROWS_WITH_PRODUCTS;
#[cfg(feature = "relaxed-simd")]
const ROWS_F32: usize = ROWS_OF_SUMS;
#[cfg(not(feature = "relaxed-simd"))]
const ROWS_F32: usize = ROWS_WITH_PRODUCTS;

impl<D: Q8Dot> Wasm<D> {
    /// Returns the token: every build has the instructions of its dots.
    pub(crate) fn of_build() -> Self {
        Self(D::TOKEN)
    }
}

impl<D: Q8Dot> SimdF32 for Wasm<D> {
    /// Lanes 0 to 3 and lanes 4 to 7.
    type F32 = [v128; 2];

    #[inline(always)]
    fn splat(self, value: f32) -> [v128; 2] {
        [f32x4_splat(value); 2]
    }
    #[inline(always)]
    fn add(self, a: [v128; 2], b: [v128; 2]) -> [v128; 2] {
        [f32x4_add(a[0], b[0]), f32x4_add(a[1], b[1])]
    }
    #[inline(always)]
    fn sub(self, a: [v128; 2], b: [v128; 2]) -> [v128; 2] {
        [f32x4_sub(a[0], b[0]), f32x4_sub(a[1], b[1])]
    }
    #[inline(always)]
    fn mul(self, a: [v128; 2], b: [v128; 2]) -> [v128; 2] {
        [f32x4_mul(a[0], b[0]), f32x4_mul(a[1], b[1])]
    }
    #[inline(always)]
    fn div(self, a: [v128; 2], b: [v128; 2]) -> [v128; 2] {
        [f32x4_div(a[0], b[0]), f32x4_div(a[1], b[1])]
    }
    #[inline(always)]
    fn min(self, a: [v128; 2], b: [v128; 2]) -> [v128; 2] {
        // pmin(x, y) is `y < x ? y : x`: one instruction on x86, while min takes several.
        [f32x4_pmin(b[0], a[0]), f32x4_pmin(b[1], a[1])]
    }
    #[inline(always)]
    fn max(self, a: [v128; 2], b: [v128; 2]) -> [v128; 2] {
        // pmax(x, y) is `x < y ? y : x`.
        [f32x4_pmax(b[0], a[0]), f32x4_pmax(b[1], a[1])]
    }
    #[inline(always)]
    fn round(self, a: [v128; 2]) -> [v128; 2] {
        [f32x4_nearest(a[0]), f32x4_nearest(a[1])]
    }
    #[inline(always)]
    fn exp2_int(self, a: [v128; 2]) -> [v128; 2] {
        [exp2_int(a[0]), exp2_int(a[1])]
    }
}

impl<D: Q8Dot> Isa for Wasm<D> {
    const NAME: &'static str = D::NAME;
    const ROWS_Q8: usize = D::ROWS;
    const ROWS_I16: usize = ROWS_I16;
    const ROWS_F32: usize = ROWS_F32;
    const PANEL: usize = PANEL;
    type Wide = Self;

    #[inline(always)]
    fn wide(self) -> Self {
        self
    }

    #[inline(always)]
    fn load(self, values: &[f32; 8]) -> [v128; 2] {
        // SAFETY: eight f32 are two vectors, and loads need no alignment.
        unsafe { [v128_load(values.as_ptr().cast()), v128_load(values.as_ptr().add(4).cast())] }
    }
    #[inline(always)]
    fn store(self, lanes: [v128; 2], values: &mut [f32; 8]) {
        // SAFETY: eight f32 are two vectors, and stores need no alignment.
        unsafe {
            v128_store(values.as_mut_ptr().cast(), lanes[0]);
            v128_store(values.as_mut_ptr().add(4).cast(), lanes[1]);
        }
    }
    #[inline(always)]
    fn load_i32(self, values: &[i32; 8]) -> [v128; 2] {
        // SAFETY: eight i32 are two vectors, and loads need no alignment.
        let lanes = unsafe { [v128_load(values.as_ptr().cast()), v128_load(values.as_ptr().add(4).cast())] };
        [f32x4_convert_i32x4(lanes[0]), f32x4_convert_i32x4(lanes[1])]
    }
    #[inline(always)]
    fn store_i16(self, a: [v128; 2], values: &mut [i16; 8]) {
        let [low, high] = to_i32(a);
        // SAFETY: eight i16 are one vector.
        unsafe { v128_store(values.as_mut_ptr().cast(), i16x8_narrow_i32x4(low, high)) };
    }
    #[cfg(feature = "relaxed-simd")]
    #[inline(always)]
    fn store_quantized(self, a: [v128; 2], values: &mut [QuantizedValue; 8]) {
        let [low, high] = to_i32(a);
        let words = i16x8_narrow_i32x4(low, high);
        // SAFETY: the store writes eight bytes.
        unsafe { v128_store64_lane::<0>(i8x16_narrow_i16x8(words, words), values.as_mut_ptr().cast()) };
    }
    #[cfg(not(feature = "relaxed-simd"))]
    #[inline(always)]
    fn store_quantized(self, a: [v128; 2], values: &mut [QuantizedValue; 8]) {
        self.store_i16(a, values);
    }

    #[inline(always)]
    fn arrange(self, panels: &mut [[u8; DEPTH_STEP]], depth: usize) -> Remainders {
        self.0.arrange(panels, depth)
    }
    #[inline(always)]
    fn row_stride(self, depth: usize) -> usize {
        self.0.row_stride(depth)
    }
    #[inline(always)]
    fn position(self, column: usize) -> usize {
        self.0.position(column)
    }
    #[inline(always)]
    fn add_row_terms(self, row: &mut [QuantizedValue], depth: usize, constants: RowConstants) {
        self.0.add_row_terms(row, depth, constants);
    }
    #[inline(always)]
    fn panel_rows_q8(self, rows: PanelRows, panel: Panel, columns: PanelColumns, to: &mut [f32]) -> bool {
        self.0.panel_rows_q8(rows, panel, columns, to)
    }
    #[inline(always)]
    fn tile_q8(self, a: &[QuantizedValue], stride: usize, panel: Panel, tile: &mut Tile<i32>) {
        self.0.tile_q8(a, stride, panel, tile);
    }
    #[inline(always)]
    fn tile_i16(self, a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>) {
        tile_i16(a, stride, panel, tile);
    }
    #[inline(always)]
    fn tile_f32(self, a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>) {
        tile_f32(a, stride, panel, tile);
    }
}

/// Returns two to the power of whole numbers: after adding 2^23 + 127, the low bits of the sum are the biased exponent.
#[inline(always)]
fn exp2_int(a: v128) -> v128 {
    i32x4_shl(f32x4_add(a, f32x4_splat(8_388_735.0)), 23)
}

/// Converts whole numbers below 2^22 to integers: after adding 1.5 * 2^23, the low bits of the sum are the integer. The
/// conversion instruction takes several on x86, because it also defines results for values that are too large.
#[inline(always)]
fn to_i32(a: [v128; 2]) -> [v128; 2] {
    let offset = f32x4_splat(12_582_912.0);
    [i32x4_sub(f32x4_add(a[0], offset), offset), i32x4_sub(f32x4_add(a[1], offset), offset)]
}

/// The fastest way to multiply bytes, on processors that have it.
#[cfg(feature = "relaxed-simd")]
pub(crate) type PreferredDot = RelaxedDot4;
/// A way that is good on every processor.
#[cfg(feature = "relaxed-simd")]
pub(crate) type FallbackDot = blocks::RelaxedDot2;
#[cfg(not(feature = "relaxed-simd"))]
pub(crate) type PreferredDot = words::WidenedDot;
#[cfg(not(feature = "relaxed-simd"))]
pub(crate) type FallbackDot = words::WidenedDot;

/// How bytes are multiplied. See [`Isa`].
pub(crate) trait Q8Dot: Copy + Debug + Send + Sync + 'static {
    const NAME: &'static str;
    const TOKEN: Self;
    const ROWS: usize;
    fn arrange(self, panels: &mut [[u8; DEPTH_STEP]], depth: usize) -> Remainders;
    #[inline(always)]
    fn row_stride(self, depth: usize) -> usize {
        depth
    }
    #[inline(always)]
    fn position(self, column: usize) -> usize {
        column
    }
    #[inline(always)]
    fn add_row_terms(self, _: &mut [QuantizedValue], _: usize, _: RowConstants) {}
    #[inline(always)]
    fn panel_rows_q8(self, _: PanelRows, _: Panel, _: PanelColumns, _: &mut [f32]) -> bool {
        false
    }
    fn tile_q8(self, a: &[QuantizedValue], stride: usize, panel: Panel, tile: &mut Tile<i32>);
}

// Tiles are small functions, called often and never inlined, because browsers optimize functions that are called often
// and switch to the optimized code only between calls.

#[inline(never)]
fn tile_i16(a: &[i16], stride: usize, panel: &[[i16; 2]], to: &mut Tile<i32>) {
    // SAFETY: every build has the instructions.
    unsafe { compute_tile::<WordDot, ROWS_I16, 2, PANEL>(a, stride, panel, to) }
}

#[inline(never)]
#[cfg_attr(feature = "relaxed-simd", target_feature(enable = "relaxed-simd"))]
fn tile_f32(a: &[f32], stride: usize, panel: &[f32], to: &mut Tile<f32>) {
    // SAFETY: every build has the instructions.
    unsafe { compute_tile::<FloatMulAdd, ROWS_F32, 2, PANEL>(a, stride, panel, to) }
}

/// One relaxed instruction adds four products to a sum: the fastest if the processor has such an instruction.
#[cfg(feature = "relaxed-simd")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct RelaxedDot4(());

#[cfg(feature = "relaxed-simd")]
impl Q8Dot for RelaxedDot4 {
    const NAME: &'static str = "wasm relaxed-simd";
    const TOKEN: Self = Self(());
    const ROWS: usize = ROWS_OF_SUMS;

    #[inline(always)]
    fn arrange(self, _: &mut [[u8; DEPTH_STEP]], _: usize) -> Remainders {
        Remainders::default()
    }
    #[inline(never)]
    #[target_feature(enable = "relaxed-simd")]
    fn tile_q8(self, a: &[QuantizedValue], stride: usize, panel: Panel, to: &mut Tile<i32>) {
        // SAFETY: this build has the instructions.
        unsafe { compute_tile::<Self, ROWS_OF_SUMS, 2, PANEL>(a, stride, panel.codes, to) }
    }
}

/// Two products of 16-bit integers per column.
struct WordDot;
/// One product of f32 per column.
struct FloatMulAdd;

/// Implements [`TileOps`]; implementations differ in how products are added.
macro_rules! tile_ops {
    ($product:ty: $a:ty, $b:ty => $sum:ty, $step:literal, |$sums:ident, $weights:ident, $values:ident| $add:expr) => {
        impl TileOps for $product {
            type A = $a;
            type B = $b;
            type Accumulator = $sum;
            type RowVector = v128;
            type WeightVector = v128;
            type AccumulatorVector = v128;
            const STEP: usize = $step;
            const COLUMNS: usize = 4;

            #[inline(always)]
            unsafe fn zero() -> v128 {
                i32x4_splat(0)
            }
            #[inline(always)]
            unsafe fn broadcast_row(from: *const $a) -> v128 {
                // SAFETY: the caller guarantees `STEP` readable values, which are four bytes.
                unsafe { v128_load32_splat(from.cast()) }
            }
            #[inline(always)]
            unsafe fn load_weights(from: *const $b) -> v128 {
                // SAFETY: the caller guarantees `COLUMNS` readable columns.
                unsafe { v128_load(from.cast()) }
            }
            #[inline(always)]
            unsafe fn multiply_add($sums: v128, $weights: v128, $values: v128) -> v128 {
                $add
            }
            #[inline(always)]
            unsafe fn store_sums(sums: v128, to: *mut $sum) {
                // SAFETY: the caller guarantees `COLUMNS` writable sums.
                unsafe { v128_store(to.cast(), sums) }
            }
        }
    };
}

#[cfg(feature = "relaxed-simd")]
tile_ops!(RelaxedDot4: i8, [u8; 4] => i32, 4, |sums, weights, row| {
    i32x4_relaxed_dot_i8x16_i7x16_add(row, weights, sums)
});
tile_ops!(WordDot: i16, [i16; 2] => i32, 2, |sums, weights, row| i32x4_add(i32x4_dot_i16x8(row, weights), sums));
#[cfg(feature = "relaxed-simd")]
tile_ops!(FloatMulAdd: f32, f32 => f32, 1, |sums, weights, row| f32x4_relaxed_madd(row, weights, sums));
#[cfg(not(feature = "relaxed-simd"))]
tile_ops!(FloatMulAdd: f32, f32 => f32, 1, |sums, weights, row| f32x4_add(f32x4_mul(row, weights), sums));
