//! Weights in several files with an index.

use super::weights_folder::*;
use crate::common::{fixture, load};
use ranklet::{Dtype, ErrorKind, ModelFiles, ModelSource, quantize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Returns the sharded fixture with a changed index.
fn with_index(change: impl FnOnce(&mut Value)) -> ModelFiles {
    let mut files = files("sharded-safetensors", "bert-bare-h36");
    let mut index: Value = serde_json::from_slice(files.get(INDEX).unwrap()).unwrap();
    change(&mut index["weight_map"]);
    files.insert(INDEX, index.to_string().into_bytes());
    files
}

const FIRST: &str = "model-00001-of-00002.safetensors";

const SECOND: &str = "model-00002-of-00002.safetensors";

const TABLE: &str = "bert.embeddings.word_embeddings.weight";

#[test]
fn the_index_and_the_files_must_agree() {
    assert!(load(with_index(|_| ())).is_ok());
    // Tensors outside the index may be in any file, as in transformers.
    let unnamed = with_index(|map| drop(map.as_object_mut().unwrap().remove("classifier.bias")));
    assert!(load(unnamed).is_ok());
    let elsewhere = with_index(|map| map[TABLE] = json!(SECOND));
    assert_refused(load(elsewhere), ErrorKind::Weights, &[SECOND, TABLE, "does not contain"]);
    let nowhere = with_index(|map| map["ghost"] = json!(FIRST));
    assert_refused(load(nowhere), ErrorKind::Weights, &[FIRST, "ghost"]);
    let mut both = with_index(|map| *map = json!({ TABLE: FIRST, "other": SECOND }));
    both.insert(SECOND, safetensors_of(&["other", TABLE]));
    assert_refused(load(both), ErrorKind::Weights, &[SECOND, TABLE, FIRST]);
    let mut unnamed = with_index(|map| *map = json!({ "one": FIRST, "other": SECOND }));
    unnamed.insert(FIRST, safetensors_of(&["one", "unnamed"]));
    unnamed.insert(SECOND, safetensors_of(&["other", "unnamed"]));
    assert_refused(load(unnamed), ErrorKind::Weights, &[SECOND, "unnamed", "another file"]);
}

/// Returns a file of empty tensors.
fn safetensors_of(names: &[&str]) -> Vec<u8> {
    let tensor = json!({ "dtype": "F32", "shape": [0], "data_offsets": [0, 0] });
    let header: BTreeMap<_, _> = names.iter().map(|name| (name, &tensor)).collect();
    let header = serde_json::to_vec(&header).unwrap();
    [&(header.len() as u64).to_le_bytes()[..], &header].concat()
}

#[test]
fn a_missing_shard_is_an_error() {
    let mut files = with_index(|_| ());
    files.take(SECOND);
    assert_refused(load(files), ErrorKind::Weights, &[SECOND, INDEX]);
    let folder = folder("sharded-safetensors", "bert-bare-h36");
    std::fs::remove_file(folder.path().join(FIRST)).unwrap();
    let loaded = load_as(ModelSource::Directory(folder.path().into()), Dtype::Auto);
    assert_refused(loaded, ErrorKind::Weights, &[FIRST, INDEX]);

    let mut damaged = with_index(|_| ());
    let mut shard = damaged.take(SECOND).unwrap().into_owned();
    shard.truncate(shard.len() - 1);
    damaged.insert(SECOND, shard);
    assert_refused(load(damaged), ErrorKind::Weights, &[SECOND, "malformed"]);
}

#[test]
fn an_index_that_names_files_elsewhere_is_rejected() {
    for name in ["../model.safetensors", "/etc/passwd", "a/b.safetensors", "config.json", ""] {
        let files = with_index(|map| map[TABLE] = json!(name));
        assert_refused(load(files), ErrorKind::Weights, &[INDEX, &format!("{name:?}")]);
    }
    let folder = folder("sharded-safetensors", "bert-bare-h36");
    std::fs::write(folder.path().join(INDEX), " ".repeat(5 << 20)).unwrap();
    let loaded = load_as(ModelSource::Directory(folder.path().into()), Dtype::Auto);
    assert_refused(loaded, ErrorKind::Weights, &[INDEX, "bytes, more than"]);
}

#[test]
fn q8_in_several_files_is_rejected() {
    let mut files = pollster::block_on(quantize(fixture("bert-gelu-h36").files(), "a", Dtype::Q8)).unwrap();
    let weights = files.take("model.safetensors").unwrap();
    files.insert("a.safetensors", weights);
    files.insert(INDEX, json!({ "weight_map": { TABLE: "a.safetensors" } }).to_string().into_bytes());
    assert_refused(load(files), ErrorKind::Unsupported, &["a.safetensors", "q8"]);
}
