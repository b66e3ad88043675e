//! Reads a `pytorch_model.bin` in pieces.

use std::ops::Range;
use std::vec::IntoIter;

use super::state_dict;
use super::tensor_view::TensorView;
use super::zip::{self, Archive, CentralDirectory, Entry};
use crate::checkpoint::weights::streaming_quantizer::StreamingQuantizer;
use crate::checkpoint::weights::tensor_collector::TensorCollector;
use crate::checkpoint::weights::{Format, MAX_PIECE_BYTES};
use crate::error::{Result, unsupported, weights};

/// The start of files from before torch 1.6: a pickle of the number 0x1950a86a20f9469cfc6c.
const LEGACY_MAGIC: [u8; 14] = *b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
/// Size in bytes of the first piece. It shows what a file is instead, such as a page.
const BEGINNING_BYTES: u64 = 64;
/// Max size of the pickle in bytes, enough for the names of ten thousand tensors.
const MAX_PICKLE_BYTES: u64 = 1 << 20;
/// Max ratio of the tensors' size to the file's. Tensors can share a storage, but each gets its own memory.
const MAX_EXPANSION: u64 = 4;

/// Reads a file in pieces, in the order in which it requests them.
#[derive(Debug)]
pub(crate) struct TorchReader {
    length: u64,
    /// The range that the current step needs, and how many of its bytes have arrived.
    wanted: Range<u64>,
    received: usize,
    /// These bytes, unless a quantizer takes them.
    buffer: Vec<u8>,
    quantizer: Option<StreamingQuantizer>,
    step: Step,
}

/// The step of the file that is being read.
#[derive(Debug)]
enum Step {
    /// The first bytes of the file.
    Beginning,
    /// The last bytes of the file, which locate the central directory.
    End,
    CentralDirectory(CentralDirectory),
    /// The local header of an entry. Only its length matters.
    Header(Box<OpenArchive>, Entry, EntryContent),
    EntryContent(Box<OpenArchive>, EntryContent),
    Done,
}

/// The content of an entry.
#[derive(Debug)]
enum EntryContent {
    ByteOrder,
    Pickle,
    Tensor(TensorView),
}

/// An archive after its directory has been read.
#[derive(Debug)]
struct OpenArchive {
    archive: Archive,
    /// The tensors that have not been read.
    tensors: IntoIter<TensorView>,
}

impl TorchReader {
    /// Creates a reader for a file of `length` bytes.
    pub(crate) fn new(length: u64) -> Self {
        let wanted = 0..length.min(BEGINNING_BYTES);
        Self { length, wanted, received: 0, buffer: Vec::new(), quantizer: None, step: Step::Beginning }
    }

    /// Returns the bytes to push next; `None` if nothing more is needed.
    pub(crate) fn wanted(&self) -> Option<Range<u64>> {
        let start = self.wanted.start + self.received as u64;
        let end = self.wanted.end.min(start + MAX_PIECE_BYTES);
        (start < end).then_some(start..end)
    }

    /// Takes the wanted bytes, or a prefix of them.
    ///
    /// # Errors
    /// `weights` for a malformed file or one without a dictionary of tensors; `unsupported` for files from before torch
    /// 1.6 and for compressed entries.
    #[inline(never)]
    pub(crate) fn push(&mut self, piece: &[u8], collector: &mut TensorCollector) -> Result<()> {
        let missing = (self.wanted.end - self.wanted.start) as usize - self.received;
        if piece.len() > missing {
            return Err(weights("malformed: more bytes than requested"));
        }
        self.received += piece.len();
        match &mut self.quantizer {
            Some(quantizer) => quantizer.push(piece)?,
            None => {
                self.buffer.reserve_exact(missing);
                self.buffer.extend_from_slice(piece);
            }
        }
        if piece.len() < missing {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.buffer);
        match std::mem::replace(&mut self.step, Step::Done) {
            Step::Beginning => self.check_magic(&bytes),
            Step::End => self.find_directory(&bytes),
            Step::CentralDirectory(directory) => {
                self.open_archive(Archive::read(&bytes, &directory)?, collector)
            }
            Step::Header(opened, entry, content) => {
                self.read_content(opened, &entry, content, &bytes, collector)
            }
            Step::EntryContent(opened, content) => self.advance(opened, content, bytes, collector),
            Step::Done => Ok(()),
        }
    }

    /// Returns the file's format after all needed bytes have been pushed.
    ///
    /// # Errors
    /// `weights` if bytes are missing.
    pub(crate) fn finish(self) -> Result<Format> {
        match self.step {
            Step::Done => Ok(Format::Torch),
            _ => Err(weights("malformed: it ends before its tensors do")),
        }
    }

    fn set_step(&mut self, step: Step, wanted: Range<u64>) -> Result<()> {
        if isize::try_from(wanted.end.saturating_sub(wanted.start)).is_err() || wanted.end > self.length {
            return Err(weights(format!(
                "malformed: it refers to the bytes {wanted:?} of a file of {}",
                self.length
            )));
        }
        (self.step, self.wanted, self.received) = (step, wanted, 0);
        Ok(())
    }

    fn check_magic(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.starts_with(&LEGACY_MAGIC) {
            return Err(unsupported(
                "the file format from before torch 1.6 is not supported: load the model with transformers and save \
                 it with save_pretrained(folder, safe_serialization=True)",
            ));
        }
        if !bytes.starts_with(zip::LOCAL_SIGNATURE) {
            return Err(weights("malformed: it is not the archive that torch.save writes"));
        }
        let start = self.length.saturating_sub(zip::MAX_END_BYTES);
        self.set_step(Step::End, start..self.length)
    }

    fn find_directory(&mut self, bytes: &[u8]) -> Result<()> {
        let directory = CentralDirectory::find(bytes, self.length)?;
        let range = directory.range.clone();
        self.set_step(Step::CentralDirectory(directory), range)
    }

    fn open_archive(&mut self, archive: Archive, collector: &mut TensorCollector) -> Result<()> {
        let opened = Box::new(OpenArchive { archive, tensors: Vec::new().into_iter() });
        match opened.archive.find("byteorder") {
            Some(entry) => self.read_entry(opened, entry, EntryContent::ByteOrder),
            None => self.advance(opened, EntryContent::ByteOrder, b"little".to_vec(), collector),
        }
    }

    fn read_entry(&mut self, opened: Box<OpenArchive>, entry: Entry, content: EntryContent) -> Result<()> {
        entry.check_stored()?;
        let header = entry.header..entry.header + zip::LOCAL_HEADER_BYTES;
        self.set_step(Step::Header(opened, entry, content), header)
    }

    fn read_content(
        &mut self,
        opened: Box<OpenArchive>,
        entry: &Entry,
        content: EntryContent,
        header: &[u8],
        collector: &TensorCollector,
    ) -> Result<()> {
        let range = opened.archive.content(entry, header)?;
        let wanted = match &content {
            EntryContent::ByteOrder | EntryContent::Pickle => range,
            EntryContent::Tensor(tensor) => {
                let bytes = tensor.byte_range();
                self.quantizer = tensor.quantizer(collector);
                range.start + bytes.start..range.start + bytes.end
            }
        };
        self.set_step(Step::EntryContent(opened, content), wanted)
    }

    /// Processes the content of an entry and starts the next one.
    fn advance(
        &mut self,
        mut opened: Box<OpenArchive>,
        content: EntryContent,
        bytes: Vec<u8>,
        collector: &mut TensorCollector,
    ) -> Result<()> {
        match content {
            EntryContent::ByteOrder if bytes == b"little" => {
                let entry = opened.archive.require("data.pkl")?;
                if entry.size == 0 || entry.size > MAX_PICKLE_BYTES {
                    let size = entry.size;
                    return Err(weights(format!(
                        "data.pkl has {size} bytes; this build supports 1 to {MAX_PICKLE_BYTES}"
                    )));
                }
                self.read_entry(opened, entry, EntryContent::Pickle)
            }
            EntryContent::ByteOrder => {
                Err(unsupported("its numbers are big-endian; this build supports little-endian ones"))
            }
            EntryContent::Pickle => {
                let tensors = state_dict::tensors(&bytes)?;
                self.check_sizes(&opened.archive, &tensors)?;
                collector.register(tensors.iter().map(|tensor| &tensor.name))?;
                opened.tensors = tensors.into_iter();
                self.next_tensor(opened, collector)
            }
            EntryContent::Tensor(tensor) => {
                match self.quantizer.take() {
                    Some(quantizer) => collector.insert(quantizer.finish()),
                    None => collector.insert_whole(tensor.into_tensor(bytes))?,
                }
                self.next_tensor(opened, collector)
            }
        }
    }

    /// Checks that every tensor lies within its storage, and that their total size is plausible.
    fn check_sizes(&self, archive: &Archive, tensors: &[TensorView]) -> Result<()> {
        let mut total = 0u64;
        for tensor in tensors {
            tensor.check_storage(archive.require(&tensor.entry())?.size)?;
            total = total.saturating_add(tensor.data_bytes());
        }
        if total > self.length.saturating_mul(MAX_EXPANSION) {
            return Err(weights(format!(
                "its tensors need {total} bytes, more than {MAX_EXPANSION} times the size of the file"
            )));
        }
        Ok(())
    }

    fn next_tensor(&mut self, mut opened: Box<OpenArchive>, collector: &mut TensorCollector) -> Result<()> {
        while let Some(tensor) = opened.tensors.next() {
            if !collector.is_read(&tensor.name) {
                collector.insert(tensor.without_numbers());
                continue;
            }
            if !tensor.byte_range().is_empty() {
                let entry = opened.archive.require(&tensor.entry())?;
                return self.read_entry(opened, entry, EntryContent::Tensor(tensor));
            }
            collector.insert(tensor.into_tensor(Vec::new()));
        }
        self.set_step(Step::Done, 0..0)
    }
}
