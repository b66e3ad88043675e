//! Makes safetensors files from inputs that stay meaningful when a fuzzer changes them.
//!
//! The header's length, the offsets in it and the size of the data must match exactly before a reader looks at anything
//! else, and random mutations break that. So the first byte of an input determines its format:
//!
//! - `f`: a file;
//! - `h`: a header, a separator and the data. The length is computed;
//! - all others: a header, a separator, and edits to the data of a real file, each with four bytes of offset and four
//!   bytes of data. Offsets of tensors are corrected.

use crate::SEPARATOR;
use crate::header::with_places_that_fit;

/// A real file whose data is edited.
pub struct Template {
    header: Vec<u8>,
    data: Vec<u8>,
}

impl Template {
    /// Splits a valid file into its parts.
    pub fn new(file: &[u8]) -> Self {
        let (length, rest) = file.split_first_chunk().expect("a safetensors file has a length");
        let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
        Self { header: header.to_vec(), data: data.to_vec() }
    }

    /// Returns the input that produces this file, after `change` to its header.
    pub fn seed(&self, change: impl Fn(String) -> String) -> Vec<u8> {
        let header = String::from_utf8(self.header.clone()).expect("a header is text");
        ["e", change(header).trim_end()].concat().into_bytes()
    }

    /// Returns the file for an input.
    pub fn file(&self, input: &[u8]) -> Vec<u8> {
        let Some((kind, rest)) = input.split_first() else { return Vec::new() };
        let separator = rest.iter().position(|byte| *byte == SEPARATOR);
        let (header, tail) =
            separator.map_or((rest, &[][..]), |offset| (&rest[..offset], &rest[offset + 1..]));
        match kind {
            b'f' => rest.to_vec(),
            b'h' => with_length(header, tail),
            _ => {
                let (header, length) =
                    with_places_that_fit(header).unwrap_or_else(|| (header.to_vec(), self.data.len()));
                // If tensors have moved, the numbers of the real file would be meaningless.
                let mut data = if length == self.data.len() { self.data.clone() } else { vec![0; length] };
                edit(&mut data, tail);
                with_length(&header, &data)
            }
        }
    }
}

fn with_length(header: &[u8], data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header, data].concat()
}

fn edit(data: &mut [u8], edits: &[u8]) {
    for edit in edits.as_chunks::<8>().0 {
        let [a, b, c, d, value @ ..] = *edit;
        // Offsets beyond the end wrap around, so that every edit changes the data.
        let last = data.len().saturating_sub(value.len());
        let offset = u32::from_le_bytes([a, b, c, d]) as usize % (last + 1);
        if let Some(target) = data.get_mut(offset..offset + value.len()) {
            target.copy_from_slice(&value);
        }
    }
}
