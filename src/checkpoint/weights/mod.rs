//! The tensors of a checkpoint by name.

mod index;
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

pub(crate) use index::Index;
#[cfg(feature = "candle")]
pub(crate) use q4_format::{BLOCK, block_scales};
pub(crate) use q8_format::Golden;
#[cfg(feature = "candle")]
pub(crate) use q8_format::GoldenPair;
pub(crate) use q8_format::Q7_OFFSET;
pub(crate) use quant_grid::QuantGrid;
pub use reader::WeightsReader;
pub(crate) use source::WeightsSource;
use tensor::Encoding;
pub(crate) use tensor::Tensor;
#[cfg(feature = "candle")]
pub(crate) use writer::Writer;

use crate::error::{Error, Result, weights};

/// The most bytes that are asked for at a time.
pub(crate) const MAX_PIECE_BYTES: u64 = 1 << 20;

/// The tensors of one checkpoint, each with memory of its own, so that who uses one can take it.
///
/// Old names are brought up to date on the way in, as HF does (`LayerNorm.gamma` is `LayerNorm.weight`).
#[derive(Debug, Clone)]
pub struct Weights {
    tensors: BTreeMap<String, Tensor>,
    /// Rows of tensors that are taken part by part.
    taken_rows: BTreeMap<String, usize>,
    format: Format,
    bytes: u64,
}

/// What kind of file the weights came from.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// Plain safetensors as the Hub has them.
    Plain,
    /// `pytorch_model.bin`, whose numbers are plain too.
    Torch,
    /// Our q8 file, with what its metadata says.
    Q8(q8_format::Metadata),
    /// Our q4 file, likewise. What is in memory has been unpacked to q8.
    Q4(q8_format::Metadata),
}

impl Format {
    /// The name of the format.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Plain => "safetensors",
            Format::Torch => "pytorch",
            Format::Q8(_) => q8_format::Q8,
            Format::Q4(_) => q8_format::Q4,
        }
    }

    /// The golden pairs the file carries.
    pub fn golden(&self) -> Option<&q8_format::Golden> {
        match self {
            Format::Plain | Format::Torch => None,
            Format::Q8(metadata) | Format::Q4(metadata) => Some(&metadata.golden),
        }
    }
}

impl Weights {
    pub(super) fn new(tensors: BTreeMap<String, Tensor>, format: Format, bytes: u64) -> Self {
        Self { tensors, taken_rows: BTreeMap::new(), format, bytes }
    }

    /// What kind of file this is.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Bytes of all weights files together.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Whether a tensor of this name is there.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The tensor `name`, which must have this shape, numbers for elements, and only finite ones.
    ///
    /// # Errors
    /// `weights`, naming the tensor and what is wrong with it.
    pub fn require(&self, name: &str, shape: &[usize]) -> Result<&Tensor> {
        let tensor = self.view(name)?;
        if tensor.shape != shape {
            return Err(weights(format!(
                "{name} has the shape {:?}, the configuration asks for {shape:?}",
                tensor.shape
            )));
        }
        tensor.check_numbers()?;
        Ok(tensor)
    }

    /// The tensor `name`, whose shape has been checked by [`require`](Self::require).
    ///
    /// # Errors
    /// `weights` when it is not there or holds no numbers.
    pub fn view(&self, name: &str) -> Result<&Tensor> {
        let tensor = self.tensors.get(name).ok_or_else(|| missing(name))?;
        match tensor.encoding {
            Encoding::Unsupported(dtype) => {
                Err(weights(format!("{name} has the type {dtype:?}; F32, F16 and BF16 are read")))
            }
            _ => Ok(tensor),
        }
    }

    /// Takes the tensor `name`, whose shape has been checked by [`require`](Self::require), out.
    ///
    /// # Errors
    /// `weights` when it is not there.
    pub(crate) fn take(&mut self, name: &str) -> Result<Tensor> {
        self.tensors.remove(name).ok_or_else(|| missing(name))
    }

    /// A copy of rows of the tensor `name`, which are in it.
    ///
    /// # Errors
    /// As [`view`](Self::view).
    pub(crate) fn view_rows(&self, name: &str, rows: Range<usize>) -> Result<Tensor> {
        Ok(self.view(name)?.rows(rows))
    }

    /// Takes rows of the tensor `name` out, which are in it. The tensor goes when all its rows have been taken; until
    /// then the others can be.
    ///
    /// # Errors
    /// `weights` when it is not there.
    pub(crate) fn take_rows(&mut self, name: &str, rows: Range<usize>) -> Result<Tensor> {
        let of = self.view(name)?.shape.first().copied().unwrap_or(0);
        if rows == (0..of) {
            return self.take(name);
        }
        let part = self.view_rows(name, rows.clone())?;
        let taken = self.taken_rows.entry(name.to_owned()).or_default();
        *taken += rows.len();
        if *taken >= of {
            self.tensors.remove(name);
        }
        Ok(part)
    }

    /// Puts other values in the place of the tensor `name`, which is there.
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
