//! Instruction sets. Each is a token type that implements [`Isa`]; no other module names an instruction.
//!
//! Kernels are written once over eight lanes of an [`Isa`]. Every operation gives the same bits on every instruction
//! set (it is an IEEE operation, or exact), except [`Isa::tile_f32`], which the q8 path never uses.
//!
//! Tiles follow BLIS (Van Zee and van de Geijn 2015, "BLIS: A Framework for Rapidly Instantiating BLAS Functionality"):
//! a small block of the result stays in registers while the loop runs over the whole depth of packed operands.

#[cfg(target_arch = "aarch64")]
pub(super) mod aarch64;
#[cfg_attr(
    not(all(target_arch = "wasm32", feature = "relaxed-simd")),
    expect(dead_code, reason = "one build computes rows of panels")
)]
mod panel;
#[cfg(not(target_arch = "wasm32"))]
pub(super) mod scalar;
#[cfg_attr(
    not(any(test, all(target_arch = "wasm32", feature = "relaxed-simd"))),
    expect(dead_code, reason = "one build splits weights")
)]
mod split;
#[cfg(target_arch = "wasm32")]
pub(super) mod wasm32;
#[cfg(target_arch = "x86_64")]
pub(super) mod x86_64;

use std::fmt::Debug;

pub(super) use panel::{Panel, PanelColumns, PanelRows, RowConstants};
pub(super) use split::Remainders;

use crate::math::{ScalarF32, SimdF32};

/// Products per step of the q8 tile.
pub(super) const DEPTH_STEP: usize = 4;
/// Depths are zero-padded to a multiple of this: a step of the q8 tile, or a block of steps.
#[cfg(all(target_arch = "wasm32", feature = "relaxed-simd"))]
pub(super) const DEPTH_MULTIPLE: usize = split::STEPS * DEPTH_STEP;
/// Depths are zero-padded to a multiple of this.
#[cfg(not(all(target_arch = "wasm32", feature = "relaxed-simd")))]
pub(super) const DEPTH_MULTIPLE: usize = DEPTH_STEP;
/// Maximum rows of a tile. Buffers that tiles read have this many padding rows at the end.
pub(crate) const MAX_TILE_ROWS: usize = 8;
/// Maximum columns of a tile.
pub(super) const MAX_TILE_COLUMNS: usize = 32;
/// Maximum tiles that [`Isa::tiles_q8`] computes at once: four with AMX.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub(super) const MAX_TILES_Q8: usize = 4;
/// Maximum tiles that [`Isa::tiles_q8`] computes at once.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub(super) const MAX_TILES_Q8: usize = 1;

/// A quantized activation: 16 bits, because WebAssembly without the relaxed integer dot multiplies 16-bit lanes.
#[cfg(all(target_arch = "wasm32", not(feature = "relaxed-simd")))]
pub(super) type QuantizedValue = i16;
/// A quantized activation.
#[cfg(not(all(target_arch = "wasm32", not(feature = "relaxed-simd"))))]
pub(super) type QuantizedValue = i8;

/// Consecutive weight codes of one column, as [`Isa::tile_q8`] reads them.
#[cfg(all(target_arch = "wasm32", not(feature = "relaxed-simd")))]
pub(super) type WeightCodes = [i16; 2];
/// Consecutive weight codes of one column, as [`Isa::tile_q8`] reads them.
#[cfg(not(all(target_arch = "wasm32", not(feature = "relaxed-simd"))))]
pub(super) type WeightCodes = [u8; DEPTH_STEP];

/// Converts a packed panel to the form that [`Isa::tile_q8`] reads. Tiles read a panel once for every few rows, so it
/// is widened before and not within them.
#[cfg(all(target_arch = "wasm32", not(feature = "relaxed-simd")))]
pub(super) use wasm32::words::widen_panel;
/// Returns a packed panel as it is: [`Isa::tile_q8`] reads the stored form.
#[cfg(not(all(target_arch = "wasm32", not(feature = "relaxed-simd"))))]
#[inline(always)]
pub(super) fn widen_panel<'a>(panel: &'a [WeightCodes], _buffer: &mut Vec<WeightCodes>) -> &'a [WeightCodes] {
    panel
}

/// The result of a tile: its rows of [`Isa::PANEL`] columns, end to end; values after them are not written.
pub(super) type Tile<T> = [T; MAX_TILE_ROWS * MAX_TILE_COLUMNS];

/// The result of [`Isa::tiles_q8`]: its rows of [`Isa::PANEL`] columns, end to end; values after them are not written.
pub(super) type TilesQ8 = [Tile<i32>; MAX_TILES_Q8];

/// An instruction set: eight lanes of f32, and tiles of matrix products.
///
/// A tile multiplies a few rows of `a`, `stride` values apart, with one panel of packed weights, `PANEL` columns wide.
pub(super) trait Isa: SimdF32 + Debug + Send + Sync {
    /// Name of the instruction set, shown to users.
    const NAME: &'static str;
    /// Rows of [`tiles_q8`](Self::tiles_q8).
    const ROWS_Q8: usize;
    /// Rows of [`tile_i16`](Self::tile_i16).
    const ROWS_I16: usize;
    /// Rows of [`tile_f32`](Self::tile_f32).
    const ROWS_F32: usize;
    /// Columns of a tile, and of a panel of packed weights: a multiple of the lanes of `Wide`.
    const PANEL: usize;
    /// Vectors for work in which the order of lanes does not matter.
    type Wide: WideF32<Self>;

    /// Returns the token of the wide vectors.
    fn wide(self) -> Self::Wide;

    /// Returns the token if the processor has the instructions. There is no other way to get one, so safe functions
    /// that take a token may use the instructions.
    #[cfg(not(target_arch = "wasm32"))]
    fn detect() -> Option<Self>;

    /// Loads eight lanes.
    fn load(self, values: &[f32; 8]) -> Self::F32;
    /// Stores eight lanes.
    fn store(self, lanes: Self::F32, values: &mut [f32; 8]);
    /// Loads eight integers, rounded to f32.
    fn load_i32(self, values: &[i32; 8]) -> Self::F32;
    /// Stores whole numbers in -32767..=32767 as 16-bit integers.
    fn store_i16(self, a: Self::F32, values: &mut [i16; 8]);
    /// Stores whole numbers in -127..=127 as quantized activations.
    fn store_quantized(self, a: Self::F32, values: &mut [QuantizedValue; 8]);

    /// Arranges packed panels of `depth` input features for [`tile_q8`](Self::tile_q8).
    fn arrange(self, panels: &mut [[u8; DEPTH_STEP]], depth: usize) -> Remainders {
        let _ = (panels, depth);
        Remainders::default()
    }
    /// Returns the length of a quantized row of `depth` values, with the terms that [`tile_q8`](Self::tile_q8) reads.
    fn row_stride(self, depth: usize) -> usize {
        depth
    }
    /// Returns the position of a value in a quantized row with its terms.
    fn position(self, column: usize) -> usize {
        column
    }
    /// Adds the terms to the `depth` values of a quantized row.
    fn add_row_terms(self, row: &mut [QuantizedValue], depth: usize, constants: RowConstants) {
        let _ = (row, depth, constants);
    }
    /// Computes rows of one panel of a linear layer into `to`, if the instruction set has a function for this, and
    /// returns whether it has.
    fn panel_rows_q8(self, rows: PanelRows, panel: Panel, columns: PanelColumns, to: &mut [f32]) -> bool {
        let _ = (rows, panel, columns, to);
        false
    }

    /// Computes `tile[r][c] = sum over k of a[r * stride + k] * panel[k / n][c][k % n]`, exactly, with the remainders.
    fn tile_q8(self, a: &[QuantizedValue], stride: usize, panel: Panel, tile: &mut Tile<i32>);

    /// Prepares this thread for [`tiles_q8`](Self::tiles_q8), until the result is dropped.
    fn configure_q8(self) -> impl Sized {}
    /// Computes [`ROWS_Q8`](Self::ROWS_Q8) rows as [`tile_q8`](Self::tile_q8) does, in one or more tiles.
    #[inline(always)]
    fn tiles_q8(self, a: &[QuantizedValue], stride: usize, panel: Panel, tiles: &mut TilesQ8) {
        self.tile_q8(a, stride, panel, &mut tiles[0]);
    }

    /// Computes `tile[r][c] = sum over k of a[r * stride + k] * panel[k / 2][c][k % 2]`, exact if it fits i32.
    ///
    /// `panel` is `[depth / 2][PANEL]` of two values each.
    fn tile_i16(self, a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>);

    /// Computes `tile[r][c] = sum over k of a[r * stride + k] * panel[k][c]`, added in the order of `k`, with products
    /// fused (FMA) or rounded, depending on the instruction set.
    ///
    /// `panel` is `[depth][PANEL]`.
    fn tile_f32(self, a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>);
}

/// Vectors as wide as the registers of an instruction set, for work in which lanes do not depend on each other or their
/// order does not matter. Slices must have at least as many values as a vector has lanes.
pub(super) trait WideF32<S: Isa>: SimdF32 {
    /// Lanes of a vector: eight or sixteen.
    const LANES: usize;

    /// Loads a vector.
    fn read(self, from: &[f32]) -> Self::F32;
    /// Stores a vector.
    fn write(self, lanes: Self::F32, to: &mut [f32]);
    /// Loads integers, rounded to f32.
    fn read_i32(self, from: &[i32]) -> Self::F32;
    /// Stores whole numbers in -32767..=32767 as 16-bit integers.
    fn write_i16(self, a: Self::F32, to: &mut [i16]);
    /// Stores whole numbers in -127..=127 as quantized activations.
    fn write_quantized(self, a: Self::F32, to: &mut [QuantizedValue]);
    /// Adds each group of eight lanes to eight sums, the first group first.
    fn add_eights(self, sums: S::F32, lanes: Self::F32) -> S::F32;
    /// Returns the maxima of eight lanes and of each group of eight lanes.
    fn max_eights(self, max: S::F32, lanes: Self::F32) -> S::F32;
    /// Returns the minimum lane of the first vector and the maximum lane of the second. Neither has NaN.
    fn min_max(self, lanes: [Self::F32; 2]) -> (f32, f32);
}

/// Vectors of eight lanes.
impl<S: Isa> WideF32<S> for S {
    const LANES: usize = 8;

    #[inline(always)]
    fn read(self, from: &[f32]) -> S::F32 {
        self.load(&from.as_chunks().0[0])
    }
    #[inline(always)]
    fn write(self, lanes: S::F32, to: &mut [f32]) {
        self.store(lanes, &mut to.as_chunks_mut().0[0]);
    }
    #[inline(always)]
    fn read_i32(self, from: &[i32]) -> S::F32 {
        self.load_i32(&from.as_chunks().0[0])
    }
    #[inline(always)]
    fn write_i16(self, a: S::F32, to: &mut [i16]) {
        self.store_i16(a, &mut to.as_chunks_mut().0[0]);
    }
    #[inline(always)]
    fn write_quantized(self, a: S::F32, to: &mut [QuantizedValue]) {
        self.store_quantized(a, &mut to.as_chunks_mut().0[0]);
    }
    #[inline(always)]
    fn add_eights(self, sums: S::F32, lanes: S::F32) -> S::F32 {
        self.add(sums, lanes)
    }
    #[inline(always)]
    fn max_eights(self, max: S::F32, lanes: S::F32) -> S::F32 {
        self.max(max, lanes)
    }
    #[inline(always)]
    fn min_max(self, lanes: [S::F32; 2]) -> (f32, f32) {
        let [mut min, mut max] = [[0.0; 8]; 2];
        self.store(lanes[0], &mut min);
        self.store(lanes[1], &mut max);
        (
            min.into_iter().fold(min[0], |a, b| ScalarF32.min(a, b)),
            max.into_iter().fold(max[0], |a, b| ScalarF32.max(a, b)),
        )
    }
}

/// The vector operations of a tile's innermost loop.
///
/// # Safety
/// The processor has the instructions of the type; pointers are valid for what a function reads or writes.
#[cfg(any(target_arch = "wasm32", target_arch = "x86_64", target_arch = "aarch64"))]
#[expect(unsafe_code, reason = "intrinsics")]
trait TileOps {
    /// A value of a row.
    type A;
    /// The weights of one column in one step.
    type B;
    /// A sum.
    type Accumulator;
    /// A row's values of one step, repeated for every column.
    type RowVector: Copy;
    /// The weights of `COLUMNS` columns.
    type WeightVector: Copy;
    /// The sums of `COLUMNS` columns.
    type AccumulatorVector: Copy;

    /// Values of a row in one step.
    const STEP: usize;
    /// Columns per vector.
    const COLUMNS: usize;

    /// Returns sums of zero.
    unsafe fn zero() -> Self::AccumulatorVector;
    /// Reads `STEP` values of a row and repeats them for every column.
    unsafe fn broadcast_row(from: *const Self::A) -> Self::RowVector;
    /// Reads the weights of `COLUMNS` columns.
    unsafe fn load_weights(from: *const Self::B) -> Self::WeightVector;
    /// Adds the products of one step to sums.
    unsafe fn multiply_add(
        sums: Self::AccumulatorVector,
        weights: Self::WeightVector,
        row: Self::RowVector,
    ) -> Self::AccumulatorVector;
    /// Writes `COLUMNS` sums.
    unsafe fn store_sums(sums: Self::AccumulatorVector, to: *mut Self::Accumulator);
}

/// Computes a tile of `ROWS` rows and `PANEL` columns, `VECTORS` vectors of columns at a time.
///
/// `ROWS * VECTORS` accumulators, `VECTORS` weights and one row value are held at once, chosen to fit the registers:
/// 15 of 16 for 6 x 2 with AVX2. Each step loads `VECTORS` weights once for all rows and one value per row once for
/// all columns, so `ROWS * VECTORS` multiplications need `ROWS + VECTORS` loads. Each sum is added in the order of
/// the depth.
///
/// # Safety
/// The processor has the instructions of `P`.
#[cfg(any(target_arch = "wasm32", target_arch = "x86_64", target_arch = "aarch64"))]
#[expect(
    unsafe_code,
    reason = "intrinsics, and pointers into rows and panel without bounds checks in the loop"
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
    // Saturating, so that no stride can wrap around and pass.
    assert!(a.len() >= (ROWS - 1).saturating_mul(stride).saturating_add(steps * P::STEP));
    for first in (0..PANEL).step_by(VECTORS * P::COLUMNS) {
        // SAFETY: the caller guarantees the instructions. `panel` has `steps * PANEL` columns, and each row has
        // `steps * STEP` values, as asserted; reads stay within them. The tile has space for `ROWS * PANEL` sums, as
        // asserted.
        unsafe {
            let mut rows: [*const P::A; ROWS] = std::array::from_fn(|row| a.as_ptr().add(row * stride));
            let mut columns = panel.as_ptr().wrapping_add(first);
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
                    P::store_sums(sums, tile.as_mut_ptr().add(row * PANEL + first + vector * P::COLUMNS));
                }
            }
        }
    }
}
