//! x86-64: AVX2 for lanes, and tiles from AVX2, AVX-VNNI or AVX-512.
#![allow(unsafe_code, reason = "instructions that have to be there, and loads; each with its reason")]

use std::arch::x86_64::*;
use std::marker::PhantomData;

use super::{DEPTH_STEP, Isa, QuantizedValue, Tile, TileOps, compute_tile};
use crate::math::SimdF32;

/// What tells the x86 instruction sets apart: their tiles. See [`Isa`].
pub(crate) trait TileSet: Copy + 'static {
    const ROWS: usize;
    const PANEL: usize;
    fn tile_q8(a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tile: &mut Tile<i32>);
    fn tile_i16(a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>);
    fn tile_f32(a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>);
}

/// AVX2 and FMA with some tiles. Its functions may only run where the features are, which `kernels` makes sure of
/// before it hands out anything built on them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct X86<T>(PhantomData<T>);

impl<T: TileSet> SimdF32 for X86<T> {
    type F32 = __m256;

    #[inline(always)]
    fn splat(value: f32) -> __m256 {
        // SAFETY: AVX2 is there, see `X86`. The same holds for all that follow.
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    fn add(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn min(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn max(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn round(a: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn exp2_int(a: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(a), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        }
    }
}

impl<T: TileSet> Isa for X86<T> {
    const ROWS: usize = T::ROWS;
    const PANEL: usize = T::PANEL;

    #[inline(always)]
    fn load(values: &[f32; 8]) -> __m256 {
        // SAFETY: eight f32 are one vector, and this load needs no alignment.
        unsafe { _mm256_loadu_ps(values.as_ptr()) }
    }
    #[inline(always)]
    fn store(lanes: __m256, values: &mut [f32; 8]) {
        // SAFETY: eight f32 are one vector, and this store needs no alignment.
        unsafe { _mm256_storeu_ps(values.as_mut_ptr(), lanes) }
    }
    #[inline(always)]
    fn load_i32(values: &[i32; 8]) -> __m256 {
        // SAFETY: eight i32 are one vector, and this load needs no alignment.
        unsafe { _mm256_cvtepi32_ps(_mm256_loadu_si256(values.as_ptr().cast())) }
    }
    #[inline(always)]
    fn store_i16(a: __m256, values: &mut [i16; 8]) {
        // SAFETY: eight i16 are one vector, and this store needs no alignment.
        unsafe { _mm_storeu_si128(values.as_mut_ptr().cast(), to_i16(a)) }
    }
    #[inline(always)]
    fn store_quantized(a: __m256, values: &mut [QuantizedValue; 8]) {
        // SAFETY: the low eight bytes go to eight bytes.
        unsafe {
            let words = to_i16(a);
            _mm_storel_epi64(values.as_mut_ptr().cast(), _mm_packs_epi16(words, words));
        }
    }

    #[inline(always)]
    fn tile_q8(a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tile: &mut Tile<i32>) {
        T::tile_q8(a, stride, panel, tile);
    }
    #[inline(always)]
    fn tile_i16(a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>) {
        T::tile_i16(a, stride, panel, tile);
    }
    #[inline(always)]
    fn tile_f32(a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>) {
        T::tile_f32(a, stride, panel, tile);
    }
}

/// Whole numbers as 16-bit lanes.
#[inline(always)]
fn to_i16(a: __m256) -> __m128i {
    // SAFETY: AVX2 is there, see `X86`.
    unsafe {
        let whole = _mm256_cvtps_epi32(a);
        _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256::<1>(whole))
    }
}

/// AVX2: pairs of products with one instruction, pairs of pairs with another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2;

/// AVX-VNNI: four products and their sum with one instruction.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AvxVnni;

/// AVX-512 VNNI: the same, sixteen columns at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512Vnni;

impl TileSet for Avx2 {
    const ROWS: usize = 6;
    const PANEL: usize = 16;

    #[inline(always)]
    fn tile_q8(a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tile: &mut Tile<i32>) {
        // SAFETY: AVX2 is there, see `X86`. The same holds for all that follow.
        unsafe { avx2_q8(a, stride, panel, tile) }
    }
    #[inline(always)]
    fn tile_i16(a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>) {
        // SAFETY: see `tile_q8`.
        unsafe { avx2_i16(a, stride, panel, tile) }
    }
    #[inline(always)]
    fn tile_f32(a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>) {
        // SAFETY: see `tile_q8`.
        unsafe { avx2_f32(a, stride, panel, tile) }
    }
}

impl TileSet for AvxVnni {
    const ROWS: usize = 6;
    const PANEL: usize = 16;

    #[inline(always)]
    fn tile_q8(a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tile: &mut Tile<i32>) {
        // SAFETY: AVX-VNNI is there, see `X86`.
        unsafe { avx_vnni_q8(a, stride, panel, tile) }
    }
    #[inline(always)]
    fn tile_i16(a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>) {
        // SAFETY: see `tile_q8`.
        unsafe { avx_vnni_i16(a, stride, panel, tile) }
    }
    #[inline(always)]
    fn tile_f32(a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>) {
        Avx2::tile_f32(a, stride, panel, tile);
    }
}

impl TileSet for Avx512Vnni {
    const ROWS: usize = 8;
    const PANEL: usize = 32;

    #[inline(always)]
    fn tile_q8(a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tile: &mut Tile<i32>) {
        // SAFETY: AVX-512 VNNI is there, see `X86`. The same holds for all that follow.
        unsafe { avx512_q8(a, stride, panel, tile) }
    }
    #[inline(always)]
    fn tile_i16(a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>) {
        // SAFETY: see `tile_q8`.
        unsafe { avx512_i16(a, stride, panel, tile) }
    }
    #[inline(always)]
    fn tile_f32(a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>) {
        // SAFETY: see `tile_q8`.
        unsafe { avx512_f32(a, stride, panel, tile) }
    }
}

/// A tile with a name, for only with a name can a function be told which instructions it may use.
macro_rules! tile_function {
    ($name:ident, $features:literal, $product:ty, $rows:literal x $panel:literal) => {
        #[target_feature(enable = $features)]
        fn $name(
            a: &[<$product as TileOps>::A],
            stride: usize,
            panel: &[<$product as TileOps>::B],
            to: &mut Tile<<$product as TileOps>::Accumulator>,
        ) {
            // SAFETY: the instructions are those this function may use.
            unsafe { compute_tile::<$product, $rows, 2, $panel>(a, stride, panel, to) }
        }
    };
}

tile_function!(avx2_q8, "avx2,fma", ByteDot256<Avx2>, 6 x 16);
tile_function!(avx2_i16, "avx2,fma", WordDot256<Avx2>, 6 x 16);
tile_function!(avx2_f32, "avx2,fma", FloatFma256, 6 x 16);
tile_function!(avx_vnni_q8, "avx2,fma,avxvnni", ByteDot256<AvxVnni>, 6 x 16);
tile_function!(avx_vnni_i16, "avx2,fma,avxvnni", WordDot256<AvxVnni>, 6 x 16);
tile_function!(avx512_q8, "avx512f,avx512vnni", ByteDot512, 8 x 32);
tile_function!(avx512_i16, "avx512f,avx512vnni", WordDot512, 8 x 32);
tile_function!(avx512_f32, "avx512f", FloatFma512, 8 x 32);

/// Four products of bytes to a column.
struct ByteDot256<T>(PhantomData<T>);
/// Two products of 16-bit numbers to a column.
struct WordDot256<T>(PhantomData<T>);
/// A product of f32 to a column.
struct FloatFma256;
/// As [`ByteDot256`].
struct ByteDot512;
/// As [`WordDot256`].
struct WordDot512;
/// As [`FloatFma256`].
struct FloatFma512;

/// A [`TileOps`] over one kind of vector: all but how a row is read and how its products are added is alike.
macro_rules! tile_ops {
    (
        $product:ty: $a:ty, $b:ty => $sum:ty, $step:literal x $columns:literal in $vector:ty,
        $zero:ident, $load:ident, $store:ident,
        |$from:ident| $row:expr,
        |$sums:ident, $weights:ident, $values:ident| $add:expr
    ) => {
        impl TileOps for $product {
            type A = $a;
            type B = $b;
            type Accumulator = $sum;
            type RowVector = $vector;
            type WeightVector = $vector;
            type AccumulatorVector = $vector;
            const STEP: usize = $step;
            const COLUMNS: usize = $columns;

            // SAFETY, of all: the caller vouches for the instructions and the pointers.
            #[inline(always)]
            unsafe fn zero() -> $vector {
                unsafe { $zero() }
            }
            #[inline(always)]
            unsafe fn broadcast_row($from: *const $a) -> $vector {
                unsafe { $row }
            }
            #[inline(always)]
            unsafe fn load_weights(from: *const $b) -> $vector {
                unsafe { $load(from.cast()) }
            }
            #[inline(always)]
            unsafe fn multiply_add($sums: $vector, $weights: $vector, $values: $vector) -> $vector {
                unsafe { $add }
            }
            #[inline(always)]
            unsafe fn store_sums(sums: $vector, to: *mut $sum) {
                unsafe { $store(to.cast(), sums) }
            }
        }
    };
}

tile_ops!(
    ByteDot256<Avx2>: i8, [u8; 4] => i32, 4 x 8 in __m256i,
    _mm256_setzero_si256, _mm256_loadu_si256, _mm256_storeu_si256,
    |from| _mm256_set1_epi32(from.cast::<i32>().read_unaligned()),
    |sums, weights, row| _mm256_add_epi32(
        sums,
        _mm256_madd_epi16(_mm256_maddubs_epi16(weights, row), _mm256_set1_epi16(1))
    )
);
tile_ops!(
    ByteDot256<AvxVnni>: i8, [u8; 4] => i32, 4 x 8 in __m256i,
    _mm256_setzero_si256, _mm256_loadu_si256, _mm256_storeu_si256,
    |from| _mm256_set1_epi32(from.cast::<i32>().read_unaligned()),
    |sums, weights, row| _mm256_dpbusd_avx_epi32(sums, weights, row)
);
tile_ops!(
    WordDot256<Avx2>: i16, [i16; 2] => i32, 2 x 8 in __m256i,
    _mm256_setzero_si256, _mm256_loadu_si256, _mm256_storeu_si256,
    |from| _mm256_set1_epi32(from.cast::<i32>().read_unaligned()),
    |sums, weights, row| _mm256_add_epi32(sums, _mm256_madd_epi16(weights, row))
);
tile_ops!(
    WordDot256<AvxVnni>: i16, [i16; 2] => i32, 2 x 8 in __m256i,
    _mm256_setzero_si256, _mm256_loadu_si256, _mm256_storeu_si256,
    |from| _mm256_set1_epi32(from.cast::<i32>().read_unaligned()),
    |sums, weights, row| _mm256_dpwssd_avx_epi32(sums, weights, row)
);
tile_ops!(
    FloatFma256: f32, f32 => f32, 1 x 8 in __m256,
    _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps,
    |from| _mm256_set1_ps(*from),
    |sums, weights, row| _mm256_fmadd_ps(row, weights, sums)
);
tile_ops!(
    ByteDot512: i8, [u8; 4] => i32, 4 x 16 in __m512i,
    _mm512_setzero_si512, _mm512_loadu_si512, _mm512_storeu_si512,
    |from| _mm512_set1_epi32(from.cast::<i32>().read_unaligned()),
    |sums, weights, row| _mm512_dpbusd_epi32(sums, weights, row)
);
tile_ops!(
    WordDot512: i16, [i16; 2] => i32, 2 x 16 in __m512i,
    _mm512_setzero_si512, _mm512_loadu_si512, _mm512_storeu_si512,
    |from| _mm512_set1_epi32(from.cast::<i32>().read_unaligned()),
    |sums, weights, row| _mm512_dpwssd_epi32(sums, weights, row)
);
tile_ops!(
    FloatFma512: f32, f32 => f32, 1 x 16 in __m512,
    _mm512_setzero_ps, _mm512_loadu_ps, _mm512_storeu_ps,
    |from| _mm512_set1_ps(*from),
    |sums, weights, row| _mm512_fmadd_ps(row, weights, sums)
);
