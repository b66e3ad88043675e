//! What sentence-transformers (6.2) wrote beside a model, where its `CrossEncoder` reads it.

use super::modules_json::{ModuleEntry, listed_modules};
use super::transformer_config::TransformerConfig;
use crate::checkpoint::ModelFiles;
use crate::checkpoint::json::Object;
use crate::error::{ErrorKind, Result};

const FILE: &str = "config_sentence_transformers.json";

/// The files of a cross-encoder that sentence-transformers saved; empty for a model of transformers alone.
///
/// A `modules.json` counts only beside a `config_sentence_transformers.json` whose `model_type` is "CrossEncoder". Any
/// other, or none, is of a model that `CrossEncoder` converts: it leaves all these files aside and takes what transformers
/// takes.
#[derive(Debug, Default)]
pub(in crate::checkpoint) struct CrossEncoderFiles {
    /// `config_sentence_transformers.json`. Without a `modules.json` too: the library would not look, but nobody writes
    /// the file for nothing.
    pub(in crate::checkpoint) config: Option<Object>,
    /// The modules, and the configuration of the first.
    pub(in crate::checkpoint) modules: Option<(Vec<ModuleEntry>, TransformerConfig)>,
}

impl CrossEncoderFiles {
    /// Reads what counts, and checks that the rest is well formed.
    ///
    /// # Errors
    /// `config` for a malformed file, `unsupported` for an option that is not read.
    pub(in crate::checkpoint) fn read(files: &ModelFiles) -> Result<Self> {
        let config =
            files.get(FILE).map(|bytes| Object::parse(ErrorKind::Config, FILE, bytes)).transpose()?;
        if let Some(entries) = listed_modules(files, config.as_ref())? {
            return Ok(Self { config, modules: Some((entries, TransformerConfig::read(files)?)) });
        }
        let model_type = config.as_ref().map(|config| config.string("model_type")).transpose()?.flatten();
        let is_converted =
            files.get("modules.json").is_some() || !matches!(model_type, None | Some("CrossEncoder"));
        Ok(if is_converted { Self::default() } else { Self { config, modules: None } })
    }

    /// The configuration of the first module.
    pub(in crate::checkpoint) fn transformer(&self) -> Option<&TransformerConfig> {
        self.modules.as_ref().map(|(_, transformer)| transformer)
    }
}
