//! The weights of a checkpoint, file by file and piece by piece, each tensor kept as it will be used.

use std::collections::HashMap;
use std::ops::Range;

use super::index::Index;
use super::quant_grid::QuantGrid;
use super::safetensors::SafetensorsReader;
use super::tensor_collector::TensorCollector;
use super::torch::TorchReader;
use super::{Format, Weights};
use crate::error::{Result, unsupported, weights};

/// Makes [`Weights`] of files that are read as it asks for them; at no time is one of them held whole.
///
/// ```
/// # fn read(file: &[u8]) -> ranklet::Result<ranklet::checkpoint::Weights> {
/// let mut reader = ranklet::checkpoint::WeightsReader::default();
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
    /// The file that is being read.
    current: Option<(String, FileReader)>,
    /// The names of those that have been.
    finished: Vec<String>,
    format: Option<Format>,
    /// Bytes of all files.
    bytes: u64,
}

#[derive(Debug)]
enum FileReader {
    Safetensors(SafetensorsReader),
    Torch(Box<TorchReader>),
}

impl WeightsReader {
    /// For the files of an index, or for one file; of plain ones, the tensors named in `grids` are kept as codes.
    pub(crate) fn new(index: Option<Index>, grids: HashMap<String, QuantGrid>) -> Self {
        Self { collector: TensorCollector::new(index, grids), ..Self::default() }
    }

    /// Begins with a file of `length` bytes, when all of the one before has come.
    ///
    /// # Errors
    /// `weights` for a file that does not belong to the model, and when the one before is not whole.
    pub fn open(&mut self, name: &str, length: u64) -> Result<()> {
        self.close()?;
        let belongs = match &self.collector.index {
            Some(index) => index.files().any(|file| file == name),
            None => self.finished.is_empty(),
        };
        if !belongs || self.finished.iter().any(|read| read == name) {
            return Err(weights(format!("{name} is not a further file of this model's weights")));
        }
        let file = if name.ends_with(".bin") {
            FileReader::Torch(Box::new(TorchReader::new(length)))
        } else {
            FileReader::Safetensors(SafetensorsReader::new(length))
        };
        self.bytes = self.bytes.saturating_add(length);
        self.collector.begin_file(name);
        self.current = Some((name.to_owned(), file));
        Ok(())
    }

    /// The bytes of the open file to push next; `None` when it is not needed any more.
    pub fn wanted(&self) -> Option<Range<u64>> {
        match &self.current.as_ref()?.1 {
            FileReader::Safetensors(file) => file.wanted(),
            FileReader::Torch(file) => file.wanted(),
        }
    }

    /// Takes the bytes that were [wanted](Self::wanted), or as many of the first of them as there are.
    ///
    /// # Errors
    /// `weights` when the file is malformed or longer than was said, and for a tensor that cannot be rounded because it
    /// holds no finite numbers; `unsupported` for a file that is well formed and of a kind that is not read.
    pub fn push(&mut self, piece: &[u8]) -> Result<()> {
        let Some((name, file)) = &mut self.current else {
            return Err(weights("a piece of weights before their file"));
        };
        match file {
            FileReader::Safetensors(file) => file.push(piece, &mut self.collector),
            FileReader::Torch(file) => file.push(piece, &mut self.collector),
        }
        .map_err(|error| error.at(name))
    }

    /// The weights, when all files have come.
    ///
    /// # Errors
    /// `weights` when some are missing.
    pub fn finish(mut self) -> Result<Weights> {
        self.close()?;
        let index = self.collector.index.as_ref();
        let missing_tensor = |file: &&str| !self.finished.iter().any(|read| read == file);
        if let Some(missing_tensor) = index.and_then(|index| index.files().find(missing_tensor)) {
            return Err(weights(format!(
                "{missing_tensor} is missing, which the index of the weights names"
            )));
        }
        let format = self.format.ok_or_else(|| weights("the weights are missing"))?;
        Ok(Weights::new(self.collector.into_tensors(), format, self.bytes))
    }

    fn close(&mut self) -> Result<()> {
        let Some((name, file)) = self.current.take() else { return Ok(()) };
        let format = match file {
            FileReader::Safetensors(file) => file.finish(),
            FileReader::Torch(file) => file.finish(),
        };
        let format = format.map_err(|error| error.at(&name))?;
        if format.golden().is_some() && self.collector.index.is_some() {
            let kind = format.name();
            return Err(unsupported(format!(
                "{name} is one of several {kind} files; {kind} is read from one"
            )));
        }
        self.format = Some(format);
        self.finished.push(name);
        Ok(())
    }
}
