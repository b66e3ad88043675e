//! What several test files need: the fixtures, whose scores sentence-transformers computed.

#![allow(dead_code, reason = "every test file is a program of its own and uses a part of this")]

use std::path::{Path, PathBuf};

use ranklet::{ModelFiles, ModelSource, Options, Reranker};
use serde::Deserialize;

/// `expected.json` of a fixture; `tests/fixtures/README.md` says how it was made.
#[derive(Deserialize)]
pub struct Expected {
    pub model_max_length: usize,
    pub num_labels: usize,
    pub activation: String,
    pub pairs: Vec<(String, String)>,
    pub input_ids: Vec<Vec<u32>>,
    pub token_type_ids: Vec<Vec<u32>>,
    pub logits: Vec<Vec<f32>>,
    pub scores: Vec<Vec<f32>>,
}

pub struct Fixture {
    pub name: String,
    pub directory: PathBuf,
    pub expected: Expected,
}

pub fn fixtures_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

pub fn fixture(name: &str) -> Fixture {
    let directory = fixtures_directory().join(name);
    let json = std::fs::read(directory.join("expected.json")).expect("the fixture is there");
    Fixture {
        name: name.to_owned(),
        directory,
        expected: serde_json::from_slice(&json).expect("expected.json is well formed"),
    }
}

/// Every fixture; fails rather than testing nothing.
pub fn fixtures() -> Vec<Fixture> {
    let mut names: Vec<String> = std::fs::read_dir(fixtures_directory())
        .expect("tests/fixtures is there")
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.path().join("expected.json").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert!(names.len() >= 12, "only {} fixtures: {names:?}", names.len());
    names.iter().map(|name| fixture(name)).collect()
}

impl Fixture {
    pub fn files(&self) -> ModelFiles {
        ModelFiles::from_directory(&self.directory).expect("the fixture can be read")
    }

    pub fn load(&self) -> Reranker {
        load(self.files()).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

pub fn load(files: ModelFiles) -> ranklet::Result<Reranker> {
    Reranker::load_blocking(ModelSource::Files(files), Options::default())
}

/// The largest difference, and where; NaN counts as infinite.
pub fn largest_difference(got: &[f32], want: &[f32]) -> (usize, f32) {
    assert_eq!(got.len(), want.len());
    let difference = |(got, want): (&f32, &f32)| {
        let difference = (got - want).abs();
        if difference.is_nan() { f32::INFINITY } else { difference }
    };
    got.iter().zip(want).map(difference).enumerate().fold((0, 0.0), |most, one| if one.1 > most.1 { one } else { most })
}
