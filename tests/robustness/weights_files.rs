//! Malformed model.safetensors files.

use super::broken::*;
use crate::common::load;
use ranklet::{ErrorItem, ErrorKind, ItemKind, RankOptions, Scores};
use serde_json::json;

#[test]
fn cut_and_padded_weights() {
    let files = good();
    let bytes = files.get("model.safetensors").unwrap();
    for length in [0, 1, 7, 8, 9, 100, bytes.len() / 2, bytes.len() - 1] {
        assert_refused(
            with("model.safetensors", &bytes[..length]),
            ErrorKind::Weights,
            &["model.safetensors"],
        );
    }
    let padded = [bytes, &[0u8; 4][..]].concat();
    assert_refused(with("model.safetensors", padded), ErrorKind::Weights, &["model.safetensors"]);
}

#[test]
fn headers_that_contradict_the_file() {
    let files = good();
    for length in [u64::MAX, 1 << 40, 100_000_001] {
        let mut bytes = files.get("model.safetensors").unwrap().to_vec();
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        assert_refused(with("model.safetensors", bytes), ErrorKind::Weights, &["model.safetensors"]);
    }
    for (field, value) in [
        ("data_offsets", json!([0, 8])),
        ("data_offsets", json!([16, 8])),
        ("data_offsets", json!([0, u64::MAX])),
        ("shape", json!([36, 35])),
        ("shape", json!([u64::MAX, u64::MAX])),
        ("shape", json!([-1, 36])),
        ("dtype", json!("F31")),
        ("dtype", json!("F16")),
    ] {
        let mut weights = RawWeights::of(&files);
        weights.header.get_mut(QUERY_WEIGHT).unwrap()[field] = value;
        assert_refused(weights.files(), ErrorKind::Weights, &["model.safetensors"]);
    }
}

#[test]
fn overlapping_tensors() {
    let mut weights = RawWeights::of(&good());
    let place = weights.header["classifier.bias"]["data_offsets"].clone();
    weights.header.insert("twin".to_owned(), json!({ "dtype": "F32", "shape": [1], "data_offsets": place }));
    assert_refused(weights.files(), ErrorKind::Weights, &["model.safetensors"]);
}

#[test]
fn a_tensor_whose_shape_does_not_fill_its_bytes_is_named() {
    let mut weights = RawWeights::of(&good());
    weights.header.get_mut(QUERY_WEIGHT).unwrap()["shape"] = json!([36, 35]);
    assert_refused(weights.files(), ErrorKind::Weights, &[QUERY_WEIGHT]);
}

#[test]
fn missing_tensors_are_named() {
    let names: Vec<String> =
        RawWeights::of(&good()).header.keys().filter(|name| *name != "__metadata__").cloned().collect();
    assert!(names.len() > 30);
    for name in names {
        let mut weights = RawWeights::of(&good());
        let tensor = weights.header.remove(&name).unwrap();
        // The bytes stay, under a name that the model does not use.
        weights.header.insert("unrelated".to_owned(), tensor);
        assert_refused(weights.files(), ErrorKind::Weights, &[&name, "missing"]);
    }
}

#[test]
fn unknown_tensors_are_named_in_a_warning() {
    let mut weights = RawWeights::of(&good());
    weights.push("cls.predictions.bias", "F32", &[1], &[0; 4]);
    weights.push("bert.embeddings.position_ids", "I64", &[1, 1], &[0; 8]);
    let reranker = load(weights.files()).unwrap();
    let warnings = &reranker.info().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("cls.predictions.bias"), "{warnings:?}");
}

#[test]
fn a_tensor_under_two_names() {
    let mut weights = RawWeights::of(&good());
    weights.push("bert.embeddings.LayerNorm.gamma", "F32", &[36], &[0; 144]);
    assert_refused(weights.files(), ErrorKind::Weights, &["bert.embeddings.LayerNorm"]);
}

#[test]
fn numbers_that_overflow() {
    for name in [QUERY_WEIGHT, "bert.embeddings.LayerNorm.weight", "bert.encoder.layer.0.output.dense.bias"] {
        let mut weights = RawWeights::of(&good());
        weights.overwrite(name, &1e30f32.to_le_bytes());
        assert_refused(weights.files(), ErrorKind::Weights, &[name, "too large"]);
    }
}

#[test]
fn numbers_that_are_not_finite() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for name in [QUERY_WEIGHT, "bert.embeddings.word_embeddings.weight", "classifier.bias"] {
            let mut weights = RawWeights::of(&good());
            weights.overwrite(name, &value.to_le_bytes());
            assert_refused(weights.files(), ErrorKind::Weights, &[name, "not finite"]);
        }
    }
}

/// The head is exact, so its weights may be as large as f32 allows.
#[test]
fn a_logit_that_is_not_finite_is_an_error_about_its_pair() {
    let mut weights = RawWeights::of(&good());
    weights.overwrite("bert.pooler.dense.bias", &[1000.0; 36].map(f32::to_le_bytes).concat());
    weights.overwrite("classifier.weight", &[f32::MAX; 36].map(f32::to_le_bytes).concat());
    let reranker = load(weights.files()).unwrap();
    let error = reranker.score_blocking(&[("a", "b"), ("c", "d")], Scores::Raw).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert_eq!(error.item(), Some(&ErrorItem { kind: ItemKind::Pair, range: 0..1 }), "{error}");
}

#[test]
fn elements_of_another_type() {
    let mut weights = RawWeights::of(&good());
    weights.header.get_mut("classifier.bias").unwrap()["dtype"] = json!("I32");
    assert_refused(weights.files(), ErrorKind::Weights, &["classifier.bias", "I32"]);
}

#[test]
fn too_many_golden_pairs() {
    let pair = json!({ "query": "a", "document": "b", "logits": [0.0], "source_logits": [0.0] });
    let metadata = json!({ "format": "q8", "version": 1, "scheme": "", "source": "",
        "golden": { "pairs": vec![pair; 100_000] } });
    let mut weights = RawWeights::of(&good());
    weights.header.insert("__metadata__".to_owned(), json!({ "ranklet": metadata.to_string() }));
    assert_refused(weights.files(), ErrorKind::Weights, &["model.safetensors", "100000 golden pairs"]);
}

#[test]
fn logits_that_overflow_are_an_error() {
    let mut weights = RawWeights::of(&good());
    weights.overwrite("classifier.weight", &[f32::MAX.to_le_bytes(), f32::MAX.to_le_bytes()].concat());
    weights.overwrite("classifier.bias", &f32::MAX.to_le_bytes());
    let reranker = load(weights.files()).unwrap();
    let documents: Vec<String> = (0..50).map(|number| format!("document {number} of Paris")).collect();
    let error = reranker.rank_blocking("Paris", &documents, RankOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}
