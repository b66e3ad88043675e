//! A `pytorch_model.bin`, read piece by piece.

use std::ops::Range;
use std::vec::IntoIter;

use super::state_dict;
use super::tensor_view::TensorView;
use super::zip::{self, Archive, CentralDirectory, Entry};
use crate::checkpoint::weights::streaming_quantizer::StreamingQuantizer;
use crate::checkpoint::weights::tensor_collector::TensorCollector;
use crate::checkpoint::weights::{Format, MAX_PIECE_BYTES};
use crate::error::{Result, unsupported, weights};

/// How files begin that torch wrote before 1.6: a pickle of the number 0x1950a86a20f9469cfc6c.
const LEGACY_MAGIC: [u8; 14] = *b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
/// The longest pickle that is read, in bytes: enough for the names of ten thousand tensors.
const MAX_PICKLE_BYTES: u64 = 1 << 20;
/// The most bytes of tensors for a byte of the file. Tensors may share a storage, and each gets memory of its own.
const MAX_EXPANSION: u64 = 4;

/// Takes the pieces of a file that it asks for.
#[derive(Debug)]
pub(in crate::checkpoint::weights) struct TorchReader {
    length: u64,
    /// The bytes that the next step needs, and how many of them have come.
    wanted: Range<u64>,
    received: usize,
    /// What has come, unless it is rounded as it comes.
    buffer: Vec<u8>,
    quantizer: Option<StreamingQuantizer>,
    step: Step,
}

/// What is being read.
#[derive(Debug)]
enum Step {
    /// The first bytes of the file.
    Beginning,
    /// The last bytes, which say where the directory is.
    End,
    CentralDirectory(CentralDirectory),
    /// The header before an entry, of which only the length is of use.
    Header(Box<OpenArchive>, Entry, EntryContent),
    EntryContent(Box<OpenArchive>, EntryContent),
    Done,
}

/// What is in an entry.
#[derive(Debug)]
enum EntryContent {
    ByteOrder,
    Pickle,
    Tensor(TensorView),
}

/// What is known once the directory has been read.
#[derive(Debug)]
struct OpenArchive {
    archive: Archive,
    /// The tensors that are still to come.
    tensors: IntoIter<TensorView>,
}

impl TorchReader {
    /// For a file of `length` bytes.
    pub(in crate::checkpoint::weights) fn new(length: u64) -> Self {
        let wanted = 0..length.min(LEGACY_MAGIC.len() as u64);
        Self { length, wanted, received: 0, buffer: Vec::new(), quantizer: None, step: Step::Beginning }
    }

    /// The bytes to push next; `None` when nothing more is needed.
    pub(in crate::checkpoint::weights) fn wanted(&self) -> Option<Range<u64>> {
        let start = self.wanted.start + self.received as u64;
        let end = self.wanted.end.min(start + MAX_PIECE_BYTES);
        (start < end).then_some(start..end)
    }

    /// Takes the first of the bytes that were wanted.
    ///
    /// # Errors
    /// `weights` for what is malformed or no dictionary of tensors, `unsupported` for the form before torch 1.6 and for
    /// compressed entries.
    pub(in crate::checkpoint::weights) fn push(
        &mut self,
        piece: &[u8],
        collector: &mut TensorCollector,
    ) -> Result<()> {
        let missing = (self.wanted.end - self.wanted.start) as usize - self.received;
        if piece.len() > missing {
            return Err(weights("malformed: more bytes than were asked for"));
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

    /// That it is a file of torch's weights, when all of it has come.
    ///
    /// # Errors
    /// `weights` when something is missing.
    pub(in crate::checkpoint::weights) fn finish(self) -> Result<Format> {
        match self.step {
            Step::Done => Ok(Format::Torch),
            _ => Err(weights("malformed: it ends before its tensors do")),
        }
    }

    fn set_step(&mut self, step: Step, wanted: Range<u64>) -> Result<()> {
        if isize::try_from(wanted.end.saturating_sub(wanted.start)).is_err() || wanted.end > self.length {
            return Err(weights(format!(
                "malformed: what it needs lies at {wanted:?}, in a file of {}",
                self.length
            )));
        }
        (self.step, self.wanted, self.received) = (step, wanted, 0);
        Ok(())
    }

    fn check_magic(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes == LEGACY_MAGIC {
            return Err(unsupported(
                "the form that torch.save had before torch 1.6 is not read: load the model with transformers and write \
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

    /// Goes on from what has been read to what comes after it.
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
                        "data.pkl has {size} bytes; 1 to {MAX_PICKLE_BYTES} are read"
                    )));
                }
                self.read_entry(opened, entry, EntryContent::Pickle)
            }
            EntryContent::ByteOrder => {
                Err(unsupported("its numbers are big-endian; only little-endian ones are read"))
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

    /// Every tensor lies in its storage, and together they are not absurdly larger than the file.
    fn check_sizes(&self, archive: &Archive, tensors: &[TensorView]) -> Result<()> {
        let mut total = 0u64;
        for tensor in tensors {
            tensor.check_storage(archive.require(&tensor.entry())?.size)?;
            total = total.saturating_add(tensor.data_bytes());
        }
        if total > self.length.saturating_mul(MAX_EXPANSION) {
            return Err(weights(format!(
                "its tensors take {total} bytes, more than {MAX_EXPANSION} times those of the file"
            )));
        }
        Ok(())
    }

    fn next_tensor(&mut self, mut opened: Box<OpenArchive>, collector: &mut TensorCollector) -> Result<()> {
        while let Some(tensor) = opened.tensors.next() {
            if !tensor.byte_range().is_empty() {
                let entry = opened.archive.require(&tensor.entry())?;
                return self.read_entry(opened, entry, EntryContent::Tensor(tensor));
            }
            collector.insert(tensor.into_tensor(Vec::new()));
        }
        self.set_step(Step::Done, 0..0)
    }
}
