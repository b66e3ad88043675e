//! Reads a safetensors file in pieces: the header, then the tensors in the order of their data.

use std::collections::BTreeMap;
use std::ops::Range;
use std::vec::IntoIter;

use super::header::{DeclaredTensor, Header, Segment, TensorPart};
use crate::checkpoint::weights::q4_format::Packed;
use crate::checkpoint::weights::streaming_quantizer::StreamingQuantizer;
use crate::checkpoint::weights::tensor::{Encoding, Tensor};
use crate::checkpoint::weights::tensor_collector::TensorCollector;
use crate::checkpoint::weights::{Format, MAX_PIECE_BYTES};
use crate::error::{Error, Result, weights};

/// Bytes of the header's length, which comes first in the file.
const LENGTH_BYTES: usize = size_of::<u64>();
/// The limit of the safetensors library.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// Reads a file in pieces of any size. It never holds the whole file.
#[derive(Debug)]
pub(crate) struct SafetensorsReader {
    /// Size of the file in bytes.
    length: u64,
    /// Number of bytes received so far.
    received: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The header's length and the part of the header received so far.
    Header(Vec<u8>),
    Data(Box<Data>),
}

impl SafetensorsReader {
    /// Creates a reader for a file of `length` bytes.
    pub(crate) fn new(length: u64) -> Self {
        Self { length, received: 0, state: State::Header(Vec::new()) }
    }

    /// Returns the bytes to push next; `None` if the file is complete.
    pub(crate) fn wanted(&self) -> Option<Range<u64>> {
        let (skipped, needed) = match &self.state {
            State::Header(_) => (0, MAX_PIECE_BYTES),
            State::Data(data) => data.next_run(),
        };
        let start = self.received + skipped;
        let end = self.length.min(start + needed.min(MAX_PIECE_BYTES));
        (start < end).then_some(start..end)
    }

    /// Takes the [wanted](Self::wanted) bytes, or a prefix of them.
    ///
    /// # Errors
    /// `weights` if the file is malformed or longer than announced, or a tensor to quantize has a number that is not
    /// finite; `unsupported` for an unsupported version of Ranklet's formats.
    #[inline(never)]
    pub(crate) fn push(&mut self, mut piece: &[u8], collector: &mut TensorCollector) -> Result<()> {
        if let State::Data(data) = &mut self.state {
            self.received += data.skip();
        }
        self.received += piece.len() as u64;
        if self.received > self.length {
            return Err(malformed(format!("it has more than the announced {} bytes", self.length)));
        }
        while !piece.is_empty() {
            match &mut self.state {
                State::Header(header) => {
                    let wanted = header_end(header, self.length)?;
                    piece = fill(header, wanted, piece);
                    if header.len() == header_end(header, self.length)? {
                        let data = self.length - header.len() as u64;
                        let header = Header::parse(&header[LENGTH_BYTES..], data)?;
                        self.state = State::Data(Box::new(Data::begin(header, collector)?));
                    }
                }
                State::Data(data) => piece = data.push(piece, collector)?,
            }
        }
        Ok(())
    }

    /// Returns the file's format after all bytes have been pushed.
    ///
    /// # Errors
    /// `weights` if bytes are missing.
    pub(crate) fn finish(self) -> Result<Format> {
        match self.state {
            State::Data(data) if self.received + data.next_run().0 == self.length => Ok(data.format),
            _ => Err(malformed(format!("it ends after {} bytes", self.received))),
        }
    }
}

/// Returns the end of the header in bytes, or of its length field while that is incomplete.
fn header_end(header: &[u8], length: u64) -> Result<usize> {
    let Some(bytes) = header.first_chunk() else { return Ok(LENGTH_BYTES) };
    let header = u64::from_le_bytes(*bytes);
    if header > MAX_HEADER_BYTES || header + LENGTH_BYTES as u64 > length {
        return Err(malformed(format!(
            "its header of {header} bytes does not fit the file of {length} bytes, or is too large"
        )));
    }
    Ok(header as usize + LENGTH_BYTES)
}

/// Moves bytes from the piece until `buffer` has `wanted` bytes. Returns the rest of the piece.
fn fill<'a>(buffer: &mut Vec<u8>, wanted: usize, piece: &'a [u8]) -> &'a [u8] {
    let (taken, rest) = piece.split_at(piece.len().min(wanted - buffer.len()));
    buffer.extend_from_slice(taken);
    rest
}

fn malformed(what: String) -> Error {
    weights(format!("malformed: {what}"))
}

/// The data section of a file.
#[derive(Debug)]
struct Data {
    format: Format,
    /// Tensors with segments that have not been read.
    partial_tensors: BTreeMap<String, PartialTensor>,
    segments: IntoIter<Segment>,
    /// Bytes received of the first of `segments`.
    received: usize,
    /// These bytes, unless a quantizer takes them.
    buffer: Vec<u8>,
    quantizer: Option<StreamingQuantizer>,
}

/// A tensor with the parts received so far.
#[derive(Debug)]
struct PartialTensor {
    declared: DeclaredTensor,
    elements: Vec<u8>,
    scales: Vec<u8>,
    input_scales: Vec<u8>,
}

impl Data {
    #[inline(never)]
    fn begin(header: Header, collector: &mut TensorCollector) -> Result<Self> {
        collector.register(header.tensors.keys())?;
        let mut partial_tensors = BTreeMap::new();
        for (name, declared) in header.tensors {
            let (elements, scales, input_scales) = Default::default();
            let tensor = PartialTensor { declared, elements, scales, input_scales };
            if collector.is_read(&name) {
                partial_tensors.insert(name, tensor);
            } else {
                collector.insert(tensor.without_numbers(name));
            }
        }
        let mut data = Self {
            format: header.format,
            partial_tensors,
            segments: header.segments.into_iter(),
            received: 0,
            buffer: Vec::new(),
            quantizer: None,
        };
        data.finish_full_segments(collector)?;
        Ok(data)
    }

    /// Returns the number of bytes before the next segment that is read, and the min number of bytes that are read from
    /// there on.
    fn next_run(&self) -> (u64, u64) {
        let (mut skipped, mut needed) = (0, 0);
        let mut received = self.received;
        for segment in self.segments.as_slice() {
            let bytes = (segment.bytes - std::mem::take(&mut received)) as u64;
            match (self.is_read(segment), needed) {
                (true, _) => needed += bytes,
                (false, 0) => skipped += bytes,
                (false, _) => break,
            }
            if needed >= MAX_PIECE_BYTES {
                break;
            }
        }
        (skipped, needed)
    }

    /// Skips the segments before the next one that is read. Returns their bytes.
    fn skip(&mut self) -> u64 {
        let mut skipped = 0;
        while let Some(segment) = self.segments.as_slice().first()
            && !self.is_read(segment)
        {
            skipped += (segment.bytes - self.received) as u64;
            self.received = 0;
            self.segments.next();
        }
        skipped
    }

    /// Whether the tensor of a segment that has not been read is needed.
    fn is_read(&self, segment: &Segment) -> bool {
        self.partial_tensors.contains_key(&segment.tensor)
    }

    /// Takes the bytes of the current segment. Returns the rest of the piece.
    #[inline(never)]
    fn push<'a>(&mut self, piece: &'a [u8], collector: &mut TensorCollector) -> Result<&'a [u8]> {
        let Some(segment) = self.segments.as_slice().first() else { return Ok(&[]) };
        if self.received == 0 {
            self.quantizer =
                match self.partial_tensors.get(&segment.tensor).filter(|_| self.format == Format::Plain) {
                    Some(PartialTensor { declared: DeclaredTensor { shape, encoding, .. }, .. }) => {
                        collector.quantizer(&segment.tensor, shape, *encoding, segment.bytes)
                    }
                    None => None,
                };
        }
        let (taken, rest) = piece.split_at(piece.len().min(segment.bytes - self.received));
        self.received += taken.len();
        match &mut self.quantizer {
            Some(quantizer) => quantizer.push(taken)?,
            None if !self.partial_tensors.contains_key(&segment.tensor) => {}
            None => {
                self.buffer.reserve_exact(segment.bytes - self.buffer.len());
                self.buffer.extend_from_slice(taken);
            }
        }
        self.finish_full_segments(collector)?;
        Ok(rest)
    }

    /// Completes all segments whose bytes have arrived. Empty segments are complete at once.
    #[inline(never)]
    fn finish_full_segments(&mut self, collector: &mut TensorCollector) -> Result<()> {
        while let Some(Segment { tensor: name, part, .. }) = self.next_full_segment() {
            self.received = 0;
            let bytes = std::mem::take(&mut self.buffer);
            if let Some(quantizer) = self.quantizer.take() {
                self.partial_tensors.remove(&name);
                collector.insert(quantizer.finish());
                continue;
            }
            let Some(tensor) = self.partial_tensors.get_mut(&name) else { continue };
            tensor.put(part, bytes);
            if tensor.declared.parts == 0
                && let Some(tensor) = self.partial_tensors.remove(&name)
            {
                collector.insert(tensor.finish(name)?);
            }
        }
        Ok(())
    }

    fn next_full_segment(&mut self) -> Option<Segment> {
        let segment = self.segments.as_slice().first()?;
        if segment.bytes == self.received { self.segments.next() } else { None }
    }
}

impl PartialTensor {
    fn put(&mut self, part: TensorPart, bytes: Vec<u8>) {
        match part {
            TensorPart::Elements => self.elements = bytes,
            TensorPart::Scales => self.scales = bytes,
            TensorPart::InputScales => self.input_scales = bytes,
        }
        self.declared.parts -= 1;
    }

    /// Returns the tensor if its numbers are not read.
    fn without_numbers(self, name: String) -> Tensor {
        let DeclaredTensor { shape, encoding, .. } = self.declared;
        let (data, scales, input_scales) = Default::default();
        Tensor { name, shape, encoding, data, scales, input_scales }
    }

    /// Returns the tensor after all of its parts have arrived.
    #[inline(never)]
    fn finish(self, name: String) -> Result<Tensor> {
        let DeclaredTensor { shape, encoding, packed, .. } = self.declared;
        let input_scales = floats(&self.input_scales);
        let mut tensor = Tensor { name, shape, encoding, data: Vec::new(), scales: Vec::new(), input_scales };
        match encoding {
            Encoding::Unsupported(_) => {}
            _ if packed => Packed { codes: self.elements, scales: self.scales }.unpack(&mut tensor)?,
            _ => (tensor.data, tensor.scales) = (self.elements, floats(&self.scales)),
        }
        Ok(tensor)
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|bits| f32::from_le_bytes(*bits)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::{ExpectedTensors, QuantGrid, Weights, WeightsReader};

    /// A plain matrix, a quantized matrix with its scales, and an empty tensor before and after them.
    const HEADER: &[u8] = br#"{"__metadata__":{"ranklet":
"{\"format\":\"q8\",\"version\":1,\"scheme\":\"\",\"source\":\"\",\"golden\":{\"pairs\":[]}}"},
"none":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]},
"m.scale":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
"m":{"dtype":"U8","shape":[2,3],"data_offsets":[8,14]},
"f":{"dtype":"F16","shape":[1,2],"data_offsets":[14,18]},
"nothing":{"dtype":"F32","shape":[3,0],"data_offsets":[18,18]}}"#;

    fn file() -> Vec<u8> {
        let scales = [0.5f32, 2.0].map(f32::to_le_bytes).concat();
        let data = [&scales[..], &[64, 65, 63, 127, 0, 64], &[0, 0x3c, 0, 0xc0]].concat();
        [&(HEADER.len() as u64).to_le_bytes()[..], HEADER, &data].concat()
    }

    fn read(file: &[u8], length: usize, piece: usize) -> Result<Weights> {
        let mut reader = WeightsReader::default();
        reader.open("model.safetensors", length as u64)?;
        file.chunks(piece).try_for_each(|piece| reader.push(piece))?;
        reader.finish()
    }

    #[test]
    fn pieces_of_any_size_give_the_same_tensors() {
        let file = file();
        for piece in [1, 2, 3, 5, 8, 13, 100, file.len() - 1, file.len()] {
            let weights = read(&file, file.len(), piece).unwrap();
            assert_eq!(weights.names().collect::<Vec<_>>(), ["f", "m", "none", "nothing"]);
            assert_eq!(weights.view("m").unwrap().to_f32(), [0.0, 0.5, -0.5, 126.0, -128.0, 0.0]);
            assert_eq!(weights.view("f").unwrap().to_f32(), [1.0, -2.0]);
            assert_eq!(weights.require("none", &[0, 3]).unwrap().elements(), 0);
            assert_eq!(weights.bytes(), file.len() as u64);
        }
    }

    #[test]
    fn a_file_that_is_shorter_or_longer_than_it_says_is_refused() {
        let file = file();
        for length in 0..file.len() {
            assert!(read(&file[..length], file.len(), 7).is_err(), "{length} bytes of {}", file.len());
            assert!(read(&file[..length], length, 7).is_err(), "{length} bytes");
        }
        assert!(read(&file, file.len() - 1, 7).is_err());
        assert!(read(&[&file[..], &[0]].concat(), file.len(), 7).is_err());
        assert!(read(&[&file[..], &[0]].concat(), file.len() + 1, 7).is_err());
    }

    #[test]
    fn blocks_without_codes_are_refused() {
        for (rows, columns) in [(1usize << 60, 0usize), (0, 1 << 62)] {
            let metadata = format!(
                r#"{{"format":"q4","version":1,"scheme":"","source":"","columns":{{"m":{columns}}},"golden":{{"pairs":[]}}}}"#
            );
            let header = serde_json::json!({
                "__metadata__": { "ranklet": metadata },
                "m": { "dtype": "U8", "shape": [rows, columns / 2], "data_offsets": [0, 0] },
                "m.scale": { "dtype": "F16", "shape": [rows, columns / 32], "data_offsets": [0, 0] },
            })
            .to_string();
            let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
            let error = read(&file, file.len(), file.len()).unwrap_err();
            assert!(error.context().contains("does not fit rows of"), "{error}");
        }
    }

    #[test]
    fn a_matrix_is_rounded_as_it_comes_and_only_if_it_is_one() {
        let header = br#"{"m":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},
"i":{"dtype":"I32","shape":[1,1],"data_offsets":[24,28]},"v":{"dtype":"F32","shape":[1],"data_offsets":[28,32]}}"#;
        let values = [1.0f32, -0.25, 0.5, 0.0, 0.0, 0.0, 7.0, 3.0];
        let file = |values: [f32; 8]| {
            let data = values.map(f32::to_le_bytes).concat();
            [&(header.len() as u64).to_le_bytes()[..], header, &data].concat()
        };
        let read = |file: &[u8]| {
            let grids = ["m", "i", "v"].map(|name| (name.to_owned(), QuantGrid::MATRIX));
            let mut reader = WeightsReader::new(None, ExpectedTensors::of_grids(grids));
            reader.open("model.safetensors", file.len() as u64)?;
            reader.push(file)?;
            reader.finish()
        };
        let weights = read(&file(values)).unwrap();
        let matrix = weights.require("m", &[2, 3]).unwrap();
        assert_eq!(matrix.encoding, Encoding::Q7);
        let close = |(got, want): (&f32, &f32)| (got - want).abs() < 0.01;
        assert!(matrix.to_f32().iter().zip(&values).all(close), "{matrix:?}");
        assert_eq!(weights.view("v").unwrap().to_f32(), [3.0]);
        assert!(weights.view("i").unwrap_err().context().contains("I32"));

        let mut broken = values;
        broken[4] = f32::NAN;
        assert!(read(&file(broken)).unwrap_err().context().contains("m has a number that is not finite"));
    }
}
