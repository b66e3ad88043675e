//! The results of commands as data, which [`crate::output`] writes.

use ranklet::{Backend, Explanation, Highlight, Ranked};
use serde::Serialize;

use crate::explain::Explained;
use crate::input::Document;

/// A finished ranking.
#[derive(Debug)]
pub(crate) struct Ranking<'a> {
    pub(crate) query: &'a str,
    pub(crate) results: Vec<Ranked>,
    /// `[results]`, the best sentences of each; empty if none are wanted.
    pub(crate) highlights: Vec<Vec<Highlight>>,
    /// `[results]`, what each word adds; empty if that is not wanted.
    pub(crate) explanations: Vec<Explanation>,
    /// Indices of the documents that were not scored before the deadline.
    pub(crate) unscored: Vec<usize>,
    pub(crate) documents: &'a [Document],
    pub(crate) tokens: usize,
    pub(crate) seconds: f64,
    pub(crate) backend: &'a Backend,
}

impl Ranking<'_> {
    /// The explanation of a result and its texts.
    pub(crate) fn explained(&self, rank: usize) -> Option<Explained<'_>> {
        let document = &self.documents[self.results[rank].index].text;
        self.explanations.get(rank).map(|explanation| Explained { query: self.query, document, explanation })
    }

    /// The text of a document, or of its best chunk.
    pub(crate) fn shown_text(&self, ranked: &Ranked) -> &str {
        let document = &self.documents[ranked.index].text;
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
