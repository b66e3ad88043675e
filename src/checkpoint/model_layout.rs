//! The rules for which files make a model, read from `model_files.json`.
//!
//! The npm package (`pkg/src/model`) and the demo server (`www`) read the same JSON file:
//!
//! - `files`: the small files, in the order in which missing ones are reported. `code` is the error code for a file
//!   that is missing or cannot be read. A model with a file that has `refused` is rejected, for the reason given there.
//!   `unlisted` is for locations that do not list their files, where the package requests as few files as it can that may
//!   not exist: `false` for a file that it does not request there, or another file that must exist, or be `without` some fields.
//! - `weights`: the forms of the weights, the preferred one first. A form with a `shardSuffix` is an index. Its
//!   `weight_map` names the shards, which are files whose names end with the suffix.
//! - `weightsNames`: the endings of files that a caller may choose as the weights, and of an index of such files.
//! - `onnx`: an ONNX file can have its tensors in files beside it, named as it is with one of `dataSuffixes`. More files
//!   with the first of these are numbered from 1: `model.onnx_data`, `model.onnx_data_1`.
//! - `otherFormats`: the endings of weights that are not read, or with `isRead` only if a caller chooses them.
//! - `modules`: sentence-transformers lists a model's modules in the file `list`. Each module has its own folder. The
//!   list is used only if the field `readIf.field` of `readIf.file` has the value `readIf.value`. `kinds` are the
//!   modules with files that are read, by the last part of their type name.
//! - `names`: the rule for names of shards and of module folders. They consist of ASCII letters, digits and
//!   `punctuation`, do not begin with a dot and do not contain `forbidden`. No URL or file system reads such a name as
//!   a path.
//! - `pages`: the first bytes of pages that a server sends instead of a file, in lower case.
//! - `limits`: longer or larger lists are rejected.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::error::{Error, ErrorKind, Result, config, tokenizer, unsupported, weights};

/// The content of `model_files.json`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModelLayout {
    pub(super) files: Vec<SmallFile>,
    pub(super) weights: Vec<WeightsForm>,
    pub(super) weights_names: WeightsNames,
    pub(super) onnx: OnnxNames,
    pub(super) other_formats: Vec<OtherFormat>,
    pub(super) pages: Vec<String>,
    pub(super) modules: ModuleLayout,
    names: NameRule,
    pub(super) limits: LayoutLimits,
}

/// A small file of a model.
#[derive(Debug, Deserialize)]
pub(super) struct SmallFile {
    pub(super) name: String,
    pub(super) required: bool,
    code: String,
    pub(super) refused: Option<String>,
    /// The files that are read if this one does not exist.
    #[serde(default)]
    pub(super) replacements: Vec<String>,
    /// What to do if the file is missing.
    advice: Option<String>,
}

/// A form of the weights: a file with tensors, or an index of such files.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WeightsForm {
    pub(super) name: String,
    /// The suffix of the shards' names, if this form is an index.
    pub(super) shard_suffix: Option<String>,
}

/// The endings of weights that a caller may choose.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WeightsNames {
    pub(super) suffixes: Vec<String>,
    pub(super) index_suffix: String,
}

/// The names of ONNX files and of the files with their tensors.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OnnxNames {
    pub(super) suffix: String,
    pub(super) data_suffixes: [String; 2],
}

/// A format of weights that are not read by themselves.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OtherFormat {
    pub(super) ending: String,
    pub(super) name: String,
    /// Whether the file is read if a caller chooses it.
    #[serde(default)]
    pub(super) is_read: bool,
}

/// The files of sentence-transformers' modules.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ModuleLayout {
    pub(super) list: String,
    pub(super) read_if: FieldValue,
    pub(super) config: String,
    /// The names of a module's weights file, the preferred one first.
    pub(super) weights: Vec<String>,
    kinds: Vec<ModuleKind>,
}

/// A field of a JSON file and its expected value.
#[derive(Debug, Deserialize)]
pub(super) struct FieldValue {
    pub(super) file: String,
    pub(super) field: String,
    pub(super) value: String,
}

#[derive(Debug, Deserialize)]
struct ModuleKind {
    name: String,
    config: Presence,
    weights: Presence,
}

#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Presence {
    None,
    Optional,
    Required,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct NameRule {
    max_bytes: usize,
    punctuation: String,
    forbidden: String,
}

/// Limits on the lists of files.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LayoutLimits {
    pub(super) max_index_bytes: usize,
    pub(super) max_shards: usize,
    /// Files with tensors beside an ONNX file.
    pub(super) max_data_files: usize,
    pub(super) max_modules_bytes: usize,
    pub(super) max_modules: usize,
}

static LAYOUT: LazyLock<ModelLayout> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "the file is part of the program, and every test reads it")]
    serde_json::from_str(include_str!("model_files.json")).expect("model_files.json is well formed")
});

/// Returns the rules for a model's files.
pub(super) fn layout() -> &'static ModelLayout {
    &LAYOUT
}

/// The paths of a module's files.
pub(super) struct ModuleFiles {
    pub(super) config: String,
    pub(super) needs_config: bool,
    /// The preferred path first. Empty for a module without weights.
    pub(super) weights: Vec<String>,
}

impl ModuleFiles {
    /// Returns the files of a module in `folder`, or `None` if modules of its kind have none that are read.
    ///
    /// # Errors
    /// `config` if the name of the module's folder is not allowed.
    pub(super) fn for_module(kind: &str, folder: &str) -> Result<Option<Self>> {
        let ModuleLayout { config, weights, kinds, .. } = &layout().modules;
        let Some(known) = kinds.iter().find(|known| known.name == kind) else { return Ok(None) };
        check_folder_name(folder)?;
        let weights = if known.weights == Presence::None { &[][..] } else { weights };
        Ok(Some(Self {
            config: format!("{folder}/{config}"),
            needs_config: known.config == Presence::Required,
            weights: weights.iter().map(|name| format!("{folder}/{name}")).collect(),
        }))
    }
}

impl SmallFile {
    /// Returns the error for a missing file.
    pub(super) fn missing(&self) -> Error {
        match &self.advice {
            Some(advice) => Error::new(self.error_kind(), format!("{} is missing; {advice}", self.name)),
            None => Error::new(self.error_kind(), format!("{} is missing", self.name)),
        }
    }

    fn error_kind(&self) -> ErrorKind {
        let kind = ErrorKind::ALL.into_iter().find(|kind| kind.code() == self.code);
        kind.unwrap_or(ErrorKind::Internal)
    }

    /// Checks that a model with this file can be loaded.
    ///
    /// # Errors
    /// `unsupported` if the file is `refused`.
    pub(super) fn check_not_refused(&self) -> Result<()> {
        match &self.refused {
            Some(reason) => Err(unsupported(format!("{}: {reason}", self.name))),
            None => Ok(()),
        }
    }
}

/// Returns the error for a model without `tokenizer.json`, and without vocabulary files that its class reads.
pub(super) fn missing_tokenizer() -> Error {
    let file = layout().files.iter().find(|file| file.name == "tokenizer.json");
    file.map_or_else(|| tokenizer("tokenizer.json is missing"), SmallFile::missing)
}

/// Returns the error for a local file that exists but cannot be read.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn unreadable(name: &str, error: std::io::Error) -> Error {
    Error::new(error_kind(name), format!("{name} cannot be read: {error}")).with_source(error)
}

/// Returns the kind of errors about a file.
pub(super) fn error_kind(name: &str) -> ErrorKind {
    let has_name = |file: &&SmallFile| {
        file.name == name || file.replacements.iter().any(|replacement| replacement == name)
    };
    match layout().files.iter().find(has_name) {
        Some(file) => file.error_kind(),
        None if name.ends_with("/config.json") => ErrorKind::Config,
        None => ErrorKind::Weights,
    }
}

/// Returns whether `name` is the name of a file or folder, and not a path in the eyes of a URL or a file system.
pub(super) fn is_plain_name(name: &str) -> bool {
    let NameRule { max_bytes, punctuation, forbidden } = &layout().names;
    (1..=*max_bytes).contains(&name.len())
        && name.chars().all(|char| char.is_ascii_alphanumeric() || punctuation.contains(char))
        && !name.starts_with('.')
        && !name.contains(forbidden.as_str())
}

/// Checks the name of a module's folder.
///
/// # Errors
/// `config` if it is not a plain name.
pub(super) fn check_folder_name(path: &str) -> Result<()> {
    if is_plain_name(path) {
        return Ok(());
    }
    Err(config(format!("{}: {path:?} is not the name of a folder next to it", layout().modules.list)))
}

/// Returns the error for a model without weights.
pub(super) fn no_weights() -> Error {
    let names: Vec<&str> = layout().weights.iter().map(|form| form.name.as_str()).collect();
    weights(format!("the weights are missing: the model has none of {}", names.join(", ")))
}

/// Returns the error for a shard that the index names but that does not exist.
pub(super) fn missing_shard(name: &str, index: &WeightsForm) -> Error {
    weights(format!("{name} is missing; {} names it", index.name))
}

/// Returns the error for a module without its weights file.
pub(super) fn missing_module_weights(folder: &str) -> Error {
    weights(format!("the weights of {folder} are missing: {folder}/{}", layout().modules.weights[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_code_exists() {
        for file in &layout().files {
            assert!(ErrorKind::ALL.iter().any(|kind| kind.code() == file.code), "{}", file.code);
        }
    }
}
