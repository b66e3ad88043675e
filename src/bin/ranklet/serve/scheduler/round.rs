//! A round: some pairs of some requests, which are scored together.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ranklet::{Error, ErrorItem, ErrorKind, Pairs, Reranker, Result, ScoreOptions, ScoredPairs};

use super::job::{Job, RoundLimits, Work};

/// Maximum bytes of text in a round, per token of its limit. The tokenizer reads each word to its end, so a long text without
/// spaces takes much time, even if the model reads few of its tokens.
const MAX_BYTES_PER_TOKEN: usize = 64;

/// Some pairs of some requests, which are scored together, or one micro-batch of a long pair.
pub(super) struct Round {
    pub(super) jobs: Vec<Job>,
    /// Number of pairs of each job, from its first pair without a score.
    counts: Vec<usize>,
    /// True if the round scores a part of one job's long pair.
    pub(super) is_long: bool,
}

impl Round {
    /// Takes pairs from requests in turns, one at a time, until they have about `max_tokens` tokens, or texts of
    /// many bytes. All of them have the options and the instruction of the first request. After a round of such pairs, a long
    /// pair is next, and after a round for a long pair, the others are. Returns `None` if no request waits.
    pub(super) fn take(
        waiting: &mut VecDeque<Job>,
        max_tokens: usize,
        limits: RoundLimits,
        was_long: bool,
    ) -> Option<Self> {
        waiting.retain(|job| !job.reply.is_closed());
        let first = waiting.iter().position(|job| job.is_at_long_pair(limits) != was_long).unwrap_or(0);
        if waiting.get(first)?.is_at_long_pair(limits) {
            let job = waiting.remove(first)?;
            return Some(Self { jobs: vec![job], counts: vec![1], is_long: true });
        }
        let Work { options, kind, ref instruction, .. } = waiting[first].work;
        let instruction = instruction.clone();
        let mut counts = vec![0; waiting.len()];
        let (mut tokens, mut bytes) = (0, 0);
        let max_bytes = max_tokens.saturating_mul(MAX_BYTES_PER_TOKEN);
        let mut is_filling = true;
        while is_filling {
            is_filling = false;
            for (job, count) in waiting.iter().zip(&mut counts) {
                let pair = job.next_pair() + *count;
                if tokens < max_tokens
                    && job.work.options == options
                    && job.work.kind == kind
                    && job.work.instruction == instruction
                    && pair < job.work.pairs.len()
                    && !job.is_long(pair, limits)
                {
                    // The first pair needs its time in any round.
                    if tokens > 0 {
                        let text_bytes = job.text_bytes(pair, (*count > 0).then(|| pair - 1));
                        if bytes + text_bytes > max_bytes {
                            continue;
                        }
                        bytes += text_bytes;
                    }
                    tokens += job.estimated_tokens(pair, limits.max_length);
                    *count += 1;
                    is_filling = true;
                }
            }
        }
        let (taken, left): (Vec<_>, Vec<_>) =
            waiting.drain(..).zip(counts).partition(|(_, count)| *count > 0);
        waiting.extend(left.into_iter().map(|(job, _)| job));
        let (jobs, counts) = taken.into_iter().unzip();
        Some(Self { jobs, counts, is_long: false })
    }

    /// Scores the pairs and returns the jobs. A job whose pair cannot be scored is answered with the error; the others are
    /// scored again in a later round.
    pub(super) fn score(mut self, reranker: &Arc<Reranker>, limits: RoundLimits) -> Vec<Job> {
        match catch_unwind(AssertUnwindSafe(|| self.run(reranker, limits))) {
            Ok(Ok(scored)) => self.with_scores(scored),
            Ok(Err(error)) => self.without_failed(&error),
            Err(_) => self.without_failed(&Error::new(ErrorKind::Internal, "the engine panicked")),
        }
    }

    fn run(&mut self, reranker: &Arc<Reranker>, limits: RoundLimits) -> Result<ScoredPairs> {
        if let ([job], true) = (&mut self.jobs[..], self.is_long) {
            return job.step_long_pair(reranker, limits);
        }
        let pairs = self
            .jobs
            .iter()
            .zip(&self.counts)
            .flat_map(|(job, count)| job.work.pairs[job.next_pair()..][..*count].iter());
        let pairs =
            pairs.map(|(query, document)| (query.as_ref().into(), document.as_str().into())).collect();
        let Some(Job { work: Work { options, instruction, kind, .. }, .. }) = self.jobs.first() else {
            return Ok(ScoredPairs::default());
        };
        let pairs = Pairs::Each { pairs, options: *options };
        let instruction = instruction.as_deref();
        let options = ScoreOptions { scores: *kind, instruction, ..ScoreOptions::default() };
        reranker.score_pairs_blocking(pairs, options)
    }

    fn with_scores(mut self, scored: ScoredPairs) -> Vec<Job> {
        let mut pairs = scored.pairs.into_iter().flatten();
        for (job, count) in self.jobs.iter_mut().zip(&self.counts) {
            for pair in pairs.by_ref().take(*count) {
                job.scored.scores.extend(pair.scores);
                job.scored.tokens += pair.tokens;
                job.scored.cache_hits += usize::from(pair.is_cached);
            }
        }
        self.jobs
    }

    /// Answers the job that an error is about, with its own index of the pair; all jobs if the error names no pair.
    fn without_failed(self, error: &Error) -> Vec<Job> {
        let mut first = 0;
        let mut jobs = Vec::new();
        for (job, count) in self.jobs.into_iter().zip(self.counts) {
            let pairs = first..first + count;
            first = pairs.end;
            let error = match error.item() {
                None => error.clone(),
                Some(item) => {
                    let range = item.range.start.max(pairs.start)..item.range.end.min(pairs.end);
                    if range.is_empty() {
                        jobs.push(job);
                        continue;
                    }
                    let index = |pair: usize| job.next_pair() + pair - pairs.start;
                    let range = index(range.start)..index(range.end);
                    error.clone().about(ErrorItem { kind: item.kind, range })
                }
            };
            let _ = job.reply.send(Err(error));
        }
        jobs
    }
}

#[cfg(test)]
mod tests {
    use ranklet::{ItemKind, LongDocuments, RankOptions, Scores};
    use tokio::sync::oneshot;

    use super::super::job::Scored;
    use super::*;

    fn job(pairs: usize, bytes: usize) -> (Job, oneshot::Receiver<Result<Scored>>) {
        let (reply, receiver) = oneshot::channel();
        let options = RankOptions::default().into();
        let pairs = vec![(Arc::from(""), "x".repeat(bytes)); pairs];
        (
            Job {
                work: Work { pairs, options, instruction: None, kind: Scores::Raw, deadline: None },
                scored: Scored::default(),
                long_pair: None,
                reply,
            },
            receiver,
        )
    }

    /// Takes a round of at most `max_tokens` tokens after a round of pairs.
    fn take(waiting: &mut VecDeque<Job>, max_tokens: usize) -> Option<Round> {
        take_after(waiting, max_tokens, false)
    }

    fn take_after(waiting: &mut VecDeque<Job>, max_tokens: usize, was_long: bool) -> Option<Round> {
        Round::take(waiting, max_tokens, RoundLimits { batch_tokens: 4096, max_length: 512 }, was_long)
    }

    #[test]
    fn pairs_are_taken_in_turns_and_only_served_requests_leave_the_queue() {
        // 100 tokens per pair.
        let (long, _long) = job(1000, 396);
        let (short, _short) = job(2, 396);
        let (last, _last) = job(5, 396);
        let mut waiting = VecDeque::from([long, short, last]);
        let round = take(&mut waiting, 800).expect("has jobs");
        assert_eq!(round.counts, [3, 2, 3]);
        assert!(waiting.is_empty());
        let mut waiting = VecDeque::from(round.jobs);
        let round = take(&mut waiting, 200).expect("has jobs");
        assert_eq!((round.counts, waiting.len()), (vec![1, 1], 1));
    }

    #[test]
    fn a_long_pair_counts_as_the_tokens_that_the_model_reads() {
        let (long, _receiver) = job(20, 10_000);
        let round = take(&mut VecDeque::from([long]), 4096).expect("has a job");
        assert_eq!(round.counts, [8]);
        let (mut chunked, _receiver) = job(20, 4096);
        chunked.work.options.long_documents = LongDocuments::Chunk;
        let round = take(&mut VecDeque::from([chunked]), 4096).expect("has a job");
        assert_eq!(round.counts, [4]);
    }

    #[test]
    fn a_round_ends_after_many_bytes_of_texts() {
        let ((long, _long), (other, _other), (short, _short)) =
            (job(16, 1_000_000), job(16, 1_000_000), job(1, 4));
        let mut waiting = VecDeque::from([long, other, short]);
        let round = take(&mut waiting, 4096).expect("has jobs");
        assert_eq!((round.counts, waiting.len()), (vec![1, 1], 1));
        assert_eq!(waiting[0].work.pairs.len(), 16);
        let (several, _several) = job(16, 100_000);
        let round = take(&mut VecDeque::from([several]), 4096).expect("has a job");
        assert_eq!(round.counts, [3]);
        // A query is tokenized once for consecutive pairs that share it.
        for (is_shared, expected) in [(true, 8), (false, 3)] {
            let (mut job, _receiver) = job(16, 4);
            let query: Arc<str> = "x".repeat(100_000).into();
            for pair in &mut job.work.pairs {
                pair.0 = if is_shared { Arc::clone(&query) } else { query.as_ref().into() };
            }
            let round = take(&mut VecDeque::from([job]), 4096).expect("has a job");
            assert_eq!(round.counts, [expected]);
        }
    }

    #[test]
    fn rounds_for_long_pairs_and_for_other_pairs_take_turns() {
        let chunked = |bytes: usize| {
            let (mut job, receiver) = job(2, bytes);
            job.work.options.long_documents = LongDocuments::Chunk;
            (job, receiver)
        };
        let ((long, _long), (other, _other), (short, _short)) =
            (chunked(100_000), chunked(100_000), chunked(4));
        let mut waiting = VecDeque::from([long, other, short]);
        let mut is_long = false;
        for expected in [25_001, 2, 25_001, 2, 25_001] {
            let round = take_after(&mut waiting, 4096, is_long).expect("has jobs");
            let tokens: Vec<usize> = round.jobs.iter().map(|job| job.estimated_tokens(0, 512)).collect();
            assert_eq!((tokens, round.is_long), (vec![expected], expected > 2));
            is_long = round.is_long;
            waiting.extend(round.jobs);
        }
        // The pairs of a job before a long one make a round.
        let (mut mixed, _mixed) = chunked(4);
        mixed.work.pairs.push(("".into(), "x".repeat(100_000)));
        let mut waiting = VecDeque::from([mixed]);
        let mut round = take(&mut waiting, 4096).expect("has a job");
        assert_eq!((&round.counts[..], round.is_long), (&[2][..], false));
        round.jobs[0].scored.scores = vec![0.5; 2];
        let round = take(&mut round.jobs.into(), 4096).expect("has a job");
        assert_eq!((&round.counts[..], round.is_long), (&[1][..], true));
        // A cut document has no chunks.
        let (mut cut, _cut) = chunked(100_000);
        cut.work.options.max_tokens_per_document = Some(1000);
        let round = take(&mut VecDeque::from([cut]), 4096).expect("has a job");
        assert_eq!((&round.counts[..], round.is_long), (&[2][..], false));
    }

    #[test]
    fn a_round_has_one_instruction() {
        let (first, _first) = job(2, 4);
        let (mut second, _second) = job(2, 4);
        second.work.instruction = Some("Be strict.".into());
        let mut waiting = VecDeque::from([first, second]);
        let round = take(&mut waiting, 100).expect("has jobs");
        assert_eq!((round.counts, waiting.len()), (vec![2], 1));
        let round = take(&mut waiting, 100).expect("has a job");
        assert_eq!(round.jobs[0].work.instruction.as_deref(), Some("Be strict."));
    }

    #[test]
    fn an_instruction_counts_for_each_pair() {
        let (mut long, _receiver) = job(2, 4);
        long.work.instruction = Some("x".repeat(400).into());
        let round = take(&mut VecDeque::from([long]), 100).expect("has a job");
        assert_eq!(round.counts, [1]);
    }

    #[test]
    fn requests_whose_client_has_gone_are_dropped() {
        let (gone, receiver) = job(3, 4);
        drop(receiver);
        let (waits, _receiver) = job(1, 4);
        let mut waiting = VecDeque::from([gone, waits]);
        assert_eq!(take(&mut waiting, 100).expect("has a job").counts, [1]);
        assert!(take(&mut waiting, 100).is_none());
    }

    #[test]
    fn an_error_ends_the_request_that_it_is_about() {
        let (first, mut first_receiver) = job(2, 4);
        let (second, mut second_receiver) = job(2, 4);
        let round = Round { jobs: vec![first, second], counts: vec![2, 2], is_long: false };
        let left = round.without_failed(&Error::new(ErrorKind::Input, "wrong"));
        assert!(left.is_empty());
        assert!(first_receiver.try_recv().expect("is answered").is_err());
        assert!(second_receiver.try_recv().expect("is answered").is_err());
    }

    #[test]
    fn an_error_has_the_index_of_the_pair_in_its_request() {
        let error =
            |range| Error::new(ErrorKind::Input, "wrong").about(ErrorItem { kind: ItemKind::Pair, range });
        // The pairs 0 and 1 of the round are those of the first request; the second has three scores already.
        for (range, failed, expected) in [(1..2, 0, 1..2), (2..3, 1, 3..4), (3..4, 1, 4..5), (2..4, 1, 3..5)]
        {
            let (first, first_receiver) = job(2, 4);
            let (mut second, second_receiver) = job(6, 4);
            second.scored.scores = vec![0.5; 3];
            let round = Round { jobs: vec![first, second], counts: vec![2, 2], is_long: false };
            assert_eq!(round.without_failed(&error(range)).len(), 1);
            let mut receivers = [first_receiver, second_receiver];
            let answer = receivers[failed].try_recv().expect("is answered");
            assert_eq!(
                answer.expect_err("is an error").item().map(|item| item.range.clone()),
                Some(expected)
            );
            assert!(receivers[1 - failed].try_recv().is_err());
        }
    }
}
