//! Long pairs: documents in chunks with more tokens than a round, which are scored in several rounds.

use std::fmt::{self, Debug, Formatter};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ranklet::{Deadline, Pairs, Reranker, Result, ScoreOptions, ScoredPairs};

use super::job::{Job, RoundLimits};

/// The scoring of a pair, which is pending between micro-batches.
pub(super) struct LongPair(Pin<Box<dyn Future<Output = Result<ScoredPairs>> + Send>>);

impl Debug for LongPair {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LongPair").finish_non_exhaustive()
    }
}

impl LongPair {
    /// Takes the texts of a job's next pair.
    fn new(reranker: &Arc<Reranker>, job: &mut Job, limits: RoundLimits) -> Self {
        let next = job.next_pair();
        let (query, document) = &mut job.work.pairs[next];
        let (query, document) = (Arc::clone(query), std::mem::take(document));
        let (options, kind) = (job.work.options, job.work.kind);
        let (instruction, deadline) = (job.work.instruction.clone(), job.work.deadline);
        let reranker = Arc::clone(reranker);
        Self(Box::pin(async move {
            let pairs = Pairs::Each { pairs: vec![(query.as_ref().into(), document.into())], options };
            let options = ScoreOptions {
                scores: kind,
                instruction: instruction.as_deref(),
                deadline: deadline.as_ref().map(Deadline::remaining),
                max_batch_tokens: Some(limits.batch_tokens),
            };
            reranker.score_pairs(pairs, options).await
        }))
    }
}

impl Job {
    /// Scores the next micro-batch of the long pair that this job is at. Returns no scores before the last one, and while
    /// another job scores an equal pair.
    ///
    /// # Errors
    /// As [`Reranker::score_pairs`].
    pub(super) fn step_long_pair(
        &mut self,
        reranker: &Arc<Reranker>,
        limits: RoundLimits,
    ) -> Result<ScoredPairs> {
        let mut scoring = match self.long_pair.take() {
            Some(scoring) => scoring,
            None => LongPair::new(reranker, self, limits),
        };
        // It needs no waker, because it is polled in each of its turns.
        match scoring.0.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => {
                self.long_pair = Some(scoring);
                Ok(ScoredPairs::default())
            }
            Poll::Ready(scored) => {
                let scored = scored?;
                if scored.pairs.iter().any(Option::is_none) {
                    // The deadline has passed, so this and all later pairs stay without a score.
                    self.work.pairs.truncate(self.next_pair());
                }
                Ok(scored)
            }
        }
    }
}
