//! Ranklet's q4 format: a smaller q8 file for downloads, with blocks of 4-bit integers.
//!
//! | tensor | type | content |
//! |---|---|---|
//! | matrix `W` `[out, in]` of the encoder | U8 `[out, in / 2]` | `q + 8` with `q` in -8..=7, two per byte, the first in the low half |
//! | embedding table `E` `[rows, hidden]` | I8 `[rows, hidden / 2]` | as above |
//! | `W.scale`, `E.scale` `[rows, columns / 32]` | F16 | `q * scale[row, column / 32]` is the value from which the q8 form is computed |
//! | `W.input_scale` `[in]` | F32 | as in the q8 format |
//! | all others (biases, norms, the head) | F32 | the values |
//!
//! Sizes are rounded up; `columns` in the metadata is the number of values per row of each tensor. A scale may be
//! negative, so that the code -8 can represent the value with the largest magnitude, whatever its sign.
//!
//! A reader unpacks each tensor to its q8 form: it rounds the values to 7 bits (matrices) or 8 bits (tables) with one
//! scale per row, the smallest scale that clips nothing. The model is then a q8 model, whatever dtype the caller
//! requested. The golden logits in the metadata are those of the q8 model.

use half::f16;

use super::quant_grid::QuantGrid;
use super::tensor::{Encoding, Tensor};
use crate::error::{Result, weights};

/// Number of values per scale.
pub(crate) const BLOCK: usize = 32;

/// Added to a code before it is stored.
const INT4_OFFSET: f32 = 8.0;

/// Bytes of codes per row.
pub(super) fn row_bytes(columns: usize) -> usize {
    columns.div_ceil(2)
}

/// Number of scales per row.
pub(super) fn row_blocks(columns: usize) -> usize {
    columns.div_ceil(BLOCK)
}

/// The bytes of a tensor in blocks, as in the file.
#[derive(Debug)]
pub(super) struct Packed {
    /// Codes, `[rows, row_bytes(columns)]`.
    pub(super) codes: Vec<u8>,
    /// Scales in little-endian f16, `[rows, row_blocks(columns)]`.
    pub(super) scales: Vec<u8>,
}

impl Packed {
    /// Unpacks the codes into `tensor`, which has its shape and encoding but no data yet. The header's checks guarantee
    /// the sizes.
    ///
    /// # Errors
    /// `weights` for a scale that is not finite.
    pub(super) fn unpack(self, tensor: &mut Tensor) -> Result<()> {
        let grid = if tensor.encoding == Encoding::Q7 { QuantGrid::MATRIX } else { QuantGrid::EMBEDDING };
        let (rows, columns) = (tensor.shape[0], tensor.shape[1]);
        let scales: Vec<f32> =
            self.scales.as_chunks().0.iter().map(|bits| f16::from_le_bytes(*bits).to_f32()).collect();
        if !scales.iter().all(|scale| scale.is_finite()) {
            return Err(weights(format!("{} has a number that is not finite", tensor.name)));
        }
        tensor.data.reserve_exact(rows * columns);
        tensor.scales.reserve_exact(rows);
        let mut values = vec![0.0; columns];
        for row in 0..rows {
            let codes = &self.codes[row * row_bytes(columns)..][..row_bytes(columns)];
            let scales = &scales[row * row_blocks(columns)..][..row_blocks(columns)];
            unpack_row(codes, scales, &mut values);
            let scale = grid.absmax_scale(&values);
            tensor.data.extend(values.iter().map(|&value| grid.encode(value, scale)));
            tensor.scales.push(scale);
        }
        Ok(())
    }
}

fn unpack_row(codes: &[u8], scales: &[f32], values: &mut [f32]) {
    for ((values, codes), scale) in values.chunks_mut(BLOCK).zip(codes.chunks(BLOCK / 2)).zip(scales) {
        for (column, value) in values.iter_mut().enumerate() {
            let code = codes[column / 2] >> (column % 2 * 4) & 0xf;
            *value = (f32::from(code) - INT4_OFFSET) * scale;
        }
    }
}

#[cfg(feature = "candle")]
mod packing {
    use half::f16;

    use super::{BLOCK, INT4_OFFSET, QuantGrid};

    /// Packs a row whose values are integer multiples of their blocks' scales.
    pub(crate) fn pack_row(values: &[f32], scales: &[f32]) -> Vec<u8> {
        let codes: Vec<u8> = values
            .iter()
            .enumerate()
            .map(|(column, value)| ((value / scales[column / BLOCK]).round() + INT4_OFFSET) as u8)
            .collect();
        codes.chunks(2).map(|pair| pair[0] | pair.get(1).copied().unwrap_or(INT4_OFFSET as u8) << 4).collect()
    }

    /// Returns the scale with the smallest error for each block of a row, rounded to f16. `importance` has the weight
    /// of each column's squared error.
    pub(crate) fn block_scales(row: &[f32], importance: &[f32]) -> Vec<f32> {
        row.chunks(BLOCK)
            .zip(importance.chunks(BLOCK))
            .map(|(row, weight)| block_scale(row, weight))
            .collect()
    }

    fn block_scale(block: &[f32], importance: &[f32]) -> f32 {
        let negated: Vec<f32> = block.iter().map(|value| -value).collect();
        let positive = clamp_to_f16(QuantGrid::INT4.best_scale(block, importance));
        let negative = -clamp_to_f16(QuantGrid::INT4.best_scale(&negated, importance));
        let error = |scale| QuantGrid::INT4.error(block, importance, scale);
        if error(positive) <= error(negative) { positive } else { negative }
    }

    /// Returns the nearest positive finite f16.
    fn clamp_to_f16(scale: f32) -> f32 {
        f16::from_f32(scale).clamp(f16::from_bits(1), f16::MAX).to_f32()
    }
}

#[cfg(feature = "candle")]
pub(crate) use packing::block_scales;
#[cfg(feature = "candle")]
pub(super) use packing::pack_row;

#[cfg(all(test, feature = "candle"))]
mod tests {
    use super::*;

    #[test]
    fn rows_of_any_length_come_back_as_the_multiples_nearest_to_them() {
        for columns in [1, 2, 31, 32, 33, 53, 96] {
            let row: Vec<f32> = (0..columns).map(|i| (i as f32 * 0.618).fract() * 2.0 - 1.0).collect();
            let scales = block_scales(&row, &vec![1.0; columns]);
            assert_eq!(scales.len(), row_blocks(columns));
            let rounded: Vec<f32> = (row.iter().enumerate())
                .map(|(column, &value)| QuantGrid::INT4.round(value, scales[column / BLOCK]))
                .collect();
            let codes = pack_row(&rounded, &scales);
            assert_eq!(codes.len(), row_bytes(columns));
            let mut unpacked = vec![0.0; columns];
            unpack_row(&codes, &scales, &mut unpacked);
            assert_eq!(unpacked, rounded);
            for ((column, value), rounded) in row.iter().enumerate().zip(&rounded) {
                assert!(
                    (value - rounded).abs() < 1.5 * scales[column / BLOCK].abs(),
                    "{value} became {rounded}"
                );
            }
        }
    }

    #[test]
    fn the_farthest_value_may_be_on_either_side() {
        let mut block = [0.1; BLOCK];
        block[3] = 0.8;
        assert!(block_scales(&block, &[1.0; BLOCK])[0] < 0.0);
        block[3] = -0.8;
        assert!(block_scales(&block, &[1.0; BLOCK])[0] > 0.0);
    }

    #[test]
    fn blocks_of_zeros_and_of_extremes_keep_scales_that_can_be_stored() {
        for value in [0.0, f32::MIN_POSITIVE, -1e-30, f32::MAX, f32::MIN] {
            let scale = block_scales(&[value; 3], &[1.0; 3])[0];
            assert!(f16::from_f32(scale).is_finite() && scale != 0.0, "{value} gives {scale}");
            assert!(QuantGrid::INT4.round(value, scale).is_finite());
        }
    }
}
