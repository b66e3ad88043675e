//! The weights of a checkpoint: readers for their file formats, and tensors by name.

mod expected;
mod half_floats;
mod index;
mod onnx;
mod q4_format;
mod q8_format;
mod quant_grid;
mod reader;
mod safetensors;
mod source;
mod streaming_quantizer;
mod tensor;
mod tensor_collector;
mod torch;
#[cfg(feature = "candle")]
mod writer;

use std::collections::BTreeMap;
use std::ops::Range;

pub(crate) use expected::{ExpectedRole, ExpectedTensor, ExpectedTensors, normalized_table};
pub(crate) use index::Index;
#[cfg(feature = "candle")]
pub(crate) use q4_format::{BLOCK, block_scales};
pub(crate) use q8_format::Q7_OFFSET;
pub(crate) use q8_format::{Golden, GoldenPair};
pub(crate) use quant_grid::QuantGrid;
pub use reader::WeightsReader;
pub(crate) use source::WeightsSource;
use tensor::Encoding;
pub(crate) use tensor::Tensor;
#[cfg(feature = "candle")]
pub(crate) use writer::Writer;

use crate::error::{Error, Result, weights};

/// Max number of bytes that a reader requests at once.
pub(crate) const MAX_PIECE_BYTES: u64 = 1 << 20;

/// The tensors of a checkpoint by name. Each one owns its memory, so that an engine can take it.
///
/// Names are current: old names are replaced when a file is read, as in HF's libraries (`LayerNorm.gamma` becomes
/// `LayerNorm.weight`).
#[derive(Debug, Clone)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
    /// How many rows of a tensor have been taken, for tensors that are taken in parts.
    taken_rows: BTreeMap<String, usize>,
    format: Format,
    bytes: u64,
}

/// The format of the weights files.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// Plain safetensors, as on the Hub.
    Plain,
    /// `pytorch_model.bin`.
    Torch,
    /// ONNX.
    Onnx,
    /// Ranklet's q8 format, with its metadata.
    Q8(q8_format::Metadata),
    /// Ranklet's q4 format, with its metadata. In memory, tensors are unpacked to q8.
    Q4(q8_format::Metadata),
}

impl Format {
    /// Returns the name of the format.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Plain => "safetensors",
            Format::Torch => "pytorch",
            Format::Onnx => "onnx",
            Format::Q8(_) => q8_format::Q8,
            Format::Q4(_) => q8_format::Q4,
        }
    }

    /// Returns the golden pairs in the file's metadata.
    pub fn golden(&self) -> Option<&q8_format::Golden> {
        match self {
            Format::Plain | Format::Torch | Format::Onnx => None,
            Format::Q8(metadata) | Format::Q4(metadata) => Some(&metadata.golden),
        }
    }
}

impl Weights {
    pub(super) fn new(tensors: BTreeMap<String, Tensor>, format: Format, bytes: u64) -> Self {
        Self { tensors, taken_rows: BTreeMap::new(), format, bytes }
    }

    /// Returns the format of the files.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Returns the total size of all weights files in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Returns whether a tensor exists.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Returns a tensor after checking its shape and type, and that its numbers are finite.
    ///
    /// # Errors
    /// `weights`, naming the tensor and the failed check.
    pub fn require(&self, name: &str, shape: &[usize]) -> Result<&Tensor> {
        let tensor = self.view(name)?;
        if tensor.shape != shape {
            return Err(weights(format!(
                "{name} has the shape {:?}; the configuration requires {shape:?}",
                tensor.shape
            )));
        }
        tensor.check_numbers()?;
        Ok(tensor)
    }

    /// Returns a tensor. [`require`](Self::require) must have checked its shape.
    ///
    /// # Errors
    /// `weights` if the tensor does not exist or has an unsupported type.
    pub fn view(&self, name: &str) -> Result<&Tensor> {
        let tensor = self.tensors.get(name).ok_or_else(|| self.missing(name))?;
        match tensor.encoding {
            Encoding::Unsupported(dtype) => {
                Err(weights(format!("{name} has the type {dtype:?}; this build supports F32, F16 and BF16")))
            }
            _ => Ok(tensor),
        }
    }

    /// Removes a tensor and returns it. [`require`](Self::require) must have checked its shape.
    ///
    /// # Errors
    /// `weights` if the tensor does not exist.
    pub(crate) fn take(&mut self, name: &str) -> Result<Tensor> {
        self.tensors.remove(name).ok_or_else(|| missing(name))
    }

    /// Returns a copy of rows of a tensor. The tensor must have these rows.
    ///
    /// # Errors
    /// See [`view`](Self::view).
    pub(crate) fn view_rows(&self, name: &str, rows: Range<usize>) -> Result<Tensor> {
        Ok(self.view(name)?.rows(rows))
    }

    /// Takes rows out of a tensor. The tensor must have these rows. It is removed after all of its rows have been
    /// taken.
    ///
    /// # Errors
    /// `weights` if the tensor does not exist.
    pub(crate) fn take_rows(&mut self, name: &str, rows: Range<usize>) -> Result<Tensor> {
        let row_count = self.view(name)?.shape.first().copied().unwrap_or(0);
        if rows == (0..row_count) {
            return self.take(name);
        }
        let part = self.view_rows(name, rows.clone())?;
        let taken = self.taken_rows.entry(name.to_owned()).or_default();
        *taken += rows.len();
        if *taken >= row_count {
            self.tensors.remove(name);
        }
        Ok(part)
    }

    fn missing(&self, name: &str) -> Error {
        match self.format {
            Format::Onnx => weights(format!(
                "the graph of the ONNX file does not show which of its tensors is {name}: use model.safetensors, or \
                 export the model with torch.onnx.export or optimum"
            )),
            _ => missing(name),
        }
    }

    /// Replaces the values of a tensor, if it exists.
    #[cfg(feature = "candle")]
    pub(crate) fn replace(&mut self, name: &str, values: &[f32]) {
        if let Some(tensor) = self.tensors.get_mut(name) {
            *tensor = tensor.with_values(values);
        }
    }
}

fn missing(name: &str) -> Error {
    weights(format!("the tensor {name} is missing from the weights"))
}
