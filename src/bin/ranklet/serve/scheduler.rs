//! Scores requests in turns: one thread fills micro-batches with pairs of several requests.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ranklet::{
    DocumentOptions, Error, ErrorKind, Pairs, Reranker, Result, ScoreOptions, ScoredPairs, Scores,
};
use tokio::sync::oneshot;

/// Pairs to score.
#[derive(Debug)]
pub(super) struct Work {
    /// Pairs of a query and a document. Queries of consecutive pairs are tokenized once if they are equal.
    pub(super) pairs: Vec<(Arc<str>, String)>,
    pub(super) options: DocumentOptions,
    pub(super) scores: Scores,
    pub(super) deadline: Option<Deadline>,
}

/// The end of a request's work, whose scores so far are the answer then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    pub(super) started: Instant,
    pub(super) limit: Duration,
}

impl Deadline {
    pub(super) fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.started.elapsed())
    }

    /// The time that one round may take.
    fn round(&self) -> Duration {
        self.remaining().min(self.limit / 10)
    }
}

/// The scores of a [`Work`].
#[derive(Debug, Default)]
pub(super) struct Scored {
    /// `[pairs]`, in the order of the work; fewer if the deadline has passed.
    pub(super) scores: Vec<f32>,
    /// Tokens that the model has read.
    pub(super) tokens: usize,
    /// Pairs whose scores the cache had.
    pub(super) cache_hits: usize,
}

/// Hands requests to the thread that scores them.
#[derive(Debug, Clone)]
pub(super) struct Scheduler(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    has_jobs: Condvar,
    max_jobs: usize,
}

#[derive(Debug, Default)]
struct State {
    /// Requests that wait for their turn, the next one first.
    waiting: VecDeque<Job>,
    /// Number of requests in the current round.
    in_round: usize,
    /// The speed of the rounds so far.
    speed: Speed,
}

/// Tokens that the model has read, and the seconds that they took.
#[derive(Debug, Clone, Copy, Default)]
struct Speed {
    tokens: f64,
    seconds: f64,
}

impl Speed {
    /// Returns the tokens of a time; those of one pair while the speed is not known.
    fn tokens_in(self, time: Duration) -> usize {
        if self.seconds > 0.0 {
            (self.tokens / self.seconds * time.as_secs_f64()).max(1.0) as usize
        } else {
            1
        }
    }

    /// Counts a round. Later rounds count more.
    fn count(&mut self, tokens: usize, time: Duration) {
        const OLD_SHARE: f64 = 0.8;
        if tokens == 0 {
            return;
        }
        self.tokens = OLD_SHARE * self.tokens + tokens as f64;
        self.seconds = OLD_SHARE * self.seconds + time.as_secs_f64();
    }
}

/// A request under way.
#[derive(Debug)]
struct Job {
    work: Work,
    scored: Scored,
    /// Closed if the client has gone.
    reply: oneshot::Sender<Result<Scored>>,
}

/// The error for more requests than the queue takes.
#[derive(Debug)]
pub(super) struct QueueFull;

impl Scheduler {
    /// Starts the thread. It scores about `max_batch_tokens` tokens before other requests take their turn.
    pub(super) fn start(reranker: Arc<Reranker>, max_batch_tokens: usize, max_jobs: usize) -> Self {
        let queue = Arc::new(Queue { state: Mutex::default(), has_jobs: Condvar::new(), max_jobs });
        let served = Arc::clone(&queue);
        thread::spawn(move || {
            loop {
                let round = served.next_round(max_batch_tokens);
                let (earlier_tokens, started) = (tokens_read(&round.jobs), Instant::now());
                let jobs = round.score(&reranker);
                let tokens = tokens_read(&jobs).saturating_sub(earlier_tokens);
                served.end_round(jobs, tokens, started.elapsed());
            }
        });
        Self(queue)
    }

    /// Adds a request. The receiver gets its scores; dropping it ends the work.
    ///
    /// # Errors
    /// [`QueueFull`] if as many requests as allowed are under way.
    pub(super) fn submit(&self, work: Work) -> Result<oneshot::Receiver<Result<Scored>>, QueueFull> {
        let (reply, receiver) = oneshot::channel();
        if work.pairs.is_empty() {
            let _ = reply.send(Ok(Scored::default()));
            return Ok(receiver);
        }
        let mut state = self.0.lock();
        state.waiting.retain(|job| !job.reply.is_closed());
        if state.waiting.len() + state.in_round >= self.0.max_jobs {
            return Err(QueueFull);
        }
        state.waiting.push_back(Job { work, scored: Scored::default(), reply });
        self.0.has_jobs.notify_one();
        Ok(receiver)
    }

    /// Answers the waiting requests whose deadline has passed. Those of the current round are answered at its end.
    pub(super) fn end_late_jobs(&self) {
        self.0.lock().answer_finished();
    }

    /// Number of requests that are scored or wait.
    pub(super) fn pending(&self) -> usize {
        let state = self.0.lock();
        state.waiting.len() + state.in_round
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for requests and takes those whose pairs fill the next round.
    fn next_round(&self, max_tokens: usize) -> Round {
        let mut state = self.lock();
        loop {
            state.answer_finished();
            let max_tokens = state.round_tokens(max_tokens);
            if let Some(round) = Round::take(&mut state.waiting, max_tokens) {
                state.in_round = round.jobs.len();
                return round;
            }
            state = self.has_jobs.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Answers the finished requests of a round. The others go to the end of the queue, so that each gets its turn.
    fn end_round(&self, jobs: Vec<Job>, tokens: usize, time: Duration) {
        let mut state = self.lock();
        state.in_round = 0;
        state.speed.count(tokens, time);
        state.waiting.extend(jobs);
        state.answer_finished();
    }
}

impl State {
    /// Answers the requests that are scored, and those whose deadline has passed.
    fn answer_finished(&mut self) {
        let (finished, waiting): (Vec<Job>, Vec<Job>) =
            self.waiting.drain(..).partition(|job| job.is_finished());
        self.waiting = waiting.into();
        for job in finished {
            let _ = job.reply.send(Ok(job.scored));
        }
    }

    /// The tokens of the next round: fewer if a request has a deadline.
    fn round_tokens(&self, max_tokens: usize) -> usize {
        let deadlines = self.waiting.iter().filter_map(|job| job.work.deadline);
        let time = deadlines.map(|deadline| deadline.round()).min();
        time.map_or(max_tokens, |time| self.speed.tokens_in(time).min(max_tokens))
    }
}

impl Job {
    fn is_finished(&self) -> bool {
        let is_late = self.work.deadline.is_some_and(|deadline| deadline.remaining().is_zero());
        is_late || self.scored.scores.len() == self.work.pairs.len()
    }

    /// The number of tokens of a pair, estimated by its length.
    fn estimated_tokens(&self, pair: usize) -> usize {
        const BYTES_PER_TOKEN: usize = 4;
        let (query, document) = &self.work.pairs[pair];
        (query.len() + document.len()) / BYTES_PER_TOKEN + 1
    }
}

fn tokens_read(jobs: &[Job]) -> usize {
    jobs.iter().map(|job| job.scored.tokens).sum()
}

/// Some pairs of some requests, which are scored together.
struct Round {
    jobs: Vec<Job>,
    /// Number of pairs of each job, from its first pair without a score.
    counts: Vec<usize>,
}

impl Round {
    /// Takes pairs from requests in turns, one at a time, until they have about `max_tokens` tokens. All of them have the
    /// options of the first request. Returns `None` if no request waits.
    fn take(waiting: &mut VecDeque<Job>, max_tokens: usize) -> Option<Self> {
        waiting.retain(|job| !job.reply.is_closed());
        let first = waiting.front()?;
        let (options, scores) = (first.work.options, first.work.scores);
        let mut counts = vec![0; waiting.len()];
        let mut tokens = 0;
        let mut is_filling = true;
        while is_filling {
            is_filling = false;
            for (job, count) in waiting.iter().zip(&mut counts) {
                let pair = job.scored.scores.len() + *count;
                if tokens < max_tokens
                    && job.work.options == options
                    && job.work.scores == scores
                    && pair < job.work.pairs.len()
                {
                    tokens += job.estimated_tokens(pair);
                    *count += 1;
                    is_filling = true;
                }
            }
        }
        let (taken, left): (Vec<_>, Vec<_>) =
            waiting.drain(..).zip(counts).partition(|(_, count)| *count > 0);
        waiting.extend(left.into_iter().map(|(job, _)| job));
        let (jobs, counts) = taken.into_iter().unzip();
        Some(Self { jobs, counts })
    }

    /// Scores the pairs and returns the jobs. A job whose pair cannot be scored is answered with the error; the others are
    /// scored again in a later round.
    fn score(self, reranker: &Reranker) -> Vec<Job> {
        match catch_unwind(AssertUnwindSafe(|| self.run(reranker))) {
            Ok(Ok(scored)) => self.with_scores(scored),
            Ok(Err(error)) => self.without_failed(&error),
            Err(_) => self.without_failed(&Error::new(ErrorKind::Internal, "the engine panicked")),
        }
    }

    fn run(&self, reranker: &Reranker) -> Result<ScoredPairs> {
        let pairs = self
            .jobs
            .iter()
            .zip(&self.counts)
            .flat_map(|(job, count)| job.work.pairs[job.scored.scores.len()..][..*count].iter());
        let pairs =
            pairs.map(|(query, document)| (query.as_ref().into(), document.as_str().into())).collect();
        let Some(Job { work: Work { options, scores, .. }, .. }) = self.jobs.first() else {
            return Ok(ScoredPairs::default());
        };
        let pairs = Pairs::Each { pairs, options: *options };
        reranker.score_pairs_blocking(pairs, ScoreOptions { scores: *scores, ..ScoreOptions::default() })
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

    /// Answers the job that an error is about; all jobs if it names no pair.
    fn without_failed(self, error: &Error) -> Vec<Job> {
        let failed = error.item().map(|item| item.range.clone());
        let mut first = 0;
        let mut jobs = Vec::new();
        for (job, count) in self.jobs.into_iter().zip(self.counts) {
            let pairs = first..first + count;
            first = pairs.end;
            if failed.as_ref().is_none_or(|failed| failed.start < pairs.end && pairs.start < failed.end) {
                let _ = job.reply.send(Err(error.clone()));
            } else {
                jobs.push(job);
            }
        }
        jobs
    }
}

#[cfg(test)]
mod tests {
    use ranklet::RankOptions;

    use super::*;

    fn job(pairs: usize, bytes: usize) -> (Job, oneshot::Receiver<Result<Scored>>) {
        let (reply, receiver) = oneshot::channel();
        let options = RankOptions::default().into();
        let pairs = vec![(Arc::from(""), "x".repeat(bytes)); pairs];
        (
            Job {
                work: Work { pairs, options, scores: Scores::Raw, deadline: None },
                scored: Scored::default(),
                reply,
            },
            receiver,
        )
    }

    #[test]
    fn pairs_are_taken_in_turns_and_only_served_requests_leave_the_queue() {
        // 100 tokens per pair.
        let (long, _long) = job(1000, 396);
        let (short, _short) = job(2, 396);
        let (last, _last) = job(5, 396);
        let mut waiting = VecDeque::from([long, short, last]);
        let round = Round::take(&mut waiting, 800).expect("has jobs");
        assert_eq!(round.counts, [3, 2, 3]);
        assert!(waiting.is_empty());
        let mut waiting = VecDeque::from(round.jobs);
        let round = Round::take(&mut waiting, 200).expect("has jobs");
        assert_eq!((round.counts, waiting.len()), (vec![1, 1], 1));
    }

    #[test]
    fn requests_whose_client_has_gone_are_dropped() {
        let (gone, receiver) = job(3, 4);
        drop(receiver);
        let (waits, _receiver) = job(1, 4);
        let mut waiting = VecDeque::from([gone, waits]);
        assert_eq!(Round::take(&mut waiting, 100).expect("has a job").counts, [1]);
        assert!(Round::take(&mut waiting, 100).is_none());
    }

    #[test]
    fn an_error_ends_the_request_that_it_is_about() {
        let (first, mut first_receiver) = job(2, 4);
        let (second, mut second_receiver) = job(2, 4);
        let round = Round { jobs: vec![first, second], counts: vec![2, 2] };
        let left = round.without_failed(&Error::new(ErrorKind::Input, "wrong"));
        assert!(left.is_empty());
        assert!(first_receiver.try_recv().expect("is answered").is_err());
        assert!(second_receiver.try_recv().expect("is answered").is_err());
    }
}
