//! Requests under way.

use std::sync::Arc;

use ranklet::{Deadline, DocumentOptions, LongDocuments, Result, Scores};
use tokio::sync::oneshot;

/// Pairs to score.
#[derive(Debug)]
pub(in crate::serve) struct Work {
    /// Pairs of a query and a document. Queries of consecutive pairs are tokenized once if they are equal.
    pub(in crate::serve) pairs: Vec<(Arc<str>, String)>,
    pub(in crate::serve) options: DocumentOptions,
    /// The instruction; `None` for the default of the model's files.
    pub(in crate::serve) instruction: Option<Arc<str>>,
    pub(in crate::serve) scores: Scores,
    pub(in crate::serve) deadline: Option<Deadline>,
}

/// The scores of a [`Work`].
#[derive(Debug, Default)]
pub(in crate::serve) struct Scored {
    /// `[pairs]`, in the order of the work; fewer if the deadline has passed.
    pub(in crate::serve) scores: Vec<f32>,
    /// Tokens that the model has read.
    pub(in crate::serve) tokens: usize,
    /// Pairs whose scores the cache had.
    pub(in crate::serve) cache_hits: usize,
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) scored: Scored,
    /// Closed if the client has gone.
    pub(super) reply: oneshot::Sender<Result<Scored>>,
}

impl Job {
    pub(super) fn is_finished(&self) -> bool {
        let is_late = self.work.deadline.is_some_and(|deadline| deadline.has_passed());
        is_late || self.scored.scores.len() == self.work.pairs.len()
    }

    /// The number of tokens of a pair, estimated by its length. Of a pair that is cut, the model reads `max_length`.
    pub(super) fn estimated_tokens(&self, pair: usize, max_length: usize) -> usize {
        const BYTES_PER_TOKEN: usize = 4;
        let (query, document) = &self.work.pairs[pair];
        let instruction = self.work.instruction.as_deref().map_or(0, str::len);
        let tokens = (instruction + query.len() + document.len()) / BYTES_PER_TOKEN + 1;
        match self.work.options.long_documents {
            LongDocuments::Truncate => tokens.min(max_length),
            _ => tokens,
        }
    }
}
