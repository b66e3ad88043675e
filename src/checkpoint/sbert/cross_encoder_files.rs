//! The files of sentence-transformers 6.2, as far as its `CrossEncoder` reads them.

use super::modules_json::{ModuleEntry, listed_modules};
use super::transformer_config::TransformerConfig;
use crate::checkpoint::ModelFiles;
use crate::checkpoint::json::Object;
use crate::error::{ErrorKind, Result};

const FILE: &str = "config_sentence_transformers.json";

/// The files of a cross-encoder that sentence-transformers saved; empty for a model saved by transformers alone.
///
/// The files count only if `modules.json` exists and `config_sentence_transformers.json` has the `model_type`
/// "CrossEncoder". Otherwise `CrossEncoder` ignores all of them and reads what transformers reads.
#[derive(Debug, Default)]
pub(crate) struct CrossEncoderFiles {
    /// `config_sentence_transformers.json`.
    pub(crate) config: Option<Object>,
    /// The modules and the configuration of the first one.
    pub(crate) modules: Option<(Vec<ModuleEntry>, TransformerConfig)>,
}

impl CrossEncoderFiles {
    /// Reads the files that count, and checks that the others are well formed.
    ///
    /// # Errors
    /// `config` for a malformed file, `unsupported` for an unsupported option.
    pub(crate) fn read(files: &ModelFiles) -> Result<Self> {
        let config =
            files.get(FILE).map(|bytes| Object::parse(ErrorKind::Config, FILE, bytes)).transpose()?;
        Ok(match listed_modules(files, config.as_ref())? {
            Some(entries) => Self { config, modules: Some((entries, TransformerConfig::read(files)?)) },
            None => Self::default(),
        })
    }

    /// Returns the configuration of the first module.
    pub(crate) fn transformer(&self) -> Option<&TransformerConfig> {
        self.modules.as_ref().map(|(_, transformer)| transformer)
    }
}
