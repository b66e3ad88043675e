//! The tiles of AVX2, AVX-VNNI and AVX-512.

use std::arch::x86_64::*;
use std::marker::PhantomData;

use super::avx512::Avx512Lanes;
use super::{TileSet, X86};
use crate::engine::cpu::arch::{DEPTH_STEP, Tile, TileOps, compute_tile};

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
    type Wide = X86<Self>;
    const NAME: &'static str = "avx2";
    const ROWS: usize = 6;
    const PANEL: usize = 16;

    fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
    #[inline(always)]
    fn wide(isa: X86<Self>) -> X86<Self> {
        isa
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
    type Wide = X86<Self>;
    const NAME: &'static str = "avx-vnni";
    const ROWS: usize = Avx2::ROWS;
    const PANEL: usize = Avx2::PANEL;

    fn detect() -> Option<Self> {
        let avx2 = Avx2::detect()?;
        is_x86_feature_detected!("avxvnni").then_some(Self(avx2))
    }
    #[inline(always)]
    fn wide(isa: X86<Self>) -> X86<Self> {
        isa
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
    type Wide = Avx512Lanes;
    const NAME: &'static str = "avx512-vnni";
    const ROWS: usize = 8;
    const PANEL: usize = 32;

    fn detect() -> Option<Self> {
        // Every processor with AVX-512 VNNI has the other four.
        (is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni"))
        .then_some(Self(()))
    }
    #[inline(always)]
    fn wide(isa: X86<Self>) -> Avx512Lanes {
        Avx512Lanes::of(isa)
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
