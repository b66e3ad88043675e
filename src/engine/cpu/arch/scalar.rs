//! Plain Rust for any processor, and the reference for tests of the other instruction sets.

use super::{DEPTH_STEP, Isa, Panel, QuantizedValue, Tile};
use crate::math::{ScalarF32, SimdF32};

const ROWS: usize = 4;

/// No particular instruction set, so anyone can create the token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scalar;

/// Applies `f` lane by lane.
#[inline(always)]
fn each(a: [f32; 8], b: [f32; 8], f: impl Fn(f32, f32) -> f32) -> [f32; 8] {
    std::array::from_fn(|lane| f(a[lane], b[lane]))
}

impl SimdF32 for Scalar {
    type F32 = [f32; 8];

    fn splat(self, value: f32) -> [f32; 8] {
        [value; 8]
    }
    fn add(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        each(a, b, |a, b| ScalarF32.add(a, b))
    }
    fn sub(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        each(a, b, |a, b| ScalarF32.sub(a, b))
    }
    fn mul(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        each(a, b, |a, b| ScalarF32.mul(a, b))
    }
    fn div(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        each(a, b, |a, b| ScalarF32.div(a, b))
    }
    fn min(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        each(a, b, |a, b| ScalarF32.min(a, b))
    }
    fn max(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        each(a, b, |a, b| ScalarF32.max(a, b))
    }
    fn round(self, a: [f32; 8]) -> [f32; 8] {
        a.map(|a| ScalarF32.round(a))
    }
    fn exp2_int(self, a: [f32; 8]) -> [f32; 8] {
        a.map(|a| ScalarF32.exp2_int(a))
    }
}

impl Isa for Scalar {
    const NAME: &'static str = "scalar";
    const ROWS_Q8: usize = ROWS;
    const ROWS_I16: usize = ROWS;
    const ROWS_F32: usize = ROWS;
    const PANEL: usize = 8;
    type Wide = Self;

    #[inline(always)]
    fn wide(self) -> Self {
        self
    }
    fn detect() -> Option<Self> {
        Some(Self)
    }
    fn load(self, values: &[f32; 8]) -> [f32; 8] {
        *values
    }
    fn store(self, lanes: [f32; 8], values: &mut [f32; 8]) {
        *values = lanes;
    }
    fn load_i32(self, values: &[i32; 8]) -> [f32; 8] {
        values.map(|value| value as f32)
    }
    fn store_i16(self, a: [f32; 8], values: &mut [i16; 8]) {
        *values = a.map(|value| value as i16);
    }
    fn store_quantized(self, a: [f32; 8], values: &mut [QuantizedValue; 8]) {
        *values = a.map(|value| value as QuantizedValue);
    }

    fn tile_q8(self, a: &[QuantizedValue], stride: usize, panel: Panel, tile: &mut Tile<i32>) {
        for (row, sums) in tile.chunks_exact_mut(Self::PANEL).take(ROWS).enumerate() {
            sums.fill(0);
            let steps = a[row * stride..].as_chunks::<DEPTH_STEP>().0;
            for (a, columns) in steps.iter().zip(panel.codes.chunks_exact(Self::PANEL)) {
                for (sum, weights) in sums.iter_mut().zip(columns) {
                    *sum += a.iter().zip(weights).map(|(&a, &w)| i32::from(a) * i32::from(w)).sum::<i32>();
                }
            }
        }
    }

    fn tile_i16(self, a: &[i16], stride: usize, panel: &[[i16; 2]], tile: &mut Tile<i32>) {
        for (row, sums) in tile.chunks_exact_mut(Self::PANEL).take(ROWS).enumerate() {
            sums.fill(0);
            let steps = a[row * stride..].as_chunks::<2>().0;
            for (a, pairs) in steps.iter().zip(panel.chunks_exact(Self::PANEL)) {
                for (sum, b) in sums.iter_mut().zip(pairs) {
                    *sum += i32::from(a[0]) * i32::from(b[0]) + i32::from(a[1]) * i32::from(b[1]);
                }
            }
        }
    }

    fn tile_f32(self, a: &[f32], stride: usize, panel: &[f32], tile: &mut Tile<f32>) {
        for (row, sums) in tile.chunks_exact_mut(Self::PANEL).take(ROWS).enumerate() {
            sums.fill(0.0);
            for (a, weights) in a[row * stride..].iter().zip(panel.chunks_exact(Self::PANEL)) {
                for (sum, weight) in sums.iter_mut().zip(weights) {
                    *sum += a * weight;
                }
            }
        }
    }
}
