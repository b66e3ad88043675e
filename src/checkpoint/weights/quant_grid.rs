//! Quantization of rows: small integers with one scale per row.

use safetensors::Dtype;

use super::q8_format::Q7_OFFSET;
use super::tensor::Encoding;

/// Adding it leaves no bits for a fraction, so the sum rounds to nearest, ties to even, in operations that every target has as
/// vector instructions.
const ROUNDING_BIAS: f32 = 1.5 * (1 << 23) as f32;

/// The number of values in a step of loops over rows: enough for several vectors on every target.
const LANES: usize = 16;

/// The range of integers in a quantized row, and how they are stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct QuantGrid {
    pub(super) dtype: Dtype,
    min: f32,
    max: f32,
    offset: f32,
}

impl QuantGrid {
    /// 7 bits, for matrices.
    pub(crate) const MATRIX: Self = Self { dtype: Dtype::U8, min: -64.0, max: 63.0, offset: Q7_OFFSET };
    /// 8 bits, for embedding tables.
    pub(crate) const EMBEDDING: Self = Self { dtype: Dtype::I8, min: -127.0, max: 127.0, offset: 0.0 };

    /// 4 bits, for blocks of matrices and tables.
    #[cfg(feature = "candle")]
    pub(crate) const INT4: Self = Self { dtype: Dtype::U8, min: -8.0, max: 7.0, offset: 8.0 };

    /// Returns the encoding of a tensor in this grid.
    pub(super) fn encoding(self) -> Encoding {
        if self == Self::MATRIX { Encoding::Q7 } else { Encoding::Q8 }
    }

    /// Returns the multiple of `scale` nearest to `value` within the grid.
    #[cfg(any(test, feature = "candle"))]
    pub(crate) fn round(self, value: f32, scale: f32) -> f32 {
        self.code(value, scale) * scale
    }

    #[cfg(any(test, feature = "candle"))]
    fn code(self, value: f32, scale: f32) -> f32 {
        self.clamp(value / scale) + ROUNDING_BIAS - ROUNDING_BIAS
    }

    /// Limits a number to the range of the codes, with comparisons that every target has as vector instructions.
    fn clamp(self, value: f32) -> f32 {
        let value = if value > self.min { value } else { self.min };
        if value < self.max { value } else { self.max }
    }

    /// Returns the code of a value as it is stored.
    pub(super) fn encode(self, value: f32, scale: f32) -> u8 {
        // The low byte of the biased sum is the code in two's complement.
        let biased = (self.clamp(value / scale) + ROUNDING_BIAS).to_bits();
        (biased as u8).wrapping_add(self.offset as u8)
    }

    /// Returns whether an integer is a code of the grid.
    pub(super) fn contains(self, code: i32) -> bool {
        (self.min as i32..=self.max as i32).contains(&code)
    }

    /// Returns an integer as it is stored. The grid must contain it.
    pub(super) fn store(self, code: i32) -> u8 {
        (code + self.offset as i32) as u8
    }

    /// Returns the scale with the smallest squared error over a row: clipping a few outliers often costs less than
    /// coarser steps for all values. `importance` has the weight of each column's error.
    ///
    /// Candidates are 80 scales, from the smallest that clips nothing down to half of it, and for each one's codes `q`
    /// the least-squares optimum `sum(w q) / sum(q q)`.
    #[cfg(any(test, feature = "candle"))]
    pub(crate) fn best_scale(self, row: &[f32], importance: &[f32]) -> f32 {
        const CANDIDATES: u8 = 80;
        let factors = (0..CANDIDATES).map(|at| 1.0 - 0.5 * f32::from(at) / f32::from(CANDIDATES));
        self.best_among(factors, row, importance)
    }

    /// Returns a good scale fast, for rows that are quantized while a model loads. For matrices, it is the best
    /// least-squares optimum for the codes of a few candidates, from the scale that clips nothing down; the search ends
    /// after two candidates that are worse than the best, because the error has one minimum, mostly. On trained weights the
    /// error (root mean square) is 0.4 % above that of [`best_scale`](Self::best_scale), which takes 80 times as long; with no
    /// clipping it is 1.7 % above.
    pub(super) fn fast_scale(self, row: &[f32]) -> f32 {
        const CANDIDATES: u8 = 8;
        const MAX_WORSE: u8 = 2;
        let widest = self.absmax_scale(row);
        if self == Self::EMBEDDING {
            return widest;
        }
        let (mut least, mut best, mut worse) = (f64::INFINITY, widest, 0);
        for at in 0..CANDIDATES {
            let scale = widest * (1.0 - 0.5 * (f32::from(at) / f32::from(CANDIDATES - 1)).powi(2));
            let [cross, square] = self.fast_products(row, scale);
            let (optimum, error) = ((cross / square) as f32, -cross * cross / square);
            if error < least && optimum.is_normal() {
                (least, best, worse) = (error, optimum, 0);
            } else if worse + 1 < MAX_WORSE {
                worse += 1;
            } else {
                break;
            }
        }
        best
    }

    /// Returns the sums of `value * code` and `code * code` over a row. Codes are rounded after a multiplication by the
    /// inverse of the scale, and sums are in f32, which is exact enough to compare scales.
    fn fast_products(self, row: &[f32], scale: f32) -> [f64; 2] {
        let inverse = 1.0 / scale;
        let (mut cross, mut square) = ([0.0f32; LANES], [0.0f32; LANES]);
        for_each_chunk(row, |values| {
            for lane in 0..LANES {
                let code = self.clamp(values[lane] * inverse) + ROUNDING_BIAS - ROUNDING_BIAS;
                cross[lane] += code * values[lane];
                square[lane] += code * code;
            }
        });
        [cross, square].map(|sums| sums.iter().map(|&sum| f64::from(sum)).sum())
    }

    /// Returns the smallest scale that clips nothing.
    pub(crate) fn absmax_scale(self, row: &[f32]) -> f32 {
        let (mut min, mut max) = ([0.0f32; LANES], [0.0f32; LANES]);
        for_each_chunk(row, |values| {
            for lane in 0..LANES {
                min[lane] = if values[lane] < min[lane] { values[lane] } else { min[lane] };
                max[lane] = if values[lane] > max[lane] { values[lane] } else { max[lane] };
            }
        });
        let (min, max) = (min.into_iter().fold(0.0, f32::min), max.into_iter().fold(0.0, f32::max));
        let scale = (min / self.min).max(max / self.max);
        // All values are zero, or so small that the step would be nearly subnormal: every code is zero.
        if scale < f32::MIN_POSITIVE * 4.0 { 1.0 } else { scale }
    }

    /// Returns the scale with the smallest error among `factors` times the smallest scale that clips nothing, and the
    /// least-squares optimum for each one's codes.
    #[cfg(any(test, feature = "candle"))]
    fn best_among(self, factors: impl Iterator<Item = f32>, row: &[f32], importance: &[f32]) -> f32 {
        let widest = self.absmax_scale(row);
        let mut best = (f64::INFINITY, widest);
        for factor in factors {
            let scale = widest * factor;
            let [cross, square] = self.products(row, importance, scale);
            let optimum = (cross / square) as f32;
            for scale in [scale, optimum] {
                // The squared error with the codes of `scale`, without the constant sum of the squared values.
                let error = f64::from(scale) * (f64::from(scale) * square - 2.0 * cross);
                if error < best.0 && scale.is_normal() {
                    best = (error, scale);
                }
            }
        }
        best.1
    }

    /// Returns the sums of `value * code` and `code * code` over a row, weighted by importance. It sums in 8 lanes, so
    /// that the compiler can vectorize it.
    #[cfg(any(test, feature = "candle"))]
    fn products(self, row: &[f32], importance: &[f32], scale: f32) -> [f64; 2] {
        const LANES: usize = 8;
        let (mut cross, mut square) = ([0.0f64; LANES], [0.0f64; LANES]);
        let mut add = |values: &[f32; LANES], weights: &[f32; LANES]| {
            for lane in 0..LANES {
                let code = f64::from(self.code(values[lane], scale));
                let weighted = f64::from(weights[lane]) * code;
                cross[lane] += weighted * f64::from(values[lane]);
                square[lane] += weighted * code;
            }
        };
        let (chunks, last) = row.as_chunks::<LANES>();
        let (weights, last_weights) = importance.as_chunks::<LANES>();
        chunks.iter().zip(weights).for_each(|(values, weights)| add(values, weights));
        let padded = |values: &[f32]| std::array::from_fn(|lane| values.get(lane).copied().unwrap_or(0.0));
        add(&padded(last), &padded(last_weights));
        [cross.iter().sum(), square.iter().sum()]
    }

    /// Returns the squared error of a row, weighted by importance.
    #[cfg(any(test, feature = "candle"))]
    pub(super) fn error(self, row: &[f32], importance: &[f32], scale: f32) -> f64 {
        let error = |value| f64::from(value - self.round(value, scale));
        row.iter().zip(importance).map(|(&value, &weight)| f64::from(weight) * error(value).powi(2)).sum()
    }
}

/// Calls `add` with consecutive chunks of a row, the last one padded with zeros.
fn for_each_chunk(row: &[f32], mut add: impl FnMut(&[f32; LANES])) {
    let (chunks, last) = row.as_chunks();
    chunks.iter().for_each(&mut add);
    let mut padded = [0.0; LANES];
    padded[..last.len()].copy_from_slice(last);
    add(&padded);
}

#[cfg(test)]
mod tests {
    use super::*;

    const Q7: QuantGrid = QuantGrid::MATRIX;

    #[test]
    fn codes_cover_exactly_seven_bits() {
        assert_eq!(Q7.encode(-64.0, 1.0), 0);
        assert_eq!(Q7.encode(0.0, 1.0), 64);
        assert_eq!(Q7.encode(63.0, 1.0), 127);
        assert_eq!(Q7.encode(1e9, 1.0), 127);
        assert_eq!(Q7.encode(-1e9, 1.0), 0);
        assert_eq!(QuantGrid::EMBEDDING.encode(-127.0, 1.0).cast_signed(), -127);
        assert_eq!(QuantGrid::EMBEDDING.encode(5.4, 1.0).cast_signed(), 5);
    }

    #[test]
    fn the_best_scale_clips_an_outlier_when_that_loses_less() {
        // 40,000 values in -1..1 and one of 1.6. A scale that covers the outlier makes all other steps coarser.
        let mut row: Vec<f32> = (0..40_000).map(|i| (i as f32 * 0.618).fract() * 2.0 - 1.0).collect();
        row.push(1.6);
        let equal = vec![1.0; row.len()];
        let covering = 1.6 / 63.0;
        let best = Q7.best_scale(&row, &equal);
        assert!(best < covering, "{best} against {covering}");
        assert!(Q7.error(&row, &equal, best) < 0.8 * Q7.error(&row, &equal, covering));
    }

    #[test]
    fn a_scale_found_fast_loses_little() {
        // Sums of four uniform values are nearly normal. The heavy row also has a few outliers.
        let value =
            |at: usize| (0..4).map(|part| ((4 * at + part) as f32 * 0.618).fract() - 0.5).sum::<f32>();
        let plain: Vec<f32> = (0..768).map(value).collect();
        let heavy: Vec<f32> =
            plain.iter().enumerate().map(|(at, v)| if at % 200 == 0 { 4.0 * v } else { *v }).collect();
        for row in [plain, heavy] {
            let equal = vec![1.0; row.len()];
            let error = |scale| Q7.error(&row, &equal, scale).sqrt();
            let [best, quick, covering] =
                [Q7.best_scale(&row, &equal), Q7.fast_scale(&row), Q7.absmax_scale(&row)].map(error);
            assert!(quick <= 1.05 * best && quick <= covering, "{quick} against {best} and {covering}");
        }
        assert_eq!(QuantGrid::EMBEDDING.fast_scale(&[-2.54, 1.0]), 2.54 / 127.0);
    }

    #[test]
    fn rows_of_zeros_and_tiny_numbers_keep_a_finite_scale() {
        for row in [&[0.0; 8][..], &[f32::MIN_POSITIVE; 8], &[-1e-40; 8], &[f32::MAX; 8], &[]] {
            let scale = Q7.best_scale(row, &[1.0; 8]);
            assert!(scale.is_finite() && scale > 0.0, "{row:?} gives {scale}");
        }
    }
}
