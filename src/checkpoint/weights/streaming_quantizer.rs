//! A matrix of numbers that becomes codes while it comes, so that it is at no time there whole.

use super::quant_grid::QuantGrid;
use super::tensor::{Encoding, Tensor};
use crate::error::Result;

/// Takes the bytes of a matrix in any pieces and rounds each row that is complete to the nearest codes of a grid, with a
/// scale that is found fast.
#[derive(Debug)]
pub(super) struct StreamingQuantizer {
    grid: QuantGrid,
    /// What has come of the next row, as the file has it.
    row: Tensor,
    row_bytes: usize,
    values: Vec<f32>,
    output: Tensor,
}

impl StreamingQuantizer {
    /// For a matrix with elements, `bytes` of them.
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

    /// Takes the next bytes.
    ///
    /// # Errors
    /// `weights` for a row that holds a number that is not finite.
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

    /// The matrix, when all of it has come.
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
