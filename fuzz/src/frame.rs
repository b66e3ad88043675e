//! Safetensors files from inputs that stay meaningful when a fuzzer changes them.
//!
//! The length before a header and the bytes behind it must be right to the byte before a reader looks at anything
//! else, and no fuzzer keeps them so. So the first byte of an input says what the rest is:
//!
//! - `f`: the file;
//! - `h`: the header, a separator, the data; the length is put before it;
//! - anything else: the header, a separator, and edits to the data of a real file: four bytes of a place and the
//!   four bytes written there.

use serde_json::Value;

use crate::SEPARATOR;

/// A real file whose data is edited.
pub struct Template {
    header: Vec<u8>,
    data: Vec<u8>,
}

/// No header makes a file longer than this.
const MOST_DATA: u64 = 1 << 20;

impl Template {
    /// Takes a well-formed file apart.
    pub fn new(file: &[u8]) -> Self {
        let (length, rest) = file.split_first_chunk().expect("a safetensors file has a length");
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        Self { header: header.to_vec(), data: data.to_vec() }
    }

    /// The input that stands for the file itself, its header changed by `change`.
    pub fn seed(&self, change: impl Fn(String) -> String) -> Vec<u8> {
        let header = String::from_utf8(self.header.clone()).expect("a header is text");
        ["e", change(header).trim_end()].concat().into_bytes()
    }

    /// The file an input stands for.
    pub fn file(&self, input: &[u8]) -> Vec<u8> {
        let Some((kind, rest)) = input.split_first() else { return Vec::new() };
        if *kind == b'f' {
            return rest.to_vec();
        }
        let separator = rest.iter().position(|byte| *byte == SEPARATOR);
        let (header, tail) = separator.map_or((rest, &[][..]), |place| (&rest[..place], &rest[place + 1..]));
        let length = (header.len() as u64).to_le_bytes();
        if *kind == b'h' {
            return [&length[..], header, tail].concat();
        }
        let mut data = self.data.clone();
        data.resize(declared_length(header).unwrap_or(data.len()), 0);
        for edit in tail.as_chunks::<8>().0 {
            let [a, b, c, d, value @ ..] = *edit;
            // Places beyond the end are folded back in, so that every edit hits.
            let last = data.len().saturating_sub(value.len());
            let place = u32::from_le_bytes([a, b, c, d]) as usize % (last + 1);
            if let Some(target) = data.get_mut(place..place + value.len()) {
                target.copy_from_slice(&value);
            }
        }
        [&length[..], header, &data].concat()
    }
}

/// Where the last tensor of a header ends.
fn declared_length(header: &[u8]) -> Option<usize> {
    let tensors: serde_json::Map<String, Value> = serde_json::from_slice(header).ok()?;
    let ends = tensors.values().filter_map(|tensor| tensor.get("data_offsets")?.get(1)?.as_u64());
    ends.max().filter(|end| *end <= MOST_DATA).and_then(|end| usize::try_from(end).ok())
}
