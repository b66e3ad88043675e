//! The files of a checkpoint by name, wherever they come from.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// The name of the weights file.
pub(super) const WEIGHTS: &str = "model.safetensors";
/// Weights in Python's own format, which is not read.
pub(super) const PICKLE: &str = "pytorch_model.bin";
/// Weights in several files, which are not read.
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// The files of one checkpoint: names as on the Hub (`config.json`, `model.safetensors`, ...) and their bytes.
#[derive(Debug, Default, Clone)]
pub struct ModelFiles {
    files: BTreeMap<String, Cow<'static, [u8]>>,
}

impl ModelFiles {
    /// Every file name that is looked at; others are left where they are.
    pub const NAMES: [&'static str; 9] = [
        "config.json",
        "config_sentence_transformers.json",
        WEIGHTS,
        INDEX,
        "modules.json",
        PICKLE,
        "sentence_bert_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ];

    /// No files yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces one file.
    pub fn insert(&mut self, name: impl Into<String>, bytes: impl Into<Cow<'static, [u8]>>) {
        self.files.insert(name.into(), bytes.into());
    }

    /// The bytes of a file.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.files.get(name).map(AsRef::as_ref)
    }

    /// Takes a file out, so that large ones are not held twice.
    pub fn take(&mut self, name: &str) -> Option<Cow<'static, [u8]>> {
        self.files.remove(name)
    }

    /// Reads the files of a checkpoint from a folder.
    ///
    /// # Errors
    /// `input` when the folder or one of its files cannot be read.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_directory(directory: &std::path::Path) -> crate::Result<Self> {
        Self::read(directory, |_| true)
    }

    /// Reads the files of a checkpoint from a folder, but for the weights, which are large.
    ///
    /// # Errors
    /// As [`from_directory`](Self::from_directory).
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn without_weights(directory: &std::path::Path) -> crate::Result<Self> {
        Self::read(directory, |name| ![WEIGHTS, PICKLE].contains(&name))
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn read(directory: &std::path::Path, wanted: impl Fn(&str) -> bool) -> crate::Result<Self> {
        use crate::error::input;
        if !directory.is_dir() {
            return Err(input(format!(
                "{} is not a folder; a model on the Hub has to be downloaded into one first",
                directory.display()
            )));
        }
        let mut files = Self::new();
        for name in Self::NAMES.into_iter().filter(|name| wanted(name)) {
            let path = directory.join(name);
            match std::fs::read(&path) {
                Ok(bytes) => files.insert(name, bytes),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(input(format!("{}: {error}", path.display()))),
            }
        }
        Ok(files)
    }

    /// The default model that is compiled into this build.
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
