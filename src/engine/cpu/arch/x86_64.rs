//! x86-64: lanes in AVX2, and tiles in AVX2, AVX-VNNI or AVX-512.
#![expect(unsafe_code, reason = "intrinsics that a token vouches for, and loads and stores of vectors")]

use std::arch::x86_64::*;
use std::fmt::Debug;
use std::marker::PhantomData;

use super::{DEPTH_STEP, Isa, QuantizedValue, Tile, TileOps, compute_tile};
use crate::math::SimdF32;

/// The tiles of an x86 instruction set; a value proves that the processor has their instructions. See [`Isa`].
pub(crate) trait TileSet: Copy + Debug + Send + Sync + 'static {
    const NAME: &'static str;
    const ROWS: usize;
    const PANEL: usize;
    fn detect() -> Option<Self>;
    fn tile_q8(self, a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tile: &mut Tile<i32>);
    fn tile_i16(self, a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>);
    fn tile_f32(self, a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>);
}

/// AVX2 and FMA, with the tiles `T`. A value exists only if the processor has the instructions of both: the field is
/// private, and [`Isa::detect`] asks the processor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct X86<T>(T);

impl<T: TileSet> SimdF32 for X86<T> {
    type F32 = __m256;

    #[inline(always)]
    fn splat(self, value: f32) -> __m256 {
        // SAFETY: `self` exists only if the processor has AVX2 and FMA.
        unsafe { _mm256_set1_ps(value) }
    }
    #[inline(always)]
    fn add(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: __m256, b: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn round(self, a: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn exp2_int(self, a: __m256) -> __m256 {
        // SAFETY: see `splat`.
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(a), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        }
    }
}

impl<T: TileSet> Isa for X86<T> {
    const NAME: &'static str = T::NAME;
    const ROWS: usize = T::ROWS;
    const PANEL: usize = T::PANEL;

    fn detect() -> Option<Self> {
        let tiles = T::detect()?;
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(tiles))
    }

    #[inline(always)]
    fn load(self, values: &[f32; 8]) -> __m256 {
        // SAFETY: see `splat`. Eight f32 are one vector, and the load needs no alignment.
        unsafe { _mm256_loadu_ps(values.as_ptr()) }
    }
    #[inline(always)]
    fn store(self, lanes: __m256, values: &mut [f32; 8]) {
        // SAFETY: see `splat`. Eight f32 are one vector, and the store needs no alignment.
        unsafe { _mm256_storeu_ps(values.as_mut_ptr(), lanes) }
    }
    #[inline(always)]
    fn load_i32(self, values: &[i32; 8]) -> __m256 {
        // SAFETY: see `splat`. Eight i32 are one vector, and the load needs no alignment.
        unsafe { _mm256_cvtepi32_ps(_mm256_loadu_si256(values.as_ptr().cast())) }
    }
    #[inline(always)]
    fn store_i16(self, a: __m256, values: &mut [i16; 8]) {
        // SAFETY: see `splat`. Eight i16 are one vector, and the store needs no alignment.
        unsafe { _mm_storeu_si128(values.as_mut_ptr().cast(), to_i16(a)) }
    }
    #[inline(always)]
    fn store_quantized(self, a: __m256, values: &mut [QuantizedValue; 8]) {
        // SAFETY: see `splat`. The store writes eight bytes.
        unsafe {
            let words = to_i16(a);
            _mm_storel_epi64(values.as_mut_ptr().cast(), _mm_packs_epi16(words, words));
        }
    }

    #[inline(always)]
    fn tile_q8(self, a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tile: &mut Tile<i32>) {
        self.0.tile_q8(a, stride, panel, tile);
    }
    #[inline(always)]
    fn tile_i16(self, a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>) {
        self.0.tile_i16(a, stride, panel, tile);
    }
    #[inline(always)]
    fn tile_f32(self, a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>) {
        self.0.tile_f32(a, stride, panel, tile);
    }
}

/// Converts whole numbers to 16-bit lanes.
///
/// # Safety
/// The processor has AVX2.
#[inline(always)]
unsafe fn to_i16(a: __m256) -> __m128i {
    // SAFETY: the caller guarantees AVX2.
    unsafe {
        let whole = _mm256_cvtps_epi32(a);
        _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256::<1>(whole))
    }
}

/// AVX2: `vpmaddubsw` adds pairs of byte products, `vpmaddwd` pairs of those. Codes of 7 bits keep the first within
/// i16.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

/// AVX-VNNI: `vpdpbusd` adds four byte products to a sum. Tiles of f32 are those of AVX2.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AvxVnni(Avx2);

/// AVX-512 VNNI: `vpdpbusd` on sixteen columns at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512Vnni(());

impl TileSet for Avx2 {
    const NAME: &'static str = "avx2";
    const ROWS: usize = 6;
    const PANEL: usize = 16;

    fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
    #[inline(always)]
    fn tile_q8(self, a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tile: &mut Tile<i32>) {
        // SAFETY: `self` exists only if the processor has AVX2 and FMA.
        unsafe { avx2_q8(a, stride, panel, tile) }
    }
    #[inline(always)]
    fn tile_i16(self, a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>) {
        // SAFETY: see `tile_q8`.
        unsafe { avx2_i16(a, stride, panel, tile) }
    }
    #[inline(always)]
    fn tile_f32(self, a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>) {
        // SAFETY: see `tile_q8`.
        unsafe { avx2_f32(a, stride, panel, tile) }
    }
}

impl TileSet for AvxVnni {
    const NAME: &'static str = "avx-vnni";
    const ROWS: usize = Avx2::ROWS;
    const PANEL: usize = Avx2::PANEL;

    fn detect() -> Option<Self> {
        let avx2 = Avx2::detect()?;
        is_x86_feature_detected!("avxvnni").then_some(Self(avx2))
    }
    #[inline(always)]
    fn tile_q8(self, a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tile: &mut Tile<i32>) {
        // SAFETY: `self` exists only if the processor has AVX-VNNI, AVX2 and FMA.
        unsafe { avx_vnni_q8(a, stride, panel, tile) }
    }
    #[inline(always)]
    fn tile_i16(self, a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>) {
        // SAFETY: see `tile_q8`.
        unsafe { avx_vnni_i16(a, stride, panel, tile) }
    }
    #[inline(always)]
    fn tile_f32(self, a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>) {
        self.0.tile_f32(a, stride, panel, tile);
    }
}

impl TileSet for Avx512Vnni {
    const NAME: &'static str = "avx512-vnni";
    const ROWS: usize = 8;
    const PANEL: usize = 32;

    fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")).then_some(Self(()))
    }
    #[inline(always)]
    fn tile_q8(self, a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tile: &mut Tile<i32>) {
        // SAFETY: `self` exists only if the processor has AVX-512F and AVX-512 VNNI.
        unsafe { avx512_q8(a, stride, panel, tile) }
    }
    #[inline(always)]
    fn tile_i16(self, a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>) {
        // SAFETY: see `tile_q8`.
        unsafe { avx512_i16(a, stride, panel, tile) }
    }
    #[inline(always)]
    fn tile_f32(self, a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>) {
        // SAFETY: see `tile_q8`.
        unsafe { avx512_f32(a, stride, panel, tile) }
    }
}

/// Declares a function for a tile, because only functions can enable instructions.
macro_rules! tile_function {
    ($name:ident, $features:literal, $product:ty, $rows:literal x $panel:literal) => {
        #[target_feature(enable = $features)]
        fn $name(
            a: &[<$product as TileOps>::A],
            stride: usize,
            panel: &[<$product as TileOps>::B],
            to: &mut Tile<<$product as TileOps>::Accumulator>,
        ) {
            // SAFETY: this function enables the instructions.
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

/// Four products of bytes per column, in 256-bit vectors.
struct ByteDot256<T>(PhantomData<T>);
/// Two products of 16-bit integers per column, in 256-bit vectors.
struct WordDot256<T>(PhantomData<T>);
/// One product of f32 per column, in 256-bit vectors.
struct FloatFma256;
/// [`ByteDot256`] in 512-bit vectors.
struct ByteDot512;
/// [`WordDot256`] in 512-bit vectors.
struct WordDot512;
/// [`FloatFma256`] in 512-bit vectors.
struct FloatFma512;

/// Implements [`TileOps`]; implementations differ in the vector, how a row is read and how products are added.
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

            #[inline(always)]
            unsafe fn zero() -> $vector {
                // SAFETY: the caller guarantees the instructions.
                unsafe { $zero() }
            }
            #[inline(always)]
            unsafe fn broadcast_row($from: *const $a) -> $vector {
                // SAFETY: the caller guarantees the instructions and `STEP` readable values.
                unsafe { $row }
            }
            #[inline(always)]
            unsafe fn load_weights(from: *const $b) -> $vector {
                // SAFETY: the caller guarantees the instructions and `COLUMNS` readable columns.
                unsafe { $load(from.cast()) }
            }
            #[inline(always)]
            unsafe fn multiply_add($sums: $vector, $weights: $vector, $values: $vector) -> $vector {
                // SAFETY: the caller guarantees the instructions.
                unsafe { $add }
            }
            #[inline(always)]
            unsafe fn store_sums(sums: $vector, to: *mut $sum) {
                // SAFETY: the caller guarantees the instructions and `COLUMNS` writable sums.
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
