//! `modules.json`: the list of a model's modules.

use serde::Deserialize;

use crate::checkpoint::json::Object;
use crate::checkpoint::model_layout::{ModuleLayout, check_folder_name, layout, missing_module_weights};
use crate::checkpoint::{ModelFiles, Weights};
use crate::error::{Error, ErrorKind, Result, config, unsupported};
use crate::json_error::json_problem;

/// An entry of `modules.json`.
#[derive(Debug, Deserialize)]
pub(crate) struct ModuleEntry {
    #[serde(rename = "type")]
    type_name: String,
    #[serde(default)]
    pub(crate) path: String,
}

impl ModuleEntry {
    /// Returns the path of the module's class in Python.
    pub(crate) fn class(&self) -> &str {
        &self.type_name
    }

    pub(crate) fn kind(&self) -> &str {
        self.type_name.rsplit('.').next().unwrap_or_default()
    }
}

pub(crate) fn parse_modules(bytes: &[u8]) -> Result<Vec<ModuleEntry>> {
    let limits = &layout().limits;
    if bytes.len() > limits.max_modules_bytes {
        return Err(config(format!(
            "modules.json has {} bytes, more than {}",
            bytes.len(),
            limits.max_modules_bytes
        )));
    }
    let entries: Vec<ModuleEntry> = serde_json::from_slice(bytes)
        .map_err(|error| config(format!("modules.json: {}", json_problem(&error))).with_source(error))?;
    if entries.len() > limits.max_modules {
        return Err(config(format!("modules.json lists {} modules", entries.len())));
    }
    Ok(entries)
}

/// Returns the modules in `modules.json`. `None` if the file does not exist, or does not count because `st_config`
/// (`config_sentence_transformers.json`) is not that of a `CrossEncoder`.
///
/// # Errors
/// `config` for a malformed file.
pub(crate) fn listed_modules(
    files: &ModelFiles,
    st_config: Option<&Object>,
) -> Result<Option<Vec<ModuleEntry>>> {
    let ModuleLayout { list, read_if, .. } = &layout().modules;
    let entries = files.get(list).map(parse_modules).transpose()?;
    let model_type = st_config.map(|config| config.string(&read_if.field)).transpose()?.flatten();
    Ok(entries.filter(|_| model_type == Some(&read_if.value)))
}

/// Returns the modules after the first one, which must be the Transformer.
pub(crate) fn after_transformer(entries: &[ModuleEntry]) -> Result<&[ModuleEntry]> {
    let (transformer, rest) = entries.split_first().ok_or_else(|| config("modules.json lists no modules"))?;
    match (transformer.kind(), transformer.path.as_str()) {
        ("Transformer", "") => Ok(rest),
        ("Transformer", path) => Err(unsupported(format!(
            "modules.json has the Transformer in {path:?}; this build supports it only in the main folder"
        ))),
        _ => Err(unsupported_module(transformer)),
    }
}

pub(crate) fn unsupported_module(entry: &ModuleEntry) -> Error {
    unsupported(format!("modules.json: the module {} is not supported at this position", entry.type_name))
}

/// A module's folder with its parsed configuration.
pub(crate) struct ModuleFolder<'a> {
    files: &'a ModelFiles,
    pub(crate) path: &'a str,
    pub(crate) json: Object,
}

impl<'a> ModuleFolder<'a> {
    pub(crate) fn read(files: &'a ModelFiles, entry: &'a ModuleEntry) -> Result<Self> {
        let missing = || config(format!("{}/config.json is missing", entry.path));
        Self::read_optional(files, entry)?.ok_or_else(missing)
    }

    /// Reads a module's folder; `None` if it has no configuration.
    pub(crate) fn read_optional(files: &'a ModelFiles, entry: &'a ModuleEntry) -> Result<Option<Self>> {
        let path = entry.path.as_str();
        check_folder_name(path)?;
        let name = format!("{path}/config.json");
        let Some(bytes) = files.get(&name) else { return Ok(None) };
        Ok(Some(Self { files, path, json: Object::parse(ErrorKind::Config, &name, bytes)? }))
    }

    /// Reads the module's weights, which have no other tensors than `known`: another one would count in the module
    /// that was saved.
    pub(crate) fn weights(&self, known: &[&str]) -> Result<Weights> {
        for name in layout().modules.weights.iter().map(|name| format!("{}/{name}", self.path)) {
            if let Some(bytes) = self.files.get(&name) {
                let weights = Weights::parse_file(&name, bytes).map_err(|error| error.at(self.path))?;
                if let Some(other) = weights.names().find(|name| !known.contains(name)) {
                    return Err(crate::error::weights(format!(
                        "{name} has the tensor {other:.60}, which {}/config.json leaves out",
                        self.path
                    )));
                }
                return Ok(weights);
            }
        }
        Err(missing_module_weights(self.path))
    }
}
