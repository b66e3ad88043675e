//! A tensor with its values, as stored or quantized.

use std::ops::{Range, RangeInclusive};

use safetensors::Dtype;

use super::half_floats::{bf16_to_f32, f16_to_f32};
use super::q8_format;
use crate::error::{Result, weights};

/// Accepted input scales. Neither their inverses nor their products with codes overflow f32.
const INPUT_SCALE_RANGE: RangeInclusive<f32> = 1e-12..=1e12;

/// A named tensor.
#[derive(Debug, Clone)]
pub struct Tensor {
    pub(super) name: String,
    /// Sizes, outermost first.
    pub(super) shape: Vec<usize>,
    pub(super) encoding: Encoding,
    /// Elements in little-endian order, row-major. Empty for an unsupported type, and if another engine needs them.
    pub(super) data: Vec<u8>,
    /// One scale per row, for quantized elements.
    pub(super) scales: Vec<f32>,
    /// Divisors of the inputs of a quantized matrix, one per column. Empty if there are none.
    pub(super) input_scales: Vec<f32>,
}

/// The encoding of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    F32,
    F16,
    Bf16,
    /// 7-bit integers stored as `q + 64`, with a scale per row.
    Q7,
    /// 8-bit integers `q`, with a scale per row.
    Q8,
    /// A type that no supported model uses. The elements are dropped.
    Unsupported(Dtype),
}

impl Encoding {
    /// Returns the encoding of a tensor without scales.
    pub(super) fn plain(dtype: Dtype) -> Self {
        match dtype {
            Dtype::F32 => Encoding::F32,
            Dtype::F16 => Encoding::F16,
            Dtype::BF16 => Encoding::Bf16,
            other => Encoding::Unsupported(other),
        }
    }
}

impl Tensor {
    /// The current name, which may differ from an old name in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sizes, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Returns the number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Drops the numbers, which another engine needs.
    pub(super) fn drop_numbers(&mut self) {
        (self.data, self.scales, self.input_scales) = Default::default();
    }

    /// Whether the numbers are there.
    pub(crate) fn has_numbers(&self) -> bool {
        !self.data.is_empty()
    }

    /// Returns all elements in f32, row-major.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.elements()];
        self.read(0, &mut values);
        values
    }

    /// Reads one row of a matrix in f32. The matrix must have this row.
    pub fn read_row(&self, row: usize, values: &mut [f32]) {
        self.read(row * values.len(), values);
    }

    /// Returns the divisors of the inputs of a quantized matrix, one per column. Empty if there are none.
    pub(crate) fn input_scales(&self) -> &[f32] {
        &self.input_scales
    }

    /// Returns whether the elements are 7-bit codes with a scale per row.
    pub(crate) fn has_codes(&self) -> bool {
        self.encoding == Encoding::Q7
    }

    /// Returns the codes and the scale of one row of a 7-bit matrix, as stored. Returns no codes for other encodings:
    /// [`has_codes`](Self::has_codes) must have checked it. The matrix must have this row.
    pub(crate) fn codes(&self, row: usize) -> (&[u8], f32) {
        let columns = self.shape[1];
        match (self.encoding, self.scales.get(row)) {
            (Encoding::Q7, Some(&scale)) => (&self.data[row * columns..][..columns], scale),
            _ => (&[], 0.0),
        }
    }

    /// Returns a copy of rows. The tensor must have these rows.
    pub(super) fn rows(&self, rows: Range<usize>) -> Self {
        let row_bytes = self.data.len().checked_div(self.shape[0]).unwrap_or(0);
        let mut part = self.empty(self.encoding);
        part.shape[0] = rows.len();
        part.data = self.data[rows.start * row_bytes..rows.end * row_bytes].to_vec();
        part.scales = self.scales.get(rows).unwrap_or_default().to_vec();
        part.input_scales.clone_from(&self.input_scales);
        part
    }

    /// Returns the tensor with other values, which must be as many.
    #[cfg(feature = "candle")]
    pub(super) fn with_values(&self, values: &[f32]) -> Self {
        let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { data, ..self.empty(Encoding::F32) }
    }

    fn empty(&self, encoding: Encoding) -> Self {
        Self {
            name: self.name.clone(),
            shape: self.shape.clone(),
            encoding,
            data: Vec::new(),
            scales: Vec::new(),
            input_scales: Vec::new(),
        }
    }

    /// Reads elements from `start` on until `values` is full. Quantized elements must be whole rows.
    fn read(&self, start: usize, values: &mut [f32]) {
        let (data, end) = (&*self.data, start + values.len());
        match self.encoding {
            Encoding::F32 => fill(values, elements(data, start, end).map(f32::from_le_bytes)),
            Encoding::F16 => {
                fill(values, elements(data, start, end).map(|bits| f16_to_f32(u16::from_le_bytes(bits))))
            }
            Encoding::Bf16 => {
                fill(values, elements(data, start, end).map(|bits| bf16_to_f32(u16::from_le_bytes(bits))))
            }
            Encoding::Q7 => self.dequantize(start, values, |code| f32::from(code) - q8_format::Q7_OFFSET),
            Encoding::Q8 => self.dequantize(start, values, |code| f32::from(code.cast_signed())),
            Encoding::Unsupported(_) => {}
        }
    }

    fn dequantize(&self, start: usize, values: &mut [f32], decode: fn(u8) -> f32) {
        let columns = self.shape[1].max(1);
        let rows = start / columns..(start + values.len()) / columns;
        for (row, values) in rows.zip(values.chunks_exact_mut(columns)) {
            let scale = self.scales[row];
            fill(values, self.data[row * columns..].iter().map(|&code| decode(code) * scale));
            for (value, input_scale) in values.iter_mut().zip(&self.input_scales) {
                *value /= input_scale;
            }
        }
    }

    /// Checks that all numbers are finite and all codes are in range.
    ///
    /// # Errors
    /// `weights`, naming the tensor.
    pub(super) fn check_numbers(&self) -> Result<()> {
        let finite = match self.encoding {
            Encoding::F32 => all(&self.data, |bits| f32::from_le_bytes(bits).is_finite()),
            Encoding::F16 => all(&self.data, |bits| f16_to_f32(u16::from_le_bytes(bits)).is_finite()),
            Encoding::Bf16 => all(&self.data, |bits| bf16_to_f32(u16::from_le_bytes(bits)).is_finite()),
            Encoding::Q7 | Encoding::Q8 => self.scales.iter().all(|scale| (scale * 127.0).is_finite()),
            Encoding::Unsupported(_) => true,
        };
        if !self.input_scales.iter().all(|scale| INPUT_SCALE_RANGE.contains(scale)) {
            return Err(weights(format!(
                "{} has an input scale that is not between {:e} and {:e}",
                self.name,
                INPUT_SCALE_RANGE.start(),
                INPUT_SCALE_RANGE.end()
            )));
        }
        if !finite {
            return Err(weights(format!("{} has a number that is not finite", self.name)));
        }
        let max_code = || self.data.iter().fold(0, |max, &code| if code > max { code } else { max });
        if self.encoding == Encoding::Q7 && max_code() > q8_format::MAX_Q7_CODE {
            return Err(weights(format!("{} has a code above {}", self.name, q8_format::MAX_Q7_CODE)));
        }
        Ok(())
    }
}

#[cfg(test)]
impl Tensor {
    /// Creates a matrix of 7-bit codes with a scale per row.
    pub(crate) fn from_codes(codes: &[u8], scales: &[f32], shape: [usize; 2]) -> Self {
        Self { scales: scales.to_vec(), ..Self::of_encoding(Encoding::Q7, codes.to_vec(), shape) }
    }

    /// Creates a matrix of f32.
    pub(crate) fn from_floats(values: &[f32], shape: [usize; 2]) -> Self {
        Self::of_encoding(Encoding::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect(), shape)
    }

    fn of_encoding(encoding: Encoding, data: Vec<u8>, shape: [usize; 2]) -> Self {
        Self {
            name: "test".to_owned(),
            shape: shape.to_vec(),
            encoding,
            data,
            scales: Vec::new(),
            input_scales: Vec::new(),
        }
    }
}

/// Replaces TensorFlow's names for the parameters of a LayerNorm, which old checkpoints have.
pub(super) fn current_name(name: &str) -> String {
    for (old, new) in [(".gamma", ".weight"), (".beta", ".bias")] {
        if let Some(stem) = name.strip_suffix(old) {
            return format!("{stem}{new}");
        }
    }
    name.to_owned()
}

fn fill(values: &mut [f32], elements: impl Iterator<Item = f32>) {
    for (value, element) in values.iter_mut().zip(elements) {
        *value = element;
    }
}

fn elements<const N: usize>(bytes: &[u8], start: usize, end: usize) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes[start * N..end * N].as_chunks::<N>().0.iter().copied()
}

/// Tests all elements. It does not stop at the first that fails, so that the compiler can vectorize it.
fn all<const N: usize>(bytes: &[u8], test: impl Fn([u8; N]) -> bool) -> bool {
    bytes.as_chunks::<N>().0.iter().fold(true, |all, element| all & test(*element))
}
