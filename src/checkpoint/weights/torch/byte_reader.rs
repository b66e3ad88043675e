//! Reads little-endian numbers and byte strings from a slice.

use crate::error::{Error, Result, weights};

/// The unread rest of a slice.
#[derive(Debug)]
pub(super) struct ByteReader<'a> {
    rest: &'a [u8],
    /// A description of the bytes, for errors.
    what: &'static str,
}

impl<'a> ByteReader<'a> {
    pub(super) fn new(rest: &'a [u8], what: &'static str) -> Self {
        Self { rest, what }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns the next `count` bytes.
    ///
    /// # Errors
    /// `weights` if the slice ends too early. The other functions return the same error.
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or_else(|| self.ended())?;
        self.rest = rest;
        Ok(taken)
    }

    /// Returns the bytes up to the end of the line, and skips the line break.
    pub(super) fn line(&mut self) -> Result<&'a [u8]> {
        let end = self.rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| self.ended())?;
        let line = self.take(end)?;
        self.take(1)?;
        Ok(line)
    }

    pub(super) fn u8(&mut self) -> Result<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.ended())?;
        self.rest = rest;
        Ok(*taken)
    }

    #[cold]
    #[inline(never)]
    fn ended(&self) -> Error {
        weights(format!("malformed: {} ends too early", self.what))
    }
}
