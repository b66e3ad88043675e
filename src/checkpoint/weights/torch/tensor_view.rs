//! A torch tensor: a view of a storage, with an offset and a stride per dimension.

use std::ops::Range;

use safetensors::Dtype;

use super::pickle::{Pickle, TensorRef, Tuple, Value};
use crate::checkpoint::weights::streaming_quantizer::StreamingQuantizer;
use crate::checkpoint::weights::tensor::{Encoding, Tensor};
use crate::checkpoint::weights::tensor_collector::TensorCollector;
use crate::error::{Result, weights};

/// Max number of dimensions. Tensors of models have fewer.
const MAX_DIMENSIONS: usize = 8;

/// A checked tensor whose data has yet to be read.
#[derive(Debug)]
pub(super) struct TensorView {
    pub(super) name: String,
    /// The key of the storage.
    storage: String,
    dtype: Dtype,
    /// Number of elements of the whole storage.
    storage_elements: u64,
    /// The range from the tensor's first to its last element in the storage.
    span: Range<u64>,
    shape: Vec<usize>,
    /// Distance between neighbors in each dimension, in elements.
    strides: Vec<usize>,
}

impl TensorView {
    /// Checks a tensor of a pickle.
    ///
    /// # Errors
    /// `weights`, naming the tensor, if its numbers are negative or overflow, or it does not lie within its storage.
    pub(super) fn read(name: String, pickle: &Pickle, tensor: TensorRef) -> Result<Self> {
        let TensorRef { storage, offset, shape, strides } = tensor;
        let sizes = |tuple: Tuple| pickle.items(tuple).iter().map(size).collect::<Option<Vec<usize>>>();
        let validated = || {
            let (shape, strides) = (sizes(shape)?, sizes(strides)?);
            let (start, storage_elements) =
                (u64::try_from(offset).ok()?, u64::try_from(storage.elements).ok()?);
            if shape.len() != strides.len() || shape.len() > MAX_DIMENSIONS {
                return None;
            }
            let span = start..start.checked_add(extent(&shape, &strides)?)?;
            // The size of the tensor in bytes must not overflow.
            let elements = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size))?;
            elements.checked_mul(size_of::<u64>())?;
            (span.end <= storage_elements).then_some((shape, strides, storage_elements, span))
        };
        let Some((shape, strides, storage_elements, span)) = validated() else {
            return Err(weights(format!("{name} does not lie within its storage, or has impossible sizes")));
        };
        let storage_key = storage.key.to_owned();
        Ok(Self { name, storage: storage_key, dtype: storage.dtype, storage_elements, span, shape, strides })
    }

    /// Returns the name of the archive entry with the storage.
    pub(super) fn entry(&self) -> String {
        format!("data/{}", self.storage)
    }

    /// Checks that the storage's entry, which has `size` bytes, is large enough.
    ///
    /// # Errors
    /// `weights`, naming the tensor.
    pub(super) fn check_storage(&self, size: u64) -> Result<()> {
        let (elements, bytes) = (self.storage_elements, self.element_bytes());
        if elements.checked_mul(bytes).is_some_and(|needed| needed <= size) {
            return Ok(());
        }
        let entry = self.entry();
        Err(weights(format!(
            "{name}: {entry} has {size} bytes, not {elements} elements of {bytes}",
            name = self.name
        )))
    }

    /// Returns the bytes of the storage to read; empty for an unsupported type.
    pub(super) fn byte_range(&self) -> Range<u64> {
        match self.encoding() {
            Encoding::Unsupported(_) => 0..0,
            _ => self.span.start * self.element_bytes()..self.span.end * self.element_bytes(),
        }
    }

    /// Returns the size of the tensor's data in bytes; 0 for an unsupported type.
    pub(super) fn data_bytes(&self) -> u64 {
        match self.encoding() {
            Encoding::Unsupported(_) => 0,
            _ => self.elements() as u64 * self.element_bytes(),
        }
    }

    /// Returns a streaming quantizer for the tensor, if it should be quantized on load and is contiguous.
    pub(super) fn quantizer(&self, collector: &TensorCollector) -> Option<StreamingQuantizer> {
        let bytes = usize::try_from(self.data_bytes()).ok()?;
        if self.is_contiguous() {
            collector.quantizer(&self.name, &self.shape, self.encoding(), bytes)
        } else {
            None
        }
    }

    /// Makes the tensor from the bytes at its [`byte_range`](Self::byte_range).
    pub(super) fn into_tensor(self, bytes: Vec<u8>) -> Tensor {
        let encoding = self.encoding();
        let data = if self.is_contiguous() { bytes } else { self.gather(&bytes) };
        let (scales, input_scales) = Default::default();
        Tensor { name: self.name, shape: self.shape, encoding, data, scales, input_scales }
    }

    /// Makes the tensor without its numbers.
    pub(super) fn without_numbers(self) -> Tensor {
        let (encoding, data, (scales, input_scales)) = (self.encoding(), Vec::new(), Default::default());
        Tensor { name: self.name, shape: self.shape, encoding, data, scales, input_scales }
    }

    fn encoding(&self) -> Encoding {
        Encoding::plain(self.dtype)
    }

    fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    fn element_bytes(&self) -> u64 {
        self.dtype.bitsize() as u64 / 8
    }

    /// Returns whether the elements are in row-major order without gaps.
    fn is_contiguous(&self) -> bool {
        let mut next = 1;
        for (size, stride) in self.shape.iter().zip(&self.strides).rev() {
            if *size != 1 && *stride != next {
                return self.elements() == 0;
            }
            next *= size;
        }
        true
    }

    /// Copies elements into row-major order, for transposed or broadcast tensors.
    fn gather(&self, bytes: &[u8]) -> Vec<u8> {
        if matches!(self.encoding(), Encoding::Unsupported(_)) {
            return Vec::new();
        }
        let width = self.element_bytes() as usize;
        let mut data = Vec::with_capacity(self.elements() * width);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..self.elements() {
            let element: usize = index.iter().zip(&self.strides).map(|(index, stride)| index * stride).sum();
            data.extend_from_slice(&bytes[element * width..][..width]);
            for (index, size) in index.iter_mut().zip(&self.shape).rev() {
                *index += 1;
                if *index < *size {
                    break;
                }
                *index = 0;
            }
        }
        data
    }
}

fn size(value: &Value) -> Option<usize> {
    if let Value::Int(number) = value { usize::try_from(*number).ok() } else { None }
}

/// Returns the number of elements from the tensor's first to its last in the storage.
fn extent(shape: &[usize], strides: &[usize]) -> Option<u64> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().zip(strides).try_fold(1u64, |extent, (size, stride)| {
        extent.checked_add((*size as u64 - 1).checked_mul(*stride as u64)?)
    })
}
