//! `ranklet calibrate`: fits probabilities to judgments, and writes the model with them.

mod model_copy;
mod pairs;

use std::path::{Path, PathBuf};

use clap::Args;
use ranklet::eval::{expected_calibration_error, fit_calibration};
use ranklet::{Calibration, Error, ErrorKind, Pairs, Reranker, Result, Scores, ScoringRun};
use serde::Serialize;

use crate::args::ModelArguments;
use crate::eval::{EvalInputs, EvalSet};
use crate::output::print;
use crate::scoring::score_with_progress;
use crate::terminal;

/// The judgments of a calibration, and its output.
#[derive(Debug, Args)]
pub(crate) struct CalibrateArguments {
    /// Results of a first stage, as eval reads them. Documents without a judgment are left out, unless no judgment says
    /// that a document is not relevant: then they count as not relevant.
    #[arg(long, value_name = "FILE", requires = "qrels", required_unless_present = "pairs")]
    run: Option<PathBuf>,
    /// Relevance judgments, as eval reads them.
    #[arg(long, value_name = "FILE", requires = "run")]
    qrels: Option<PathBuf>,
    /// Documents of a TREC run, as eval reads them.
    #[arg(long, value_name = "FILE", requires = "queries", conflicts_with = "pairs")]
    corpus: Option<PathBuf>,
    /// Queries of a TREC run, as eval reads them.
    #[arg(long, value_name = "FILE", requires = "corpus", conflicts_with = "pairs")]
    queries: Option<PathBuf>,
    /// Documents with this gain or a higher one are relevant.
    #[arg(long, value_name = "GAIN", default_value = "1", conflicts_with = "pairs")]
    min_gain: i32,
    /// .jsonl with one {"query", "document", "relevant"} per line, or - for stdin. relevant is true, false, or a number
    /// from 0 to 1 such as a share of clicks.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["run", "qrels"])]
    pairs: Option<PathBuf>,
    /// The folder to write. It gets all files of the model, and may be the model's own folder.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The instruction, for a model whose prompt contains one.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    instruction: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Pairs of a query and a document with their relevance.
#[derive(Debug, Default)]
pub(crate) struct JudgedPairs {
    pub(crate) texts: Vec<(String, String)>,
    /// From 0 to 1.
    pub(crate) relevant: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Report {
    pairs: usize,
    /// The sum of the judgments.
    relevant: f64,
    calibration: Calibration,
    /// The expected calibration error, before and after.
    error_before: f64,
    error_after: f64,
}

/// Fits the calibration of a model, writes the model with it, and prints the expected calibration errors.
///
/// # Errors
/// `input` for judgments that no calibration fits, and for a folder that cannot be written; the errors of scoring.
pub(crate) fn calibrate(model: ModelArguments, arguments: &CalibrateArguments) -> Result<()> {
    model_copy::check_folder(&arguments.out)?;
    // Files first: an error in them should not wait for a model.
    let judged = arguments.judged_pairs()?;
    let location = model.location()?;
    let reranker = model.load()?;
    reranker.check_rankable()?;
    let report = fit(&reranker, &judged, arguments.instruction.as_deref())?;
    model_copy::write(&location, report.calibration, &arguments.out)?;
    report.print(arguments.json)?;
    terminal::status(&format!("ranklet: wrote {}", arguments.out.display()));
    terminal::warnings(&reranker.info().warnings);
    Ok(())
}

impl CalibrateArguments {
    fn judged_pairs(&self) -> Result<JudgedPairs> {
        let (Some(run), Some(qrels)) = (&self.run, &self.qrels) else {
            return pairs::read(self.pairs.as_deref().unwrap_or(Path::new("-")));
        };
        let set = EvalSet::read(&EvalInputs {
            run,
            qrels,
            corpus: self.corpus.as_deref(),
            queries: self.queries.as_deref(),
        })?;
        Ok(set.judged_pairs(self.min_gain))
    }
}

fn fit(reranker: &Reranker, judged: &JudgedPairs, instruction: Option<&str>) -> Result<Report> {
    let pairs =
        judged.texts.iter().map(|(query, document)| (query.as_str().into(), document.as_str().into()));
    let mut run = ScoringRun::new(Pairs::truncated(pairs.collect()), Scores::Raw).instruction(instruction);
    let logits = score_with_progress(reranker, &mut run)?.scores;
    let calibration = fit_calibration(&logits, &judged.relevant)?;
    if calibration.scale <= 0.0 {
        return Err(Error::new(
            ErrorKind::Input,
            "the model scores the relevant documents lower than the others, so probabilities would reverse its order: check \
             that the judgments belong to these queries and documents",
        ));
    }
    let error = |calibration| expected_calibration_error(calibration, &logits, &judged.relevant);
    Ok(Report {
        pairs: logits.len(),
        relevant: judged.relevant.iter().sum(),
        error_before: error(&reranker.info().calibration.unwrap_or(Calibration::SIGMOID))?,
        error_after: error(&calibration)?,
        calibration,
    })
}

impl Report {
    fn print(&self, json: bool) -> Result<()> {
        let Self { pairs, relevant, calibration: Calibration { scale, offset }, error_before, error_after } =
            self;
        print(|out| {
            if json {
                return writeln!(out, "{}", serde_json::to_string(self)?);
            }
            writeln!(out, "judged pairs       {pairs}, {relevant} relevant")?;
            writeln!(out, "probability        sigmoid({scale} * logit + {offset})")?;
            writeln!(out, "calibration error  {error_before:.4} before, {error_after:.4} after")
        })
    }
}
