//! Scoring runs.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyByteArray;
use ranklet::{PartialScores, Reranker, ScoringRun};

use crate::error::{NativeError, detached};

/// A scoring run.
#[pyclass]
pub(crate) struct NativeScoring {
    reranker: Arc<Reranker>,
    /// A mutex, because a batch on a GPU is not `Sync`. Only one thread steps at a time.
    run: Mutex<ScoringRun<'static>>,
    done: usize,
    tokens: usize,
    /// The spans and token counts of the last step. Its scores are not kept.
    last: PartialScores,
}

impl NativeScoring {
    pub(crate) fn new(reranker: Arc<Reranker>, run: ScoringRun<'static>) -> Self {
        Self { reranker, run: Mutex::new(run), done: 0, tokens: 0, last: PartialScores::default() }
    }
}

#[pymethods]
impl NativeScoring {
    /// Runs the next micro-batch without the interpreter's lock. Returns the scores of the pairs that it finished, as the
    /// bytes of `[pairs, labels]` in f32, or `None` if all were finished before.
    fn step<'py>(&mut self, py: Python<'py>) -> Result<Option<Bound<'py, PyByteArray>>, NativeError> {
        let Self { reranker, run, .. } = self;
        let run = run.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(part) = detached(py, || pollster::block_on(run.step(reranker)))? else { return Ok(None) };
        let bytes: Vec<u8> = part.scores.iter().flat_map(|score| score.to_ne_bytes()).collect();
        (self.done, self.tokens) = (run.done(), run.tokens());
        self.last = PartialScores { scores: Vec::new(), ..part };
        Ok(Some(PyByteArray::new(py, &bytes)))
    }

    /// Whether the last step started the run again because the CPU replaced a GPU. Earlier scores are then invalid.
    #[getter]
    fn restarted(&self) -> bool {
        self.last.restarted
    }

    /// The spans of the best chunks of the last step's documents, in code points; `None` if documents are not chunked.
    #[getter]
    fn spans(&self) -> Option<Vec<(usize, usize)>> {
        let spans = self.last.spans.as_ref()?;
        Some(spans.iter().map(|span| (span.start, span.end)).collect())
    }

    /// Number of pairs scored so far.
    #[getter]
    fn done(&self) -> usize {
        self.done
    }

    /// Number of tokens scored so far.
    #[getter]
    fn tokens(&self) -> usize {
        self.tokens
    }

    /// Limits the tokens of later micro-batches, so that a step takes less time.
    fn set_max_batch_tokens(&mut self, tokens: usize) {
        self.run.get_mut().unwrap_or_else(PoisonError::into_inner).set_max_batch_tokens(tokens);
    }
}
