//! The central directory of a zip archive, as far as torch uses it: one disk, no comment, stored entries.
//!
//! Names and layouts follow PKWARE's APPNOTE, sections 4.3 and 4.5.

use std::collections::HashMap;
use std::ops::Range;

use super::byte_reader::ByteReader;
use crate::error::{Result, unsupported, weights};

/// Signature of a local file header, with which an archive begins.
pub(super) const LOCAL_SIGNATURE: &[u8] = b"PK\x03\x04";
/// Size of a local file header without its name and extra fields.
pub(super) const LOCAL_HEADER_BYTES: u64 = 30;
/// Size of the zip64 end record, its locator and the end record. torch writes all three.
pub(super) const MAX_END_BYTES: u64 = END64_BYTES + LOCATOR_BYTES + END_BYTES;

const END_BYTES: u64 = 22;
const LOCATOR_BYTES: u64 = 20;
const END64_BYTES: u64 = 56;
/// Max size of the central directory in bytes.
const MAX_DIRECTORY_BYTES: u64 = 16 << 20;
/// A header field has this value if the zip64 field has the actual one.
const IN_ZIP64: u64 = 0xffff_ffff;

/// The position of the central directory.
#[derive(Debug)]
pub(super) struct CentralDirectory {
    pub(super) range: Range<u64>,
    entries: u64,
}

/// The entries by name, without the folder that contains all of them.
#[derive(Debug)]
pub(super) struct Archive {
    entries: Vec<Entry>,
    /// Indices into `entries`.
    names: HashMap<String, usize>,
    /// Start of the central directory. Entries must end before it.
    end: u64,
}

/// A file in the archive.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Position of the local header.
    pub(super) header: u64,
    /// Size of the content in bytes.
    pub(super) size: u64,
    /// Whether the content is neither compressed nor encrypted.
    stored: bool,
}

impl CentralDirectory {
    /// Locates the central directory, from the last bytes of a file of `length` bytes.
    ///
    /// # Errors
    /// `weights` if the file does not end like an archive, or the directory does not end right before the end record.
    pub(super) fn find(end: &[u8], length: u64) -> Result<Self> {
        let ended = || weights("malformed: it does not end like a zip archive; the file may be incomplete");
        let (before, last) =
            end.split_at_checked(end.len().wrapping_sub(END_BYTES as usize)).ok_or_else(ended)?;
        let mut last = ByteReader::new(last, "the end of the archive");
        if last.take(4)? != b"PK\x05\x06" {
            return Err(ended());
        }
        let [disk, directory_disk, _, entries] = [last.u16()?, last.u16()?, last.u16()?, last.u16()?];
        let (size, start, comment) = (u64::from(last.u32()?), u64::from(last.u32()?), last.u16()?);
        if comment != 0 || disk != directory_disk {
            return Err(ended());
        }
        let zip64 = before.len() as u64 == END64_BYTES + LOCATOR_BYTES
            && before[END64_BYTES as usize..].starts_with(b"PK\x06\x07");
        if zip64 {
            return Self::find_zip64(before, length - MAX_END_BYTES);
        }
        Self { range: start..start + size, entries: u64::from(entries) }.checked(length - END_BYTES)
    }

    /// Locates the central directory from the zip64 end record, which begins at `end`.
    fn find_zip64(record: &[u8], end: u64) -> Result<Self> {
        let mut record = ByteReader::new(record, "the end of the archive");
        if record.take(4)? != b"PK\x06\x06" {
            return Err(weights("malformed: the archive has no zip64 end record at the stated position"));
        }
        record.take(28)?;
        let [entries, size, start] = [record.u64()?, record.u64()?, record.u64()?];
        Self { range: start..start.saturating_add(size), entries }.checked(end)
    }

    fn checked(self, end: u64) -> Result<Self> {
        let size = self.range.end - self.range.start;
        if self.range.end != end || size == 0 || size > MAX_DIRECTORY_BYTES {
            return Err(weights(format!(
                "malformed: the directory of the archive has {size} bytes and ends at {}, but its end record begins at {end}",
                self.range.end
            )));
        }
        Ok(self)
    }
}

impl Archive {
    /// Reads the central directory.
    ///
    /// # Errors
    /// `weights` if it is malformed, an entry overlaps the directory, or a name occurs twice.
    pub(super) fn read(bytes: &[u8], directory: &CentralDirectory) -> Result<Self> {
        let mut archive = Self { entries: Vec::new(), names: HashMap::new(), end: directory.range.start };
        let mut reader = ByteReader::new(bytes, "the directory of the archive");
        for _ in 0..directory.entries {
            let (name, entry) = Entry::read(&mut reader)?;
            let range =
                entry.header.checked_add(LOCAL_HEADER_BYTES).and_then(|start| start.checked_add(entry.size));
            if range.is_none_or(|end| end > archive.end) {
                return Err(weights(format!("malformed: the entry {name:?} lies outside the archive")));
            }
            // torch puts all entries into one folder with the name of the file.
            let inner = name.split_once('/').map_or(name, |(_, inner)| inner);
            archive.entries.push(entry);
            if archive.names.insert(inner.to_owned(), archive.entries.len() - 1).is_some() {
                return Err(weights(format!("malformed: the entry {name:?} occurs twice")));
            }
        }
        if reader.is_empty() {
            return Ok(archive);
        }
        Err(weights("malformed: the directory of the archive has bytes after its last entry"))
    }

    pub(super) fn find(&self, name: &str) -> Option<Entry> {
        self.entries.get(*self.names.get(name)?).cloned()
    }

    /// Returns an entry.
    ///
    /// # Errors
    /// `weights` if it does not exist.
    pub(super) fn require(&self, name: &str) -> Result<Entry> {
        self.find(name).ok_or_else(|| weights(format!("malformed: the archive has no entry {name:?}")))
    }

    /// Returns the range of an entry's content. Its local header determines the start, because torch pads the extra
    /// field.
    ///
    /// # Errors
    /// `weights` if there is no local header, or the content overlaps the directory.
    pub(super) fn content(&self, entry: &Entry, header: &[u8]) -> Result<Range<u64>> {
        let mut reader = ByteReader::new(header, "the header of an entry");
        let is_header = reader.take(4)? == LOCAL_SIGNATURE;
        reader.take(22)?;
        let padding = u64::from(reader.u16()?) + u64::from(reader.u16()?);
        let start = entry.header + LOCAL_HEADER_BYTES + padding;
        if !is_header || start + entry.size > self.end {
            return Err(weights("malformed: an entry of the archive is not where the directory says"));
        }
        Ok(start..start + entry.size)
    }
}

impl Entry {
    /// Reads the name and the data of the next entry.
    fn read<'a>(reader: &mut ByteReader<'a>) -> Result<(&'a str, Self)> {
        if reader.take(4)? != b"PK\x01\x02" {
            return Err(weights("malformed: the directory of the archive has an invalid entry"));
        }
        reader.take(4)?;
        let (flags, method) = (reader.u16()?, reader.u16()?);
        reader.take(8)?;
        let [mut packed, mut size] = [u64::from(reader.u32()?), u64::from(reader.u32()?)];
        let [name, extra, comment] = [reader.u16()?, reader.u16()?, reader.u16()?];
        reader.take(8)?;
        let mut header = u64::from(reader.u32()?);
        let name = std::str::from_utf8(reader.take(name.into())?)
            .map_err(|_| weights("malformed: an entry of the archive has a name that is not UTF-8"))?;
        zip64(reader.take(extra.into())?, [&mut size, &mut packed, &mut header])?;
        reader.take(comment.into())?;
        let encrypted = flags & 1 == 1;
        let stored = method == 0 && !encrypted;
        if stored && packed != size {
            return Err(weights(format!(
                "malformed: the entry {name:?} is stored but has two different sizes"
            )));
        }
        Ok((name, Self { header, size, stored }))
    }

    /// Checks that the content is stored as it is, as torch writes it.
    ///
    /// # Errors
    /// `unsupported` if it is compressed or encrypted.
    pub(super) fn check_stored(&self) -> Result<()> {
        if self.stored {
            return Ok(());
        }
        Err(unsupported(
            "the archive is compressed or encrypted, which torch.save never does: save the model with torch.save again",
        ))
    }
}

/// Reads the numbers that did not fit the entry from its zip64 field, in this order.
fn zip64(extra: &[u8], numbers: [&mut u64; 3]) -> Result<()> {
    let mut extra = ByteReader::new(extra, "an extra field of the archive");
    while !extra.is_empty() {
        let (id, size) = (extra.u16()?, extra.u16()?);
        let field = extra.take(size.into())?;
        if id == 1 {
            let mut field = ByteReader::new(field, "a zip64 field of the archive");
            for number in numbers.into_iter().filter(|number| **number == IN_ZIP64) {
                *number = field.u64()?;
            }
            return Ok(());
        }
    }
    Ok(())
}
