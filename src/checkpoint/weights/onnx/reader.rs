//! Reads an ONNX file in pieces: its graph, then the tensors that the model needs.

use std::ops::Range;

use super::operators::check_operators;
use super::protobuf::malformed;
use super::scanner::Scanner;
use super::tensor_loader::TensorLoader;
use crate::checkpoint::weights::Format;
use crate::checkpoint::weights::tensor_collector::TensorCollector;
use crate::error::{Result, unsupported, weights};

/// Reads a model and the files with its external data, in pieces of any size.
#[derive(Debug)]
pub(crate) struct OnnxReader {
    /// The name of the model's file, with its folder.
    name: String,
    /// Size of the open file in bytes.
    length: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Graph(Box<Scanner>),
    Tensors(Box<TensorLoader>),
}

impl OnnxReader {
    /// Creates a reader for the file `name` of `length` bytes.
    pub(crate) fn new(name: &str, length: u64) -> Self {
        Self { name: name.to_owned(), length, state: State::Graph(Box::new(Scanner::new(length))) }
    }

    /// Returns the bytes to push next; `None` if the open file is complete.
    pub(crate) fn wanted(&self) -> Option<Range<u64>> {
        match &self.state {
            State::Graph(scanner) => scanner.wanted(),
            State::Tensors(loader) => loader.wanted(),
        }
    }

    /// Takes the wanted bytes, or a prefix of them.
    ///
    /// # Errors
    /// `weights` if the file is malformed, or a tensor lies outside it or has a number that is not finite;
    /// `unsupported` for weights in forms that are not read.
    #[inline(never)]
    pub(crate) fn push(&mut self, piece: &[u8], collector: &mut TensorCollector) -> Result<()> {
        if cfg!(not(feature = "onnx")) {
            return Err(unsupported("ONNX files are not read: build Ranklet with the feature onnx"));
        }
        match &mut self.state {
            State::Graph(scanner) => {
                if let Some(graph) = scanner.push(piece)? {
                    check_operators(&graph)?;
                    let mut loader = TensorLoader::new(graph, collector)?;
                    loader.open(None, self.length, collector)?;
                    self.state = State::Tensors(Box::new(loader));
                }
                Ok(())
            }
            State::Tensors(loader) => loader.push(piece, collector),
        }
    }

    /// Returns the names of the files with data that has yet to be read, with their folder.
    pub(crate) fn missing_files(&self) -> Vec<String> {
        let State::Tensors(loader) = &self.state else { return Vec::new() };
        loader.missing_files().map(|file| self.path_of(file)).collect()
    }

    /// Begins another file, of `length` bytes. Returns whether it has data that is needed.
    ///
    /// # Errors
    /// `weights` if a tensor lies outside it.
    pub(crate) fn open(&mut self, name: &str, length: u64, collector: &mut TensorCollector) -> Result<bool> {
        if cfg!(not(feature = "onnx")) {
            return Ok(false);
        }
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        let same_folder = folder == self.folder();
        self.length = length;
        match &mut self.state {
            State::Tensors(loader)
                if same_folder && loader.missing_files().any(|missing| missing == file) =>
            {
                loader.open(Some(file), length, collector)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Checks that the open file is complete.
    ///
    /// # Errors
    /// `weights` if bytes are missing.
    pub(crate) fn close(&self) -> Result<Format> {
        match &self.state {
            State::Tensors(loader) if loader.wanted().is_none() => Ok(Format::Onnx),
            State::Graph(_) if self.length == 0 => Err(malformed("the file is empty")),
            _ => Err(malformed("the file ends too early")),
        }
    }

    /// Checks that all files are complete.
    ///
    /// # Errors
    /// `weights`, naming a file that is missing.
    pub(crate) fn finish(&self) -> Result<()> {
        match self.missing_files().first() {
            None => Ok(()),
            Some(file) => Err(weights(format!(
                "{file} is missing; {} stores weights in it: put it into the same folder",
                self.name
            ))),
        }
    }

    fn folder(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    fn path_of(&self, file: &str) -> String {
        match self.folder() {
            "" => file.to_owned(),
            folder => format!("{folder}/{file}"),
        }
    }
}
