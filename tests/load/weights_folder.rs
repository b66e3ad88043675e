//! Folders with a fixture's weights in one of their forms.

use crate::common::{fixture, fixtures_directory};
use ranklet::internals::{Weights, WeightsReader};
use ranklet::{Dtype, ErrorKind, ModelFiles, ModelSource, Options, Reranker};

pub(super) const INDEX: &str = "model.safetensors.index.json";

pub(super) const BIN: &str = "pytorch_model.bin";

/// Returns a folder with a fixture's small files and the weights of a case.
pub(super) fn folder(case: &str, fixture_name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let weights = fixtures_directory().join("weights").join(case);
    for source in [&fixture(fixture_name).directory, &weights] {
        for entry in std::fs::read_dir(source).unwrap() {
            let path = entry.unwrap().path();
            if path.file_name().is_some_and(|name| name != "model.safetensors") {
                std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
            }
        }
    }
    folder
}

pub(super) fn files(case: &str, fixture_name: &str) -> ModelFiles {
    ModelFiles::from_directory(folder(case, fixture_name).path()).unwrap()
}

#[track_caller]
pub(super) fn assert_refused<T>(result: ranklet::Result<T>, kind: ErrorKind, names: &[&str]) {
    let Err(error) = result else { panic!("this should be refused: {names:?}") };
    assert_eq!(error.kind(), kind, "{error}");
    for name in names {
        assert!(error.context().contains(name), "{error:?} does not name {name:?}");
    }
}

pub(super) fn load_as(source: ModelSource, dtype: Dtype) -> ranklet::Result<Reranker> {
    Reranker::load_blocking(source, Options { dtype, ..Options::default() })
}

pub(super) fn read(name: &str, file: &[u8]) -> ranklet::Result<Weights> {
    let mut reader = WeightsReader::default();
    reader.open(name, file.len() as u64)?;
    while let Some(range) = reader.wanted() {
        reader.push(&file[range.start as usize..range.end as usize])?;
    }
    reader.finish()
}
