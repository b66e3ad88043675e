//! The q8 and q4 formats of rows, and their values after loading.

use crate::checkpoint::{BLOCK, QuantGrid, Writer, block_scales};
use crate::error::{Result, input};
use crate::options::Dtype;

/// A format of quantized rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuantFormat {
    /// One scale per row.
    Q8,
    /// Four bits per value and one scale per block; unpacked to q8 on load.
    Q4,
}

/// Rows of weights whose values are whole multiples of their scales.
#[derive(Debug, Clone)]
pub(super) struct QuantizedWeights {
    format: QuantFormat,
    /// The grid of the codes after loading.
    grid: QuantGrid,
    columns: usize,
    /// `[rows, columns]`.
    values: Vec<f32>,
    /// One per row for q8, one per block of a row for q4.
    scales: Vec<f32>,
}

impl QuantFormat {
    /// Returns the format of a dtype.
    ///
    /// # Errors
    /// `input` for other dtypes than q8 and q4.
    pub(super) fn of(dtype: Dtype) -> Result<Self> {
        match dtype {
            Dtype::Q8 => Ok(QuantFormat::Q8),
            Dtype::Q4 => Ok(QuantFormat::Q4),
            _ => Err(input("a model can be quantized to q8 or q4")),
        }
    }
}

impl QuantizedWeights {
    /// Creates an empty list of rows.
    pub(super) fn new(format: QuantFormat, grid: QuantGrid, columns: usize) -> Self {
        Self { format, grid, columns, values: Vec::new(), scales: Vec::new() }
    }

    /// Concatenates rows of one format and width.
    pub(super) fn concat<'a>(first: &Self, others: impl Iterator<Item = &'a Self>) -> Self {
        let mut rows = first.clone();
        for other in others {
            rows.values.extend_from_slice(&other.values);
            rows.scales.extend_from_slice(&other.scales);
        }
        rows
    }

    /// Rounds all rows of `values` to nearest.
    pub(super) fn nearest(format: QuantFormat, grid: QuantGrid, columns: usize, values: &[f32]) -> Self {
        let mut rows = Self::new(format, grid, columns);
        let equal = vec![1.0; columns];
        for row in values.chunks_exact(columns) {
            rows.push(row, &equal, |row, round| {
                row.iter().enumerate().map(|(column, &value)| round(column, value)).collect()
            });
        }
        rows
    }

    /// Quantizes a row and adds it. The scales minimize the error weighted by `importance`, which has one value per
    /// column. `round_row` gets the row and a function that rounds the value of a column to a multiple of its scale.
    pub(super) fn push(
        &mut self,
        row: &[f32],
        importance: &[f32],
        round_row: impl FnOnce(&[f32], &dyn Fn(usize, f32) -> f32) -> Vec<f32>,
    ) {
        let grid = self.grid;
        match self.format {
            QuantFormat::Q8 => {
                let scale = grid.best_scale(row, importance);
                self.values.extend(round_row(row, &|_, value| grid.round(value, scale)));
                self.scales.push(scale);
            }
            QuantFormat::Q4 => {
                let scales = block_scales(row, importance);
                let round = |column, value| QuantGrid::INT4.round(value, scales[column / BLOCK]);
                self.values.extend(round_row(row, &round));
                self.scales.extend(scales);
            }
        }
    }

    /// Computes the values after loading, `[rows, columns]`.
    pub(super) fn values_after_load(&self) -> Vec<f32> {
        let mut values = self.values.clone();
        if self.format == QuantFormat::Q4 {
            for row in values.chunks_exact_mut(self.columns) {
                let scale = self.grid.absmax_scale(row);
                row.iter_mut().for_each(|value| *value = self.grid.round(*value, scale));
            }
        }
        values
    }

    /// Adds the rows to a file.
    pub(super) fn write(&self, name: &str, writer: &mut Writer) {
        let Self { format, grid, columns, values, scales } = self;
        match format {
            QuantFormat::Q8 => writer.add_rows(name, *grid, values, scales),
            QuantFormat::Q4 => writer.add_blocks(name, *grid, *columns, values, scales),
        }
    }
}
