//! The files of a checkpoint, in memory.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::model_layout::{self, layout};
#[cfg(not(target_arch = "wasm32"))]
use super::{model_layout::ModuleFiles, sbert, weights::Index};
use crate::error::Result;
#[cfg(not(target_arch = "wasm32"))]
use crate::error::input;

/// The files of one checkpoint by name. Names are those on the Hub, such as `config.json` or `1_Pooling/config.json`.
#[derive(Debug, Default, Clone)]
pub struct ModelFiles {
    files: BTreeMap<String, Cow<'static, [u8]>>,
}

impl ModelFiles {
    /// Returns the names of all files that are read, except shards listed in a weights index and files of modules.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let small = layout().files.iter().map(|file| file.name.as_str());
        small.chain(layout().weights.iter().map(|form| form.name.as_str()))
    }

    /// Returns the files that a model is loaded from, of all files in `listing` (paths relative to its folder).
    ///
    /// `read` gives the content of a listed file. It is called for the few small files that name further files: the
    /// index of sharded weights, and the list of sentence-transformers' modules.
    ///
    /// # Errors
    /// `config`, `tokenizer` or `weights` if a required file is not listed or a file that names others is malformed;
    /// `unsupported` for an adapter; and the errors of `read`.
    pub fn wanted(listing: &[&str], read: impl FnMut(&str) -> Result<Vec<u8>>) -> Result<Vec<String>> {
        model_layout::wanted(listing, read)
    }

    /// Creates an empty set of files.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces one file.
    pub fn insert(&mut self, name: impl Into<String>, bytes: impl Into<Cow<'static, [u8]>>) {
        self.files.insert(name.into(), bytes.into());
    }

    /// Returns the bytes of a file.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(AsRef::as_ref)
    }

    /// Removes a file and returns its bytes.
    pub fn take(&mut self, name: &str) -> Option<Cow<'static, [u8]>> {
        self.files.remove(name)
    }

    /// Iterates over names and bytes, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_ref()))
    }

    /// Returns the total size of all weights files in bytes.
    pub fn weights_bytes(&self) -> usize {
        let small = |name: &str| name.ends_with(".json") || name.ends_with(".jinja");
        self.files.iter().filter(|(name, _)| !small(name)).map(|(_, bytes)| bytes.len()).sum()
    }

    /// Reads a checkpoint from a folder. If the weights exist in several forms, only the preferred one is read.
    ///
    /// # Errors
    /// `input` if `directory` is not a folder; the code in `model_files.json` for a file that cannot be read.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_directory(directory: &std::path::Path) -> Result<Self> {
        let mut files = Self::without_weights(directory)?;
        for form in &layout().weights {
            if !files.read(directory, &form.name)? {
                continue;
            }
            // A malformed index and missing shards are reported when the model is loaded.
            let index = files.get(&form.name).filter(|_| form.shard_suffix.is_some());
            let shards = index.and_then(|bytes| Index::parse(form, bytes).ok());
            for name in shards.iter().flat_map(Index::files) {
                files.read(directory, name)?;
            }
            break;
        }
        Ok(files)
    }

    /// Reads a checkpoint from a folder without its weights.
    ///
    /// # Errors
    /// See [`from_directory`](Self::from_directory).
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn without_weights(directory: &std::path::Path) -> Result<Self> {
        if !directory.is_dir() {
            return Err(crate::error::input(format!(
                "{} is not a folder; download a model from the Hub first",
                directory.display()
            )));
        }
        let mut files = Self::new();
        for file in &layout().files {
            files.read(directory, &file.name)?;
        }
        // A malformed list and missing files of modules are reported when the model is loaded.
        let list = files.get(&layout().modules.list).map(sbert::parse_modules);
        for entry in list.and_then(Result::ok).unwrap_or_default() {
            let Ok(Some(module)) = ModuleFiles::for_module(&entry) else { continue };
            files.read(directory, &module.config)?;
            for name in &module.weights {
                if files.read(directory, name)? {
                    break;
                }
            }
        }
        Ok(files)
    }

    /// Reads a file of a folder. Returns whether it exists.
    #[cfg(not(target_arch = "wasm32"))]
    fn read(&mut self, directory: &std::path::Path, name: &str) -> Result<bool> {
        let path = directory.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => self.insert(name, bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(model_layout::unreadable(name, error).at(path.display())),
        }
        Ok(true)
    }

    /// Returns the default model, which is compiled into this build.
    #[cfg(feature = "embedded")]
    pub fn embedded() -> Self {
        let mut files = Self::new();
        macro_rules! embed {
            ($($name:literal),* $(,)?) => {$(
                files.insert($name, &include_bytes!(concat!("../../models/default/", $name))[..]);
            )*};
        }
        embed![
            "config.json",
            "config_sentence_transformers.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        ];
        files
    }
}
