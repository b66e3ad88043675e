//! Reads weights in pieces, from one file or several.
//!
//! In this module and in the readers of the formats, functions that run once per piece or per tensor are not inlined. V8
//! counts a loop's code size times its iterations, so inlined ones seem hot, and it compiles them a second time with
//! optimizations while the model is loaded.

use std::ops::Range;

use super::expected::ExpectedTensors;
use super::index::Index;
use super::onnx::OnnxReader;
use super::safetensors::SafetensorsReader;
use super::tensor_collector::TensorCollector;
use super::torch::TorchReader;
use super::{Format, Weights};
use crate::checkpoint::file_content::check_content;
use crate::error::{Result, unsupported, weights};

/// Reads [`Weights`] from files in pieces, without I/O of its own: it says which bytes it needs next, and the caller
/// provides them. It never holds a whole file.
///
/// ```
/// # fn read(file: &[u8]) -> ranklet::Result<ranklet::internals::Weights> {
/// let mut reader = ranklet::internals::WeightsReader::default();
/// reader.open("model.safetensors", file.len() as u64)?;
/// while let Some(range) = reader.wanted() {
///     reader.push(&file[range.start as usize..range.end as usize])?;
/// }
/// reader.finish()
/// # }
/// ```
#[derive(Debug, Default)]
pub struct WeightsReader {
    collector: TensorCollector,
    /// The name and the reader of the open file.
    current: Option<(String, FileReader)>,
    /// Whether no bytes of the open file have been pushed.
    is_at_start: bool,
    /// The names of the files that are complete.
    finished: Vec<String>,
    format: Option<Format>,
    /// The reader of an ONNX file, while none of its files is open.
    onnx: Option<Box<OnnxReader>>,
    /// Size of all files in bytes.
    bytes: u64,
}

#[derive(Debug)]
enum FileReader {
    Safetensors(SafetensorsReader),
    Torch(Box<TorchReader>),
    Onnx(Box<OnnxReader>),
    /// A file next to an ONNX file without data that is needed.
    Unused(Box<OnnxReader>),
}

impl WeightsReader {
    /// Creates a reader for the shards of an index, or for a single file with its external data. It needs the
    /// `expected` tensors to find them in an ONNX file, and to quantize those of plain files while it reads them.
    pub(crate) fn new(index: Option<Index>, expected: ExpectedTensors) -> Self {
        Self { collector: TensorCollector::new(index, expected), ..Self::default() }
    }

    /// Sets the tensors that the model needs. Must be called before a file is opened.
    pub(crate) fn expect(&mut self, expected: ExpectedTensors) {
        self.collector.expected = ExpectedTensors { stage: self.collector.expected.stage.take(), ..expected };
    }

    /// Reads the numbers of these tensors only. Must be called before a file is opened.
    #[cfg(any(test, target_arch = "wasm32"))]
    pub(crate) fn keep_tensors(&mut self, tensors: std::collections::HashSet<String>) {
        self.collector.expected.stage = Some(tensors);
    }

    /// Starts a file of `length` bytes. The previous file must be complete.
    ///
    /// # Errors
    /// `weights` if the file does not belong to the model, or the previous file is incomplete.
    pub fn open(&mut self, name: &str, length: u64) -> Result<()> {
        self.close()?;
        let belongs = match &self.collector.index {
            Some(index) => index.files().any(|file| file == name),
            None => self.finished.is_empty() || self.onnx.is_some(),
        };
        if !belongs || self.finished.iter().any(|read| read == name) {
            return Err(weights(format!("{name} is not another file of this model's weights")));
        }
        let file = match self.onnx.take() {
            Some(mut onnx) => {
                let is_needed =
                    onnx.open(name, length, &mut self.collector).map_err(|error| error.at(name))?;
                if is_needed { FileReader::Onnx(onnx) } else { FileReader::Unused(onnx) }
            }
            None if name.ends_with(".onnx") => FileReader::Onnx(Box::new(OnnxReader::new(name, length))),
            None if name.ends_with(".bin") => FileReader::Torch(Box::new(TorchReader::new(length))),
            None => FileReader::Safetensors(SafetensorsReader::new(length)),
        };
        self.bytes = self.bytes.saturating_add(length);
        self.collector.begin_file(name);
        self.current = Some((name.to_owned(), file));
        self.is_at_start = true;
        Ok(())
    }

    /// Returns the bytes of the open file to push next; `None` if the file is complete.
    pub fn wanted(&self) -> Option<Range<u64>> {
        match &self.current.as_ref()?.1 {
            FileReader::Safetensors(file) => file.wanted(),
            FileReader::Torch(file) => file.wanted(),
            FileReader::Onnx(file) => file.wanted(),
            FileReader::Unused(_) => None,
        }
    }

    /// Returns the names of the files with external data of an ONNX file that have yet to be opened, after the ONNX file
    /// is complete.
    pub fn missing_files(&self) -> Vec<String> {
        match (&self.onnx, &self.current) {
            (Some(onnx), _) | (None, Some((_, FileReader::Onnx(onnx) | FileReader::Unused(onnx)))) => {
                onnx.missing_files()
            }
            _ => Vec::new(),
        }
    }

    /// Takes the [wanted](Self::wanted) bytes, or a prefix of them.
    ///
    /// # Errors
    /// `weights` if the file is malformed or longer than announced, or a tensor to quantize has a number that is not
    /// finite; `unsupported` for a valid file in an unsupported format.
    pub fn push(&mut self, piece: &[u8]) -> Result<()> {
        let Some((name, file)) = &mut self.current else {
            return Err(weights("bytes of weights were pushed before a file was opened"));
        };
        if std::mem::take(&mut self.is_at_start) {
            check_content(name, piece)?;
        }
        match file {
            FileReader::Safetensors(file) => file.push(piece, &mut self.collector),
            FileReader::Torch(file) => file.push(piece, &mut self.collector),
            FileReader::Onnx(file) => file.push(piece, &mut self.collector),
            FileReader::Unused(_) => Ok(()),
        }
        .map_err(|error| error.at(name))
    }

    /// Returns the weights after all files are complete.
    ///
    /// # Errors
    /// `weights` if files or bytes are missing.
    #[inline(never)]
    pub fn finish(mut self) -> Result<Weights> {
        self.close()?;
        let index = self.collector.index.as_ref();
        let is_missing = |file: &&str| !self.finished.iter().any(|read| read == file);
        if let Some(file) = index.and_then(|index| index.files().find(is_missing)) {
            return Err(weights(format!("{file} is missing; the index of the weights names it")));
        }
        if let Some(onnx) = &self.onnx {
            onnx.finish()?;
        }
        let format = self.format.ok_or_else(|| weights("the weights are missing"))?;
        Ok(Weights::new(self.collector.into_tensors(), format, self.bytes))
    }

    fn close(&mut self) -> Result<()> {
        let Some((name, file)) = self.current.take() else { return Ok(()) };
        let format = match file {
            FileReader::Safetensors(file) => file.finish(),
            FileReader::Torch(file) => file.finish(),
            FileReader::Onnx(file) => {
                let format = file.close();
                self.onnx = Some(file);
                format
            }
            FileReader::Unused(file) => {
                self.onnx = Some(file);
                Ok(Format::Onnx)
            }
        };
        let format = format.map_err(|error| error.at(&name))?;
        if format.golden().is_some() && self.collector.index.is_some() {
            let kind = format.name();
            return Err(unsupported(format!(
                "{name} is one of several {kind} files, but {kind} weights must be in one file"
            )));
        }
        self.format = Some(format);
        self.finished.push(name);
        Ok(())
    }
}
