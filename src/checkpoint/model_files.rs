//! The files of a checkpoint by name, wherever they come from.

use std::borrow::Cow;
use std::collections::BTreeMap;

#[cfg(not(target_arch = "wasm32"))]
use super::{chain, index::Index};

/// The files by which weights are found, in transformers' order: the first that is there is taken.
pub(super) const FORMS: [&str; 4] = ["model.safetensors", INDEXES[0], "pytorch_model.bin", INDEXES[1]];
/// Those of them that name the files the weights are in.
pub(super) const INDEXES: [&str; 2] = ["model.safetensors.index.json", "pytorch_model.bin.index.json"];

/// The files of one checkpoint: names as on the Hub (`config.json`, `model.safetensors`, ...) and their bytes.
#[derive(Debug, Default, Clone)]
pub struct ModelFiles {
    files: BTreeMap<String, Cow<'static, [u8]>>,
}

impl ModelFiles {
    /// Every file name that is looked at, but for those that an index of weights names and those of modules.
    pub const NAMES: [&'static str; 14] = [
        FORMS[0],
        FORMS[1],
        FORMS[2],
        FORMS[3],
        "adapter_config.json",
        "added_tokens.json",
        "chat_template.jinja",
        "config.json",
        "config_sentence_transformers.json",
        "modules.json",
        "sentence_bert_config.json",
        "special_tokens_map.json",
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

    /// The files by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_ref()))
    }

    /// Bytes of the weights files, whatever their form.
    pub fn weights_bytes(&self) -> usize {
        let small = |name: &str| name.ends_with(".json") || name.ends_with(".jinja");
        self.files.iter().filter(|(name, _)| !small(name)).map(|(_, bytes)| bytes.len()).sum()
    }

    /// Reads the files of a checkpoint from a folder, of weights that are there in several forms the one that is used.
    ///
    /// # Errors
    /// `input` when the folder or one of its files cannot be read.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_directory(directory: &std::path::Path) -> crate::Result<Self> {
        let mut files = Self::without_weights(directory)?;
        for form in FORMS {
            if !files.read(directory, form)? {
                continue;
            }
            // An index that is malformed, or a file it names and that is not there, is for whoever loads the model.
            let index = files.get(form).filter(|_| form.ends_with(".json"));
            let shards = index.and_then(|bytes| Index::parse(form, bytes).ok());
            for name in shards.iter().flat_map(Index::files) {
                files.read(directory, name)?;
            }
            break;
        }
        Ok(files)
    }

    /// Reads the files of a checkpoint from a folder, but for the weights, which are large.
    ///
    /// # Errors
    /// As [`from_directory`](Self::from_directory).
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn without_weights(directory: &std::path::Path) -> crate::Result<Self> {
        if !directory.is_dir() {
            return Err(crate::error::input(format!(
                "{} is not a folder; a model on the Hub has to be downloaded into one first",
                directory.display()
            )));
        }
        let mut files = Self::new();
        for name in Self::NAMES.into_iter().filter(|name| !FORMS.contains(name)) {
            files.read(directory, name)?;
        }
        for name in files.get("modules.json").map(chain::file_names).unwrap_or_default() {
            files.read(directory, &name)?;
        }
        Ok(files)
    }

    /// Reads a file of a folder, if it is there.
    #[cfg(not(target_arch = "wasm32"))]
    fn read(&mut self, directory: &std::path::Path, name: &str) -> crate::Result<bool> {
        let path = directory.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => self.insert(name, bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(crate::error::input(format!("{}: {error}", path.display()))),
        }
        Ok(true)
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
