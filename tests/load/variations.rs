//! Variations of the small files of fixtures: the scores of sentence-transformers, or an error that `docs/models.md`
//! lists. `tests/fixtures/make_variations.py` makes them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{fixture, fixtures_directory};
use crate::documented_files::DocumentedFiles;
use ranklet::{Device, Dtype, Error, ModelFiles, ModelSource, Options, Reranker, Scores};
use serde::Deserialize;
use serde_json::Value;

const TOLERANCE: f32 = 1e-4;
/// The number and the seed of the variations in the long test.
const GENERATED: [&str; 4] = ["--count", "2000", "--seed", "1"];

/// `variations.json`, or a file of the same form.
#[derive(Deserialize)]
struct Variations {
    pairs: Vec<(String, String)>,
    variations: Vec<Variation>,
}

/// A fixture, its changes, and what sentence-transformers makes of them.
#[derive(Deserialize)]
struct Variation {
    fixture: String,
    /// Each one has a file, a path in it and, unless it is a removal, a value.
    changes: Vec<Vec<Value>>,
    #[serde(flatten)]
    reference: Reference,
}

/// Scores of sentence-transformers, or its error.
#[derive(Deserialize)]
#[serde(untagged)]
enum Reference {
    Scores { logits: Vec<Vec<Value>>, scores: Vec<Vec<Value>> },
    Error { error: String },
}

/// What Ranklet makes of a variation, compared with the reference.
enum Outcome {
    Same,
    Different(String),
    Refused(Error),
    /// The reference refuses it.
    OnlyHere(String),
}

impl Variation {
    fn files(&self) -> ModelFiles {
        let mut files = fixture(&self.fixture).files();
        for change in &self.changes {
            let name = change[0].as_str().unwrap();
            let path = change[1].as_array().unwrap();
            let bytes = files.take(name);
            let json = bytes.map_or_else(
                || Value::Object(Default::default()),
                |bytes| serde_json::from_slice(&bytes).unwrap(),
            );
            if let Some(content) = changed(json, path, change.get(2)) {
                files.insert(name, content.to_string().into_bytes());
            }
        }
        files
    }

    fn outcome(&self, pairs: &[(String, String)]) -> Outcome {
        let options = Options { device: Device::Cpu, dtype: Dtype::F32, ..Options::default() };
        let found = Reranker::load_blocking(ModelSource::Files(self.files()), options).and_then(|reranker| {
            let mut numbers = reranker.score_blocking(pairs, Scores::Raw)?;
            numbers.extend(reranker.score_blocking(pairs, Scores::Model)?);
            Ok(numbers)
        });
        match (found, &self.reference) {
            (Err(error), _) => Outcome::Refused(error),
            (Ok(_), Reference::Error { error }) => Outcome::OnlyHere(error.clone()),
            (Ok(found), Reference::Scores { logits, scores }) => {
                let wanted: Vec<f32> = logits.iter().chain(scores).flatten().map(number).collect();
                let is_close = |(a, b): (&f32, &f32)| (a - b).abs() <= TOLERANCE;
                if found.len() == wanted.len() && found.iter().zip(&wanted).all(is_close) {
                    Outcome::Same
                } else {
                    Outcome::Different(format!("{found:?} instead of {wanted:?}"))
                }
            }
        }
    }

    /// Returns whether the guide lists one of the changes as a value that only Ranklet reads.
    fn is_lenient(&self, documented: &DocumentedFiles) -> bool {
        self.changes.iter().any(|change| {
            documented.is_lenient(change[0].as_str().unwrap(), change[1].as_array().unwrap(), change.get(2))
        })
    }

    /// Describes the variation for messages.
    fn name(&self) -> String {
        let changes: Vec<String> =
            self.changes.iter().map(|change| Value::from(change.clone()).to_string()).collect();
        format!("{} {}", self.fixture, changes.join(" "))
    }
}

/// Returns JSON with a value set or removed; `None` if all of it is removed.
fn changed(mut json: Value, path: &[Value], value: Option<&Value>) -> Option<Value> {
    let Some((last, parents)) = path.split_last() else { return value.cloned() };
    let target = parents.iter().fold(&mut json, |target, part| match part.as_u64() {
        Some(index) => &mut target[index as usize],
        None => &mut target[part.as_str().unwrap()],
    });
    match (target, last.as_u64(), value) {
        (Value::Array(items), Some(index), None) => drop(items.remove(index as usize)),
        (Value::Array(items), Some(index), Some(value)) if index as usize == items.len() => {
            items.push(value.clone())
        }
        (target, Some(index), Some(value)) => target[index as usize] = value.clone(),
        (target, None, Some(value)) => target[last.as_str().unwrap()] = value.clone(),
        (target, _, None) => drop(target.as_object_mut().unwrap().remove(last.as_str().unwrap())),
    }
    Some(json)
}

/// Reads a number, or the text for one that JSON does not have.
fn number(value: &Value) -> f32 {
    match value {
        Value::String(text) => text.parse().unwrap(),
        other => other.as_f64().unwrap() as f32,
    }
}

/// The result of comparing all variations of a file.
struct Report {
    /// How many have the reference's scores.
    same: usize,
    /// The rows of the guide's table of errors that some variation has met.
    rows: BTreeSet<usize>,
}

/// Compares every variation of a file.
fn replay(path: &Path) -> Report {
    let Variations { pairs, variations } = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let documented = DocumentedFiles::read();
    let mut report = Report { same: 0, rows: BTreeSet::new() };
    let mut problems = Vec::new();
    for variation in &variations {
        let problem = match std::panic::catch_unwind(|| variation.outcome(&pairs)) {
            Ok(Outcome::Same) => {
                report.same += 1;
                continue;
            }
            Ok(Outcome::Refused(error)) => match documented.row_of(&error) {
                Some(row) => {
                    report.rows.insert(row);
                    continue;
                }
                None => format!("not listed: {error}"),
            },
            Ok(Outcome::OnlyHere(_)) if variation.is_lenient(&documented) => continue,
            Ok(Outcome::OnlyHere(error)) => format!("only sentence-transformers refuses it: {error}"),
            Ok(Outcome::Different(numbers)) => format!("different: {numbers}"),
            Err(_) => "panic".to_owned(),
        };
        problems.push(format!("{problem}\n    {}", variation.name()));
    }
    assert!(problems.is_empty(), "{} of {}:\n{}", problems.len(), variations.len(), problems.join("\n"));
    report
}

#[test]
fn recorded_variations_score_alike_or_are_refused_as_documented() {
    let report = replay(&fixtures_directory().join("variations.json"));
    assert!(report.same >= 150, "only {} variations have scores", report.same);
    assert!(
        report.rows.len() >= 80,
        "the variations meet only {} errors of docs/models.md",
        report.rows.len()
    );
}

/// Reads the file in `RANKLET_VARIATIONS`, or makes one with the Python in `RANKLET_PYTHON`.
#[test]
#[ignore = "needs Python with sentence-transformers"]
fn long_generated_variations_score_alike_or_are_refused_as_documented() {
    let given = std::env::var_os("RANKLET_VARIATIONS").map(PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    let path = given.unwrap_or_else(|| {
        let path = folder.path().join("variations.json");
        let python = std::env::var("RANKLET_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let script = fixtures_directory().join("make_variations.py");
        let status =
            Command::new(python).arg(script).args(GENERATED).arg("--out").arg(&path).status().unwrap();
        assert!(status.success(), "{status}");
        path
    });
    let same = replay(&path).same;
    assert!(same >= 500, "only {same} variations have scores");
}
