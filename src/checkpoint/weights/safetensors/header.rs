//! The header of a safetensors file. Every size and offset is checked before a tensor is read.

use std::collections::BTreeMap;

use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::value::RawValue;

use crate::checkpoint::weights::tensor::{Encoding, current_name};
use crate::checkpoint::weights::{Format, q4_format, q8_format};
use crate::error::{Error, Result, unsupported, weights};

/// The checked content of a header.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) format: Format,
    /// The tensors by their current names.
    pub(super) tensors: BTreeMap<String, DeclaredTensor>,
    /// The segments of the data, in order and without gaps.
    pub(super) segments: Vec<Segment>,
}

/// A tensor whose data has yet to be read.
#[derive(Debug)]
pub(super) struct DeclaredTensor {
    pub(super) shape: Vec<usize>,
    /// The encoding of the elements in memory.
    pub(super) encoding: Encoding,
    /// Whether the elements are stored as 4-bit blocks.
    pub(super) packed: bool,
    /// Number of segments of the tensor that have not been read.
    pub(super) parts: usize,
}

/// A range of bytes in the file.
#[derive(Debug)]
pub(super) struct Segment {
    /// The tensor that the bytes belong to.
    pub(super) tensor: String,
    pub(super) part: TensorPart,
    pub(super) bytes: usize,
}

/// The part of a tensor that a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TensorPart {
    /// The elements.
    Elements,
    /// One scale per row, or per block.
    Scales,
    /// Divisors of the inputs, one per column.
    InputScales,
}

/// A current tensor name with the header's entry.
type Entry = (String, TensorInfo);

impl Header {
    /// Parses a header that is followed by `data` bytes.
    ///
    /// # Errors
    /// `weights` if the header is malformed, tensors overlap or leave gaps, sizes overflow, or the data has another
    /// size; for q8 and q4 files, also if codes and scales do not match. `unsupported` for other versions of these
    /// formats, and for more data than WebAssembly has addresses.
    pub(super) fn parse(json: &[u8], data: u64) -> Result<Self> {
        check_addressable(data, usize::MAX as u64)?;
        let metadata = read_metadata(json).map_err(|error| malformed(json, error))?;
        if metadata.data_len() as u64 != data {
            return Err(weights(format!(
                "malformed: its tensors need {} bytes of data, and it has {data}",
                metadata.data_len()
            )));
        }
        let ranklet_metadata =
            metadata.metadata().as_ref().and_then(|metadata| metadata.get(q8_format::METADATA_KEY));
        let ranklet_metadata = ranklet_metadata.map(|text| q8_format::Metadata::parse(text)).transpose()?;
        let entries = entries(&metadata)?;
        let (format, (tensors, segments)) = match ranklet_metadata {
            None => (Format::Plain, plain(entries)),
            Some(own) if own.format == q8_format::Q4 => {
                let contents = with_scales(entries, Some(&own.columns))?;
                (Format::Q4(own), contents)
            }
            Some(own) => (Format::Q8(own), with_scales(entries, None)?),
        };
        Ok(Self { format, tensors, segments })
    }
}

/// Checks that offsets in `data` bytes are at most `max`. In WebAssembly, larger ones do not fit the numbers of the header's reader.
fn check_addressable(data: u64, max: u64) -> Result<()> {
    if data <= max {
        return Ok(());
    }
    Err(unsupported(format!(
        "has {data} bytes of tensors, and WebAssembly reads at most {max} of one file: \
         save_pretrained(folder, max_shard_size=\"2GB\") makes smaller files"
    )))
}

/// Reads a header entry by entry. The library's own way is one large function, which V8 compiles a second time with
/// optimizations while it runs once, for longer than it runs.
#[inline(never)]
fn read_metadata(json: &[u8]) -> serde_json::Result<Metadata> {
    let mut entries = raw_entries(json)?;
    let metadata = match entries.remove("__metadata__") {
        Some(metadata) => serde_json::from_str(metadata.get())?,
        None => None,
    };
    let mut tensors = Vec::with_capacity(entries.len());
    for (name, info) in entries {
        tensors.push((name, tensor_info(info)?));
    }
    sort(&mut tensors);
    Metadata::new(metadata, tensors).map_err(serde::de::Error::custom)
}

#[inline(never)]
fn raw_entries(json: &[u8]) -> serde_json::Result<BTreeMap<String, &RawValue>> {
    serde_json::from_slice(json)
}

/// Sorts tensors by their positions in the file, as the library requires.
#[inline(never)]
fn sort(tensors: &mut [Entry]) {
    tensors.sort_by_key(|(_, info)| info.data_offsets);
}

#[inline(never)]
fn tensor_info(json: &RawValue) -> serde_json::Result<TensorInfo> {
    serde_json::from_str(json.get())
}

/// Returns the entries in the order of their data.
#[inline(never)]
fn entries(metadata: &Metadata) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut known = std::collections::HashSet::new();
    for name in metadata.offset_keys() {
        let Some(info) = metadata.info(&name) else { continue };
        let current = current_name(&name);
        if !known.insert(current.clone()) {
            return Err(weights(format!("it has both {name} and the same tensor under an older name")));
        }
        entries.push((current, info.clone()));
    }
    Ok(entries)
}

type Contents = (BTreeMap<String, DeclaredTensor>, Vec<Segment>);

/// Declares the tensors of a plain file: each entry is a tensor.
fn plain(entries: Vec<Entry>) -> Contents {
    let segments = entries.iter().map(|(name, info)| segment(name, TensorPart::Elements, info)).collect();
    let declare = |(name, info): Entry| {
        let encoding = Encoding::plain(info.dtype);
        (name, DeclaredTensor { shape: info.shape, encoding, packed: false, parts: 1 })
    };
    (entries.into_iter().map(declare).collect(), segments)
}

/// The number of values per row of each tensor in blocks. `None` for q8 files.
type Columns<'a> = Option<&'a BTreeMap<String, usize>>;

/// Declares the tensors of a q8 or q4 file. Checks that all codes have scales and all scales have codes.
#[inline(never)]
fn with_scales(entries: Vec<Entry>, columns: Columns) -> Result<Contents> {
    let mut tensors = BTreeMap::new();
    for (name, info) in entries.iter().filter(|(name, _)| split_suffix(name).1 == TensorPart::Elements) {
        tensors.insert(name.clone(), declare(name, info, columns)?);
    }
    let mut segments = Vec::new();
    let mut with_scales = std::collections::HashSet::new();
    for (name, info) in &entries {
        let (stem, part) = split_suffix(name);
        let tensor = tensors.get_mut(stem).ok_or_else(|| orphan(name, stem, part))?;
        match part {
            TensorPart::Elements => {}
            TensorPart::Scales => {
                check_scales(name, stem, info, tensor)?;
                with_scales.insert(stem);
            }
            TensorPart::InputScales => check_input_scales(name, stem, info, tensor)?,
        }
        tensor.parts += 1;
        segments.push(segment(stem, part, info));
    }
    for (name, tensor) in &tensors {
        let whole = match tensor.encoding {
            Encoding::F32 | Encoding::F16 | Encoding::Bf16 => true,
            Encoding::Q7 | Encoding::Q8 => with_scales.contains(name.as_str()),
            Encoding::Unsupported(_) => false,
        };
        if !whole {
            return Err(weights(format!("{name} has no scales, or a type that this format does not use")));
        }
    }
    Ok((tensors, segments))
}

/// Declares the elements of an entry, without its scales.
#[inline(never)]
fn declare(name: &str, info: &TensorInfo, columns: Columns) -> Result<DeclaredTensor> {
    let encoding = match info.dtype {
        Dtype::U8 => Encoding::Q7,
        Dtype::I8 => Encoding::Q8,
        other => Encoding::plain(other),
    };
    let mut declared = DeclaredTensor { shape: info.shape.clone(), encoding, packed: false, parts: 0 };
    if let (Some(columns), Encoding::Q7 | Encoding::Q8) = (columns, encoding) {
        let columns = *columns.get(name).ok_or_else(|| {
            weights(format!(
                "{name} is stored in blocks, but the metadata does not have its number of columns"
            ))
        })?;
        // Without codes, no bytes of the file bound the numbers of rows and columns.
        let is_empty = info.shape.contains(&0);
        if is_empty || info.shape.len() != 2 || info.shape[1] != q4_format::row_bytes(columns) {
            return Err(weights(format!(
                "{name} has the shape {:?}, which does not fit rows of {columns} codes, two per byte",
                info.shape
            )));
        }
        declared.shape[1] = columns;
        declared.packed = true;
    }
    Ok(declared)
}

#[inline(never)]
fn check_scales(name: &str, stem: &str, scales: &TensorInfo, codes: &DeclaredTensor) -> Result<()> {
    if let (true, [rows, columns]) = (codes.packed, &codes.shape[..]) {
        if scales.shape != [*rows, q4_format::row_blocks(*columns)] || scales.dtype != Dtype::F16 {
            return Err(weights(format!(
                "{name} must have one F16 scale per {} columns in each row of {stem}",
                q4_format::BLOCK
            )));
        }
        return Ok(());
    }
    let rows = codes.shape.first().copied().unwrap_or(0);
    if codes.shape.len() != 2 || scales.shape != [rows] || scales.dtype != Dtype::F32 {
        return Err(weights(format!("{name} must have one F32 scale per row of {stem}")));
    }
    if !matches!(codes.encoding, Encoding::Q7 | Encoding::Q8) {
        return Err(weights(format!("{stem} has scales, but is neither U8 nor I8")));
    }
    Ok(())
}

#[inline(never)]
fn check_input_scales(name: &str, stem: &str, scales: &TensorInfo, matrix: &DeclaredTensor) -> Result<()> {
    let columns = matrix.shape.get(1).copied().unwrap_or(0);
    if matrix.encoding != Encoding::Q7 || scales.shape != [columns] || scales.dtype != Dtype::F32 {
        return Err(weights(format!("{name} must have one F32 value per column of the matrix {stem}")));
    }
    Ok(())
}

fn orphan(name: &str, stem: &str, part: TensorPart) -> Error {
    let what = if part == TensorPart::InputScales { "scale inputs for" } else { "scale" };
    weights(format!("{name} has no tensor {stem} to {what}"))
}

fn segment(tensor: &str, part: TensorPart, info: &TensorInfo) -> Segment {
    let (start, end) = info.data_offsets;
    Segment { tensor: tensor.to_owned(), part, bytes: end - start }
}

/// Splits an entry's name into the name of the tensor and the part that the entry holds.
fn split_suffix(name: &str) -> (&str, TensorPart) {
    match (name.strip_suffix(q8_format::INPUT_SCALE_SUFFIX), name.strip_suffix(q8_format::SCALE_SUFFIX)) {
        (Some(stem), _) => (stem, TensorPart::InputScales),
        (None, Some(stem)) => (stem, TensorPart::Scales),
        (None, None) => (name, TensorPart::Elements),
    }
}

/// Adds the tensor's name to the library's error, which does not always have it.
fn malformed(header: &[u8], error: serde_json::Error) -> Error {
    let suffix = misdeclared_tensor(header).map_or_else(String::new, |name| format!(" (tensor {name})"));
    weights(format!("malformed: {error}{suffix}")).with_source(error)
}

/// Returns the first tensor whose shape and type do not match its size in bytes.
fn misdeclared_tensor(header: &[u8]) -> Option<String> {
    let header: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(header).ok()?;
    header.into_iter().filter(|(name, _)| name != "__metadata__").find_map(|(name, info)| {
        let info: TensorInfo = match serde_json::from_value(info) {
            Ok(info) => info,
            Err(_) => return Some(name),
        };
        let bits =
            info.shape.iter().try_fold(info.dtype.bitsize(), |product, size| product.checked_mul(*size));
        let (start, end) = info.data_offsets;
        (bits != end.checked_sub(start).and_then(|size| size.checked_mul(8))).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn more_data_than_webassembly_has_addresses_is_not_called_malformed() {
        let max = u64::from(u32::MAX);
        assert!(check_addressable(max, max).is_ok());
        let error = check_addressable(max + 1, max).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        for part in ["4294967296 bytes", "max_shard_size"] {
            assert!(error.context().contains(part), "{error}");
        }
    }
}
