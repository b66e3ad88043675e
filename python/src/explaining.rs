//! Explanations of scores.

use pyo3::prelude::*;
use ranklet::{ExplainOptions, Explainer, Explanation, OffsetUnit, PairText, Reranker, Result};

use crate::error::{NativeError, caught, detached};
use crate::model::NativeReranker;

/// What a unit adds to the logit: the text that it is in, its first code point, its end, and its contribution.
type UnitRow = (&'static str, usize, usize, f32);

/// The logit, the logit without the units, the units, the number of pairs scored, and the additivity error.
type ExplanationRow = (f32, f32, Vec<UnitRow>, usize, f32);

/// Explains the score of a pair. `unit` is `"word"` or `"sentence"`; `of` is `"document"`, `"query"` or `"both"`. Before
/// the first micro-batch and after each, calls `on_step` with the number of pairs scored so far, the number of all, and
/// the explanation so far. An exception that it raises ends the call.
#[pyfunction]
#[pyo3(signature = (reranker, query, document, unit, of, samples, instruction, on_step))]
#[allow(clippy::too_many_arguments, reason = "the caller in Python gives all options")]
pub(crate) fn explain(
    py: Python<'_>,
    reranker: &NativeReranker,
    query: &str,
    document: &str,
    unit: &str,
    of: &str,
    samples: usize,
    instruction: Option<&str>,
    on_step: &Bound<'_, PyAny>,
) -> Result<ExplanationRow, PyErr> {
    let reranker: &Reranker = reranker.get();
    let options = explain_options(unit, of, samples, instruction).map_err(NativeError::from)?;
    let mut explainer = caught(|| Ok(Explainer::new(query, document, options)))?;
    loop {
        let explanation = caught(|| Ok(explainer.explanation()))?;
        on_step.call1((explainer.scored(), explainer.variants(), row(&explanation)))?;
        py.check_signals()?;
        if !detached(py, || pollster::block_on(explainer.step(reranker)))? {
            return Ok(row(&explanation));
        }
    }
}

/// Returns the number of pairs that [`explain`] scores.
#[pyfunction]
#[pyo3(signature = (query, document, unit, of, samples))]
pub(crate) fn explain_cost(
    query: &str,
    document: &str,
    unit: &str,
    of: &str,
    samples: usize,
) -> Result<usize, NativeError> {
    let options = explain_options(unit, of, samples, None)?;
    caught(|| Ok(Explainer::new(query, document, options).variants()))
}

fn explain_options<'a>(
    unit: &str,
    of: &str,
    samples: usize,
    instruction: Option<&'a str>,
) -> Result<ExplainOptions<'a>> {
    let (unit, of) = (unit.parse()?, of.parse()?);
    Ok(ExplainOptions { unit, of, samples, instruction, offsets: OffsetUnit::CodePoint })
}

fn row(explanation: &Explanation) -> ExplanationRow {
    let units = explanation.units.iter().map(|unit| {
        let text = match unit.text {
            PairText::Query => "query",
            PairText::Document => "document",
        };
        (text, unit.span.start, unit.span.end, unit.contribution)
    });
    let Explanation { logit, base, variants, .. } = explanation;
    (*logit, *base, units.collect(), *variants, explanation.additivity_error())
}
