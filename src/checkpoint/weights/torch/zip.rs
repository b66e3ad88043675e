//! The directory of a zip archive, as far as torch's archives need it: one disk, no comment, entries that are stored.
//!
//! Names and layouts are those of PKWARE's APPNOTE, sections 4.3 and 4.5.

use std::collections::HashMap;
use std::ops::Range;

use super::byte_reader::ByteReader;
use crate::error::{Result, unsupported, weights};

/// How a local file header begins, and so an archive.
pub(super) const LOCAL_SIGNATURE: &[u8] = b"PK\x03\x04";
/// Bytes of a local file header before the name.
pub(super) const LOCAL_HEADER_BYTES: u64 = 30;
/// The zip64 end record, its locator and the end record, which torch all writes.
pub(super) const MAX_END_BYTES: u64 = END64_BYTES + LOCATOR_BYTES + END_BYTES;

const END_BYTES: u64 = 22;
const LOCATOR_BYTES: u64 = 20;
const END64_BYTES: u64 = 56;
/// The largest directory that is read, in bytes.
const MAX_DIRECTORY_BYTES: u64 = 16 << 20;
/// What a header field holds whose value is in the zip64 field instead.
const IN_ZIP64: u64 = 0xffff_ffff;

/// Where the directory lies.
#[derive(Debug)]
pub(super) struct CentralDirectory {
    pub(super) range: Range<u64>,
    entries: u64,
}

/// The entries by name, without the folder that all of them are in.
#[derive(Debug)]
pub(super) struct Archive {
    entries: Vec<Entry>,
    /// Places in `entries`.
    names: HashMap<String, usize>,
    /// Where the directory begins and no entry reaches.
    end: u64,
}

/// A file in the archive.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Where its local header begins.
    pub(super) header: u64,
    /// Its bytes.
    pub(super) size: u64,
    /// As they lie in the archive.
    stored: bool,
}

impl CentralDirectory {
    /// Finds it by the end of a file of `length` bytes.
    ///
    /// # Errors
    /// `weights` when the file does not end as an archive does, or the directory is not right before its end.
    pub(super) fn find(end: &[u8], length: u64) -> Result<Self> {
        let ended = || weights("malformed: it does not end as a zip archive does; it may have been cut off");
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

    /// By the zip64 end record, which begins at `end`.
    fn find_zip64(record: &[u8], end: u64) -> Result<Self> {
        let mut record = ByteReader::new(record, "the end of the archive");
        if record.take(4)? != b"PK\x06\x06" {
            return Err(weights("malformed: the archive has no zip64 end record where it says"));
        }
        record.take(28)?;
        let [entries, size, start] = [record.u64()?, record.u64()?, record.u64()?];
        Self { range: start..start.saturating_add(size), entries }.checked(end)
    }

    fn checked(self, end: u64) -> Result<Self> {
        let size = self.range.end - self.range.start;
        if self.range.end != end || size == 0 || size > MAX_DIRECTORY_BYTES {
            return Err(weights(format!(
                "malformed: the directory of the archive has {size} bytes and ends at {}, before an end at {end}",
                self.range.end
            )));
        }
        Ok(self)
    }
}

impl Archive {
    /// Reads the directory.
    ///
    /// # Errors
    /// `weights` when it is malformed, an entry lies beyond the directory's beginning or a name is there twice.
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
            // torch puts everything into one folder, named as the file was.
            let inner = name.split_once('/').map_or(name, |(_, inner)| inner);
            archive.entries.push(entry);
            if archive.names.insert(inner.to_owned(), archive.entries.len() - 1).is_some() {
                return Err(weights(format!("malformed: the entry {name:?} is there twice")));
            }
        }
        if reader.is_empty() {
            return Ok(archive);
        }
        Err(weights("malformed: the directory of the archive goes on after its last entry"))
    }

    pub(super) fn find(&self, name: &str) -> Option<Entry> {
        self.entries.get(*self.names.get(name)?).cloned()
    }

    /// # Errors
    /// `weights` when there is no such entry.
    pub(super) fn require(&self, name: &str) -> Result<Entry> {
        self.find(name).ok_or_else(|| weights(format!("malformed: the archive has no entry {name:?}")))
    }

    /// Where the bytes of an entry lie, by its local header: the name there is followed by padding.
    ///
    /// # Errors
    /// `weights` when there is no header, or the bytes would lie in the directory.
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
    /// Reads the next entry of a directory, and its name.
    fn read<'a>(reader: &mut ByteReader<'a>) -> Result<(&'a str, Self)> {
        if reader.take(4)? != b"PK\x01\x02" {
            return Err(weights("malformed: the directory of the archive has something else than entries"));
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
            return Err(weights(format!("malformed: the entry {name:?} is stored and has two sizes")));
        }
        Ok((name, Self { header, size, stored }))
    }

    /// # Errors
    /// `unsupported` unless the entry's bytes lie in the archive as they are, as torch writes them.
    pub(super) fn check_stored(&self) -> Result<()> {
        if self.stored {
            return Ok(());
        }
        Err(unsupported(
            "the archive is compressed or encrypted, as torch.save never does: write it with torch.save again",
        ))
    }
}

/// Reads from the extra fields the numbers that had no room in the entry, in this order.
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
