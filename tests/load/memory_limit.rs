//! What a model is predicted to take is what it takes, and one that would take more than it may is refused.
//!
//! The peak of a process is for its whole life, so each measurement has a process of its own: this program again, with
//! the ignored test alone.

use std::path::Path;
use std::process::Command;

use ranklet::{Dtype, ErrorKind, ModelSource, Options, Reranker, Scores};

/// How far the prediction may be from what was measured.
const TOLERANCE: f64 = 0.1;

fn options(dtype: Dtype, max_memory_bytes: Option<u64>) -> Options {
    Options { dtype, max_memory_bytes, threads: std::num::NonZeroUsize::new(1), ..Options::default() }
}

/// The most memory this process has had, in bytes; `None` where the system does not say.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Loads a model and scores pairs of which the last one is long and makes the batch as large as one can be.
#[test]
#[ignore = "run by the other test, in a process of its own"]
fn measure() {
    let Ok(folder) = std::env::var("RANKLET_MEASURED") else { return };
    let dtype = std::env::var("RANKLET_DTYPE").unwrap().parse().unwrap();
    let before = peak().unwrap();
    let reranker =
        Reranker::load_blocking(ModelSource::Directory(folder.into()), options(dtype, None)).unwrap();
    let loaded = peak().unwrap() - before;
    let (query, words) = ("query", "a ".repeat(600));
    let pairs = [(query, &words[..1000]), (query, &words[..])];
    reranker.score_blocking(&pairs, Scores::Raw).unwrap();
    let scored = peak().unwrap() - before;
    println!("measured {loaded} {scored} {}", reranker.info().memory_bytes);
}

/// Bytes after loading, bytes after scoring, and the prediction.
fn measured(folder: &Path, dtype: &str) -> [u64; 3] {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "memory_limit::measure", "--ignored", "--nocapture"])
        .env("RANKLET_MEASURED", folder)
        .env("RANKLET_DTYPE", dtype)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers = text.split_once("measured ").unwrap_or_else(|| panic!("{text}")).1;
    let mut numbers = numbers.split_whitespace().map(|number| number.parse().unwrap());
    [(); 3].map(|()| numbers.next().unwrap())
}

#[test]
fn the_prediction_is_what_a_process_takes() {
    let folder = tempfile::tempdir().unwrap();
    crate::random::write_checkpoint(folder.path(), 6, 384);
    if peak().is_none() {
        println!("skipped: this system does not say how much memory a process has had");
        return;
    }
    for dtype in ["f32", "q8"] {
        let [loaded, scored, predicted] = measured(folder.path(), dtype).map(|bytes| bytes as f64 / 1e6);
        println!("{dtype}: {loaded:.1} MB to load, {scored:.1} with scoring, {predicted:.1} predicted");
        assert!((predicted - scored).abs() <= TOLERANCE * scored, "{dtype}: {predicted} for {scored}");
    }
}

#[test]
fn a_model_that_takes_more_than_it_may_is_refused_before_its_weights_are_read() {
    let folder = tempfile::tempdir().unwrap();
    crate::random::write_checkpoint(folder.path(), 2, 64);
    let load = |dtype, limit| {
        Reranker::load_blocking(ModelSource::Directory(folder.path().into()), options(dtype, limit))
    };
    for dtype in [Dtype::F32, Dtype::Q8] {
        let bytes = load(dtype, None).unwrap().info().memory_bytes;
        assert!(load(dtype, Some(bytes)).is_ok());
        let error = load(dtype, Some(bytes - 1)).expect_err("a byte less");
        assert_eq!(error.kind(), ErrorKind::OutOfMemory);
        let limit = format!("the limit is {:.1} MB", bytes as f64 / 1e6);
        assert!(error.context().contains(&limit), "{error}");
        assert_eq!(error.context().contains("the dtype q8"), dtype == Dtype::F32, "{error}");
    }
    // Weights of the same length that are none: nobody looks at them.
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, vec![0xff; std::fs::metadata(&path).unwrap().len() as usize]).unwrap();
    assert_eq!(load(Dtype::F32, Some(1000)).expect_err("a limit").kind(), ErrorKind::OutOfMemory);
    assert_eq!(load(Dtype::F32, None).expect_err("broken weights").kind(), ErrorKind::Weights);
}
