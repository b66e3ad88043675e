//! Linear layers, in f32 or in q8.

use std::ops::Range;

use crate::engine::cpu::kernels::{Kernels, Output, QuantizedRows};
use crate::engine::cpu::packed_weights::{PackedF32, PackedQ8};

/// A packed layer, or several over the same input side by side.
#[derive(Debug)]
pub(crate) enum Linear {
    Q8(PackedQ8),
    F32(PackedF32),
}

/// What goes into a linear layer: some rows of a matrix that has one for each row of the residual stream.
pub(crate) struct Input<'a> {
    /// From the first of them on, with [`arch::MAX_TILE_ROWS`](crate::engine::cpu::arch::MAX_TILE_ROWS) to spare.
    pub(crate) values: &'a [f32],
    /// Which they are.
    pub(crate) rows: Range<usize>,
    /// Rows of the residual stream that are the first of their pair. They go straight into the score, and most others
    /// look at them, so they are quantized twice as finely: that is one row in a hundred.
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

    /// Applies the layer.
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
                quantized.reserve(rows, packed.depth, input.two_step_rows());
                kernels.quantize(&input.values[..rows * columns], columns, &packed.input_factors, quantized);
                kernels.linear_q8(packed, quantized, output);
            }
        }
    }
}

impl Input<'_> {
    fn two_step_rows(&self) -> impl Iterator<Item = usize> {
        let (start, end) = (self.rows.start, self.rows.end);
        let from = self.cls_rows.partition_point(|&row| row < start);
        let to = self.cls_rows.partition_point(|&row| row < end);
        self.cls_rows[from..to].iter().map(move |row| row - start)
    }
}
