//! Helpers of several test files, above all the fixtures, whose scores sentence-transformers computed.

#![allow(dead_code, reason = "every test file is a program of its own and uses a part of this")]

use std::path::{Path, PathBuf};

use ranklet::{Device, ModelFiles, ModelSource, Options, Reranker};
use serde::Deserialize;

/// The `expected.json` of a fixture; `tests/fixtures/README.md` says how it is made.
#[derive(Deserialize)]
pub(crate) struct Expected {
    pub(crate) model_max_length: usize,
    pub(crate) num_labels: usize,
    pub(crate) activation: String,
    pub(crate) pairs: Vec<(String, String)>,
    pub(crate) input_ids: Vec<Vec<u32>>,
    pub(crate) token_type_ids: Vec<Vec<u32>>,
    pub(crate) logits: Vec<Vec<f32>>,
    pub(crate) scores: Vec<Vec<f32>>,
}

pub(crate) struct Fixture {
    pub(crate) name: String,
    pub(crate) directory: PathBuf,
    pub(crate) expected: Expected,
}

/// The seed example, scored by PyTorch from a dequantized embedded model (`make_seed.py`).
#[derive(Deserialize)]
pub(crate) struct Seed {
    pub(crate) query: String,
    pub(crate) documents: Vec<String>,
    pub(crate) logits: Vec<f32>,
    pub(crate) scores: Vec<f32>,
}

/// The seed example on the default model.
pub(crate) fn seed() -> Seed {
    seed_in("seed.json")
}

/// The seed example on the small model.
pub(crate) fn small_seed() -> Seed {
    seed_in("seed_small.json")
}

fn seed_in(name: &str) -> Seed {
    let json = std::fs::read(fixtures_directory().join(name)).expect("the file is there");
    serde_json::from_slice(&json).expect("the file is well formed")
}

pub(crate) fn fixtures_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

pub(crate) fn fixture(name: &str) -> Fixture {
    let directory = fixtures_directory().join(name);
    let json = std::fs::read(directory.join("expected.json")).expect("the fixture is there");
    Fixture {
        name: name.to_owned(),
        directory,
        expected: serde_json::from_slice(&json).expect("expected.json is well formed"),
    }
}

/// All fixtures of BERT. Fails if there are none, rather than testing nothing.
pub(crate) fn fixtures() -> Vec<Fixture> {
    let names = names_in("");
    assert!(names.len() >= 12, "only {} fixtures: {names:?}", names.len());
    names.iter().map(|name| fixture(name)).collect()
}

/// All fixtures of all supported families. Fails if there are none, rather than testing nothing.
pub(crate) fn all_fixtures() -> Vec<Fixture> {
    let names = names_in("families/");
    assert!(names.len() >= 27, "only {} fixtures of families: {names:?}", names.len());
    fixtures().into_iter().chain(names.iter().map(|name| fixture(name))).collect()
}

/// The names of the fixtures in a folder, sorted.
fn names_in(folder: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(fixtures_directory().join(folder))
        .expect("the folder of fixtures is there")
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.path().join("expected.json").is_file())
        .map(|entry| format!("{folder}{}", entry.file_name().to_string_lossy()))
        .collect();
    names.sort();
    names
}

impl Fixture {
    pub(crate) fn files(&self) -> ModelFiles {
        ModelFiles::from_directory(&self.directory).expect("the fixture can be read")
    }

    pub(crate) fn load(&self) -> Reranker {
        self.load_on(Device::Auto)
    }

    pub(crate) fn load_on(&self, device: Device) -> Reranker {
        self.load_with(Options { device, ..Options::default() })
    }

    pub(crate) fn load_with(&self, options: Options) -> Reranker {
        Reranker::load_blocking(ModelSource::Files(self.files()), options)
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

pub(crate) fn load(files: ModelFiles) -> ranklet::Result<Reranker> {
    Reranker::load_blocking(ModelSource::Files(files), Options::default())
}

/// The maximum difference, and its index; NaN counts as infinite.
pub(crate) fn largest_difference(got: &[f32], want: &[f32]) -> (usize, f32) {
    assert_eq!(got.len(), want.len());
    let difference = |(got, want): (&f32, &f32)| {
        let difference = (got - want).abs();
        if difference.is_nan() { f32::INFINITY } else { difference }
    };
    got.iter()
        .zip(want)
        .map(difference)
        .enumerate()
        .fold((0, 0.0), |max, one| if one.1 > max.1 { one } else { max })
}
