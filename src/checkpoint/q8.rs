//! Our q8 file: an ordinary safetensors file in which large tensors are stored as small integers.
//!
//! | tensor | type | holds |
//! |---|---|---|
//! | matrix `W` `[out, in]` of the encoder | U8 | `q + 64`, `q` in -64..=63, so 0..=127: the non-negative 7-bit operand of the relaxed integer dot |
//! | `W.scale` `[out]` | F32 | `w = q * scale[out]` |
//! | embedding table `E` `[rows, hidden]` | I8 | `q` in -127..=127 |
//! | `E.scale` `[rows]` | F32 | `e = q * scale[row]` |
//! | everything else (biases, norms, the head) | F32 | itself |
//!
//! Names and shapes are those of the source checkpoint. The safetensors `__metadata__` has one entry of ours,
//! `ranklet`: a JSON object of [`Metadata`].

use std::collections::HashMap;

use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use crate::error::{Result, internal, unsupported, weights};

/// The key in the safetensors metadata.
pub(super) const METADATA_KEY: &str = "ranklet";
/// What a tensor's name and this make is the name of its scales.
pub(super) const SCALE_SUFFIX: &str = ".scale";
/// What is added to a 7-bit weight to make it non-negative.
pub(super) const Q7_OFFSET: f32 = 64.0;
/// The largest stored code of a 7-bit weight.
pub(super) const Q7_LARGEST: u8 = 127;

/// Every golden pair is scored while loading; a file of many would take hours.
const MOST_GOLDEN_PAIRS: usize = 16;

const FORMAT: &str = "q8";
const VERSION: u32 = 1;
const SCHEME: &str = "matrices: U8 = q + 64, q in -64..=63, w = q * scale[row]; \
                      embeddings: I8 = q in -127..=127, e = q * scale[row]; the rest F32";

/// What a q8 file says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    format: String,
    version: u32,
    scheme: String,
    /// Where the weights came from: the name of the model and the type of its numbers.
    pub source: String,
    /// Pairs with the logits that an exact f32 engine gives with these weights.
    pub golden: Golden,
}

/// Two pairs and their logits, to check the engine a file landed on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// The pairs; empty only while the file is being made.
    pub pairs: Vec<GoldenPair>,
}

/// One pair with known logits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoldenPair {
    /// The query.
    pub query: String,
    /// The document.
    pub document: String,
    /// Logits of every label from the stored weights, dequantised, in f32 arithmetic.
    pub logits: Vec<f32>,
    /// Logits of every label from the source's weights in f32 arithmetic: what quantising cost.
    pub source_logits: Vec<f32>,
}

impl Metadata {
    pub(crate) fn new(source: String, golden: Golden) -> Self {
        Self { format: FORMAT.to_owned(), version: VERSION, scheme: SCHEME.to_owned(), source, golden }
    }

    pub(super) fn parse(text: &str) -> Result<Self> {
        let metadata: Self = serde_json::from_str(text)
            .map_err(|error| weights(format!("model.safetensors: metadata {METADATA_KEY}: {error}")))?;
        if metadata.format != FORMAT || metadata.version != VERSION {
            return Err(unsupported(format!(
                "model.safetensors: format {:?} version {}; this build reads {FORMAT:?} version {VERSION}",
                metadata.format, metadata.version
            )));
        }
        match metadata.golden.pairs.len() {
            0..=MOST_GOLDEN_PAIRS => Ok(metadata),
            count => Err(weights(format!(
                "model.safetensors: metadata {METADATA_KEY}: {count} golden pairs, more than {MOST_GOLDEN_PAIRS}"
            ))),
        }
    }
}

/// Collects the tensors of a q8 file and writes it.
#[derive(Debug, Default)]
pub(crate) struct Q8Writer {
    tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
}

impl Q8Writer {
    /// Adds a tensor of f32.
    pub(crate) fn add_exact(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensors.push((name.to_owned(), Dtype::F32, shape.to_vec(), bytes));
    }

    /// Adds a matrix of `scales.len()` rows, each value rounded to the nearest multiple of its row's scale.
    pub(crate) fn add_rows(&mut self, name: &str, grid: Grid, values: &[f32], scales: &[f32]) {
        let columns = values.len() / scales.len().max(1);
        let rows = values.chunks_exact(columns.max(1)).zip(scales);
        let codes =
            rows.flat_map(|(row, &scale)| row.iter().map(move |&value| grid.store(value, scale))).collect();
        self.tensors.push((name.to_owned(), grid.dtype, vec![scales.len(), columns], codes));
        self.add_exact(&format!("{name}{SCALE_SUFFIX}"), &[scales.len()], scales);
    }

    /// The bytes of the file.
    pub(crate) fn write(&self, metadata: &Metadata) -> Result<Vec<u8>> {
        let views = self
            .tensors
            .iter()
            .map(|(name, dtype, shape, bytes)| {
                TensorView::new(*dtype, shape.clone(), bytes).map(|view| (name.as_str(), view))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| internal(format!("writing q8: {error}")))?;
        let text =
            serde_json::to_string(metadata).map_err(|error| internal(format!("writing q8: {error}")))?;
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), text)]);
        safetensors::serialize(views, Some(metadata))
            .map_err(|error| internal(format!("writing q8: {error}")))
    }
}

/// The integers a stored row can hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Grid {
    dtype: Dtype,
    least: f32,
    most: f32,
    offset: f32,
}

impl Grid {
    /// Seven bits, for matrices.
    pub(crate) const MATRIX: Self = Self { dtype: Dtype::U8, least: -64.0, most: 63.0, offset: Q7_OFFSET };
    /// Eight bits, for embedding tables.
    pub(crate) const EMBEDDING: Self = Self { dtype: Dtype::I8, least: -127.0, most: 127.0, offset: 0.0 };

    /// The multiple of `scale` nearest to `value` within the grid.
    pub(crate) fn round(self, value: f32, scale: f32) -> f32 {
        self.code(value, scale) * scale
    }

    fn code(self, value: f32, scale: f32) -> f32 {
        (value / scale).round_ties_even().clamp(self.least, self.most)
    }

    fn store(self, value: f32, scale: f32) -> u8 {
        // The sum lies in -127..=127, so the conversions keep it; negative codes take two's complement.
        ((self.code(value, scale) + self.offset) as i16) as u8
    }

    /// The scale with the least squared error over a row: clipping a few outliers often costs less than coarse
    /// steps for everyone. Tries scales from the smallest that clips nothing down to half of it, and moves each to
    /// the least-squares optimum for the codes it gives, `sum(w q) / sum(q q)`. Errors count as much as
    /// `importance` says, column by column.
    pub(crate) fn best_scale(self, row: &[f32], importance: &[f32]) -> f32 {
        const CANDIDATES: usize = 80;
        let widest = row
            .iter()
            .map(|&value| if value < 0.0 { value / self.least } else { value / self.most })
            .fold(0.0, f32::max);
        // All zero, or so small that a step would be below what f32 divides by: every code is zero.
        if widest < f32::MIN_POSITIVE * 4.0 {
            return 1.0;
        }
        let mut best = (f64::INFINITY, widest);
        for candidate in 0..CANDIDATES {
            let scale = widest * (1.0 - 0.5 * candidate as f32 / CANDIDATES as f32);
            for scale in [scale, self.refit(row, importance, scale)] {
                let error = self.error(row, importance, scale);
                if error < best.0 {
                    best = (error, scale);
                }
            }
        }
        best.1
    }

    fn error(self, row: &[f32], importance: &[f32], scale: f32) -> f64 {
        let weighted = |(&value, &weight): (&f32, &f32)| {
            f64::from(weight) * f64::from(value - self.round(value, scale)).powi(2)
        };
        row.iter().zip(importance).map(weighted).sum()
    }

    fn refit(self, row: &[f32], importance: &[f32], scale: f32) -> f32 {
        let (mut cross, mut square) = (0.0, 0.0);
        for (&value, &weight) in row.iter().zip(importance) {
            let code = f64::from(self.code(value, scale));
            cross += f64::from(weight) * f64::from(value) * code;
            square += f64::from(weight) * code * code;
        }
        if square > 0.0 && cross > 0.0 { (cross / square) as f32 } else { scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const Q7: Grid = Grid::MATRIX;

    #[test]
    fn codes_cover_exactly_seven_bits() {
        assert_eq!(Q7.store(-64.0, 1.0), 0);
        assert_eq!(Q7.store(0.0, 1.0), 64);
        assert_eq!(Q7.store(63.0, 1.0), 127);
        assert_eq!(Q7.store(1e9, 1.0), 127);
        assert_eq!(Q7.store(-1e9, 1.0), 0);
        assert_eq!(Grid::EMBEDDING.store(-127.0, 1.0).cast_signed(), -127);
        assert_eq!(Grid::EMBEDDING.store(5.4, 1.0).cast_signed(), 5);
    }

    #[test]
    fn the_best_scale_clips_an_outlier_when_that_loses_less() {
        // 40,000 values spread over -1..1 and one of 1.6: covering the outlier coarsens every other step.
        let mut row: Vec<f32> = (0..40_000).map(|i| (i as f32 * 0.618).fract() * 2.0 - 1.0).collect();
        row.push(1.6);
        let equal = vec![1.0; row.len()];
        let covering = 1.6 / 63.0;
        let best = Q7.best_scale(&row, &equal);
        assert!(best < covering, "{best} against {covering}");
        assert!(Q7.error(&row, &equal, best) < 0.8 * Q7.error(&row, &equal, covering));
    }

    #[test]
    fn rows_of_zeros_and_tiny_numbers_keep_a_finite_scale() {
        for row in [&[0.0; 8][..], &[f32::MIN_POSITIVE; 8], &[-1e-40; 8], &[f32::MAX; 8], &[]] {
            let scale = Q7.best_scale(row, &[1.0; 8]);
            assert!(scale.is_finite() && scale > 0.0, "{row:?} gives {scale}");
        }
    }
}
