//! Collects the tensors of a checkpoint from one file or several.

use std::collections::{BTreeMap, HashSet};

use super::expected::ExpectedTensors;
use super::index::Index;
use super::streaming_quantizer::StreamingQuantizer;
use super::tensor::{Encoding, Tensor};
use crate::error::{Result, weights};

/// Collects tensors and checks that each file has exactly the tensors that the index assigns to it.
#[derive(Debug, Default)]
pub(super) struct TensorCollector {
    /// The index, if the weights are sharded.
    pub(super) index: Option<Index>,
    /// The tensors that the model needs, as far as they are known.
    pub(super) expected: ExpectedTensors,
    /// The name of the current file.
    file: String,
    /// All tensor names of all files so far.
    names: HashSet<String>,
    tensors: BTreeMap<String, Tensor>,
}

impl TensorCollector {
    pub(super) fn new(index: Option<Index>, expected: ExpectedTensors) -> Self {
        Self { index, expected, ..Self::default() }
    }

    /// Sets the file that the next tensors come from.
    pub(super) fn begin_file(&mut self, file: &str) {
        file.clone_into(&mut self.file);
    }

    /// Registers the file's tensor names before their data is read.
    ///
    /// # Errors
    /// `weights` for a tensor that is in two files, in another file than the index says, or missing from its file.
    pub(super) fn register<'a>(&mut self, names: impl Iterator<Item = &'a String>) -> Result<()> {
        let mut file_names = HashSet::new();
        for name in names {
            let assigned = self.index.as_ref().and_then(|index| index.file_of(name));
            if let Some(other) = assigned.filter(|assigned| *assigned != self.file) {
                return Err(weights(format!("contains {name}, but the index assigns it to {other}")));
            }
            if self.names.contains(name) {
                return Err(weights(format!(
                    "contains {name}, which another file of the model contains too"
                )));
            }
            file_names.insert(name.clone());
        }
        let missing_tensor =
            self.index.as_ref().and_then(|index| index.missing_tensor(&self.file, &file_names));
        if let Some(name) = missing_tensor {
            return Err(weights(format!("does not contain {name}, which the index assigns to it")));
        }
        self.names.extend(file_names);
        Ok(())
    }

    /// Returns whether the numbers of a tensor are needed.
    pub(super) fn is_read(&self, name: &str) -> bool {
        self.expected.is_read(name)
    }

    /// Adds a tensor, without its numbers if another engine needs them. The kernels of a convolution,
    /// `[outputs, inputs, width]`, become a matrix with a row per output.
    pub(super) fn insert(&mut self, mut tensor: Tensor) {
        if !self.is_read(&tensor.name) {
            tensor.drop_numbers();
        }
        if let Some(shape) = matrix_shape(&tensor.shape) {
            tensor.shape = shape.to_vec();
        }
        self.tensors.insert(tensor.name.clone(), tensor);
    }

    /// Returns a streaming quantizer for a tensor of `bytes` bytes in a plain file, if it is a matrix that should be
    /// quantized on load.
    pub(super) fn quantizer(
        &self,
        name: &str,
        shape: &[usize],
        encoding: Encoding,
        bytes: usize,
    ) -> Option<StreamingQuantizer> {
        let shape = matrix_shape(shape)?;
        let grid = self.expected.quantization(name)?;
        let is_read = bytes > 0 && !matches!(encoding, Encoding::Unsupported(_));
        is_read.then(|| StreamingQuantizer::new(name, shape, encoding, bytes, grid))
    }

    /// Returns whether the tensors of plain files are quantized on load.
    pub(super) fn is_quantized(&self) -> bool {
        self.expected.is_quantized
    }

    /// Adds a tensor of a plain file whose bytes have all arrived, quantized if it should be.
    ///
    /// # Errors
    /// `weights` if a tensor to quantize has a number that is not finite.
    pub(super) fn insert_whole(&mut self, tensor: Tensor) -> Result<()> {
        if !self.is_read(&tensor.name) {
            self.insert(tensor);
            return Ok(());
        }
        match self.quantizer(&tensor.name, &tensor.shape, tensor.encoding, tensor.data.len()) {
            Some(mut quantizer) => {
                quantizer.push(&tensor.data)?;
                self.insert(quantizer.finish());
            }
            None => self.insert(tensor),
        }
        Ok(())
    }

    pub(super) fn into_tensors(self) -> BTreeMap<String, Tensor> {
        self.tensors
    }
}

/// Returns the shape of a matrix, or of a convolution's kernels as a matrix. Returns `None` for other tensors.
fn matrix_shape(shape: &[usize]) -> Option<[usize; 2]> {
    match *shape {
        [rows, columns] => Some([rows, columns]),
        [rows, inputs, width] => Some([rows, inputs.checked_mul(width)?]),
        _ => None,
    }
}
