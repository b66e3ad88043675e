//! Quantizes a matrix while its bytes arrive, so that it is never in memory as a whole.

use super::quant_grid::QuantGrid;
use super::tensor::{Encoding, Tensor};
use crate::error::Result;

/// Quantizes each row of a matrix as soon as all of its bytes have arrived. The bytes can come in pieces of any size.
#[derive(Debug)]
pub(super) struct StreamingQuantizer {
    grid: QuantGrid,
    /// The bytes of the current row so far, in the encoding of the file.
    row: Tensor,
    row_bytes: usize,
    values: Vec<f32>,
    output: Tensor,
}

impl StreamingQuantizer {
    /// Creates a quantizer for a matrix of `bytes` bytes. The matrix must not be empty.
    pub(super) fn new(
        name: &str,
        shape: [usize; 2],
        encoding: Encoding,
        bytes: usize,
        grid: QuantGrid,
    ) -> Self {
        let [rows, columns] = shape;
        let row_bytes = bytes / rows;
        let empty = |encoding, rows, data, scales| Tensor {
            name: name.to_owned(),
            shape: vec![rows, columns],
            encoding,
            data: Vec::with_capacity(data),
            scales: Vec::with_capacity(scales),
            input_scales: Vec::new(),
        };
        Self {
            grid,
            row: empty(encoding, 1, row_bytes, 0),
            row_bytes,
            values: vec![0.0; columns],
            output: empty(grid.encoding(), rows, rows * columns, rows),
        }
    }

    /// Takes the next bytes of the matrix.
    ///
    /// # Errors
    /// `weights` for a row with a number that is not finite.
    #[inline(never)]
    pub(super) fn push(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let (taken, rest) = bytes.split_at(bytes.len().min(self.row_bytes - self.row.data.len()));
            self.row.data.extend_from_slice(taken);
            bytes = rest;
            if self.row.data.len() == self.row_bytes {
                self.quantize_row()?;
            }
        }
        Ok(())
    }

    /// Returns the quantized matrix after all bytes have been pushed.
    pub(super) fn finish(self) -> Tensor {
        self.output
    }

    fn quantize_row(&mut self) -> Result<()> {
        self.row.check_numbers()?;
        self.row.read_row(0, &mut self.values);
        let scale = self.grid.fast_scale(&self.values);
        self.output.data.extend(self.values.iter().map(|&value| self.grid.encode(value, scale)));
        self.output.scales.push(scale);
        self.row.data.clear();
        Ok(())
    }
}
