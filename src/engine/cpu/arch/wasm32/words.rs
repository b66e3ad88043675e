//! The q8 tile of SIMD of 128 bits alone, which multiplies 16-bit lanes.

use std::arch::wasm32::*;

use super::{PANEL, Q8Dot, ROWS_I16, tile_i16};
use crate::engine::cpu::arch::{DEPTH_STEP, Panel, QuantizedValue, Remainders, Tile, WeightCodes};

/// Products of 16-bit lanes, to which [`widen_panel`] widens the weights: works with SIMD of 128 bits alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WidenedDot(());

impl Q8Dot for WidenedDot {
    const NAME: &'static str = "wasm simd128";
    const TOKEN: Self = Self(());
    const ROWS: usize = ROWS_I16;

    #[inline(always)]
    fn arrange(self, panels: &mut [[u8; DEPTH_STEP]], _: usize) -> Remainders {
        arrange_codes(panels);
        Remainders::default()
    }
    #[inline(always)]
    fn tile_q8(self, a: &[QuantizedValue], stride: usize, panel: Panel, to: &mut Tile<i32>) {
        tile_i16(a, stride, panel.codes, to);
    }
}

/// Arranges the codes of packed panels for [`widen_panel`]: of each four columns, the first two codes of all come before
/// the other two.
fn arrange_codes(panels: &mut [[u8; DEPTH_STEP]]) {
    for columns in panels.as_chunks_mut::<4>().0 {
        // SAFETY: four columns of four bytes are one vector.
        unsafe {
            let codes = v128_load(columns.as_ptr().cast());
            let halves = i8x16_shuffle::<0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15>(codes, codes);
            v128_store(columns.as_mut_ptr().cast(), halves);
        }
    }
}

/// Widens a panel: `[depth / 4][PANEL]` of four bytes become `[depth / 2][PANEL]` of two 16-bit integers, in `buffer`.
#[inline(always)]
pub(crate) fn widen_panel<'a>(
    panel: &[[u8; DEPTH_STEP]],
    buffer: &'a mut Vec<WeightCodes>,
) -> &'a [WeightCodes] {
    buffer.resize(2 * panel.len(), [0; 2]);
    let steps = panel.as_chunks::<PANEL>().0.iter().zip(buffer.as_chunks_mut::<{ 2 * PANEL }>().0);
    for (codes, words) in steps {
        for part in [0, PANEL / 2] {
            // SAFETY: four columns of four bytes are one vector, and so are four columns of two 16-bit integers.
            unsafe {
                let codes = v128_load(codes.as_ptr().add(part).cast());
                v128_store(words.as_mut_ptr().add(part).cast(), u16x8_extend_low_u8x16(codes));
                v128_store(words.as_mut_ptr().add(PANEL + part).cast(), u16x8_extend_high_u8x16(codes));
            }
        }
    }
    buffer
}
