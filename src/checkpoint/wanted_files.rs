//! Selects the files that a model is loaded from, out of a listing or a folder.

#[cfg(not(target_arch = "wasm32"))]
use std::{fs, io, path::Path};

use super::ModelFiles;
use super::file_content::check_content;
use super::json::Object;
use super::model_layout::{ModuleFiles, layout, missing_module_weights, missing_shard};
use super::other_formats::check_formats;
use super::sbert;
use super::weights::Index;
use super::weights_choice::WeightsChoice;
use crate::error::{ErrorKind, Result, config};
#[cfg(not(target_arch = "wasm32"))]
use {
    super::model_folder::{list_files, model_folder},
    super::model_layout::unreadable,
    super::weights::WeightsSource,
    crate::error::input,
};

impl ModelFiles {
    /// Returns the files that a model is loaded from, of all files in `listing` (paths relative to its folder).
    ///
    /// `weights` is the file that was chosen as the weights; `None` for the preferred form that exists. `read` gives the
    /// content of a listed file. It is called for the few small files that name further files: the index of sharded
    /// weights, and the list of sentence-transformers' modules.
    ///
    /// # Errors
    /// `config`, `tokenizer` or `weights` if a required file is not listed or a file that names others is malformed, or
    /// if the only weights are in a format that is not read; `input` for a chosen name that weights cannot have;
    /// `unsupported` for an adapter; and the errors of `read`.
    pub fn wanted(
        listing: &[&str],
        weights: Option<&str>,
        mut read: impl FnMut(&str) -> Result<Vec<u8>>,
    ) -> Result<Vec<String>> {
        let choice = WeightsChoice::new(weights)?;
        let is_present = |name: &str| listing.contains(&name);
        let mut read = |name: &str| {
            let bytes = read(name)?;
            check_content(name, &bytes)?;
            Ok(bytes)
        };
        if weights.is_none() {
            check_formats(listing, |name| read(name).ok())?;
        }
        let mut wanted = Vec::new();
        for file in &layout().files {
            if is_present(&file.name) {
                file.check_not_refused()?;
                wanted.push(file.name.clone());
                continue;
            }
            let before = wanted.len();
            wanted.extend(file.replacements.iter().filter(|name| is_present(name)).cloned());
            if file.required && wanted.len() == before {
                return Err(file.missing());
            }
        }
        wanted.extend(wanted_weights(listing, &choice, &mut read)?);
        wanted.extend(wanted_modules(&is_present, &mut read)?);
        Ok(wanted)
    }

    /// Reads a checkpoint from a folder. If the weights exist in several forms, only the preferred one is read.
    ///
    /// # Errors
    /// `input` if `directory` is not a folder; the code in `model_files.json` for a file that cannot be read.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_directory(directory: &Path) -> Result<Self> {
        Self::from_directory_with(directory, None)
    }

    /// Reads a checkpoint from a folder, with the weights in the file `weights` of the folder; `None` for the preferred
    /// form that exists.
    ///
    /// # Errors
    /// As [`from_directory`](Self::from_directory), and `weights` if the folder does not have the file.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn from_directory_with(directory: &Path, weights: Option<&str>) -> Result<Self> {
        let directory = &model_folder(directory)?;
        let choice = WeightsChoice::new(weights)?;
        let mut files = Self::without_weights(directory, &choice)?;
        if let Some(name) = weights {
            files.choose_weights(name);
        }
        let mut has_weights = false;
        for form in choice.forms() {
            if !files.read(directory, &form.name)? {
                continue;
            }
            has_weights = true;
            for name in form.data_files() {
                files.read(directory, &name)?;
            }
            // A malformed index and missing shards are reported when the model is loaded.
            let index = files.get(&form.name).filter(|_| form.shard_suffix.is_some());
            let shards = index.and_then(|bytes| Index::parse(form, bytes).ok());
            for name in shards.iter().flat_map(Index::files) {
                files.read(directory, name)?;
            }
            break;
        }
        match choice {
            WeightsChoice::Named(_) if !has_weights => Err(choice.missing(&list_files(directory))),
            _ => Ok(files),
        }
    }

    /// Reads a checkpoint from a folder without its weights, and finds these. Missing weights are an inner error, because
    /// errors of the other files are reported first.
    ///
    /// # Errors
    /// See [`from_directory_with`](Self::from_directory_with).
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn open_directory(
        directory: &Path,
        weights: Option<&str>,
    ) -> Result<(Self, Result<WeightsSource>)> {
        let directory = &model_folder(directory)?;
        let choice = WeightsChoice::new(weights)?;
        Ok((Self::without_weights(directory, &choice)?, WeightsSource::open(directory, &choice)))
    }

    /// Reads a checkpoint from a folder without its weights.
    ///
    /// # Errors
    /// See [`from_directory`](Self::from_directory).
    #[cfg(not(target_arch = "wasm32"))]
    fn without_weights(directory: &Path, choice: &WeightsChoice) -> Result<Self> {
        if !directory.is_dir() {
            return Err(input(format!(
                "{} is not a folder; download a model from the Hub first",
                directory.display()
            )));
        }
        if matches!(choice, WeightsChoice::Preferred) {
            let names = list_files(directory);
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            check_formats(&names, |name| fs::read(directory.join(name)).ok())?;
        }
        let mut files = Self::new();
        for file in &layout().files {
            if !files.read(directory, &file.name)? {
                for name in &file.replacements {
                    files.read(directory, name)?;
                }
            }
        }
        // A malformed list and missing files of modules are reported when the model is loaded.
        let list = files.get(&layout().modules.list).map(sbert::parse_modules);
        for entry in list.and_then(Result::ok).unwrap_or_default() {
            let Ok(Some(module)) = ModuleFiles::for_module(entry.kind(), &entry.path) else { continue };
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
    fn read(&mut self, directory: &Path, name: &str) -> Result<bool> {
        let path = directory.join(name);
        match fs::read(&path) {
            Ok(bytes) => self.insert(name, bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(unreadable(name, error).at(path.display())),
        }
        Ok(true)
    }
}

/// Returns the file of the first form of the weights that exists, with its shards or data files.
fn wanted_weights(
    listing: &[&str],
    choice: &WeightsChoice,
    read: &mut impl FnMut(&str) -> Result<Vec<u8>>,
) -> Result<Vec<String>> {
    let is_present = |name: &str| listing.contains(&name);
    let form = choice.forms().iter().find(|form| is_present(&form.name));
    let form = form.ok_or_else(|| choice.missing(listing))?;
    let mut wanted = vec![form.name.clone()];
    wanted.extend(form.data_files().into_iter().filter(|name| is_present(name)));
    if form.shard_suffix.is_some() {
        for shard in Index::parse(form, &read(&form.name)?)?.files() {
            if !is_present(shard) {
                return Err(missing_shard(shard, form));
            }
            wanted.push(shard.to_owned());
        }
    }
    Ok(wanted)
}

/// Returns the files of all modules in the list.
fn wanted_modules(
    is_present: &impl Fn(&str) -> bool,
    read: &mut impl FnMut(&str) -> Result<Vec<u8>>,
) -> Result<Vec<String>> {
    let modules = &layout().modules;
    let mut small = ModelFiles::new();
    for name in [&modules.list, &modules.read_if.file] {
        if is_present(name) {
            small.insert(name, read(name)?);
        }
    }
    let mut wanted = Vec::new();
    let st_config = small
        .get(&modules.read_if.file)
        .map(|bytes| Object::parse(ErrorKind::Config, &modules.read_if.file, bytes))
        .transpose()?;
    for entry in sbert::listed_modules(&small, st_config.as_ref())?.unwrap_or_default() {
        let Some(files) = ModuleFiles::for_module(entry.kind(), &entry.path)? else { continue };
        if is_present(&files.config) {
            wanted.push(files.config);
        } else if files.needs_config {
            return Err(config(format!("{} is missing", files.config)));
        }
        match files.weights.iter().find(|name| is_present(name)) {
            Some(name) => wanted.push(name.clone()),
            None if files.weights.is_empty() => {}
            None => return Err(missing_module_weights(&entry.path)),
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    /// A model's files, and either those that are read or the error. The package's tests run the same cases.
    #[derive(Deserialize)]
    struct Case {
        name: String,
        listing: Vec<String>,
        /// The file that is chosen as the weights.
        weights: Option<String>,
        /// The contents of small files: a string is the text of a file, any other value its JSON.
        #[serde(default)]
        contents: HashMap<String, Value>,
        wanted: Option<Vec<String>>,
        error: Option<ExpectedError>,
    }

    #[derive(Deserialize)]
    struct ExpectedError {
        code: String,
        mentions: Vec<String>,
    }

    #[test]
    fn the_wanted_files_are_those_of_the_table() {
        let table = include_str!("../../tests/fixtures/model_files_cases.json");
        let cases: Vec<Case> = serde_json::from_str(table).unwrap();
        assert!(cases.len() > 25, "only {} cases", cases.len());
        for Case { name, listing, weights, contents, wanted, error } in cases {
            let listing: Vec<&str> = listing.iter().map(String::as_str).collect();
            let result = ModelFiles::wanted(&listing, weights.as_deref(), |file| match contents.get(file) {
                Some(Value::String(text)) => Ok(text.clone().into_bytes()),
                Some(json) => Ok(json.to_string().into_bytes()),
                None => Err(config(format!("{file} is not in the case"))),
            });
            match (result, error) {
                (Ok(mut files), None) => {
                    files.sort();
                    assert_eq!(Some(files), wanted, "{name}");
                }
                (Err(found), Some(expected)) => {
                    assert_eq!(found.kind().code(), expected.code, "{name}: {found}");
                    for part in expected.mentions {
                        assert!(found.context().contains(&part), "{name}: {found} does not mention {part}");
                    }
                }
                (result, _) => panic!("{name}: {result:?}"),
            }
        }
    }

    #[test]
    fn a_list_of_modules_is_bounded() {
        let list = |count: usize| {
            let modules = vec![serde_json::json!({ "type": "Dropout", "path": "a" }); count];
            serde_json::to_vec(&modules).unwrap()
        };
        assert_eq!(sbert::parse_modules(&list(64)).unwrap().len(), 64);
        assert!(sbert::parse_modules(&list(65)).unwrap_err().context().contains("65 modules"));
        let long = [list(1), vec![b' '; 65_536]].concat();
        assert!(sbert::parse_modules(&long).unwrap_err().context().contains("bytes, more than 65536"));
    }
}
