//! Writes q8 and q4 files.

use std::collections::{BTreeMap, HashMap};

use half::f16;
use safetensors::tensor::{Dtype, TensorView};

use super::q4_format;
use super::q8_format::{Golden, INPUT_SCALE_SUFFIX, METADATA_KEY, Metadata, SCALE_SUFFIX};
use super::quant_grid::QuantGrid;
use crate::error::{Error, Result, internal};

/// Collects the tensors of a q8 or q4 file and serializes them.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    /// The number of values per row of each tensor in blocks.
    columns: BTreeMap<String, usize>,
    tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)>,
}

impl Writer {
    /// Adds a tensor of f32.
    pub(crate) fn add_exact(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.tensors.push((name.to_owned(), Dtype::F32, shape.to_vec(), bytes));
    }

    /// Adds a matrix with `scales.len()` rows. Each value is rounded to the nearest multiple of its row's scale.
    pub(crate) fn add_rows(&mut self, name: &str, grid: QuantGrid, values: &[f32], scales: &[f32]) {
        let columns = values.len() / scales.len().max(1);
        let rows = values.chunks_exact(columns.max(1)).zip(scales);
        let codes =
            rows.flat_map(|(row, &scale)| row.iter().map(move |&value| grid.encode(value, scale))).collect();
        self.tensors.push((name.to_owned(), grid.dtype, vec![scales.len(), columns], codes));
        self.add_exact(&format!("{name}{SCALE_SUFFIX}"), &[scales.len()], scales);
    }

    /// Adds a matrix of 4-bit blocks. Each value must be an integer multiple of its block's scale. `grid` is the grid
    /// that a reader unpacks the codes to.
    pub(crate) fn add_blocks(
        &mut self,
        name: &str,
        grid: QuantGrid,
        columns: usize,
        values: &[f32],
        scales: &[f32],
    ) {
        let blocks = q4_format::row_blocks(columns);
        let rows = values.chunks_exact(columns).zip(scales.chunks_exact(blocks));
        let codes: Vec<u8> = rows.flat_map(|(row, scales)| q4_format::pack_row(row, scales)).collect();
        let rows = scales.len() / blocks;
        self.tensors.push((name.to_owned(), grid.dtype, vec![rows, q4_format::row_bytes(columns)], codes));
        let scales = scales.iter().flat_map(|&scale| f16::from_f32(scale).to_le_bytes()).collect();
        self.tensors.push((format!("{name}{SCALE_SUFFIX}"), Dtype::F16, vec![rows, blocks], scales));
        self.columns.insert(name.to_owned(), columns);
    }

    /// Adds the divisors of the inputs of the matrix `name`.
    pub(crate) fn add_input_scales(&mut self, name: &str, scales: &[f32]) {
        self.add_exact(&format!("{name}{INPUT_SCALE_SUFFIX}"), &[scales.len()], scales);
    }

    /// Returns the bytes of the file.
    pub(crate) fn write(&self, source: &str, golden: Golden) -> Result<Vec<u8>> {
        let metadata = match self.columns.is_empty() {
            true => Metadata::q8(source.to_owned(), golden),
            false => Metadata::q4(source.to_owned(), self.columns.clone(), golden),
        };
        let views = self
            .tensors
            .iter()
            .map(|(name, dtype, shape, bytes)| {
                TensorView::new(*dtype, shape.clone(), bytes).map(|view| (name.as_str(), view))
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(not_written)?;
        let text = serde_json::to_string(&metadata).map_err(not_written)?;
        let metadata = HashMap::from([(METADATA_KEY.to_owned(), text)]);
        safetensors::serialize(views, Some(metadata)).map_err(not_written)
    }
}

fn not_written(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    internal(format!("the weights file cannot be written: {error}")).with_source(error)
}
