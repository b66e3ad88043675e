//! x86-64: lanes in AVX2 or AVX-512, and tiles in AVX2, AVX-VNNI, AVX-512 or AMX.
#![expect(unsafe_code, reason = "intrinsics that a token vouches for, and loads and stores of vectors")]

#[cfg(target_os = "linux")]
mod amx;
mod avx512;
mod tiles;

#[cfg(target_os = "linux")]
pub(crate) use amx::AmxInt8;
pub(crate) use avx512::Avx512Lanes;
pub(crate) use tiles::{Avx2, Avx512Vnni, AvxVnni};

use std::arch::x86_64::*;
use std::fmt::Debug;

use super::{DEPTH_STEP, Isa, Panel, QuantizedValue, Tile, TilesQ8, WideF32};
use crate::math::SimdF32;

/// The tiles of an x86 instruction set; a value proves that the processor has their instructions. See [`Isa`].
pub(crate) trait TileSet: Copy + Debug + Send + Sync + 'static {
    type Wide: WideF32<X86<Self>>;
    const NAME: &'static str;
    const ROWS: usize;
    const ROWS_Q8: usize = Self::ROWS;
    const PANEL: usize;
    fn detect() -> Option<Self>;
    fn wide(isa: X86<Self>) -> Self::Wide;
    fn tile_q8(self, a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tile: &mut Tile<i32>);
    fn configure_q8(self) -> impl Sized {}
    #[inline(always)]
    fn tiles_q8(self, a: &[i8], stride: usize, panel: &[[u8; DEPTH_STEP]], tiles: &mut TilesQ8) {
        self.tile_q8(a, stride, panel, &mut tiles[0]);
    }
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
    const ROWS_Q8: usize = T::ROWS_Q8;
    const ROWS_I16: usize = T::ROWS;
    const ROWS_F32: usize = T::ROWS;
    const PANEL: usize = T::PANEL;
    type Wide = T::Wide;

    #[inline(always)]
    fn wide(self) -> T::Wide {
        T::wide(self)
    }

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
    fn tile_q8(self, a: &[i8], stride: usize, panel: Panel, tile: &mut Tile<i32>) {
        self.0.tile_q8(a, stride, panel.codes, tile);
    }
    #[inline(always)]
    fn configure_q8(self) -> impl Sized {
        self.0.configure_q8()
    }
    #[inline(always)]
    fn tiles_q8(self, a: &[i8], stride: usize, panel: Panel, tiles: &mut TilesQ8) {
        self.0.tiles_q8(a, stride, panel.codes, tiles);
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
