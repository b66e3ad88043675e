//! The files of sentence-transformers 6.2, as far as its `CrossEncoder` reads them.

use super::modules_json::{ModuleEntry, listed_modules};
use super::transformer_config::TransformerConfig;
use crate::checkpoint::ModelFiles;
use crate::checkpoint::json::Object;
use crate::error::{ErrorKind, Result};

const FILE: &str = "config_sentence_transformers.json";

/// The files of a cross-encoder that sentence-transformers saved; empty for a model saved by transformers alone.
///
/// `modules.json` counts only if `config_sentence_transformers.json` has the `model_type` "CrossEncoder". Otherwise
/// `CrossEncoder` converts the model: it ignores all these files and reads what transformers reads.
#[derive(Debug, Default)]
pub(crate) struct CrossEncoderFiles {
    /// `config_sentence_transformers.json`. It is also used without a `modules.json`, although the library then ignores
    /// it: its author wants it to count.
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
        if let Some(entries) = listed_modules(files, config.as_ref())? {
            return Ok(Self { config, modules: Some((entries, TransformerConfig::read(files)?)) });
        }
        let model_type = config.as_ref().map(|config| config.string("model_type")).transpose()?.flatten();
        let is_converted =
            files.get("modules.json").is_some() || !matches!(model_type, None | Some("CrossEncoder"));
        Ok(if is_converted { Self::default() } else { Self { config, modules: None } })
    }

    /// Returns the configuration of the first module.
    pub(crate) fn transformer(&self) -> Option<&TransformerConfig> {
        self.modules.as_ref().map(|(_, transformer)| transformer)
    }
}
