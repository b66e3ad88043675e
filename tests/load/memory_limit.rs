//! The estimate of peak memory is right, and a model that would exceed the limit is refused.
//!
//! The peak of a process covers its whole life, so each measurement runs in its own process: this program again, with
//! only the ignored test.

use std::path::Path;
use std::process::Command;

use ranklet::{Dtype, ErrorKind, ModelSource, Options, Reranker, Scores};

/// Maximum relative difference of the estimate from the measurement.
const TOLERANCE: f64 = 0.1;

fn options(dtype: Dtype, max_memory_bytes: Option<u64>) -> Options {
    Options { dtype, max_memory_bytes, threads: std::num::NonZeroUsize::new(1), ..Options::default() }
}

/// The peak memory of this process in bytes; `None` if the system does not report it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

/// Loads a model and scores pairs. The last one is long, and makes the batch as large as possible.
#[test]
#[ignore = "run by the other test, in its own process"]
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

/// Peak bytes of loading, peak bytes of scoring, and the estimate.
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
fn the_estimate_is_the_peak_of_a_process() {
    let folder = tempfile::tempdir().unwrap();
    crate::random::write_checkpoint(folder.path(), 6, 384);
    if peak().is_none() {
        println!("skipped: this system does not report the peak memory of a process");
        return;
    }
    for dtype in ["f32", "q8"] {
        let [loaded, scored, predicted] = measured(folder.path(), dtype).map(|bytes| bytes as f64 / 1e6);
        println!("{dtype}: {loaded:.1} MB to load, {scored:.1} with scoring, {predicted:.1} predicted");
        assert!((predicted - scored).abs() <= TOLERANCE * scored, "{dtype}: {predicted} for {scored}");
    }
}

#[test]
fn a_model_that_would_exceed_the_limit_is_refused_before_its_weights_are_read() {
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
    // Invalid weights of the same length, which are never read.
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, vec![0xff; std::fs::metadata(&path).unwrap().len() as usize]).unwrap();
    assert_eq!(load(Dtype::F32, Some(1000)).expect_err("a limit").kind(), ErrorKind::OutOfMemory);
    assert_eq!(load(Dtype::F32, None).expect_err("broken weights").kind(), ErrorKind::Weights);
}
