//! `ranklet eval`: measures a first stage, its reranking and, if asked, that of a second model.

mod collection;
mod evaluation;
mod html;
mod qrels;
mod run;
mod table;

use std::path::{Path, PathBuf};

use clap::Args;
use ranklet::eval::{Measure, trec_order};
use ranklet::{Error, ErrorKind, Reranker, Result};

use crate::calibrate::JudgedPairs;
use crate::input::invalid;
use crate::output::counted;
use crate::scoring::raw_scores;
use crate::terminal::{self, Progress};
use collection::Collection;
use evaluation::{Evaluation, QueryResult};
use qrels::{Gains, Qrels};
use run::{Run, RunQuery};

pub(crate) use evaluation::System;

/// The inputs and outputs of an evaluation.
#[derive(Debug, Args)]
pub(crate) struct EvalFiles {
    /// Results of a first stage: JSON [{"query", "qid", "hits": [{"docid", "score", "content"}]}], or a TREC run with
    /// its texts in --corpus and --queries.
    #[arg(long, value_name = "FILE")]
    run: PathBuf,
    /// Relevance judgments: TREC's (query 0 document gain) or BEIR's (query document gain, with a header).
    #[arg(long, value_name = "FILE")]
    qrels: PathBuf,
    /// Documents of a TREC run: .jsonl ({"_id", "title", "text"}) or .tsv (id, text).
    #[arg(long, value_name = "FILE", requires = "queries")]
    corpus: Option<PathBuf>,
    /// Queries of a TREC run: .jsonl ({"_id", "text"}) or .tsv (id, text).
    #[arg(long, value_name = "FILE", requires = "corpus")]
    queries: Option<PathBuf>,
    /// Write the reranked order as a TREC run.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write a web page with distributions and each query's gain or loss.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
}

/// The files of a run and its judgments.
#[derive(Debug)]
pub(crate) struct EvalInputs<'a> {
    pub(crate) run: &'a Path,
    pub(crate) qrels: &'a Path,
    pub(crate) corpus: Option<&'a Path>,
    pub(crate) queries: Option<&'a Path>,
}

impl EvalFiles {
    pub(crate) fn inputs(&self) -> EvalInputs<'_> {
        EvalInputs {
            run: &self.run,
            qrels: &self.qrels,
            corpus: self.corpus.as_deref(),
            queries: self.queries.as_deref(),
        }
    }
}

/// The judged queries of a run.
#[derive(Debug)]
pub(crate) struct EvalSet {
    queries: Vec<(RunQuery, Gains)>,
    unjudged_queries: usize,
    /// Ids of judged queries that the run does not have.
    missing_queries: Vec<String>,
}

impl EvalSet {
    /// Reads the run and its judgments, and matches them by query id.
    ///
    /// # Errors
    /// `input` for a file that is malformed, and if no query or no document of the run has a judgment.
    pub(crate) fn read(files: &EvalInputs) -> Result<Self> {
        let stdin = Path::new("-");
        let inputs = [Some(files.run), Some(files.qrels), files.corpus, files.queries];
        if inputs.into_iter().flatten().filter(|path| *path == stdin).count() > 1 {
            return Err(invalid(stdin, "only one of the files can be -"));
        }
        let collection = Collection::read(files.corpus, files.queries)?;
        let run = Run::read(files.run, &collection)?;
        let mut qrels = Qrels::read(files.qrels)?;
        let total = run.queries.len();
        let queries: Vec<(RunQuery, Gains)> = run
            .queries
            .into_iter()
            .filter_map(|query| qrels.take(&query.id).map(|gains| (query, gains)))
            .collect();
        let set =
            Self { unjudged_queries: total - queries.len(), missing_queries: qrels.into_ids(), queries };
        set.check_judged(files)?;
        Ok(set)
    }

    /// Fails if the run and the judgments have no ids in common.
    fn check_judged(&self, files: &EvalInputs) -> Result<()> {
        let qrels = files.qrels.display();
        if self.queries.is_empty() {
            return Err(invalid(
                files.run,
                format!("no query has a judgment in {qrels}: check that both use the same query ids"),
            ));
        }
        let is_judged =
            |(query, gains): &(RunQuery, Gains)| query.hits.iter().any(|hit| gains.contains_key(&hit.docid));
        let has_hits = |(query, _): &(RunQuery, Gains)| !query.hits.is_empty();
        if self.queries.iter().any(has_hits) && !self.queries.iter().any(is_judged) {
            return Err(invalid(
                files.run,
                format!("no document has a judgment in {qrels}: check that both use the same document ids"),
            ));
        }
        Ok(())
    }

    /// Returns the judged documents of all queries: relevant from a gain of `min_gain` on. Documents without a judgment
    /// are left out, unless no judged document is not relevant: then they count as not relevant.
    pub(crate) fn judged_pairs(self, min_gain: i32) -> JudgedPairs {
        let is_relevant = |gain: &i32| *gain >= min_gain;
        let gains = |(query, gains): &(RunQuery, Gains)| -> Vec<Option<bool>> {
            query.hits.iter().map(|hit| gains.get(&hit.docid).map(is_relevant)).collect()
        };
        let all: Vec<Vec<Option<bool>>> = self.queries.iter().map(gains).collect();
        let unjudged =
            if all.iter().flatten().any(|judged| *judged == Some(false)) { None } else { Some(false) };
        let mut pairs = JudgedPairs::default();
        for ((query, _), judged) in self.queries.into_iter().zip(all) {
            for (hit, judged) in query.hits.into_iter().zip(judged) {
                if let Some(relevant) = judged.or(unjudged) {
                    pairs.texts.push((query.text.clone(), hit.content));
                    pairs.relevant.push(f64::from(u8::from(relevant)));
                }
            }
        }
        pairs
    }

    fn documents(&self) -> usize {
        self.queries.iter().map(|(query, _)| query.hits.len()).sum()
    }
}

/// Reranks the run with each model and measures all orders.
///
/// # Errors
/// The errors of scoring; `input` for a model with several labels; `unsupported` for an instruction if no model takes
/// one.
pub(crate) fn evaluate(
    set: &EvalSet,
    models: &[(System, &Reranker)],
    instruction: Option<&str>,
    measures: &[Measure],
) -> Result<Evaluation> {
    if instruction.is_some() && !models.iter().any(|(_, reranker)| reranker.takes_instruction()) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "no model takes an instruction: put it into the queries".to_owned(),
        ));
    }
    models.iter().try_for_each(|(_, reranker)| reranker.check_rankable())?;
    let mut progress = Progress::new(set.documents() * models.len(), "documents");
    let mut done = 0;
    let mut results = Vec::with_capacity(set.queries.len());
    for (query, gains) in &set.queries {
        let mut rankings = vec![ranking(query, &query.first_stage_scores())];
        for (_, reranker) in models {
            let contents: Vec<&str> = query.hits.iter().map(|hit| hit.content.as_str()).collect();
            let instruction = instruction.filter(|_| reranker.takes_instruction());
            let scores = raw_scores(reranker, &query.text, &contents, instruction)
                .map_err(|error| Error::new(error.kind(), format!("query {}: {error}", query.id)))?;
            rankings.push(ranking(query, &scores.into_iter().map(f64::from).collect::<Vec<_>>()));
            done += contents.len();
            progress.show(done);
        }
        results.push(QueryResult::new(query, gains, rankings, measures));
    }
    let systems =
        std::iter::once(System::FirstStage).chain(models.iter().map(|(system, _)| *system)).collect();
    Ok(Evaluation {
        systems,
        measures: measures.to_vec(),
        documents: set.documents(),
        unjudged_queries: set.unjudged_queries,
        missing_queries: set.missing_queries.clone(),
        results,
    })
}

/// Document ids with scores, in the order in which trec_eval reads a run.
fn ranking(query: &RunQuery, scores: &[f64]) -> Vec<(String, f64)> {
    let ids: Vec<&str> = query.hits.iter().map(|hit| hit.docid.as_str()).collect();
    trec_order(scores, &ids).into_iter().map(|index| (ids[index].to_owned(), scores[index])).collect()
}

/// Prints an evaluation and writes the files that were asked for.
///
/// # Errors
/// `input` for a file that cannot be written.
pub(crate) fn output(evaluation: &Evaluation, files: &EvalFiles, json: bool) -> Result<()> {
    if let Some(path) = &files.out {
        write(path, &evaluation.trec_run())?;
    }
    if let Some(path) = &files.report {
        write(path, &html::page(evaluation))?;
    }
    if !evaluation.missing_queries.is_empty() {
        terminal::status(&format!(
            "ranklet: warning: the run lacks {}, not counted: {}",
            counted(evaluation.missing_queries.len(), "judged query"),
            first_few(&evaluation.missing_queries)
        ));
    }
    table::print(evaluation, json)
}

fn first_few(ids: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = if ids.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", ids[..SHOWN.min(ids.len())].join(", "))
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| {
        Error::new(ErrorKind::Input, format!("{}: cannot be written: {error}", path.display()))
    })
}
