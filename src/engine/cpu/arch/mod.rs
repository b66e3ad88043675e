//! Instruction sets: for each a token that implements [`Isa`], the only place where instructions are named.
//!
//! Kernels are written once over eight lanes. Every operation gives the same bits on every instruction set (they are
//! IEEE operations, or exact), except [`Isa::tile_f32`], which the q8 path never uses.

#[cfg(target_arch = "aarch64")]
pub(super) mod aarch64;
#[cfg(not(target_arch = "wasm32"))]
pub(super) mod scalar;
#[cfg(target_arch = "wasm32")]
pub(super) mod wasm32;
#[cfg(target_arch = "x86_64")]
pub(super) mod x86_64;

use std::fmt::Debug;

use crate::math::SimdF32;

/// Products that the integer tile over q8 weights takes at once; depths are padded to it with zeros.
pub(super) const DEPTH_STEP: usize = 4;
/// The most rows a tile has; buffers that tiles read have so many rows to spare.
pub(crate) const MAX_TILE_ROWS: usize = 8;
/// The most columns a tile has.
pub(super) const MAX_TILE_COLUMNS: usize = 32;

/// A quantized activation. Without the relaxed integer dot, WebAssembly multiplies 16-bit lanes, so it stores them.
#[cfg(all(target_arch = "wasm32", not(feature = "relaxed-simd")))]
pub(super) type QuantizedValue = i16;
/// A quantized activation.
#[cfg(not(all(target_arch = "wasm32", not(feature = "relaxed-simd"))))]
pub(super) type QuantizedValue = i8;

/// Codes of weights of one column as [`Isa::tile_q8`] reads them.
#[cfg(all(target_arch = "wasm32", not(feature = "relaxed-simd")))]
pub(super) type WeightCodes = [i16; 2];
/// Codes of weights of one column as [`Isa::tile_q8`] reads them.
#[cfg(not(all(target_arch = "wasm32", not(feature = "relaxed-simd"))))]
pub(super) type WeightCodes = [u8; DEPTH_STEP];

/// A packed panel as [`Isa::tile_q8`] reads it, in `room` where that is not as it is stored. Tiles read a panel once for
/// every few rows, so it is widened here and not there.
#[cfg(all(target_arch = "wasm32", not(feature = "relaxed-simd")))]
pub(super) use wasm32::widen_panel;
/// A packed panel as [`Isa::tile_q8`] reads it: as it is stored.
#[cfg(not(all(target_arch = "wasm32", not(feature = "relaxed-simd"))))]
#[inline(always)]
pub(super) fn widen_panel<'a>(panel: &'a [WeightCodes], _room: &mut Vec<WeightCodes>) -> &'a [WeightCodes] {
    panel
}

/// What a tile fills: [`Isa::ROWS`] rows of [`Isa::PANEL`] columns end to end; what is beyond them stays as it is.
pub(super) type Tile<T> = [T; MAX_TILE_ROWS * MAX_TILE_COLUMNS];

/// An instruction set: eight lanes of f32, and tiles of matrix products.
///
/// A tile multiplies `ROWS` rows, `stride` values apart in `a`, with one panel of packed weights, `PANEL` columns wide.
pub(super) trait Isa: SimdF32 + Debug + Send + Sync {
    /// The name that users see.
    const NAME: &'static str;
    /// Rows of a tile.
    const ROWS: usize;
    /// Columns of a tile, and of a panel of packed weights: a multiple of eight.
    const PANEL: usize;

    /// Returns the token if the processor has the instructions. There is no other way to get one, so safe functions
    /// that take a token may use the instructions.
    #[cfg(not(target_arch = "wasm32"))]
    fn detect() -> Option<Self>;

    fn load(self, values: &[f32; 8]) -> Self::F32;
    fn store(self, lanes: Self::F32, values: &mut [f32; 8]);
    /// Whole numbers, rounded to f32.
    fn load_i32(self, values: &[i32; 8]) -> Self::F32;
    /// Whole numbers in -32767..=32767.
    fn store_i16(self, a: Self::F32, values: &mut [i16; 8]);
    /// Whole numbers in -127..=127 as quantized activations.
    fn store_quantized(self, a: Self::F32, values: &mut [QuantizedValue; 8]);

    /// `tile[r][c] = sum over k of a[r * stride + k] * panel[k / n][c][k % n]`, exact.
    ///
    /// `panel` is `[depth / n][PANEL]` of [`WeightCodes`], which are `n` values in 0..=127 each.
    fn tile_q8(self, a: &[QuantizedValue], stride: usize, panel: &[WeightCodes], tile: &mut Tile<i32>);

    /// `tile[r][c] = sum over k of a[r * stride + k] * panel[k / 2][c][k % 2]`, exact where it fits i32.
    ///
    /// `panel` is `[depth / 2][PANEL]` of pairs.
    fn tile_i16(self, a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>);

    /// `tile[r][c] = sum over k of a[r * stride + k] * panel[k][c]`, added in the order of `k`, products rounded or
    /// not.
    ///
    /// `panel` is `[depth][PANEL]`.
    fn tile_f32(self, a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>);
}

/// The vector operations of a tile's innermost loop.
///
/// # Safety
/// The processor has the instructions of the type; pointers are valid for what a function reads or writes.
#[cfg(any(target_arch = "wasm32", target_arch = "x86_64", target_arch = "aarch64"))]
#[expect(unsafe_code, reason = "intrinsics")]
trait TileOps {
    /// Values of a row.
    type A;
    /// The weights of one column that a step takes.
    type B;
    /// Sums.
    type Accumulator;
    /// A row's values of one step, in every column.
    type RowVector: Copy;
    /// The weights of some columns.
    type WeightVector: Copy;
    /// The sums of those columns.
    type AccumulatorVector: Copy;

    /// Values of `A` in a step.
    const STEP: usize;
    /// Columns of a vector.
    const COLUMNS: usize;

    unsafe fn zero() -> Self::AccumulatorVector;
    /// Reads `STEP` values.
    unsafe fn broadcast_row(from: *const Self::A) -> Self::RowVector;
    /// Reads `COLUMNS` columns.
    unsafe fn load_weights(from: *const Self::B) -> Self::WeightVector;
    unsafe fn multiply_add(
        sums: Self::AccumulatorVector,
        weights: Self::WeightVector,
        row: Self::RowVector,
    ) -> Self::AccumulatorVector;
    /// Writes `COLUMNS` sums.
    unsafe fn store_sums(sums: Self::AccumulatorVector, to: *mut Self::Accumulator);
}

/// A tile of `ROWS` rows and `PANEL` columns, `VECTORS` vectors of columns at a time: with their sums, as many as there
/// are registers for.
///
/// # Safety
/// The processor has the instructions of `P`.
#[cfg(any(target_arch = "wasm32", target_arch = "x86_64", target_arch = "aarch64"))]
#[expect(
    unsafe_code,
    reason = "intrinsics, and pointers that walk through rows and panel without a check each"
)]
#[inline(always)]
unsafe fn compute_tile<P: TileOps, const ROWS: usize, const VECTORS: usize, const PANEL: usize>(
    a: &[P::A],
    stride: usize,
    panel: &[P::B],
    tile: &mut Tile<P::Accumulator>,
) {
    const {
        assert!(
            ROWS <= MAX_TILE_ROWS && PANEL <= MAX_TILE_COLUMNS && PANEL.is_multiple_of(VECTORS * P::COLUMNS)
        )
    };
    let steps = panel.len() / PANEL;
    assert!(a.len() >= (ROWS - 1) * stride + steps * P::STEP);
    for part in (0..PANEL).step_by(VECTORS * P::COLUMNS) {
        // SAFETY: `panel` has `steps` times `PANEL` columns; each row has `steps * STEP` values, as asserted, and
        // pointers are moved by no more; the tile has `ROWS * PANEL` sums.
        unsafe {
            let mut rows: [*const P::A; ROWS] = std::array::from_fn(|row| a.as_ptr().add(row * stride));
            let mut columns = panel.as_ptr().wrapping_add(part);
            let mut sums = [[P::zero(); VECTORS]; ROWS];
            for _ in 0..steps {
                let mut weights = [P::load_weights(columns); VECTORS];
                for (vector, weights) in weights.iter_mut().enumerate().skip(1) {
                    *weights = P::load_weights(columns.add(vector * P::COLUMNS));
                }
                for (row, sums) in rows.iter_mut().zip(&mut sums) {
                    let values = P::broadcast_row(*row);
                    *row = row.wrapping_add(P::STEP);
                    for (sums, weights) in sums.iter_mut().zip(weights) {
                        *sums = P::multiply_add(*sums, weights, values);
                    }
                }
                columns = columns.wrapping_add(PANEL);
            }
            for (row, sums) in sums.into_iter().enumerate() {
                for (vector, sums) in sums.into_iter().enumerate() {
                    P::store_sums(sums, tile.as_mut_ptr().add(row * PANEL + part + vector * P::COLUMNS));
                }
            }
        }
    }
}
