//! A tensor as torch keeps it: a place in a storage, and how far apart its elements lie there.

use std::ops::Range;

use safetensors::Dtype;

use super::pickle::{Pickle, TensorRef, Tuple, Value};
use crate::checkpoint::weights::streaming_quantizer::StreamingQuantizer;
use crate::checkpoint::weights::tensor::{Encoding, Tensor};
use crate::checkpoint::weights::tensor_collector::TensorCollector;
use crate::error::{Result, weights};

/// No tensor of a model has more.
const MAX_DIMENSIONS: usize = 8;

/// A tensor whose numbers are still to be read, and which lies in its storage.
#[derive(Debug)]
pub(super) struct TensorView {
    pub(super) name: String,
    /// The storage's key.
    storage: String,
    dtype: Dtype,
    /// Elements of the whole storage.
    storage_elements: u64,
    /// The elements of it from the first to the last of the tensor.
    span: Range<u64>,
    shape: Vec<usize>,
    /// How many elements further the next one of each dimension is.
    strides: Vec<usize>,
}

impl TensorView {
    /// Proves a tensor of a pickle.
    ///
    /// # Errors
    /// `weights`, naming the tensor, when its numbers are negative, overflow or lead out of the storage.
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
            // The size in bytes of the tensor, and so of what is read of the storage, can be counted.
            let elements = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size))?;
            elements.checked_mul(size_of::<u64>())?;
            (span.end <= storage_elements).then_some((shape, strides, storage_elements, span))
        };
        let Some((shape, strides, storage_elements, span)) = validated() else {
            return Err(weights(format!(
                "{name} does not lie in its storage, or has sizes that make no sense"
            )));
        };
        let storage_key = storage.key.to_owned();
        Ok(Self { name, storage: storage_key, dtype: storage.dtype, storage_elements, span, shape, strides })
    }

    /// The entry of the archive that holds its storage.
    pub(super) fn entry(&self) -> String {
        format!("data/{}", self.storage)
    }

    /// The storage has the elements it is said to have, when its entry has `size` bytes.
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

    /// The bytes of the storage that are to be read: none where the tensor is of a type that is not.
    pub(super) fn byte_range(&self) -> Range<u64> {
        match self.encoding() {
            Encoding::Unsupported(_) => 0..0,
            _ => self.span.start * self.element_bytes()..self.span.end * self.element_bytes(),
        }
    }

    /// Bytes of the tensor once it has been read.
    pub(super) fn data_bytes(&self) -> u64 {
        match self.encoding() {
            Encoding::Unsupported(_) => 0,
            _ => self.elements() as u64 * self.element_bytes(),
        }
    }

    /// What rounds those bytes as they come, where they are wanted as codes and lie in order.
    pub(super) fn quantizer(&self, collector: &TensorCollector) -> Option<StreamingQuantizer> {
        let bytes = usize::try_from(self.data_bytes()).ok()?;
        if self.is_contiguous() {
            collector.quantizer(&self.name, &self.shape, self.encoding(), bytes)
        } else {
            None
        }
    }

    /// The tensor, of the [`bytes`](Self::byte_range) that were to be read.
    pub(super) fn into_tensor(self, bytes: Vec<u8>) -> Tensor {
        let encoding = self.encoding();
        let data = if self.is_contiguous() { bytes } else { self.gather(&bytes) };
        let (scales, input_scales) = Default::default();
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

    /// Whether its elements lie in the order of its dimensions without gaps.
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

    /// Puts elements into the order of the dimensions: a transposed matrix, say, or a row that is there once for all.
    fn gather(&self, bytes: &[u8]) -> Vec<u8> {
        if matches!(self.encoding(), Encoding::Unsupported(_)) {
            return Vec::new();
        }
        let width = self.element_bytes() as usize;
        let mut data = Vec::with_capacity(self.elements() * width);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..self.elements() {
            let place: usize = index.iter().zip(&self.strides).map(|(index, stride)| index * stride).sum();
            data.extend_from_slice(&bytes[place * width..][..width]);
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

/// The elements from the first one of a tensor to its last.
fn extent(shape: &[usize], strides: &[usize]) -> Option<u64> {
    if shape.contains(&0) {
        return Some(0);
    }
    shape.iter().zip(strides).try_fold(1u64, |extent, (size, stride)| {
        extent.checked_add((*size as u64 - 1).checked_mul(*stride as u64)?)
    })
}
