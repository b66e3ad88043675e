//! Requests under way.

use std::sync::Arc;

use ranklet::{Deadline, DocumentOptions, LongDocuments, Result, Scores};
use tokio::sync::oneshot;

use super::long_pair::LongPair;

/// Pairs to score.
#[derive(Debug)]
pub(in crate::serve) struct Work {
    /// Pairs of a query and a document. Queries of consecutive pairs are tokenized once if they are equal.
    pub(in crate::serve) pairs: Vec<(Arc<str>, String)>,
    pub(in crate::serve) options: DocumentOptions,
    /// The instruction; `None` for the default of the model's files.
    pub(in crate::serve) instruction: Option<Arc<str>>,
    /// The kind of scores.
    pub(in crate::serve) kind: Scores,
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

/// Limits of a round.
#[derive(Debug, Clone, Copy)]
pub(super) struct RoundLimits {
    /// Tokens of a round, about.
    pub(super) batch_tokens: usize,
    /// Maximum tokens of a pair that is cut, and of a chunk.
    pub(super) max_length: usize,
}

/// A request under way.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) scored: Scored,
    /// The first pair without a score, if it is long and its scoring has begun.
    pub(super) long_pair: Option<LongPair>,
    /// Closed if the client has gone.
    pub(super) reply: oneshot::Sender<Result<Scored>>,
}

impl Job {
    pub(super) fn is_finished(&self) -> bool {
        let is_late = self.work.deadline.is_some_and(|deadline| deadline.has_passed());
        is_late || self.scored.scores.len() == self.work.pairs.len()
    }

    /// The index of the first pair without a score.
    pub(super) fn next_pair(&self) -> usize {
        self.scored.scores.len()
    }

    /// The number of tokens of a pair, estimated by its length. Of a pair that is cut, the model reads `max_length`.
    pub(super) fn estimated_tokens(&self, pair: usize, max_length: usize) -> usize {
        const BYTES_PER_TOKEN: usize = 4;
        let (query, document) = &self.work.pairs[pair];
        let instruction = self.work.instruction.as_deref().map_or(0, str::len);
        let DocumentOptions { max_tokens_per_document, long_documents, .. } = self.work.options;
        let document = (document.len() / BYTES_PER_TOKEN).min(max_tokens_per_document.unwrap_or(usize::MAX));
        let tokens = (instruction + query.len()) / BYTES_PER_TOKEN + document + 1;
        match long_documents {
            LongDocuments::Truncate => tokens.min(max_length),
            _ => tokens,
        }
    }

    /// The number of bytes that are tokenized for a pair: without the query if the pair before it in the round, `previous`,
    /// has the same.
    pub(super) fn text_bytes(&self, pair: usize, previous: Option<usize>) -> usize {
        let (query, document) = &self.work.pairs[pair];
        let is_known = previous.is_some_and(|previous| Arc::ptr_eq(query, &self.work.pairs[previous].0));
        document.len() + if is_known { 0 } else { query.len() }
    }

    /// Returns true for a pair of several chunks that has more tokens than a round. Several rounds score it.
    pub(super) fn is_long(&self, pair: usize, limits: RoundLimits) -> bool {
        let has_begun = self.long_pair.is_some() && pair == self.next_pair();
        let is_chunked = self.work.options.long_documents == LongDocuments::Chunk;
        let RoundLimits { batch_tokens, max_length } = limits;
        has_begun || is_chunked && self.estimated_tokens(pair, max_length) > batch_tokens.max(max_length)
    }

    /// Returns true if the next pair of this job is long.
    pub(super) fn is_at_long_pair(&self, limits: RoundLimits) -> bool {
        self.is_long(self.next_pair(), limits)
    }
}
