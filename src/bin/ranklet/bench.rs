//! `ranklet bench`: measures the speed of a model.

use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use ranklet::internals::{json_problem, parse_json};
use ranklet::{
    Error, ErrorKind, KernelTime, Pairs, PartialScores, RankOptions, Reranker, Result, Scores, ScoringRun,
};
use serde_json::json;

use crate::args::ModelArguments;
use crate::report::Measurement;
use crate::terminal;
use crate::workload::{Workload, WorkloadGenerator};

/// A scored workload.
struct TimedScores {
    scores: Vec<f32>,
    tokens: usize,
    elapsed: Duration,
}

/// Loads, warms up, and scores workloads of `documents` documents, a new one per repetition.
pub(crate) fn measure(
    model: ModelArguments,
    documents: usize,
    repetitions: usize,
    instruction: Option<&str>,
) -> Result<Measurement> {
    let (reranker, load) = load(model)?;
    let mut workloads = WorkloadGenerator::new();
    let mut score = || score(&reranker, &workloads.next(documents), instruction);
    score()?;
    let scored = (0..repetitions).map(|_| score()).collect::<Result<Vec<_>>>()?;
    let ms: Vec<f64> = scored.iter().map(|scored| milliseconds(scored.elapsed)).collect();
    let mut sorted = ms.clone();
    sorted.sort_by(f64::total_cmp);
    let median_ms = (sorted[(repetitions - 1) / 2] + sorted[repetitions / 2]) / 2.0;
    Ok(Measurement {
        documents,
        tokens: scored.iter().map(|scored| scored.tokens).collect(),
        ms,
        median_ms,
        min_ms: sorted[0],
        max_ms: sorted[repetitions - 1],
        documents_per_second: documents as f64 / median_ms * 1e3,
        load_ms: milliseconds(load),
        peak_bytes: peak_bytes(),
        backend: reranker.info().backend.clone(),
    })
}

/// Times the GPU's kernels on `documents` documents in one batch.
pub(crate) fn kernels(model: ModelArguments, documents: usize) -> Result<Vec<KernelTime>> {
    let (reranker, _) = load(model)?;
    let workload = WorkloadGenerator::new().next(documents);
    let pairs: Vec<(&str, &str)> =
        workload.documents.iter().map(|document| (workload.query.as_str(), document.as_str())).collect();
    reranker.profile_blocking(&pairs)
}

/// Prints the loaded model, then scores the workloads on stdin, one per line, until stdin ends. Each answer is a line
/// of JSON.
pub(crate) fn serve(model: ModelArguments, instruction: Option<&str>) -> Result<()> {
    let (reranker, load) = load(model)?;
    respond(&json!({
        "load_ms": milliseconds(load),
        "peak_bytes": peak_bytes(),
        "memory_bytes": reranker.info().memory_bytes,
        "backend": reranker.info().backend,
    }))?;
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|error| invalid_workload(&error))?;
        let workload =
            parse_json(line.as_bytes()).map_err(|error| invalid_workload(&json_problem(&error)))?;
        let scored = score(&reranker, &workload, instruction)?;
        respond(&json!({
            "ms": milliseconds(scored.elapsed),
            "tokens": scored.tokens,
            "scores": scored.scores,
            "peak_bytes": peak_bytes(),
        }))?;
    }
    Ok(())
}

fn load(model: ModelArguments) -> Result<(Reranker, Duration)> {
    let started = Instant::now();
    let reranker = model.load()?;
    reranker.check_rankable()?;
    let elapsed = started.elapsed();
    terminal::warnings(&reranker.info().warnings);
    Ok((reranker, elapsed))
}

fn score(reranker: &Reranker, workload: &Workload, instruction: Option<&str>) -> Result<TimedScores> {
    let started = Instant::now();
    let pairs = Pairs::OneQuery {
        query: workload.query.as_str().into(),
        documents: workload.documents.iter().map(|document| document.as_str().into()).collect(),
        options: RankOptions::default().into(),
    };
    let mut scoring = ScoringRun::new(pairs, Scores::Raw).instruction(instruction);
    let mut all = PartialScores::default();
    while let Some(part) = pollster::block_on(scoring.step(reranker))? {
        all.append(part);
    }
    Ok(TimedScores { scores: all.scores, tokens: scoring.tokens(), elapsed: started.elapsed() })
}

/// The peak memory of this process, from Linux's `/proc`; Rust's library has no portable call.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn respond(value: &serde_json::Value) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{value}")
        .and_then(|()| out.flush())
        .map_err(|error| Error::new(ErrorKind::Input, format!("stdout: {error}")))
}

fn invalid_workload(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Input, format!("stdin: a line is not {{\"query\", \"documents\"}}: {error}"))
}
