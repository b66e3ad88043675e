//! ONNX files of every exporter and optimizer give the logits of onnxruntime, and damaged ones are refused.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::common::{fixture, fixtures_directory, largest_difference};
use crate::weights_folder::assert_refused;
use flate2::read::GzDecoder;
use ranklet::{Dtype, ErrorKind, ModelFiles, ModelSource, Options, Reranker, Scores, quantize};
use serde::Deserialize;
use std::collections::BTreeMap;

const FAMILIES: [&str; 4] = ["bert", "xlm-roberta", "deberta", "modernbert"];

/// The `expected.json` of a family; `tests/fixtures/make_onnx.py` writes it.
#[derive(Deserialize)]
struct Expected {
    fixture: String,
    pairs: Vec<(String, String)>,
    logits: BTreeMap<String, Vec<[f32; 1]>>,
}

/// A folder with the configuration and the tokenizer of a family, and its expected logits.
struct Model {
    folder: tempfile::TempDir,
    expected: Expected,
}

impl Model {
    fn new(family: &str) -> Self {
        let source = onnx_directory().join(family);
        let expected: Expected =
            serde_json::from_slice(&std::fs::read(source.join("expected.json")).unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let copy = |path: &Path| std::fs::copy(path, folder.path().join(path.file_name().unwrap())).unwrap();
        for entry in std::fs::read_dir(fixture(&expected.fixture).directory).unwrap() {
            let path = entry.unwrap().path();
            if !["model.safetensors", "expected.json"].iter().any(|name| path.ends_with(name)) {
                copy(&path);
            }
        }
        copy(&source.join("config.json"));
        Self { folder, expected }
    }

    /// Writes a file, in the folder that transformers.js reads.
    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn load(&self, dtype: Dtype) -> ranklet::Result<Reranker> {
        load(ModelSource::Directory(self.folder.path().into()), dtype)
    }

    fn logits(&self, reranker: &Reranker) -> Vec<f32> {
        reranker.score_blocking(&self.expected.pairs, Scores::Raw).unwrap()
    }

    fn wanted(&self, case: &str) -> Vec<f32> {
        self.expected.logits[case].concat()
    }
}

fn onnx_directory() -> PathBuf {
    fixtures_directory().join("onnx")
}

fn load(source: ModelSource, dtype: Dtype) -> ranklet::Result<Reranker> {
    Reranker::load_blocking(source, Options { dtype, ..Options::default() })
}

fn decompressed(family: &str, case: &str) -> Vec<u8> {
    let file = std::fs::File::open(onnx_directory().join(family).join(format!("{case}.onnx.gz"))).unwrap();
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

/// The tolerance that the kind of a file allows. Files in half precision are computed in half precision by
/// onnxruntime; 8-bit ones are compared with PyTorch.
fn tolerance(case: &str) -> f32 {
    match case {
        _ if case.contains("int8") => 1e-3,
        _ if case.contains("fp16") => 2e-2,
        _ => 1e-4,
    }
}

#[test]
fn every_export_of_every_family_gives_the_logits_of_its_file() {
    let mut failures = Vec::new();
    for family in FAMILIES {
        let model = Model::new(family);
        assert!(model.expected.logits.len() >= 12, "{family}: {} cases", model.expected.logits.len());
        for case in model.expected.logits.keys() {
            model.write("onnx/model.onnx", &decompressed(family, case));
            match model.load(Dtype::F32) {
                Err(error) => failures.push(format!("{family} {case}: {error}")),
                Ok(reranker) => {
                    assert_eq!(reranker.info().weights.format, "onnx");
                    assert_eq!(reranker.info().warnings, Vec::<String>::new(), "{family} {case}");
                    let (_, difference) = largest_difference(&model.logits(&reranker), &model.wanted(case));
                    if difference > tolerance(case) {
                        failures.push(format!("{family} {case}: {difference}"));
                    }
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn tensors_in_another_file_are_read_from_disk_and_from_memory() {
    for case in ["torchscript", "int8-per-channel-reduced"] {
        let model = Model::new("bert");
        for name in ["model.onnx", "model.onnx_data"] {
            let bytes = std::fs::read(onnx_directory().join("external").join(case).join(name)).unwrap();
            model.write(&format!("onnx/{name}"), &bytes);
        }
        let files = ModelFiles::from_directory(model.folder.path()).unwrap();
        for source in [ModelSource::Directory(model.folder.path().into()), ModelSource::Files(files.clone())]
        {
            let reranker = load(source, Dtype::F32).unwrap();
            let (_, difference) = largest_difference(&model.logits(&reranker), &model.wanted(case));
            assert!(difference <= tolerance(case), "{case}: {difference}");
        }
        let mut without = files;
        without.take("onnx/model.onnx_data");
        assert_refused(
            load(ModelSource::Files(without), Dtype::F32),
            ErrorKind::Weights,
            &["onnx/model.onnx_data is missing", "onnx/model.onnx stores weights in it"],
        );
    }
}

#[test]
fn q8_rounds_floats_on_load_and_takes_weights_of_seven_bits_as_they_are() {
    for (case, max) in [("optimum", 0.5), ("int8-per-channel-reduced", 0.5)] {
        let model = Model::new("bert");
        model.write("onnx/model.onnx", &decompressed("bert", case));
        let exact = model.logits(&model.load(Dtype::F32).unwrap());
        let reranker = model.load(Dtype::Q8).unwrap();
        assert_eq!(reranker.info().backend.dtype, Dtype::Q8);
        let (_, difference) = largest_difference(&model.logits(&reranker), &exact);
        assert!(difference < max, "{case}: {difference}");
    }
}

#[test]
fn a_q8_file_can_be_made_from_onnx() {
    let model = Model::new("deberta");
    model.write("onnx/model.onnx", &decompressed("deberta", "torchscript-slim"));
    let files = ModelFiles::from_directory(model.folder.path()).unwrap();
    let quantized = pollster::block_on(quantize(files, "test", Dtype::Q8)).unwrap();
    let reranker = load(ModelSource::Files(quantized), Dtype::Auto).unwrap();
    assert_eq!(reranker.info().weights.format, "q8");
    let (_, difference) = largest_difference(&model.logits(&reranker), &model.wanted("torchscript-slim"));
    assert!(difference < 1.5, "{difference}");
}

#[test]
fn a_file_that_ends_anywhere_is_refused() {
    let model = Model::new("bert");
    let file = decompressed("bert", "int8-per-channel-reduced");
    for end in (0..file.len()).step_by(file.len() / 97) {
        model.write("onnx/model.onnx", &file[..end]);
        let error = model.load(Dtype::F32).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Weights, "{end} bytes: {error}");
        assert!(error.context().contains("onnx/model.onnx"), "{end} bytes: {error}");
    }
}

#[test]
fn damage_to_any_byte_of_the_graph_is_survived() {
    let model = Model::new("bert");
    let mut files = ModelFiles::from_directory(model.folder.path()).unwrap_or_default();
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        files.insert(name, std::fs::read(model.folder.path().join(name)).unwrap());
    }
    let graph = std::fs::read(onnx_directory().join("external/torchscript/model.onnx")).unwrap();
    let data = std::fs::read(onnx_directory().join("external/torchscript/model.onnx_data")).unwrap();
    files.insert("onnx/model.onnx_data", data);
    for at in (0..graph.len()).step_by(389) {
        for bits in [0xff, 0x01, 0x80] {
            let mut damaged = graph.clone();
            damaged[at] ^= bits;
            files.insert("onnx/model.onnx", damaged);
            if let Err(error) = load(ModelSource::Files(files.clone()), Dtype::F32) {
                assert_ne!(error.kind(), ErrorKind::Internal, "byte {at}: {error}");
            }
        }
    }
}
