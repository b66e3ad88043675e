//! The files of a checkpoint, in memory.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::model_layout::layout;
use super::other_formats::check_formats;
use super::weights_choice::WeightsChoice;
use crate::error::Result;

/// Includes the files of an embedded model from its folder.
#[cfg(feature = "embedded")]
macro_rules! embedded_files {
    ($folder:literal) => {{
        let mut files = Self::new();
        for (name, bytes) in [
            ("config.json", &include_bytes!(concat!($folder, "config.json"))[..]),
            (
                "config_sentence_transformers.json",
                &include_bytes!(concat!($folder, "config_sentence_transformers.json"))[..],
            ),
            ("model.safetensors", &include_bytes!(concat!($folder, "model.safetensors"))[..]),
            ("tokenizer.json", &include_bytes!(concat!($folder, "tokenizer.json"))[..]),
            ("tokenizer_config.json", &include_bytes!(concat!($folder, "tokenizer_config.json"))[..]),
        ] {
            files.insert(name, bytes);
        }
        files
    }};
}

/// The files of one checkpoint by name. Names are those on the Hub, such as `config.json` or `1_Pooling/config.json`.
#[derive(Debug, Default, Clone)]
pub struct ModelFiles {
    files: BTreeMap<String, Cow<'static, [u8]>>,
    /// The name of the file that was chosen as the weights.
    weights: Option<String>,
}

impl ModelFiles {
    /// Returns the names of all files that are read, except shards listed in a weights index and files of modules.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let small = layout()
            .files
            .iter()
            .flat_map(|file| std::iter::once(&file.name).chain(&file.replacements).map(String::as_str));
        small.chain(layout().weights.iter().map(|form| form.name.as_str()))
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

    /// Chooses the file with the weights, or their index. By default, the preferred form that exists is read.
    pub fn choose_weights(&mut self, name: impl Into<String>) {
        self.weights = Some(name.into());
    }

    /// Forgets the chosen file: the preferred form that exists is read.
    #[cfg(feature = "candle")]
    pub(crate) fn choose_preferred_weights(&mut self) {
        self.weights = None;
    }

    /// Returns the forms of the weights that may be read.
    ///
    /// # Errors
    /// `input` if the chosen name is not that of a weights file.
    pub(super) fn weights_choice(&self) -> Result<WeightsChoice> {
        WeightsChoice::new(self.weights.as_deref())
    }

    /// Checks that weights in a format that is not read are not the only ones.
    ///
    /// # Errors
    /// `weights`, with the format.
    pub(crate) fn check_formats(&self) -> Result<()> {
        if self.weights.is_some() {
            return Ok(());
        }
        let names: Vec<&str> = self.files.keys().map(String::as_str).collect();
        check_formats(&names, |name| self.get(name).map(<[u8]>::to_vec))
    }

    /// Checks that a model has weights in a form that is read, where only the names of weights are known.
    ///
    /// # Errors
    /// `weights`, naming the format, if it has weights in another format only, or if the chosen weights are missing.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn check_weights_names(&self) -> Result<()> {
        let choice = self.weights_choice()?;
        match &choice {
            WeightsChoice::Named(form) if self.get(&form.name).is_none() => {
                Err(choice.missing(&self.files.keys().collect::<Vec<_>>()))
            }
            _ => self.check_formats(),
        }
    }

    /// Returns the total size of all weights files in bytes.
    pub fn weights_bytes(&self) -> usize {
        let small = |name: &str| [".json", ".jinja", ".txt"].iter().any(|ending| name.ends_with(ending));
        self.files.iter().filter(|(name, _)| !small(name)).map(|(_, bytes)| bytes.len()).sum()
    }

    /// Returns the default model, which is compiled into this build.
    #[cfg(feature = "embedded")]
    pub fn embedded() -> Self {
        embedded_files!("../../models/default/")
    }

    /// Returns the embedded model with a name: `"ranklet/default"` or `"ranklet/small"`. Both are compiled into programs that
    /// call this.
    #[cfg(feature = "embedded")]
    pub fn embedded_as(name: &str) -> Option<Self> {
        match name {
            "ranklet/default" => Some(Self::embedded()),
            "ranklet/small" => Some(embedded_files!("../../models/small/")),
            _ => None,
        }
    }
}
