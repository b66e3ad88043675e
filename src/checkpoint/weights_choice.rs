//! The choice among the forms of a model's weights.

use std::slice;

use super::model_layout::{WeightsForm, is_plain_name, layout, no_weights};
use crate::error::{Error, Result, input, weights};

/// Names that a message lists.
const MAX_NAMED: usize = 12;

/// The forms of weights that may be read.
#[derive(Debug)]
pub(crate) enum WeightsChoice {
    /// The first form of the table that exists.
    Preferred,
    /// The file that the caller chose.
    Named(WeightsForm),
}

impl WeightsChoice {
    /// Returns the choice of a caller.
    ///
    /// # Errors
    /// `input` for a name that no file of weights can have.
    pub(super) fn new(name: Option<&str>) -> Result<Self> {
        let Some(name) = name else { return Ok(Self::Preferred) };
        WeightsForm::named(name).map(Self::Named).ok_or_else(|| {
            input(format!(
                "weights: {name:?} is not the name of a file of weights in the model's folder, such as {:?}, or {:?}; \
                 its name ends with {}, or with {} for an index",
                "onnx/model_quantized.onnx",
                "model.safetensors",
                layout().weights_names.suffixes.join(", "),
                layout().weights_names.index_suffix
            ))
        })
    }

    /// Returns the forms to look for, the preferred one first.
    pub(super) fn forms(&self) -> &[WeightsForm] {
        match self {
            Self::Preferred => &layout().weights,
            Self::Named(form) => slice::from_ref(form),
        }
    }

    /// Returns the error for a model that has none of the forms. `listing` has the names of its files.
    pub(super) fn missing(&self, listing: &[impl AsRef<str>]) -> Error {
        let Self::Named(chosen) = self else { return no_weights() };
        let listing = || listing.iter().map(AsRef::as_ref);
        let known = layout().weights.iter().map(|form| form.name.as_str());
        let mut names: Vec<&str> = known.filter(|name| listing().any(|listed| listed == *name)).collect();
        let is_other = |name: &&str| name.ends_with(&layout().onnx.suffix) && !names.contains(name);
        let others: Vec<&str> = listing().filter(is_other).collect();
        names.extend(others);
        names.truncate(MAX_NAMED);
        let present = if names.is_empty() { "none that are read".to_owned() } else { names.join(", ") };
        weights(format!(
            "the model has no {}, which was chosen as its weights; it has {present}",
            chosen.name
        ))
    }
}

impl WeightsForm {
    /// Returns the form of weights in a file of this name; `None` if weights cannot have the name.
    fn named(name: &str) -> Option<Self> {
        let names = &layout().weights_names;
        let (folder, file) = name.split_once('/').map_or((None, name), |(folder, file)| (Some(folder), file));
        if !is_plain_name(file) || !folder.is_none_or(is_plain_name) {
            return None;
        }
        let index_of = file.strip_suffix(&names.index_suffix);
        let suffix = names.suffixes.iter().find(|suffix| index_of.unwrap_or(file).ends_with(*suffix))?;
        let is_allowed = index_of.is_none() || (folder.is_none() && *suffix != layout().onnx.suffix);
        let shard_suffix = index_of.map(|_| suffix.clone());
        is_allowed.then(|| Self { name: name.to_owned(), shard_suffix })
    }

    /// Returns the names of the files beside an ONNX file that can have its tensors, the numbered ones in order. A
    /// numbered file exists only if those before it do.
    pub(super) fn data_files(&self) -> Vec<String> {
        let onnx = &layout().onnx;
        if !self.name.ends_with(&onnx.suffix) {
            return Vec::new();
        }
        let [numbered, single] = onnx.data_suffixes.each_ref().map(|suffix| format!("{}{suffix}", self.name));
        let more = (1..layout().limits.max_data_files - 1).map(|number| format!("{numbered}_{number}"));
        let more: Vec<String> = more.collect();
        [vec![single, numbered], more].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_chosen_by_the_path_of_a_file() {
        for (name, shard_suffix) in [
            ("model.safetensors", None),
            ("model.fp16.safetensors", None),
            ("fp16/model.safetensors", None),
            ("onnx/model_O3.onnx", None),
            ("model.onnx", None),
            ("pytorch_model.bin.index.json", Some(".bin")),
            ("model.fp16.safetensors.index.json", Some(".safetensors")),
        ] {
            let form = WeightsForm::named(name).unwrap_or_else(|| panic!("{name}"));
            assert_eq!((form.name.as_str(), form.shard_suffix.as_deref()), (name, shard_suffix));
        }
        for name in [
            "",
            "config.json",
            "model.gguf",
            "../model.safetensors",
            "a/b/model.safetensors",
            "/model.safetensors",
            "a\\model.safetensors",
            ".safetensors",
            "onnx/.onnx",
            "model.onnx.index.json",
            "a/model.safetensors.index.json",
            "model.onnx_data",
            "https://x/model.safetensors",
        ] {
            assert!(WeightsForm::named(name).is_none(), "{name}");
            let error = WeightsChoice::new(Some(name)).unwrap_err();
            assert!(error.context().contains(&format!("{name:?}")), "{error}");
        }
    }

    #[test]
    fn the_files_beside_an_onnx_file_are_bounded() {
        let data = |name: &str| WeightsForm::named(name).unwrap().data_files();
        assert!(data("model.safetensors").is_empty());
        let names = data("onnx/model.onnx");
        assert_eq!(names.len(), layout().limits.max_data_files);
        let first = ["onnx/model.onnx.data", "onnx/model.onnx_data", "onnx/model.onnx_data_1"];
        assert_eq!(names[..3], first);
    }

    #[test]
    fn a_missing_choice_names_the_forms_that_are_there() {
        let choice = WeightsChoice::new(Some("onnx/model_int8.onnx")).unwrap();
        let listing = [
            "README.md",
            "onnx/model_O3.onnx",
            "onnx/model.onnx",
            "model.safetensors",
            "onnx/model.onnx_data",
        ];
        let error = choice.missing(&listing);
        let end = "it has model.safetensors, onnx/model.onnx, onnx/model_O3.onnx";
        assert!(
            error.context().contains("no onnx/model_int8.onnx") && error.context().ends_with(end),
            "{error}"
        );
        assert!(choice.missing(&["README.md"]).context().ends_with("it has none that are read"));
    }
}
