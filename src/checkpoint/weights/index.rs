//! The index of sharded weights, `model.safetensors.index.json` or `pytorch_model.bin.index.json`.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::tensor::current_name;
#[cfg(target_arch = "wasm32")]
use crate::checkpoint::ModelFiles;
use crate::checkpoint::file_content::check_content;
use crate::checkpoint::model_layout::{WeightsForm, is_plain_name, layout};
use crate::error::{Result, weights};

/// Maps the tensors of a checkpoint to the shards that contain them.
#[derive(Debug)]
pub(crate) struct Index {
    /// Shard by tensor, with current tensor names.
    file_by_tensor: HashMap<String, String>,
    /// The names of the shards, sorted.
    files: Vec<String>,
}

impl Index {
    /// Removes the index from a checkpoint's files and parses it, if the weights are sharded.
    ///
    /// # Errors
    /// See [`parse`](Self::parse).
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn take_from(files: &mut ModelFiles) -> Result<Option<Self>> {
        let choice = files.weights_choice()?;
        let indexes = choice.forms().iter().filter(|form| form.shard_suffix.is_some());
        let found = indexes.filter_map(|form| Some((form, files.take(&form.name)?))).next();
        found.map(|(form, bytes)| Self::parse(form, &bytes)).transpose()
    }

    /// Parses an index.
    ///
    /// # Errors
    /// `weights` if the index is malformed, exceeds a limit, or names a file that cannot be a shard.
    pub(crate) fn parse(form: &WeightsForm, bytes: &[u8]) -> Result<Self> {
        let (name, limits) = (&form.name, &layout().limits);
        if bytes.len() > limits.max_index_bytes {
            return Err(weights(format!(
                "{name} has {} bytes, more than {}",
                bytes.len(),
                limits.max_index_bytes
            )));
        }
        check_content(name, bytes)?;
        let json: Value = serde_json::from_slice(bytes)
            .map_err(|error| weights(format!("{name}: {error}")).with_source(error))?;
        let map = json
            .get("weight_map")
            .and_then(Value::as_object)
            .ok_or_else(|| weights(format!("{name} has no weight_map, which assigns tensors to files")))?;
        let suffix = form.shard_suffix.as_deref().unwrap_or_default();
        let mut index = Self { file_by_tensor: HashMap::new(), files: Vec::new() };
        for (tensor, file) in map {
            let Some(file) = file.as_str().filter(|file| is_plain_name(file) && file.ends_with(suffix))
            else {
                return Err(weights(format!(
                    "{name}: {file} is not the name of a {suffix} file in the same folder"
                )));
            };
            index.file_by_tensor.insert(current_name(tensor), file.to_owned());
            if let Err(place) = index.files.binary_search_by(|known| known.as_str().cmp(file)) {
                index.files.insert(place, file.to_owned());
            }
            if index.files.len() > limits.max_shards {
                return Err(weights(format!("{name} names more than {} files", limits.max_shards)));
            }
        }
        if index.files.is_empty() {
            return Err(weights(format!("{name} names no files")));
        }
        Ok(index)
    }

    /// Returns the names of the shards, sorted.
    pub(crate) fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(String::as_str)
    }

    /// Returns the shard that must contain a tensor. Tensors that are not in the index may be in any shard.
    pub(super) fn file_of(&self, tensor: &str) -> Option<&str> {
        self.file_by_tensor.get(tensor).map(String::as_str)
    }

    /// Returns a tensor that the index assigns to `file` and that is not in `names`.
    pub(super) fn missing_tensor(&self, file: &str, names: &HashSet<String>) -> Option<&str> {
        let mut of_file = self.file_by_tensor.iter().filter(|(_, place)| *place == file);
        of_file.find(|(name, _)| !names.contains(*name)).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(file: &str) -> String {
        serde_json::json!({ "metadata": { "total_size": 3 }, "weight_map": { "a": file } }).to_string()
    }

    #[test]
    fn only_names_of_files_beside_it_are_taken() {
        let parse = |file: &str| Index::parse(&layout().weights[1], index(file).as_bytes());
        assert!(parse("model-00001-of-00002.safetensors").is_ok());
        let long = format!("{}.safetensors", "a".repeat(96));
        for file in [
            "../a.safetensors",
            "/a.safetensors",
            "a/b.safetensors",
            "a\\b.safetensors",
            "c:a.safetensors",
            ".safetensors",
            "a..safetensors",
            "a.bin",
            "config.json",
            "",
            "a%2f.safetensors",
            "a\0.safetensors",
            "é.safetensors",
            &long,
        ] {
            let error = parse(file).expect_err(file);
            assert!(error.context().contains("is not the name of a .safetensors file"), "{error}");
        }
        assert!(Index::parse(&layout().weights[3], index("a.bin").as_bytes()).is_ok());
        assert!(Index::parse(&layout().weights[3], index("a.safetensors").as_bytes()).is_err());
    }

    #[test]
    fn an_index_is_bounded() {
        let named = |count: usize| {
            let map: HashMap<_, _> = (0..count).map(|n| (n.to_string(), format!("{n}.bin"))).collect();
            serde_json::json!({ "weight_map": map }).to_string()
        };
        assert!(Index::parse(&layout().weights[3], named(256).as_bytes()).is_ok());
        for broken in [named(0), named(257), "{}".into(), "[".repeat(100_000), String::new()] {
            assert!(Index::parse(&layout().weights[3], broken.as_bytes()).is_err());
        }
        let long = index("a.safetensors") + &" ".repeat(4 << 20);
        assert!(
            Index::parse(&layout().weights[1], long.as_bytes())
                .unwrap_err()
                .context()
                .contains("bytes, more than")
        );
    }
}
