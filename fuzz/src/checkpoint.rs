//! A tiny real checkpoint with some files replaced, and checks on the result of loading it.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ranklet::{Error, ErrorKind, ModelFiles, ModelSource, Options, Reranker, Scores};

/// Short texts, so that thousands of checkpoints are scored per second, with a few unusual characters.
const PAIRS: [(&str, &str); 2] = [("a river", "the old [SEP] city"), ("", "\0é漢")];

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

/// Returns the files of every fixture.
pub fn fixtures() -> Vec<ModelFiles> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(directory())
        .expect("tests/fixtures is there")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.join("model.safetensors").is_file())
        .collect();
    folders.sort();
    folders.iter().map(|folder| ModelFiles::from_directory(folder).expect("a fixture can be read")).collect()
}

/// Returns the files that targets start from. They are read once and never copied.
pub fn fixture() -> &'static ModelFiles {
    static FILES: OnceLock<ModelFiles> = OnceLock::new();
    FILES.get_or_init(|| {
        let folder = directory().join("bert-gelu-h36");
        let mut read = ModelFiles::from_directory(&folder).expect("the fixture can be read");
        let mut files = ModelFiles::new();
        for name in ModelFiles::names() {
            if let Some(bytes) = read.take(name) {
                files.insert(name, &*bytes.into_owned().leak());
            }
        }
        files
    })
}

/// Returns the fixture with files replaced. A file with empty content is removed.
pub fn with<'a>(replaced: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> ModelFiles {
    let mut files = fixture().clone();
    for (name, bytes) in replaced {
        files.take(name);
        if !bytes.is_empty() {
            files.insert(name, Cow::Owned(bytes.to_vec()));
        }
    }
    files
}

/// Loads the files and scores pairs. Checks that the scores are finite or the error is typed.
pub fn check(files: ModelFiles) {
    let scored =
        Reranker::load_blocking(ModelSource::Files(files), Options::default()).and_then(|reranker| {
            let labels = reranker.info().num_labels;
            reranker.score_blocking(&PAIRS, Scores::Model).map(|scores| (scores, labels))
        });
    match scored {
        Ok((scores, labels)) => {
            assert_eq!(scores.len(), PAIRS.len() * labels);
            assert!(scores.iter().all(|score| score.is_finite()), "{scores:?}");
        }
        Err(error) => refused(&error),
    }
}

/// Checks that an error blames the files. `internal` would be a defect of Ranklet, except for weights with which the model
/// overflows.
pub fn refused(error: &Error) {
    assert!(!error.context().is_empty());
    let overflows = ["the logit is", "is not finite"].iter().any(|text| error.context().contains(text));
    assert!(error.kind() != ErrorKind::Internal || overflows, "{error}");
}
