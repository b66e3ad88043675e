//! The q8 tile that adds the products of a block of sixteen input features in 16-bit lanes.

use std::arch::wasm32::*;

use super::{PANEL, Q8Dot};
use crate::engine::cpu::arch::split::{Block, STEPS};
use crate::engine::cpu::arch::{
    DEPTH_STEP, MAX_TILE_ROWS, Panel, PanelColumns, PanelRows, Remainders, RowConstants, Tile,
};

/// Input features of a block.
const FEATURES: usize = STEPS * DEPTH_STEP;
/// Bytes of a row's term for a block.
const TERM: usize = 4;
/// Bytes of a row's block: its values and its term.
const BYTES: usize = FEATURES + TERM;
/// Bytes after the last block of a row: 64 times the sum of its values, as an integer and in f32, scale and zero point.
const CONSTANTS: usize = 16;
/// Rows that are computed together: the weights of a block, sums and products fit the registers.
const ROWS: usize = 2;

/// Moves the values of a row apart and writes its terms between them.
///
/// Codes have an offset of 64, so a lane's sum is too large by 64 times the sum of its activations. The term of a block
/// is minus that, for both lanes of a column, and lanes wrap around.
#[inline(never)]
fn add_row_terms(row: &mut [i8], depth: usize, constants: RowConstants) {
    // Values move to the right, so the last ones come first.
    for block in (0..depth / FEATURES).rev() {
        let mut values = [0; FEATURES];
        values.copy_from_slice(&row[block * FEATURES..][..FEATURES]);
        let (to, term) = row[block * BYTES..][..BYTES].split_at_mut(FEATURES);
        to.copy_from_slice(&values);
        // SAFETY: sixteen values are a vector, and a term is four bytes.
        unsafe {
            let pairs = i16x8_extadd_pairwise_i8x16(v128_load(values.as_ptr().cast()));
            let halves = i16x8_add(pairs, i64x2_shuffle::<1, 0>(pairs, pairs));
            let sums = i16x8_add(halves, i32x4_shuffle::<1, 0, 3, 2>(halves, halves));
            v128_store32_lane::<0>(i16x8_neg(i16x8_shl(sums, 6)), term.as_mut_ptr().cast());
        }
    }
    let RowConstants { scale, zero_point, offset_term } = constants;
    let last = row[depth / FEATURES * BYTES..].as_chunks_mut().0;
    for (last, bytes) in last.iter_mut().zip([
        (offset_term as i32).to_le_bytes(),
        offset_term.to_le_bytes(),
        scale.to_le_bytes(),
        zero_point.to_le_bytes(),
    ]) {
        *last = bytes.map(u8::cast_signed);
    }
}

/// A relaxed instruction for pairs of products, sums of 16 bits, and an ordinary instruction that widens them: the
/// fastest elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RelaxedDot2(());

impl Q8Dot for RelaxedDot2 {
    const NAME: &'static str = "wasm relaxed-simd, pairs";
    const TOKEN: Self = Self(());
    const ROWS: usize = MAX_TILE_ROWS;

    fn arrange(self, panels: &mut [[u8; DEPTH_STEP]], depth: usize) -> Remainders {
        Remainders::split_off(panels, depth)
    }
    #[inline(always)]
    fn row_stride(self, depth: usize) -> usize {
        depth / FEATURES * BYTES + CONSTANTS
    }
    #[inline(always)]
    fn position(self, column: usize) -> usize {
        column / FEATURES * BYTES + column % FEATURES
    }
    #[inline(always)]
    fn add_row_terms(self, row: &mut [i8], depth: usize, constants: RowConstants) {
        add_row_terms(row, depth, constants);
    }
    #[inline(never)]
    #[target_feature(enable = "relaxed-simd")]
    fn panel_rows_q8(self, rows: PanelRows, panel: Panel, columns: PanelColumns, to: &mut [f32]) -> bool {
        Self::compute_rows(rows, panel, columns, to);
        true
    }
    #[inline(never)]
    #[target_feature(enable = "relaxed-simd")]
    fn tile_q8(self, a: &[i8], stride: usize, panel: Panel, to: &mut Tile<i32>) {
        Self::compute_blocks(a, stride, panel, to);
    }
}

impl RelaxedDot2 {
    /// Computes a tile, two rows at a time.
    #[inline(always)]
    fn compute_blocks(a: &[i8], stride: usize, panel: Panel, tile: &mut Tile<i32>) {
        let last = panel.codes.len() / (STEPS * PANEL) * BYTES;
        assert!(a.len() >= (MAX_TILE_ROWS - 1).saturating_mul(stride).saturating_add(last + CONSTANTS));
        for first in (0..MAX_TILE_ROWS).step_by(ROWS) {
            // SAFETY: each row has the blocks of the panel and the constants, as asserted. The tile has space for the
            // sums of `MAX_TILE_ROWS` rows.
            unsafe {
                let rows = std::array::from_fn(|row| a.as_ptr().add((first + row) * stride));
                for (row, sums) in sum_blocks(rows, panel).into_iter().enumerate() {
                    let to = tile.as_mut_ptr().add((first + row) * PANEL);
                    v128_store(to.cast(), sums[0]);
                    v128_store(to.add(PANEL / 2).cast(), sums[1]);
                }
            }
        }
    }

    /// Computes rows of a panel as `linear_q8` does, in the same order of operations, without storing sums.
    #[inline(always)]
    fn compute_rows(rows: PanelRows, panel: Panel, columns: PanelColumns, to: &mut [f32]) {
        let PanelRows { values, stride, count } = rows;
        let last = panel.codes.len() / (STEPS * PANEL) * BYTES;
        assert!(values.len() >= count.saturating_mul(stride).saturating_add(last + CONSTANTS));
        assert!(count == 0 || to.len() >= (count - 1).saturating_mul(columns.total).saturating_add(PANEL));
        for first in (0..count).step_by(ROWS) {
            // SAFETY: each row, and one after the last, has the blocks of the panel and the constants, and the output
            // has the columns of each row, as asserted.
            unsafe {
                let rows: [*const i8; ROWS] =
                    std::array::from_fn(|row| values.as_ptr().add((first + row) * stride));
                let sums = sum_blocks(rows, panel);
                let of_columns = |values: &[f32]| [0, PANEL / 2].map(|at| f32x4_load(&values[at..]));
                let scales = of_columns(columns.scales);
                let column_sums = of_columns(columns.column_sums);
                let biases = of_columns(columns.biases);
                for (index, (row, sums)) in rows.into_iter().zip(sums).enumerate().take(count - first) {
                    let constant = |index: usize| v128_load32_splat(row.add(last + 4 * index).cast());
                    let [offset_term, scale, zero_point] = [constant(1), constant(2), constant(3)];
                    let to = to.as_mut_ptr().add((first + index) * columns.total);
                    for (vector, sums) in sums.into_iter().enumerate() {
                        let to: *mut v128 = to.add(vector * PANEL / 2).cast();
                        let sums = f32x4_sub(f32x4_convert_i32x4(sums), offset_term);
                        let scaled = f32x4_mul(f32x4_mul(sums, scale), scales[vector]);
                        let product = f32x4_add(scaled, f32x4_mul(zero_point, column_sums[vector]));
                        let value = f32x4_add(product, biases[vector]);
                        v128_store(to, if columns.adds { f32x4_add(value, v128_load(to)) } else { value });
                    }
                }
            }
        }
    }
}

/// Loads a vector.
#[inline(always)]
fn f32x4_load(values: &[f32]) -> v128 {
    // SAFETY: four f32 are a vector.
    unsafe { v128_load(values[..4].as_ptr().cast()) }
}

/// Returns the sums of a panel's columns for two rows.
///
/// # Safety
/// Each of `rows` has the blocks of the panel, with their terms, and constants.
#[inline(always)]
unsafe fn sum_blocks(rows: [*const i8; ROWS], panel: Panel) -> [[v128; 2]; ROWS] {
    let blocks = panel.codes.as_chunks::<{ STEPS * PANEL }>().0;
    // SAFETY: as the caller guarantees; indices of blocks are below `blocks.len()`.
    unsafe {
        let mut sums = rows.map(|row| [v128_load32_splat(row.add(blocks.len() * BYTES).cast()); 2]);
        let mut at = rows;
        for codes in blocks {
            add_block(&mut sums, at, codes);
            at = at.map(|row| row.wrapping_add(BYTES));
        }
        for remainder in panel.remainders {
            assert!(remainder.block < blocks.len());
            add_block(&mut sums, rows.map(|row| row.add(remainder.block * BYTES)), &remainder.codes);
        }
        sums
    }
}

/// Adds the products of a block to sums.
///
/// # Safety
/// Each of `rows` has the values of the block and its term.
#[inline(always)]
unsafe fn add_block(sums: &mut [[v128; 2]; ROWS], rows: [*const i8; ROWS], codes: &Block) {
    // SAFETY: the caller guarantees the rows, and a block has `STEPS` times the codes of eight columns.
    unsafe {
        let weights: [[v128; 2]; STEPS] = std::array::from_fn(|step| {
            [0, PANEL / 2].map(|column| v128_load(codes.as_ptr().add(step * PANEL + column).cast()))
        });
        for (sums, row) in sums.iter_mut().zip(rows) {
            let values = v128_load32_splat(row.cast());
            let mut lanes = weights[0].map(|weights| i16x8_relaxed_dot_i8x16_i7x16(values, weights));
            for (step, weights) in weights.iter().enumerate().skip(1) {
                let values = v128_load32_splat(row.add(step * DEPTH_STEP).cast());
                for (lanes, weights) in lanes.iter_mut().zip(weights) {
                    *lanes = i16x8_add(i16x8_relaxed_dot_i8x16_i7x16(values, *weights), *lanes);
                }
            }
            let term = v128_load32_splat(row.add(FEATURES).cast());
            for (sums, lanes) in sums.iter_mut().zip(lanes) {
                *sums = i32x4_add(i32x4_extadd_pairwise_i16x8(i16x8_add(lanes, term)), *sums);
            }
        }
    }
}
