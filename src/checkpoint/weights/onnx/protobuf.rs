//! The wire format of protobuf: tags, varints and lengths.

use crate::error::{Error, Result, weights};

/// Max number of bytes in a tag and the number or length after it.
pub(super) const MAX_FIELD_HEADER: usize = 20;

/// The number of a field, and its content or the size of its content.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Field {
    pub(super) number: u64,
    pub(super) value: FieldValue,
    /// Size in bytes of the tag and what follows it, without the bytes of a [`FieldValue::Bytes`].
    pub(super) header: usize,
}

/// The content of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum FieldValue {
    /// A whole number.
    Varint(u64),
    /// A number of 8 bytes.
    Fixed64,
    /// The bits of a number of 4 bytes.
    Fixed32(u32),
    /// Bytes, a string, a message or packed numbers; the length comes after the tag.
    Bytes(u64),
}

impl Field {
    /// Reads the next field. `bytes` must be the rest of the message or begin with [`MAX_FIELD_HEADER`] bytes of it.
    ///
    /// # Errors
    /// `weights` if the bytes end too early or are not a field.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let mut rest = bytes;
        let tag = varint(&mut rest)?;
        let value = match tag & 7 {
            0 => FieldValue::Varint(varint(&mut rest)?),
            1 => {
                rest = rest.get(8..).ok_or_else(ended)?;
                FieldValue::Fixed64
            }
            2 => FieldValue::Bytes(varint(&mut rest)?),
            5 => {
                let (bits, after) = rest.split_first_chunk().ok_or_else(ended)?;
                rest = after;
                FieldValue::Fixed32(u32::from_le_bytes(*bits))
            }
            other => return Err(malformed(&format!("a field has the wire type {other}"))),
        };
        Ok(Self { number: tag >> 3, value, header: bytes.len() - rest.len() })
    }
}

/// Takes a varint from the beginning of `bytes`.
///
/// # Errors
/// `weights` if the bytes end too early, or the number has more than 10 bytes.
pub(super) fn varint(bytes: &mut &[u8]) -> Result<u64> {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or_else(ended)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(malformed("a number has more than 10 bytes"))
}

/// Returns the error for a file that is not ONNX.
pub(super) fn malformed(what: &str) -> Error {
    weights(format!("malformed: {what}; download or export the file again"))
}

fn ended() -> Error {
    malformed("a field ends after its message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_with_their_lengths() {
        let field = |bytes: &[u8]| Field::read(bytes).map(|field| (field.number, field.value, field.header));
        assert_eq!(field(&[0x08, 0x96, 0x01, 7]).unwrap(), (1, FieldValue::Varint(150), 3));
        assert_eq!(field(&[0x12, 0x07]).unwrap(), (2, FieldValue::Bytes(7), 2));
        assert_eq!(field(&[0x0d, 0, 0, 0x80, 0x3f]).unwrap(), (1, FieldValue::Fixed32(0x3f80_0000), 5));
        assert_eq!(field(&[0x09, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap(), (1, FieldValue::Fixed64, 9));
        let max = [&[0x08][..], &[0xff; 9], &[1]].concat();
        assert_eq!(field(&max).unwrap().1, FieldValue::Varint(u64::MAX));
        for broken in
            [&[][..], &[0x08], &[0x08, 0x80], &[0x0d, 0, 0, 0], &[0x09, 0], &[0x0b], &[0x0c], &[0xff; 11]]
        {
            assert!(field(broken).is_err(), "{broken:?}");
        }
    }
}
