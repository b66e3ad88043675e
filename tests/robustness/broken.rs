//! Breaks a valid fixture in one place and checks how it is rejected.

use crate::common::{fixture, load};
use ranklet::{ErrorKind, ModelFiles};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) fn good() -> ModelFiles {
    fixture("bert-gelu-h36").files()
}

/// Checks that loading fails with this kind, and that the message contains all `names`.
#[track_caller]
pub(super) fn assert_refused(files: ModelFiles, kind: ErrorKind, names: &[&str]) {
    let Err(error) = load(files) else { panic!("broken files load; {kind}, {names:?} should be wrong") };
    assert_eq!(error.kind(), kind, "{error}");
    for name in names {
        assert!(error.context().contains(name), "{error:?} does not name {name:?}");
    }
}

pub(super) fn with(name: &str, bytes: impl Into<Vec<u8>>) -> ModelFiles {
    let mut files = good();
    files.insert(name, bytes.into());
    files
}

pub(super) fn without(name: &str) -> ModelFiles {
    let mut files = good();
    files.take(name);
    files
}

/// Returns the valid files with some fields of a JSON file replaced. `Value::Null` removes a field.
pub(super) fn with_fields(file: &str, fields: Value) -> ModelFiles {
    let files = good();
    let mut json: Value = serde_json::from_slice(files.get(file).unwrap_or(b"{}")).unwrap();
    for (name, value) in fields.as_object().unwrap() {
        json[name] = value.clone();
    }
    with(file, json.to_string())
}

pub(super) fn with_config(fields: Value) -> ModelFiles {
    with_fields("config.json", fields)
}

/// A safetensors file, split into header and data so that a test can break it and put it together again.
pub(super) struct RawWeights {
    pub(super) header: BTreeMap<String, Value>,
    pub(super) data: Vec<u8>,
}

impl RawWeights {
    pub(super) fn of(files: &ModelFiles) -> Self {
        let bytes = files.get("model.safetensors").unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        Self {
            header: serde_json::from_slice(&bytes[8..8 + length]).unwrap(),
            data: bytes[8 + length..].to_vec(),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let header = serde_json::to_vec(&self.header).unwrap();
        [&(header.len() as u64).to_le_bytes()[..], &header, &self.data].concat()
    }

    pub(super) fn files(&self) -> ModelFiles {
        with("model.safetensors", self.bytes())
    }

    /// Appends an f32 tensor.
    pub(super) fn push(&mut self, name: &str, dtype: &str, shape: &[usize], data: &[u8]) {
        let offsets = [self.data.len(), self.data.len() + data.len()];
        self.data.extend(data);
        self.header
            .insert(name.to_owned(), json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets }));
    }

    pub(super) fn overwrite(&mut self, name: &str, element: &[u8]) {
        let start = self.header[name]["data_offsets"][0].as_u64().unwrap() as usize;
        self.data[start..start + element.len()].copy_from_slice(element);
    }
}

pub(super) const QUERY_WEIGHT: &str = "bert.encoder.layer.0.attention.self.query.weight";
