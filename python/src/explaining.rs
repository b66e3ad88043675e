//! Explanations of scores.

use pyo3::prelude::*;
use ranklet::{
    ExplainOptions, Explainer, Explanation, Highlight, OffsetUnit, PairText, Reranker, Result, Span,
};

use crate::error::{NativeError, caught, detached};
use crate::future::run_future;
use crate::model::{NativeReranker, document_options, score_options};

/// A unit: its text, its first code point, its end, and its contribution to the logit.
type UnitRow = (&'static str, usize, usize, f32);

/// The logit, the logit without the units, the units, the number of pairs scored, the additivity error, and the span of
/// the chunk that is explained.
type ExplanationRow = (f32, f32, Vec<UnitRow>, usize, f32, Option<(usize, usize)>);

/// A sentence: its first code point, its end, and its score.
type HighlightRow = (usize, usize, f32);

/// Explains the score of a pair. `unit` is `"word"` or `"sentence"`; `of` is `"document"`, `"query"` or `"both"`. Before
/// the first micro-batch and after each, calls `on_step` with the number of pairs scored so far, the number of all, and
/// the explanation so far. An exception that it raises ends the call.
#[pyfunction]
#[pyo3(signature = (reranker, query, document, unit, of, samples, long_documents, instruction, on_step))]
#[allow(clippy::too_many_arguments, reason = "the caller in Python gives all options")]
pub(crate) fn explain(
    py: Python<'_>,
    reranker: &NativeReranker,
    query: &str,
    document: &str,
    unit: &str,
    of: &str,
    samples: usize,
    long_documents: &str,
    instruction: Option<&str>,
    on_step: &Bound<'_, PyAny>,
) -> Result<ExplanationRow, PyErr> {
    let reranker: &Reranker = reranker.get();
    let options =
        explain_options(unit, of, samples, long_documents, instruction).map_err(NativeError::from)?;
    let mut explainer = detached(py, || Explainer::new(reranker, query, document, options))?;
    loop {
        let explanation = caught(|| Ok(explainer.explanation()))?;
        on_step.call1((explainer.scored(), explainer.variants(), row(&explanation)))?;
        py.check_signals()?;
        if !detached(py, || pollster::block_on(explainer.step(reranker)))? {
            return Ok(row(&explanation));
        }
    }
}

/// Returns the maximum number of pairs that [`explain`] scores.
#[pyfunction]
#[pyo3(signature = (reranker, query, document, unit, of, samples, long_documents, instruction))]
#[allow(clippy::too_many_arguments, reason = "the caller in Python gives all options")]
pub(crate) fn explain_cost(
    py: Python<'_>,
    reranker: &NativeReranker,
    query: &str,
    document: &str,
    unit: &str,
    of: &str,
    samples: usize,
    long_documents: &str,
    instruction: Option<&str>,
) -> Result<usize, NativeError> {
    let options = explain_options(unit, of, samples, long_documents, instruction)?;
    detached(py, || Ok(Explainer::new(reranker.get(), query, document, options)?.variants()))
}

/// Finds the `count` best sentences of each document, which is given with its score if that is known. Returns the first
/// code point, the end and the score of each sentence, best first; and the number of tokens that the model has read. The
/// other options are those of `NativeReranker.score_cached`.
#[pyfunction]
#[pyo3(signature = (
    reranker, query, documents, count, scores, max_tokens_per_document, long_documents, instruction, deadline, check
))]
#[allow(clippy::too_many_arguments, reason = "the caller in Python gives all options")]
pub(crate) fn highlights(
    py: Python<'_>,
    reranker: &NativeReranker,
    query: &str,
    documents: Vec<(String, Option<f32>)>,
    count: usize,
    scores: &str,
    max_tokens_per_document: Option<usize>,
    long_documents: &str,
    instruction: Option<&str>,
    deadline: Option<f64>,
    check: &Bound<'_, PyAny>,
) -> PyResult<(Vec<Vec<HighlightRow>>, usize)> {
    let limits = document_options(max_tokens_per_document, long_documents).map_err(NativeError::from)?;
    let options = score_options(scores, instruction, deadline).map_err(NativeError::from)?;
    let found = reranker.get().highlights_of_scored(query, &documents, count, limits, options);
    let found = run_future(py, found, check)?;
    let row = |best: &Highlight| (best.span.start, best.span.end, best.score);
    let rows = found.documents.iter().map(|best| best.iter().map(row).collect());
    Ok((rows.collect(), found.tokens))
}

fn explain_options<'a>(
    unit: &str,
    of: &str,
    samples: usize,
    long_documents: &str,
    instruction: Option<&'a str>,
) -> Result<ExplainOptions<'a>> {
    let (unit, of, long_documents) = (unit.parse()?, of.parse()?, long_documents.parse()?);
    Ok(ExplainOptions { unit, of, samples, long_documents, instruction, offsets: OffsetUnit::CodePoint })
}

fn row(explanation: &Explanation) -> ExplanationRow {
    let units = explanation.units.iter().map(|unit| {
        let text = match unit.text {
            PairText::Query => "query",
            PairText::Document => "document",
        };
        (text, unit.span.start, unit.span.end, unit.contribution)
    });
    let Explanation { logit, base, variants, span, .. } = explanation;
    let span = span.map(|Span { start, end }| (start, end));
    (*logit, *base, units.collect(), *variants, explanation.additivity_error(), span)
}
