//! All forms of weights give the same scores: one file or several, safetensors or torch.

use super::weights_folder::*;
use crate::common::{fixture, load};
use ranklet::internals::Weights;
use ranklet::{Dtype, ErrorKind, ModelFiles, ModelSource, Options, Reranker, Scores, quantize};
use std::path::{Path, PathBuf};

/// Folders of `fixtures/weights`, and the fixtures with the same weights.
const CASES: [(&str, &str); 5] = [
    ("sharded-safetensors", "bert-bare-h36"),
    ("sharded-bin", "bert-bare-h36"),
    ("bin-f32", "bert-bare-h36"),
    ("bin-f16", "bert-f16-h52"),
    ("bin-views", "bert-bf16-h60"),
];

fn logits(reranker: &Reranker, fixture_name: &str) -> Vec<f32> {
    reranker.score_blocking(&fixture(fixture_name).expected.pairs, Scores::Raw).unwrap()
}

#[test]
fn all_forms_give_the_same_scores_as_safetensors() {
    for (case, name) in CASES {
        let folder = folder(case, name);
        for dtype in [Dtype::F32, Dtype::Q8] {
            let twin = load_as(ModelSource::Directory(fixture(name).directory), dtype).unwrap();
            let want = logits(&twin, name);
            let files = ModelFiles::from_directory(folder.path()).unwrap();
            for source in [ModelSource::Directory(folder.path().into()), ModelSource::Files(files)] {
                let reranker = load_as(source, dtype).unwrap();
                assert_eq!(logits(&reranker, name), want, "{case} as {dtype:?}");
                assert_eq!(reranker.info().backend.dtype, dtype);
                let format = if case.contains("bin") { "pytorch" } else { "safetensors" };
                assert_eq!(reranker.info().weights.format, format);
                assert_eq!(reranker.info().weights.bytes, weights_bytes(folder.path()), "{case}");
            }
        }
    }
}

fn weights_bytes(folder: &Path) -> u64 {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_weights = |path: &PathBuf| {
        path.extension().is_some_and(|end| ["bin", "safetensors"].iter().any(|one| end == *one))
    };
    paths.filter(is_weights).map(|path| path.metadata().unwrap().len()).sum()
}

#[test]
fn unused_tensors_cause_warnings_except_those_of_all_old_files() {
    let warnings = |case, name| load(files(case, name)).unwrap().info().warnings.clone();
    assert_eq!(warnings("bin-f32", "bert-bare-h36"), Vec::<String>::new());
    let views = warnings("bin-views", "bert-bf16-h60");
    let unused = ["cls.predictions.decoder.weight", "expanded", "flags", "scalar"];
    assert_eq!(views.len(), unused.len(), "{views:?}");
    for (warning, name) in views.iter().zip(unused) {
        assert!(warning.contains(name), "{warning}");
    }
}

#[test]
fn views_are_read_as_torch_reads_them() {
    let files = files("bin-views", "bert-bf16-h60");
    let weights = read(BIN, files.get(BIN).unwrap()).unwrap();
    let twin = Weights::parse(fixture("bert-bf16-h60").files().get("model.safetensors").unwrap()).unwrap();
    for name in twin.names() {
        assert_eq!(weights.view(name).unwrap().to_f32(), twin.view(name).unwrap().to_f32(), "{name}");
    }
    let table = twin.view("bert.embeddings.word_embeddings.weight").unwrap().to_f32();
    assert_eq!(weights.view("cls.predictions.decoder.weight").unwrap().to_f32(), table);
    assert_eq!(weights.require("expanded", &[4, 3]).unwrap().to_f32(), [1.0; 12]);
    assert_eq!(weights.require("scalar", &[]).unwrap().to_f32(), [3.0]);
    assert_refused(weights.view("flags"), ErrorKind::Weights, &["flags", "BOOL"]);
}

#[test]
fn forms_are_preferred_in_the_order_of_transformers() {
    // Each form is tested next to all less preferred forms, which are broken and would cause an error.
    let good = fixture("bert-bare-h36").files();
    let mut held = good.clone();
    held.take("model.safetensors");
    assert_refused(
        load(held.clone()),
        ErrorKind::Weights,
        &["model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json"],
    );
    held.insert("pytorch_model.bin.index.json", &b"{"[..]);
    assert_refused(load(held.clone()), ErrorKind::Weights, &["pytorch_model.bin.index.json"]);
    held.insert(BIN, files("bin-f32", "bert-bare-h36").get(BIN).unwrap().to_vec());
    assert!(load(held.clone()).is_ok());
    held.insert(BIN, &b"x"[..]);
    assert_refused(load(held.clone()), ErrorKind::Weights, &[BIN]);
    let sharded = files("sharded-safetensors", "bert-bare-h36");
    for name in [INDEX, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] {
        held.insert(name, sharded.get(name).unwrap().to_vec());
    }
    assert!(load(held.clone()).is_ok());
    held.insert(INDEX, &b"{"[..]);
    assert_refused(load(held.clone()), ErrorKind::Weights, &[INDEX]);
    held.insert("model.safetensors", good.get("model.safetensors").unwrap().to_vec());
    assert!(load(held).is_ok());
}

#[test]
fn the_file_with_the_weights_can_be_chosen() {
    let (case, name) = CASES[2];
    let folder = folder(case, name);
    for file in ["model.safetensors", "other.safetensors"] {
        std::fs::copy(fixture(name).directory.join("model.safetensors"), folder.path().join(file)).unwrap();
    }
    let load = |source: ModelSource, weights: &str| {
        let options = Options { weights: Some(weights.to_owned()), ..Options::default() };
        Reranker::load_blocking(source, options)
    };
    let mut all = ModelFiles::from_directory(folder.path()).unwrap();
    for file in [BIN, "other.safetensors"] {
        all.insert(file, std::fs::read(folder.path().join(file)).unwrap());
    }
    let want = logits(&load(ModelSource::Files(all.clone()), "model.safetensors").unwrap(), name);
    for (weights, format) in [(BIN, "pytorch"), ("other.safetensors", "safetensors")] {
        for source in [ModelSource::Directory(folder.path().into()), ModelSource::Files(all.clone())] {
            let reranker = load(source, weights).unwrap();
            assert_eq!(reranker.info().weights.format, format);
            assert_eq!(logits(&reranker, name), want);
        }
        let files = ModelFiles::from_directory_with(folder.path(), Some(weights)).unwrap();
        assert!(files.get("model.safetensors").is_none());
        let reranker = Reranker::load_blocking(ModelSource::Files(files), Options::default()).unwrap();
        assert_eq!(logits(&reranker, name), want);
    }
    for source in [ModelSource::Directory(folder.path().into()), ModelSource::Files(all)] {
        let present = ["no onnx/model.onnx", "it has model.safetensors, pytorch_model.bin"];
        assert_refused(load(source.clone(), "onnx/model.onnx"), ErrorKind::Weights, &present);
        assert_refused(load(source, "../model.safetensors"), ErrorKind::Input, &["../model.safetensors"]);
    }
    let missing = ModelFiles::from_directory_with(folder.path(), Some("a.bin"));
    assert_refused(missing, ErrorKind::Weights, &["no a.bin", BIN]);
}

#[test]
fn a_chosen_file_can_be_quantized() {
    let (case, name) = CASES[2];
    let folder = folder(case, name);
    std::fs::rename(folder.path().join(BIN), folder.path().join("other.bin")).unwrap();
    let files = ModelFiles::from_directory_with(folder.path(), Some("other.bin")).unwrap();
    let quantized = pollster::block_on(quantize(files, "source", Dtype::Q8)).unwrap();
    assert!(quantized.get("other.bin").is_none());
    assert_eq!(load(quantized).unwrap().info().backend.dtype, Dtype::Q8);
}

#[test]
fn only_the_preferred_form_is_read_from_a_folder() {
    let folder = folder("sharded-safetensors", "bert-bare-h36");
    std::fs::write(folder.path().join(BIN), "x").unwrap();
    let files = ModelFiles::from_directory(folder.path()).unwrap();
    assert!(files.get(BIN).is_none());
    assert_eq!(
        files.weights_bytes() as u64 + 1,
        weights_bytes(folder.path()),
        "all shards and nothing else but the other form"
    );
}

#[test]
fn all_forms_can_be_quantized() {
    for (case, name) in [CASES[0], CASES[2]] {
        let twin = pollster::block_on(quantize(fixture(name).files(), name, Dtype::Q8)).unwrap();
        let quantized = pollster::block_on(quantize(files(case, name), name, Dtype::Q8)).unwrap();
        assert_eq!(quantized.get("model.safetensors"), twin.get("model.safetensors"), "{case}");
        assert_eq!(quantized.weights_bytes(), twin.weights_bytes(), "{case}: the old weights are gone");
        assert!(quantized.get(INDEX).is_none());
    }
}
