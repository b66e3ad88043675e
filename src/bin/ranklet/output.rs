//! Writes results to stdout: tables for people, JSON for programs.

use std::io::{self, Write};
use std::path::Path;

use ranklet::{
    Calibration, Error, ErrorKind, Highlight, KernelTime, ModelFiles, ModelSummary, Result, Verification,
};
use serde_json::json;

use crate::explain::{listed, marked};
use crate::report::{Measurement, Ranking};
use crate::terminal::{has_colors, one_line, status};

pub(crate) fn ranking(ranking: &Ranking, json: bool) -> Result<()> {
    if json {
        let results: Vec<_> = ranking
            .results
            .iter()
            .enumerate()
            .map(|(rank, ranked)| {
                let mut result = json!(ranked);
                let document = &ranking.documents[ranked.index];
                if let Some(id) = &document.id {
                    result["id"] = json!(id);
                }
                result["document"] = json!(document.text);
                if let Some(highlights) = ranking.highlights.get(rank) {
                    result["highlights"] = json!(highlights);
                }
                if let Some(explained) = ranking.explained(rank) {
                    result["explanation"] = explained.json();
                }
                result
            })
            .collect();
        return print(|out| {
            let usage = json!({ "documents": ranking.documents.len(), "tokens": ranking.tokens });
            let mut report = json!({ "results": results, "usage": usage, "backend": ranking.backend });
            report["unscored"] = json!(ranking.unscored);
            writeln!(out, "{report}")
        });
    }
    let colors = has_colors();
    print(|out| {
        writeln!(out, "{:>4}  {:>9}  {:>5}  document", "rank", "score", "index")?;
        for (rank, ranked) in (1..).zip(&ranking.results) {
            writeln!(
                out,
                "{rank:>4}  {:>9.4}  {:>5}  {}",
                ranked.score,
                ranked.index,
                one_line(ranking.shown_text(ranked))
            )?;
            for line in details(ranking, rank - 1, colors) {
                writeln!(out, "{:23}{line}", "")?;
            }
        }
        Ok(())
    })?;
    if colors && !ranking.explanations.is_empty() {
        status("underlined words raise the score, crossed out words lower it");
    }
    if !ranking.unscored.is_empty() {
        let unscored = ranking.unscored.len();
        status(&format!(
            "ranklet: the deadline passed before the scores of the last {}",
            counted(unscored, "document")
        ));
    }
    status(&format!(
        "{}, {}, {:.2} s, {} ({})",
        counted(ranking.documents.len(), "document"),
        counted(ranking.tokens, "token"),
        ranking.seconds,
        ranking.backend.device,
        ranking.backend.engine
    ));
    Ok(())
}

/// Returns a number with its noun, such as "1 document", "2 documents" and "2 queries".
pub(crate) fn counted(number: usize, noun: &str) -> String {
    match noun.strip_suffix('y') {
        _ if number == 1 => format!("1 {noun}"),
        Some(stem) => format!("{number} {stem}ies"),
        None => format!("{number} {noun}s"),
    }
}

/// Returns the lines about a result: its best sentences, and what its words add.
fn details(ranking: &Ranking, rank: usize, colors: bool) -> Vec<String> {
    let document = &ranking.documents[ranking.results[rank].index].text;
    let highlights = ranking.highlights.get(rank).into_iter().flatten();
    let sentence = |highlight: &Highlight| {
        let sentence = document.get(highlight.span.start..highlight.span.end).unwrap_or_default();
        format!("{:>9.4}  {}", highlight.score, one_line(sentence))
    };
    let mut lines: Vec<String> = highlights.map(sentence).collect();
    if let Some(explained) = ranking.explained(rank) {
        if colors { lines.push(marked(&explained)) } else { lines.extend(listed(&explained)) }
    }
    lines
}

/// Writes a summary of a model, and its Plan.
pub(crate) fn summary(summary: &ModelSummary, json: bool) -> Result<()> {
    if json {
        return print(|out| writeln!(out, "{}", json!(summary)));
    }
    let ModelSummary {
        model_type,
        architecture,
        parameters,
        num_labels,
        activation,
        calibration,
        max_length,
        plan,
        ..
    } = summary;
    let megabytes = |bytes: u64| bytes as f64 / 1e6;
    print(|out| {
        writeln!(out, "architecture    {architecture} ({model_type})")?;
        writeln!(out, "parameters      {parameters}")?;
        writeln!(out, "labels          {num_labels}")?;
        writeln!(out, "activation      {}", json!(activation).as_str().unwrap_or_default())?;
        if let Some(Calibration { scale, offset }) = calibration {
            writeln!(out, "calibration     scale {scale}, offset {offset}")?;
        }
        writeln!(out, "maximum length  {max_length} tokens")?;
        writeln!(out, "weights files   {:.1} MB", megabytes(summary.weights_bytes))?;
        for (dtype, bytes) in &summary.memory_bytes {
            let dtype = json!(dtype);
            writeln!(
                out,
                "memory in {:<4}  about {:.1} MB",
                dtype.as_str().unwrap_or_default(),
                megabytes(*bytes)
            )?;
        }
        match plan {
            Some(plan) => write!(out, "\n{plan}"),
            None => writeln!(out, "\na decoder, which candle runs in f32"),
        }
    })
}

/// Writes the time of each kernel, and the speed of linear layers.
pub(crate) fn kernels(kernels: &[KernelTime], json: bool) -> Result<()> {
    if json {
        return print(|out| writeln!(out, "{}", json!(kernels)));
    }
    let all: f64 = kernels.iter().map(|kernel| kernel.ms).sum();
    print(|out| {
        writeln!(out, "      ms  share  runs  GFLOP/s  kernel")?;
        for KernelTime { kernel, runs, ms, flops } in kernels {
            let speed = if *flops > 0.0 { format!("{:.0}", flops / ms / 1e6) } else { String::new() };
            writeln!(out, "{ms:>8.3}  {:>4.1}%  {runs:>4}  {speed:>7}  {kernel}", 100.0 * ms / all)?;
        }
        writeln!(out, "{all:>8.3}  in total")
    })
}

/// Writes a GPU's logits and the expected ones.
pub(crate) fn verification(report: &Verification, json: bool) -> Result<()> {
    if json {
        return print(|out| writeln!(out, "{}", json!(report)));
    }
    print(|out| {
        writeln!(out, "{} gives the scores of {}", report.adapter, report.reference)?;
        for pair in &report.pairs {
            writeln!(
                out,
                "  {:?}, {:?}: {:?}, expected {:?}",
                pair.query, pair.document, pair.logits, pair.expected
            )?;
        }
        writeln!(out, "maximum difference {:e}, tolerance {:e}", report.difference(), report.tolerance)
    })
}

/// Writes one line per pair, labels separated by tabs, with all digits of f32.
pub(crate) fn scores(scores: &[f32], num_labels: usize, json: bool) -> Result<()> {
    let mut pairs = scores.chunks_exact(num_labels);
    if json {
        let rows: Vec<&[f32]> = pairs.collect();
        return print(|out| writeln!(out, "{}", json!(rows)));
    }
    print(|out| {
        pairs.try_for_each(|labels| {
            let labels: Vec<String> = labels.iter().map(f32::to_string).collect();
            writeln!(out, "{}", labels.join("\t"))
        })
    })
}

pub(crate) fn measurement(measured: &Measurement, json: bool) -> Result<()> {
    print(|out| {
        if json {
            return writeln!(out, "{}", json!(measured));
        }
        let Measurement { documents, tokens, ms, median_ms, min_ms, max_ms, backend, .. } = measured;
        let (min_tokens, max_tokens) = (tokens.iter().min().unwrap_or(&0), tokens.iter().max().unwrap_or(&0));
        let dtype = json!(backend.dtype);
        writeln!(
            out,
            "{documents} documents, {min_tokens} to {max_tokens} tokens, {} repetitions",
            ms.len()
        )?;
        writeln!(out, "median {median_ms:.1} ms, min {min_ms:.1} ms, max {max_ms:.1} ms")?;
        writeln!(out, "{:.1} documents per second", measured.documents_per_second)?;
        write!(out, "loaded in {:.0} ms", measured.load_ms)?;
        match measured.peak_bytes {
            Some(bytes) => writeln!(out, ", peak memory {:.1} MB", bytes as f64 / 1e6)?,
            None => writeln!(out, "; peak memory is not known on this system")?,
        }
        writeln!(out, "{} ({}), {}", backend.device, backend.engine, dtype.as_str().unwrap_or_default())
    })
}

/// Writes the files of a model into a folder, which must not be the one that they were read from.
pub(crate) fn files(files: &ModelFiles, from: &Path, folder: &Path) -> Result<()> {
    let failed =
        |path: &Path, error: io::Error| Error::new(ErrorKind::Input, format!("{}: {error}", path.display()));
    if folder.is_file() {
        let message = format!("{} is a file: --out names a folder", folder.display());
        return Err(Error::new(ErrorKind::Input, message));
    }
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    if folder.canonicalize().ok() == from.canonicalize().ok() {
        let message = format!("{} is the model itself: name another folder with --out", folder.display());
        return Err(Error::new(ErrorKind::Input, message));
    }
    for (name, bytes) in files.iter() {
        let path = folder.join(name);
        let folder = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        std::fs::write(&path, bytes).map_err(|error| failed(&path, error))?;
    }
    Ok(())
}

/// Writes to stdout. A closed pipe is no error: the reader has what it wanted.
pub(crate) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(ErrorKind::Input, format!("stdout: {error}")))
        }
        _ => Ok(()),
    }
}
