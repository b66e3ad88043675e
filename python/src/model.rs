//! Loaded models and prepared collections.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use ranklet::{
    Collection, DocumentOptions, Error, ErrorKind, ModelFiles, ModelSource, OffsetUnit, Options, Pairs,
    Reranker, Result, ScoreOptions, ScoringRun,
};

use crate::error::{NativeError, detached, interruptible};
use crate::future::run_future;
use crate::scoring::NativeScoring;

/// The source of a model: a folder, or the contents of its files by name.
#[derive(FromPyObject)]
pub(crate) enum Source {
    Files(HashMap<String, PyBackedBytes>),
    Folder(PathBuf),
}

impl From<Source> for ModelSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Folder(path) => ModelSource::Directory(path),
            Source::Files(contents) => {
                let mut files = ModelFiles::new();
                contents.into_iter().for_each(|(name, bytes)| files.insert(name, bytes.to_vec()));
                ModelSource::Files(files)
            }
        }
    }
}

/// Returns the content of a file of the embedded model; `None` if it has no such file.
#[pyfunction]
pub(crate) fn embedded_file<'py>(py: Python<'py>, name: &str) -> Option<Bound<'py, PyBytes>> {
    ModelFiles::embedded().get(name).map(|content| PyBytes::new(py, content))
}

/// Scores, spans, tokens and hits of the cache.
type CachedScores = (Vec<Option<f32>>, Vec<Option<(usize, usize)>>, usize, usize);

/// A loaded model.
#[pyclass(frozen)]
pub(crate) struct NativeReranker(Arc<Reranker>);

#[pymethods]
impl NativeReranker {
    /// Loads a model: the embedded one without a source. `options` is [`Options`] as JSON.
    #[staticmethod]
    #[pyo3(signature = (source, options))]
    fn load(py: Python<'_>, source: Option<Source>, options: &str) -> PyResult<Self> {
        let options: Options = serde_json::from_str(options)
            .map_err(|error| Error::new(ErrorKind::Input, format!("options: {error}")).with_source(error))
            .map_err(NativeError::from)?;
        let source = source.map_or(ModelSource::Embedded, ModelSource::from);
        let reranker = interruptible(py, move || Reranker::load_blocking(source, options))?;
        Ok(Self(Arc::new(reranker)))
    }

    /// Returns [`Info`](ranklet::Info) as JSON.
    fn info(&self) -> Result<String, NativeError> {
        let json = serde_json::to_string(self.0.info());
        Ok(json
            .map_err(|error| Error::new(ErrorKind::Internal, format!("info: {error}")).with_source(error))?)
    }

    /// Begins to score documents for one query. `scores` is `"model"`, `"raw"`, `"sigmoid"` or `"probability"`,
    /// `long_documents` is `"truncate"` or `"chunk"`.
    #[pyo3(signature = (query, documents, scores, max_tokens_per_document, long_documents, instruction, deadline))]
    #[allow(clippy::too_many_arguments, reason = "the caller in Python gives all options")]
    fn scoring(
        &self,
        query: String,
        documents: Vec<String>,
        scores: &str,
        max_tokens_per_document: Option<usize>,
        long_documents: &str,
        instruction: Option<String>,
        deadline: Option<f64>,
    ) -> Result<NativeScoring, NativeError> {
        let documents = documents.into_iter().map(Cow::Owned).collect();
        let options = document_options(max_tokens_per_document, long_documents)?;
        let pairs = Pairs::OneQuery { query: query.into(), documents, options };
        let run =
            ScoringRun::new(pairs, scores.parse()?).instruction(instruction).deadline(seconds(deadline)?);
        Ok(self.begin(run))
    }

    /// Begins to score pairs, given as two lists of equal length.
    #[pyo3(signature = (queries, documents, scores, prompt))]
    fn scoring_pairs(
        &self,
        queries: Vec<String>,
        documents: Vec<String>,
        scores: &str,
        prompt: Option<String>,
    ) -> Result<NativeScoring, NativeError> {
        let pairs = queries.into_iter().map(Cow::Owned).zip(documents.into_iter().map(Cow::Owned)).collect();
        Ok(self.begin(ScoringRun::new(Pairs::truncated(pairs), scores.parse()?).prompt(prompt)))
    }

    /// Begins to score documents of a collection for one query: those at the indices `candidates`, or all.
    #[pyo3(signature = (query, collection, candidates, scores, deadline))]
    fn scoring_prepared(
        &self,
        query: String,
        collection: &NativeCollection,
        candidates: Option<Vec<u32>>,
        scores: &str,
        deadline: Option<f64>,
    ) -> Result<NativeScoring, NativeError> {
        let collection = Arc::clone(&collection.0);
        let pairs = Pairs::Prepared { query: query.into(), collection, candidates };
        Ok(self.begin(ScoringRun::new(pairs, scores.parse()?).deadline(seconds(deadline)?)))
    }

    /// Scores documents for one query with the cache of scores. Returns the scores, `None` for a document that was not
    /// scored before the deadline; the spans of the best chunks; the number of tokens that the model has read; and the
    /// number of documents whose score the cache has. Calls `check` after each micro-batch; an exception that it raises
    /// ends the call.
    #[pyo3(signature = (
        query, documents, scores, max_tokens_per_document, long_documents, instruction, deadline, check
    ))]
    #[allow(clippy::too_many_arguments, reason = "the caller in Python gives all options")]
    fn score_cached(
        &self,
        py: Python<'_>,
        query: String,
        documents: Vec<String>,
        scores: &str,
        max_tokens_per_document: Option<usize>,
        long_documents: &str,
        instruction: Option<String>,
        deadline: Option<f64>,
        check: &Bound<'_, PyAny>,
    ) -> PyResult<CachedScores> {
        let limits = document_options(max_tokens_per_document, long_documents).map_err(NativeError::from)?;
        let documents = documents.into_iter().map(Cow::Owned).collect();
        let pairs = Pairs::OneQuery { query: query.into(), documents, options: limits };
        let options = score_options(scores, instruction.as_deref(), deadline).map_err(NativeError::from)?;
        let scored = run_future(py, self.0.score_pairs(pairs, options), check)?;
        let pairs = || scored.pairs.iter().map(Option::as_ref);
        Ok((
            pairs().map(|pair| pair?.scores.first().copied()).collect(),
            pairs().map(|pair| pair?.span.map(|span| (span.start, span.end))).collect(),
            scored.tokens(),
            scored.cache_hits(),
        ))
    }

    /// Tokenizes documents for many queries. From time to time calls `on_step` with the number of documents so far; an
    /// exception that it raises ends the call.
    #[pyo3(signature = (documents, max_tokens_per_document, long_documents, on_step))]
    fn prepare(
        &self,
        py: Python<'_>,
        documents: Vec<String>,
        max_tokens_per_document: Option<usize>,
        long_documents: &str,
        on_step: &Bound<'_, PyAny>,
    ) -> Result<NativeCollection, PyErr> {
        const STEP: usize = 256;
        let options = document_options(max_tokens_per_document, long_documents).map_err(NativeError::from)?;
        let mut collection = Collection::new(&self.0);
        let mut done = 0;
        for step in documents.chunks(STEP) {
            detached(py, || {
                step.iter().try_for_each(|document| collection.push(&self.0, document, options))
            })?;
            done += step.len();
            on_step.call1((done,))?;
        }
        Ok(NativeCollection(Arc::new(collection)))
    }
}

impl NativeReranker {
    /// Returns the model.
    pub(crate) fn get(&self) -> &Reranker {
        &self.0
    }

    fn begin(&self, run: ScoringRun<'static>) -> NativeScoring {
        NativeScoring::new(Arc::clone(&self.0), run)
    }
}

/// Tokenized documents.
#[pyclass(frozen)]
pub(crate) struct NativeCollection(Arc<Collection>);

pub(crate) fn document_options(
    max_tokens_per_document: Option<usize>,
    long_documents: &str,
) -> Result<DocumentOptions> {
    Ok(DocumentOptions {
        max_tokens_per_document,
        long_documents: long_documents.parse()?,
        unit: OffsetUnit::CodePoint,
    })
}

/// Converts the options of scoring. `deadline` is in seconds.
pub(crate) fn score_options<'a>(
    scores: &str,
    instruction: Option<&'a str>,
    deadline: Option<f64>,
) -> Result<ScoreOptions<'a>> {
    let (scores, deadline) = (scores.parse()?, seconds(deadline)?);
    Ok(ScoreOptions { scores, instruction, deadline, ..ScoreOptions::default() })
}

/// Converts a number of seconds. A deadline too far away for a `Duration` is no deadline.
fn seconds(deadline: Option<f64>) -> Result<Option<Duration>> {
    let deadline = deadline.filter(|seconds| *seconds < Duration::MAX.as_secs_f64());
    let convert = |seconds| {
        Duration::try_from_secs_f64(seconds).map_err(|error| {
            Error::new(ErrorKind::Input, format!("the deadline: {error}")).with_source(error)
        })
    };
    deadline.map(convert).transpose()
}
