//! Sixteen lanes in AVX-512.

use std::arch::x86_64::*;

use super::{Avx512Vnni, TileSet, X86};
use crate::engine::cpu::arch::{QuantizedValue, WideF32};
use crate::math::SimdF32;

/// Lanes of a vector.
const LANES: usize = 16;

/// Sixteen lanes of AVX-512. A value exists only if the processor has the instructions: the field is the token of a set
/// that includes them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512Lanes(X86<Avx512Vnni>);

impl Avx512Lanes {
    #[inline(always)]
    pub(super) fn of(isa: X86<Avx512Vnni>) -> Self {
        Self(isa)
    }
}

impl SimdF32 for Avx512Lanes {
    type F32 = __m512;

    #[inline(always)]
    fn splat(self, value: f32) -> __m512 {
        // SAFETY: `self` exists only if the processor has AVX-512.
        unsafe { _mm512_set1_ps(value) }
    }
    #[inline(always)]
    fn add(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see `splat`.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see `splat`.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see `splat`.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn div(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see `splat`.
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    fn min(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see `splat`.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: __m512, b: __m512) -> __m512 {
        // SAFETY: see `splat`.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    fn round(self, a: __m512) -> __m512 {
        // SAFETY: see `splat`.
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    fn exp2_int(self, a: __m512) -> __m512 {
        // SAFETY: see `splat`.
        unsafe {
            let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(a), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
        }
    }
}

impl<T: TileSet> WideF32<X86<T>> for Avx512Lanes {
    const LANES: usize = LANES;

    #[inline(always)]
    fn read(self, from: &[f32]) -> __m512 {
        let from = &from[..LANES];
        // SAFETY: see `splat`. The slice is one vector, and the load needs no alignment.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }
    #[inline(always)]
    fn write(self, lanes: __m512, to: &mut [f32]) {
        let to = &mut to[..LANES];
        // SAFETY: see `splat`. The slice is one vector, and the store needs no alignment.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), lanes) }
    }
    #[inline(always)]
    fn read_i32(self, from: &[i32]) -> __m512 {
        let from = &from[..LANES];
        // SAFETY: see `read`.
        unsafe { _mm512_cvtepi32_ps(_mm512_loadu_si512(from.as_ptr().cast())) }
    }
    #[inline(always)]
    fn write_i16(self, a: __m512, to: &mut [i16]) {
        let to = &mut to[..LANES];
        // SAFETY: see `splat`. Sixteen i16 are half a vector.
        unsafe {
            _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(a)));
        }
    }
    #[inline(always)]
    fn write_quantized(self, a: __m512, to: &mut [QuantizedValue]) {
        let to = &mut to[..LANES];
        // SAFETY: see `splat`. Sixteen bytes are a quarter of a vector.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(a))) }
    }
    #[inline(always)]
    fn add_eights(self, sums: __m256, lanes: __m512) -> __m256 {
        // SAFETY: see `splat`.
        unsafe {
            let sums = _mm256_add_ps(sums, _mm512_castps512_ps256(lanes));
            _mm256_add_ps(sums, _mm512_extractf32x8_ps::<1>(lanes))
        }
    }
    #[inline(always)]
    fn max_eights(self, max: __m256, lanes: __m512) -> __m256 {
        // SAFETY: see `splat`.
        unsafe {
            let max = _mm256_max_ps(max, _mm512_castps512_ps256(lanes));
            _mm256_max_ps(max, _mm512_extractf32x8_ps::<1>(lanes))
        }
    }
    #[inline(always)]
    fn min_max(self, [min, max]: [__m512; 2]) -> (f32, f32) {
        // SAFETY: see `splat`.
        unsafe { (_mm512_reduce_min_ps(min), _mm512_reduce_max_ps(max)) }
    }
}
