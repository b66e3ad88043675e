//! The results of commands as data, which [`crate::output`] writes.

use ranklet::{Backend, Ranked};
use serde::Serialize;

/// A finished ranking.
#[derive(Debug)]
pub(crate) struct Ranking<'a> {
    pub(crate) results: Vec<Ranked>,
    pub(crate) documents: &'a [String],
    pub(crate) tokens: usize,
    pub(crate) seconds: f64,
    pub(crate) backend: &'a Backend,
}

impl Ranking<'_> {
    /// The text of a document, or of its best chunk.
    pub(crate) fn shown_text(&self, ranked: &Ranked) -> &str {
        let document = &self.documents[ranked.index];
        ranked.span.and_then(|span| document.get(span.start..span.end)).unwrap_or(document)
    }
}

/// The result of `ranklet bench`.
#[derive(Debug, Serialize)]
pub(crate) struct Measurement {
    pub(crate) documents: usize,
    /// Tokens per repetition.
    pub(crate) tokens: Vec<usize>,
    /// Milliseconds per repetition, from texts to scores.
    pub(crate) ms: Vec<f64>,
    pub(crate) median_ms: f64,
    pub(crate) min_ms: f64,
    pub(crate) max_ms: f64,
    pub(crate) documents_per_second: f64,
    /// Milliseconds from files to a reranker that is ready.
    pub(crate) load_ms: f64,
    /// Peak memory of this process in bytes; `None` if the system does not report it.
    pub(crate) peak_bytes: Option<u64>,
    pub(crate) backend: Backend,
}

/// The metrics of both rankings, means over the judged queries.
#[derive(Debug, Serialize)]
pub(crate) struct Evaluation {
    pub(crate) queries: usize,
    pub(crate) unjudged_queries: usize,
    pub(crate) documents: usize,
    pub(crate) first_stage: Metrics,
    pub(crate) reranked: Metrics,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Metrics {
    #[serde(rename = "ndcg@10")]
    pub(crate) ndcg: f64,
    #[serde(rename = "mrr@10")]
    pub(crate) mrr: f64,
}
