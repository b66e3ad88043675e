//! `ranklet rank`: ranks documents for a query.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use ranklet::{
    Error, ErrorKind, ExplainOptions, Explanation, Fuse, FuseMethod, Highlights, LongDocuments, Pairs,
    RankOptions, Ranked, Reranker, Result, ScoreOptions, ScoringRun, Selection, Structured,
};

use crate::args::{ModelArguments, ScoreArguments, option, positive_integer, wrong_usage};
use crate::input::{self, Document, DocumentFields, DocumentFormat};
use crate::report::Ranking;
use crate::scoring::score_with_progress;
use crate::{explain, output, terminal};

/// The query, the documents, and the choice of results.
#[derive(Debug, Args)]
pub(crate) struct RankArguments {
    /// The search query.
    #[arg(long, allow_hyphen_values = true)]
    query: String,
    /// .json (array), .jsonl or .ndjson (one object or string per line), .txt (one document per line), or - for
    /// stdin.
    #[arg(long, value_name = "FILE")]
    documents: PathBuf,
    /// Format of the documents. By default the extension decides. Without one (stdin, a pipe), documents are JSON if
    /// they are one array or object, JSON Lines if the first line is an object with a text, and text otherwise.
    #[arg(long, value_name = "FORMAT")]
    format: Option<DocumentFormat>,
    /// Fields of the documents to score instead of their text, separated by commas. A field is a name or a path with
    /// dots, such as author.name.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    rank_fields: Option<Vec<String>>,
    /// Score the fields of the documents as yaml, or as lines "path: value"; all fields without --rank-fields.
    #[arg(long, value_name = "FORM", value_parser = option::<Structured>)]
    structured: Option<Structured>,
    /// Maximum number of results.
    #[arg(long, value_name = "N", value_parser = positive_integer)]
    top_n: Option<usize>,
    /// Minimum score of a result.
    #[arg(long, value_name = "SCORE", allow_hyphen_values = true)]
    min_score: Option<f64>,
    /// End after this time with the ranking of the documents scored so far.
    #[arg(long, value_name = "MS", value_parser = positive_integer)]
    deadline_ms: Option<usize>,
    /// Fuse the order with that of a first stage, whose scores the documents have: rrf (reciprocal rank fusion) or
    /// linear (a weighted sum of both scores).
    #[arg(long, value_name = "METHOD")]
    fuse: Option<String>,
    /// The field of the documents with the first stage's score, higher is better.
    #[arg(long, value_name = "FIELD", default_value = "score", requires = "fuse")]
    first_stage_field: String,
    /// rrf: the k in 1 / (k + rank). The default is 60.
    #[arg(long, value_name = "K", requires = "fuse")]
    fuse_k: Option<f64>,
    /// linear: the weight of the model, from 0 to 1. The default is 0.5.
    #[arg(long, value_name = "WEIGHT", requires = "fuse")]
    fuse_weight: Option<f64>,
    /// truncate: cut a document that does not fit; chunk: score it in overlapping chunks and show the best one.
    #[arg(long, value_name = "METHOD", default_value = "truncate", value_parser = option::<LongDocuments>)]
    long_documents: LongDocuments,
    /// Show the N best sentences of each result with their scores.
    #[arg(long, value_name = "N", value_parser = positive_integer)]
    highlights: Option<usize>,
    /// Show what the words of each result add to its score: with marks in a terminal with colors, else as a list. See
    /// ranklet explain.
    #[arg(long, conflicts_with = "deadline_ms")]
    explain: bool,
    #[command(flatten)]
    numbers: ScoreArguments,
}

/// Ranks documents and prints the results.
///
/// # Errors
/// `input` for options that do not fit; the errors of reading the documents, of loading the model and of scoring.
pub(crate) fn rank(model: ModelArguments, arguments: &RankArguments) -> Result<()> {
    let fuse = arguments.fuse_method().unwrap_or_else(|error| wrong_usage(&error));
    let documents = input::documents(&arguments.documents, arguments.format, &arguments.fields())?;
    let first_stage: Vec<Option<f64>> = documents.iter().map(|document| document.first_stage).collect();
    let selection = Selection {
        top_n: arguments.top_n,
        min_score: arguments.min_score,
        fuse: fuse.map(|method| Fuse { first_stage: &first_stage, method }),
    };
    selection.check(documents.len()).unwrap_or_else(|error| wrong_usage(&error));
    if fuse.is_some() && !documents.is_empty() && first_stage.iter().all(Option::is_none) {
        let field = &arguments.first_stage_field;
        let message = format!(
            "--fuse: no document has the first stage's score in {field:?}; name its field with --first-stage-field"
        );
        return Err(Error::new(ErrorKind::Input, message));
    }
    if arguments.long_documents == LongDocuments::Chunk {
        model.clone().check_chunks()?;
    }
    arguments.rank(model, &documents, selection)
}

impl RankArguments {
    fn fuse_method(&self) -> Result<Option<FuseMethod>> {
        let method = |name: &String| FuseMethod::named(name, self.fuse_k, self.fuse_weight);
        self.fuse.as_ref().map(method).transpose()
    }

    fn fields(&self) -> DocumentFields {
        DocumentFields {
            rank_fields: self.rank_fields.clone(),
            structured: self.structured,
            first_stage: self.fuse.as_ref().map(|_| self.first_stage_field.clone()),
        }
    }

    fn rank(&self, model: ModelArguments, documents: &[Document], selection: Selection<'_>) -> Result<()> {
        let reranker = &model.load()?;
        reranker.check_rankable()?;
        let options = RankOptions { long_documents: self.long_documents, ..RankOptions::default() };
        let started = Instant::now();
        let pairs = Pairs::OneQuery {
            query: self.query.as_str().into(),
            documents: documents.iter().map(|document| document.text.as_str().into()).collect(),
            options: options.into(),
        };
        let mut scoring = ScoringRun::new(pairs, self.numbers.scores)
            .instruction(self.numbers.instruction.as_deref())
            .deadline(self.deadline_ms.map(|ms| Duration::from_millis(ms as u64)));
        let scored = score_with_progress(reranker, &mut scoring)?;
        let mut scores: Vec<Option<f32>> = scored.scores.iter().copied().map(Some).collect();
        let unscored = (scores.len()..documents.len()).collect();
        scores.resize(documents.len(), None);
        let tokens = scoring.tokens();
        drop(scoring);
        let span = |ranked: &Ranked| scored.spans.as_ref().and_then(|spans| spans.get(ranked.index).copied());
        let results = selection.rank(&scores)?.into_iter();
        let results: Vec<Ranked> = results.map(|ranked| Ranked { span: span(&ranked), ..ranked }).collect();
        let text = |ranked: &Ranked| (documents[ranked.index].text.as_str(), scores[ranked.index]);
        let texts: Vec<_> = results.iter().map(text).collect();
        let highlights = self.highlights(reranker, &texts, options, started)?;
        let ranking = Ranking {
            query: &self.query,
            highlights: highlights.documents,
            explanations: self.explanations(reranker, &texts)?,
            results,
            unscored,
            documents,
            tokens: tokens + highlights.tokens,
            seconds: started.elapsed().as_secs_f64(),
            backend: &reranker.info().backend,
        };
        output::ranking(&ranking, self.numbers.json)?;
        terminal::warnings(&reranker.info().warnings);
        Ok(())
    }

    /// Finds the best sentences of results, each given with its score, before the deadline.
    fn highlights(
        &self,
        reranker: &Reranker,
        texts: &[(&str, Option<f32>)],
        options: RankOptions<'_>,
        started: Instant,
    ) -> Result<Highlights> {
        let Some(count) = self.highlights else { return Ok(Highlights::default()) };
        let limit = self.deadline_ms.map(|ms| Duration::from_millis(ms as u64));
        let scoring = ScoreOptions {
            scores: self.numbers.scores,
            instruction: self.numbers.instruction.as_deref(),
            deadline: limit.map(|limit| limit.saturating_sub(started.elapsed())),
            ..ScoreOptions::default()
        };
        let found = reranker.highlights_of_scored(&self.query, texts, count, options.into(), scoring);
        pollster::block_on(found)
    }

    /// Explains results, each given with its score.
    fn explanations(&self, reranker: &Reranker, texts: &[(&str, Option<f32>)]) -> Result<Vec<Explanation>> {
        let options = ExplainOptions {
            long_documents: self.long_documents,
            instruction: self.numbers.instruction.as_deref(),
            ..ExplainOptions::default()
        };
        let texts = texts.iter().filter(|_| self.explain);
        texts.map(|(text, _)| explain::explanation(reranker, &self.query, text, options)).collect()
    }
}
