//! A safetensors file, proved before it is believed: an index of named tensors over its bytes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};

use super::q8;
use crate::error::{Result, weights};

/// The tensors of one checkpoint.
///
/// Old names are brought up to date on the way in, as HF does (`LayerNorm.gamma` is `LayerNorm.weight`).
#[derive(Debug)]
pub struct Weights {
    bytes: Cow<'static, [u8]>,
    tensors: BTreeMap<String, Tensor>,
    format: Format,
}

/// What kind of file the weights came from.
#[derive(Debug, Clone, PartialEq)]
pub enum Format {
    /// Plain safetensors as the Hub has them.
    Plain,
    /// Our q8 file, with what its metadata says.
    Q8(q8::Metadata),
}

impl Format {
    /// The name of the format.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Plain => "safetensors",
            Format::Q8(_) => "q8",
        }
    }

    /// The golden pairs the file carries.
    pub fn golden(&self) -> Option<&q8::Golden> {
        match self {
            Format::Plain => None,
            Format::Q8(metadata) => Some(&metadata.golden),
        }
    }
}

#[derive(Debug)]
struct Tensor {
    shape: Vec<usize>,
    dtype: Dtype,
    data: Range<usize>,
    /// For codes: the place of their scales, one f32 a row.
    scales: Option<Range<usize>>,
}

impl Weights {
    /// Reads the header of a safetensors file and checks all of it.
    ///
    /// # Errors
    /// `weights` when the header is malformed, tensors overlap or leave gaps, sizes overflow, or the file is cut.
    pub fn parse(bytes: Cow<'static, [u8]>) -> Result<Self> {
        let (header, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|error| malformed(&bytes, &error))?;
        let data_start = header + size_of::<u64>();
        let mut tensors = BTreeMap::new();
        for (name, info) in metadata.tensors() {
            let (start, end) = info.data_offsets;
            let data = data_start + start..data_start + end;
            let tensor = Tensor { shape: info.shape.clone(), dtype: info.dtype, data, scales: None };
            let current = current_name(&name);
            if tensors.insert(current.clone(), tensor).is_some() {
                return Err(weights(format!(
                    "model.safetensors: both {name} and its other spelling are there"
                )));
            }
        }
        let format = match metadata.metadata().as_ref().and_then(|metadata| metadata.get(q8::METADATA_KEY)) {
            None => Format::Plain,
            Some(text) => Format::Q8(q8::Metadata::parse(text)?),
        };
        let mut weights = Self { bytes, tensors, format };
        if matches!(weights.format, Format::Q8(_)) {
            weights.pair_codes_with_scales()?;
        }
        Ok(weights)
    }

    /// What kind of file this is.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Bytes of the whole file.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
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
    pub fn require(&self, name: &str, shape: &[usize]) -> Result<TensorView<'_>> {
        let view = self.view(name)?;
        if *view.shape != *shape {
            return Err(weights(format!(
                "{name} has the shape {:?}, the configuration asks for {shape:?}",
                view.shape
            )));
        }
        view.check_finite()?;
        Ok(view)
    }

    /// The tensor `name`, whose shape has been checked by [`require`](Self::require).
    ///
    /// # Errors
    /// `weights` when it is not there or holds no numbers.
    pub fn view(&self, name: &str) -> Result<TensorView<'_>> {
        let (name, tensor) = self
            .tensors
            .get_key_value(name)
            .ok_or_else(|| weights(format!("the tensor {name} is missing from model.safetensors")))?;
        let encoding = match (tensor.dtype, &tensor.scales) {
            (Dtype::F32, None) => Encoding::F32,
            (Dtype::F16, None) => Encoding::F16,
            (Dtype::BF16, None) => Encoding::Bf16,
            (Dtype::U8, Some(_)) => Encoding::Q7,
            (Dtype::I8, Some(_)) => Encoding::Q8,
            (other, _) => {
                return Err(weights(format!("{name} has the type {other:?}; F32, F16 and BF16 are read")));
            }
        };
        Ok(TensorView {
            name: Cow::Borrowed(name),
            shape: Cow::Borrowed(&tensor.shape),
            encoding,
            data: Cow::Borrowed(&self.bytes[tensor.data.clone()]),
            scales: Cow::Borrowed(&self.bytes[tensor.scales.clone().unwrap_or_default()]),
        })
    }

    /// In a q8 file every tensor of codes has its scales beside it, and every tensor of scales has codes.
    fn pair_codes_with_scales(&mut self) -> Result<()> {
        let scale_names: Vec<String> =
            self.tensors.keys().filter(|name| name.ends_with(q8::SCALE_SUFFIX)).cloned().collect();
        for scale_name in scale_names {
            let Some(scales) = self.tensors.remove(&scale_name) else { continue };
            let name = scale_name.strip_suffix(q8::SCALE_SUFFIX).unwrap_or_default();
            let codes = self
                .tensors
                .get_mut(name)
                .ok_or_else(|| weights(format!("{scale_name} has no tensor {name} to scale")))?;
            let rows = codes.shape.first().copied().unwrap_or(0);
            if codes.shape.len() != 2 || scales.shape != [rows] || scales.dtype != Dtype::F32 {
                return Err(weights(format!("{scale_name} is not one F32 scale for each row of {name}")));
            }
            if !matches!(codes.dtype, Dtype::U8 | Dtype::I8) {
                return Err(weights(format!("{name} has scales, but is neither U8 nor I8")));
            }
            codes.scales = Some(scales.data);
        }
        let whole = |tensor: &Tensor| {
            tensor.scales.is_some() || matches!(tensor.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16)
        };
        match self.tensors.iter().find(|(_, tensor)| !whole(tensor)) {
            Some((name, _)) => {
                Err(weights(format!("{name} has no scales, or a type a q8 file does not have")))
            }
            None => Ok(()),
        }
    }
}

/// One tensor: where it is called what, its shape and its stored numbers.
#[derive(Debug, Clone)]
pub struct TensorView<'a> {
    /// The name in the file.
    pub name: Cow<'a, str>,
    /// Sizes, outermost first.
    pub shape: Cow<'a, [usize]>,
    encoding: Encoding,
    /// Elements, little endian, row-major.
    data: Cow<'a, [u8]>,
    /// For codes: one f32 a row.
    scales: Cow<'a, [u8]>,
}

/// How an element is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    F32,
    F16,
    Bf16,
    Q7,
    Q8,
}

impl TensorView<'_> {
    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The tensor with its bytes, free of the file.
    pub fn into_owned(self) -> TensorView<'static> {
        TensorView {
            name: Cow::Owned(self.name.into_owned()),
            shape: Cow::Owned(self.shape.into_owned()),
            encoding: self.encoding,
            data: Cow::Owned(self.data.into_owned()),
            scales: Cow::Owned(self.scales.into_owned()),
        }
    }

    /// All elements in f32, row-major.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.elements()];
        self.read(0, &mut values);
        values
    }

    /// One row of a matrix in f32. The caller has checked that `row` lies in the shape.
    pub fn read_row(&self, row: usize, values: &mut [f32]) {
        self.read(row * values.len(), values);
    }

    /// Elements from `start` on, as many as fit `values`; of codes a whole number of rows.
    fn read(&self, start: usize, values: &mut [f32]) {
        let (data, end) = (&*self.data, start + values.len());
        match self.encoding {
            Encoding::F32 => fill(values, elements(data, start, end).map(f32::from_le_bytes)),
            Encoding::F16 => {
                fill(values, elements(data, start, end).map(|bits| f16::from_le_bytes(bits).to_f32()))
            }
            Encoding::Bf16 => {
                fill(values, elements(data, start, end).map(|bits| bf16::from_le_bytes(bits).to_f32()))
            }
            Encoding::Q7 => self.dequantise(start, values, |code| f32::from(code) - q8::Q7_OFFSET),
            Encoding::Q8 => self.dequantise(start, values, |code| f32::from(code.cast_signed())),
        }
    }

    fn dequantise(&self, start: usize, values: &mut [f32], decode: fn(u8) -> f32) {
        let columns = self.shape[1].max(1);
        let rows = start / columns..(start + values.len()) / columns;
        let scales = elements(&self.scales, rows.start, rows.end).map(f32::from_le_bytes);
        for ((row, scale), values) in rows.zip(scales).zip(values.chunks_exact_mut(columns)) {
            fill(values, self.data[row * columns..].iter().map(|&code| decode(code) * scale));
        }
    }

    /// Every number the tensor can give is finite, and every code is in its range.
    fn check_finite(&self) -> Result<()> {
        let finite = match self.encoding {
            Encoding::F32 => all(&self.data, |bits| f32::from_le_bytes(bits).is_finite()),
            Encoding::F16 => all(&self.data, |bits| f16::from_le_bytes(bits).is_finite()),
            Encoding::Bf16 => all(&self.data, |bits| bf16::from_le_bytes(bits).is_finite()),
            Encoding::Q7 | Encoding::Q8 => {
                all(&self.scales, |bits| (f32::from_le_bytes(bits) * 127.0).is_finite())
            }
        };
        if !finite {
            return Err(weights(format!("{} holds a number that is not finite", self.name)));
        }
        if self.encoding == Encoding::Q7 && self.data.iter().any(|&code| code > q8::Q7_LARGEST) {
            return Err(weights(format!("{} holds a code above {}", self.name, q8::Q7_LARGEST)));
        }
        Ok(())
    }
}

fn fill(values: &mut [f32], elements: impl Iterator<Item = f32>) {
    for (value, element) in values.iter_mut().zip(elements) {
        *value = element;
    }
}

fn elements<const N: usize>(bytes: &[u8], start: usize, end: usize) -> impl Iterator<Item = [u8; N]> + '_ {
    bytes[start * N..end * N].as_chunks::<N>().0.iter().copied()
}

fn all<const N: usize>(bytes: &[u8], test: impl Fn([u8; N]) -> bool) -> bool {
    bytes.as_chunks::<N>().0.iter().all(|element| test(*element))
}

/// TensorFlow's names for the parameters of a LayerNorm, still found in old checkpoints.
fn current_name(name: &str) -> String {
    for (old, new) in [(".gamma", ".weight"), (".beta", ".bias")] {
        if let Some(stem) = name.strip_suffix(old) {
            return format!("{stem}{new}");
        }
    }
    name.to_owned()
}

/// The library's error, and the tensor it is about where the library does not say.
fn malformed(bytes: &[u8], error: &safetensors::SafeTensorError) -> crate::Error {
    let culprit = match error {
        safetensors::SafeTensorError::TensorInvalidInfo => misdeclared_tensor(bytes),
        _ => None,
    };
    let place = culprit.map_or_else(String::new, |name| format!(" (tensor {name})"));
    weights(format!("model.safetensors is malformed: {error}{place}"))
}

/// The first tensor whose declared shape and type do not fill its declared bytes.
fn misdeclared_tensor(bytes: &[u8]) -> Option<String> {
    let length = usize::try_from(u64::from_le_bytes(*bytes.first_chunk()?)).ok()?;
    let header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(bytes.get(8..)?.get(..length)?).ok()?;
    header.into_iter().filter(|(name, _)| name != "__metadata__").find_map(|(name, info)| {
        let info: safetensors::tensor::TensorInfo = match serde_json::from_value(info) {
            Ok(info) => info,
            Err(_) => return Some(name),
        };
        let bits =
            info.shape.iter().try_fold(info.dtype.bitsize(), |product, size| product.checked_mul(*size));
        let (start, end) = info.data_offsets;
        (bits != end.checked_sub(start).and_then(|size| size.checked_mul(8))).then_some(name)
    })
}
