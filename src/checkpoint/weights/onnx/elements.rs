//! The elements of a stored tensor: their type, and their bytes from every field of `TensorProto`.

use super::graph::{Data, StoredTensor};
use super::protobuf::{Field, FieldValue, malformed, varint};
use crate::checkpoint::weights::tensor::{Encoding, Tensor};
use crate::error::{Result, unsupported, weights};

/// The number of the type of floats in `TensorProto.DataType`.
const FLOAT: u64 = 1;
/// The numbers of the fields with data in `TensorProto`.
pub(super) const FLOAT_DATA: u64 = 4;
const INT32_DATA: u64 = 5;
const INT64_DATA: u64 = 7;
const DOUBLE_DATA: u64 = 10;
const UINT64_DATA: u64 = 11;

/// The type of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ElementType {
    F32,
    F16,
    Bf16,
    F64,
    I8,
    U8,
}

impl ElementType {
    /// Returns the type of a tensor's elements.
    ///
    /// # Errors
    /// `unsupported` for a type that weights do not have, with the forms to choose instead.
    pub(super) fn of(tensor: &StoredTensor) -> Result<Self> {
        Ok(match tensor.data_type {
            1 => Self::F32,
            2 => Self::U8,
            3 => Self::I8,
            10 => Self::F16,
            11 => Self::F64,
            16 => Self::Bf16,
            other => {
                let kind = match other {
                    4 => "UINT16",
                    5 => "INT16",
                    6 => "INT32",
                    7 => "INT64",
                    8 => "STRING",
                    17..=20 | 24 => "FLOAT8",
                    21 => "UINT4",
                    22 => "INT4",
                    23 => "FLOAT4",
                    _ => "another",
                };
                return Err(unsupported(format!(
                    "{} has {kind} elements (type {other}); FLOAT, FLOAT16, BFLOAT16, INT8 and UINT8 are read: choose \
                     another file of this model, such as model.onnx, model_fp16.onnx or model_quantized.onnx",
                    tensor.name
                )));
            }
        })
    }

    /// Returns the size of an element in bytes.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::F16 | Self::Bf16 => 2,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Returns the encoding of floats of this type, if a tensor can have it.
    pub(super) fn encoding(self) -> Option<Encoding> {
        match self {
            Self::F32 => Some(Encoding::F32),
            Self::F16 => Some(Encoding::F16),
            Self::Bf16 => Some(Encoding::Bf16),
            Self::F64 | Self::I8 | Self::U8 => None,
        }
    }
}

/// Returns the elements in little-endian order from the bytes at the position of a tensor's data. Doubles become floats.
///
/// # Errors
/// `weights` if the number of elements is not that of the shape; `unsupported` for other types.
pub(super) fn decode(tensor: &mut StoredTensor, bytes: Vec<u8>) -> Result<Vec<u8>> {
    let kind = ElementType::of(tensor)?;
    let decoded = match tensor.data {
        Data::Absent | Data::Raw(_) | Data::External(_) | Data::Packed(FLOAT_DATA | DOUBLE_DATA, _) => {
            Ok(bytes)
        }
        Data::Packed(field, _) => packed(&bytes, field, kind),
        Data::Repeated(..) => repeated(&bytes, kind),
    };
    let decoded = decoded.map_err(|error| error.at(&tensor.name))?;
    let wanted = tensor.elements().and_then(|elements| elements.checked_mul(kind.bytes()));
    if wanted != Some(decoded.len()) {
        let (name, shape, found) = (&tensor.name, &tensor.shape, decoded.len());
        return Err(weights(format!(
            "{name} has {found} bytes, which is not the size of its shape {shape:?}"
        )));
    }
    if kind != ElementType::F64 {
        return Ok(decoded);
    }
    tensor.data_type = FLOAT;
    let doubles = decoded.as_chunks().0.iter().map(|bits| f64::from_le_bytes(*bits));
    Ok(doubles.flat_map(|double| (double as f32).to_le_bytes()).collect())
}

/// Decodes packed whole numbers.
fn packed(mut bytes: &[u8], field: u64, kind: ElementType) -> Result<Vec<u8>> {
    let mut elements = Vec::new();
    while !bytes.is_empty() {
        append(&mut elements, field, varint(&mut bytes)?, kind)?;
    }
    Ok(elements)
}

/// Decodes a field that is repeated for each element.
fn repeated(bytes: &[u8], kind: ElementType) -> Result<Vec<u8>> {
    let mut elements = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let field = Field::read(rest)?;
        let content = &rest[..field.header];
        match field.value {
            FieldValue::Varint(number) => append(&mut elements, field.number, number, kind)?,
            FieldValue::Fixed32(bits) => elements.extend(bits.to_le_bytes()),
            FieldValue::Fixed64 => elements.extend(&content[content.len() - 8..]),
            FieldValue::Bytes(_) => return Err(malformed("an element is a list")),
        }
        rest = &rest[field.header..];
    }
    Ok(elements)
}

/// Appends an element that is stored as a whole number.
fn append(elements: &mut Vec<u8>, field: u64, number: u64, kind: ElementType) -> Result<()> {
    match field {
        INT32_DATA | INT64_DATA | UINT64_DATA if kind != ElementType::F32 && kind != ElementType::F64 => {
            elements.extend(&number.to_le_bytes()[..kind.bytes()]);
            Ok(())
        }
        _ => Err(malformed(&format!("{kind:?} elements are in the field {field}"))),
    }
}

/// Returns floats in f32; none for whole numbers.
pub(super) fn to_f32(elements: &[u8], kind: ElementType) -> Vec<f32> {
    let Some(encoding) = kind.encoding() else { return Vec::new() };
    let tensor = Tensor {
        name: String::new(),
        shape: vec![elements.len() / kind.bytes()],
        encoding,
        data: elements.to_vec(),
        scales: Vec::new(),
        input_scales: Vec::new(),
    };
    tensor.to_f32()
}

/// Returns 8-bit integers; none for floats.
pub(super) fn to_i32(elements: &[u8], kind: ElementType) -> Vec<i32> {
    let convert = match kind {
        ElementType::I8 => |element: &u8| i32::from(element.cast_signed()),
        ElementType::U8 => |element: &u8| i32::from(*element),
        _ => return Vec::new(),
    };
    elements.iter().map(convert).collect()
}
