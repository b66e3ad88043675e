//! Linear layers, in f32 or in q8.

use std::ops::Range;

use crate::engine::cpu::kernels::{Kernels, Output, QuantizedRows};
use crate::engine::cpu::packed_weights::{PackedF32, PackedQ8};

/// A packed layer, or several layers over the same input, packed as one.
#[derive(Debug)]
pub(crate) enum Linear {
    Q8(PackedQ8),
    F32(PackedF32),
}

/// The input of a linear layer: some rows of a matrix with one row per row of the residual stream.
pub(crate) struct Input<'a> {
    /// The rows, and [`MAX_TILE_ROWS`](crate::engine::cpu::arch::MAX_TILE_ROWS) padding rows after them.
    pub(crate) values: &'a [f32],
    /// Their indices in the residual stream.
    pub(crate) rows: Range<usize>,
    /// Rows of the residual stream that are the first of their pair. The score is computed from them and most other
    /// rows attend to them, so they are quantized in two steps. They are about one row in a hundred.
    pub(crate) cls_rows: &'a [usize],
}

impl Linear {
    /// Output features.
    pub(crate) fn columns(&self) -> usize {
        match self {
            Linear::Q8(packed) => packed.columns,
            Linear::F32(packed) => packed.columns,
        }
    }

    /// Applies the layer; `quantized` is a buffer.
    pub(crate) fn apply(
        &self,
        kernels: &dyn Kernels,
        input: &Input,
        quantized: &mut QuantizedRows,
        output: Output,
    ) {
        let rows = input.rows.len();
        match self {
            Linear::F32(packed) => kernels.linear_f32(packed, input.values, rows, output),
            Linear::Q8(packed) => {
                let columns = packed.in_features;
                quantized.reserve(rows, packed.row_stride, input.two_step_rows());
                kernels.quantize(&input.values[..rows * columns], columns, &packed.input_factors, quantized);
                kernels.linear_q8(packed, quantized, output);
            }
        }
    }
}

impl Input<'_> {
    /// The CLS rows among the rows of this input, counted from its first.
    fn two_step_rows(&self) -> impl Iterator<Item = usize> {
        let (start, end) = (self.rows.start, self.rows.end);
        let from = self.cls_rows.partition_point(|&row| row < start);
        let to = self.cls_rows.partition_point(|&row| row < end);
        self.cls_rows[from..to].iter().map(move |row| row - start)
    }
}
