//! Runs the program and reads what it prints.

use crate::common::fixtures_directory;
use serde_json::Value;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

pub(super) fn ranklet(arguments: &[&str]) -> Output {
    ranklet_with_input(arguments, "")
}

pub(super) fn ranklet_with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ranklet"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that rejects its arguments may exit before it reads stdin.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[track_caller]
pub(super) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Checks that a command exits with 1, prints nothing on stdout, and one line with `names` on stderr.
#[track_caller]
pub(super) fn assert_fails(arguments: &[&str], names: &[&str]) {
    let output = ranklet(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(output.stdout, b"");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    for name in names {
        assert!(stderr.contains(name), "{stderr:?} does not name {name:?}");
    }
}

/// Checks that wrong usage is refused with status 2 and an error that names what is wrong.
pub(super) fn assert_wrong_usage(arguments: &[&str], name: &str) {
    let output = ranklet(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(output.stdout, b"");
    assert!(stderr.contains(name), "{stderr:?} does not name {name:?}");
}

/// Documents, and the text that each of them has.
pub(super) fn document_texts() -> Vec<(Value, Option<String>)> {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../fixtures/document_texts.json")).unwrap();
    cases
        .into_iter()
        .map(|case| (case["document"].clone(), case["text"].as_str().map(str::to_owned)))
        .collect()
}

pub(super) struct Folder(pub(super) TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

pub(super) fn model(name: &str) -> String {
    fixtures_directory().join(name).to_str().unwrap().to_owned()
}
