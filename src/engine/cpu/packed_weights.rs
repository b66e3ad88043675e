//! Weights in the order in which tiles read them: in panels of as many output features as a tile has columns.

use super::arch::{DEPTH_MULTIPLE, DEPTH_STEP, Remainders};
use crate::checkpoint::{Q7_OFFSET, Tensor};

/// A matrix of 7-bit weights, `w = (code - 64) * scale[column]`.
#[derive(Debug)]
pub(crate) struct PackedQ8 {
    /// Factors of the input features, applied before quantization, `[in_features]`; empty if all are 1.
    pub(super) input_factors: Vec<f32>,
    /// Codes, `[panels, depth / 4, panel columns]` of four consecutive input features each.
    pub(super) panels: Vec<[u8; DEPTH_STEP]>,
    /// One per column, zero-padded to whole panels.
    pub(super) scales: Vec<f32>,
    /// One per column, zero-padded to whole panels.
    pub(super) biases: Vec<f32>,
    /// Sum of the weights of each column, zero-padded to whole panels: the factor of a row's zero point.
    pub(super) column_sums: Vec<f32>,
    /// Input features.
    pub(super) in_features: usize,
    /// Input features, rounded up to a multiple of [`DEPTH_MULTIPLE`].
    pub(super) depth: usize,
    /// Length of a quantized row.
    pub(super) row_stride: usize,
    /// The parts of weights that `Kernels::arrange` split off.
    pub(super) remainders: Remainders,
    /// Output features.
    pub(super) columns: usize,
}

/// A matrix of f32 weights.
#[derive(Debug)]
pub(crate) struct PackedF32 {
    /// `[panels, depth, panel columns]`.
    pub(super) panels: Vec<f32>,
    /// One per column, zero-padded to whole panels.
    pub(super) biases: Vec<f32>,
    /// Input features.
    pub(super) depth: usize,
    /// Output features.
    pub(super) columns: usize,
}

impl PackedQ8 {
    /// Bytes of a packed matrix `[rows, columns]`, without the padding to whole panels.
    pub(crate) fn bytes_for(rows: u64, columns: u64) -> u64 {
        // A code per weight; scale, bias and column sum per output feature.
        rows * columns + 3 * size_of::<f32>() as u64 * rows
    }

    /// Packs matrices `[out_features, in_features]` with their biases as one matrix with all their output features, in
    /// panels of `panel` columns. `Kernels::arrange` makes it ready to use.
    pub(super) fn new(parts: &[(Tensor, Vec<f32>)], panel: usize) -> Self {
        let in_features = parts[0].0.shape()[1];
        let columns = parts.iter().map(|(view, _)| view.shape()[0]).sum();
        let mut packed = Self::zeros(in_features, columns, panel);
        let steps = packed.depth / DEPTH_STEP;
        packed.input_factors = parts[0].0.input_scales().iter().map(|scale| scale.recip()).collect();
        let mut column = 0;
        for (tensor, biases) in parts {
            for (row, &bias) in biases.iter().enumerate() {
                let (codes, scale) = tensor.codes(row);
                packed.scales[column] = scale;
                packed.biases[column] = bias;
                let lanes = &mut packed.panels[column / panel * panel * steps..][column % panel..];
                packed.column_sums[column] = pack_row(codes, lanes, panel) as f32 * scale;
                column += 1;
            }
        }
        packed
    }
}

/// Writes the codes of a row into every `panel`-th lane. Returns the sum of the weights.
///
/// Much of the time of loading is spent here, so it is a small function, which runtimes of WebAssembly optimize soon.
#[inline(never)]
fn pack_row(codes: &[u8], lanes: &mut [[u8; DEPTH_STEP]], panel: usize) -> i64 {
    let sum: u32 = codes.iter().map(|&code| u32::from(code)).sum();
    let mut lanes = lanes.iter_mut().step_by(panel);
    // Whole steps are copied as one number each.
    let (whole, last) = codes.as_chunks();
    for (codes, lane) in whole.iter().zip(lanes.by_ref()) {
        *lane = *codes;
    }
    if let Some(lane) = lanes.next() {
        lane[..last.len()].copy_from_slice(last);
    }
    i64::from(sum) - Q7_OFFSET as i64 * codes.len() as i64
}

impl PackedQ8 {
    /// Returns a matrix of the weight 0 with scales of 0.
    pub(super) fn zeros(in_features: usize, columns: usize, panel: usize) -> Self {
        let padded = columns.next_multiple_of(panel);
        let depth = in_features.next_multiple_of(DEPTH_MULTIPLE);
        Self {
            input_factors: Vec::new(),
            panels: vec![[Q7_OFFSET as u8; DEPTH_STEP]; padded * depth / DEPTH_STEP],
            scales: vec![0.0; padded],
            biases: vec![0.0; padded],
            column_sums: vec![0.0; padded],
            in_features,
            depth,
            row_stride: depth,
            remainders: Remainders::default(),
            columns,
        }
    }
}

impl PackedF32 {
    /// Bytes of a packed matrix `[rows, columns]` and its biases, without the padding to whole panels.
    pub(crate) fn bytes_for(rows: u64, columns: u64) -> u64 {
        size_of::<f32>() as u64 * rows * (columns + 1)
    }

    /// Packs matrices as [`PackedQ8::new`] does.
    pub(super) fn new(parts: &[(Tensor, Vec<f32>)], panel: usize) -> Self {
        let depth = parts[0].0.shape()[1];
        let columns: usize = parts.iter().map(|(tensor, _)| tensor.shape()[0]).sum();
        let padded = columns.next_multiple_of(panel);
        let mut packed =
            Self { panels: vec![0.0; padded * depth], biases: vec![0.0; padded], depth, columns };
        let mut weights = vec![0.0; depth];
        let mut column = 0;
        for (tensor, biases) in parts {
            for (row, &bias) in biases.iter().enumerate() {
                tensor.read_row(row, &mut weights);
                packed.biases[column] = bias;
                let lanes = packed.panels[column / panel * panel * depth..][column % panel..]
                    .iter_mut()
                    .step_by(panel);
                for (&weight, lane) in weights.iter().zip(lanes) {
                    *lane = weight;
                }
                column += 1;
            }
        }
        packed
    }
}
