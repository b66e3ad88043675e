//! Scores requests in turns: one thread fills micro-batches with pairs of several requests.

mod job;
mod long_pair;
mod round;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ranklet::{Reranker, Result, ScoringSpeed};
use tokio::sync::oneshot;

use job::{Job, RoundLimits};
use round::Round;

pub(super) use job::{Scored, Work};

/// Hands requests to the thread that scores them.
#[derive(Debug, Clone)]
pub(super) struct Scheduler(Arc<Queue>);

#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    has_jobs: Condvar,
    max_jobs: usize,
    limits: RoundLimits,
}

#[derive(Debug, Default)]
struct State {
    /// Requests that wait for their turn, the next one first.
    waiting: VecDeque<Job>,
    /// Number of requests in the current round.
    in_round: usize,
    /// Whether the last round was one for a long pair.
    was_long: bool,
    /// The speed of the rounds so far.
    speed: ScoringSpeed,
}

/// The error for more requests than the queue takes.
#[derive(Debug)]
pub(super) struct QueueFull;

impl Scheduler {
    /// Starts the thread. It scores about `max_batch_tokens` tokens before other requests take their turn.
    pub(super) fn start(reranker: Arc<Reranker>, max_batch_tokens: usize, max_jobs: usize) -> Self {
        let queue = Arc::new(Queue {
            state: Mutex::default(),
            has_jobs: Condvar::new(),
            max_jobs,
            limits: RoundLimits {
                batch_tokens: max_batch_tokens,
                max_length: reranker.info().max_length,
            },
        });
        let served = Arc::clone(&queue);
        thread::spawn(move || {
            loop {
                let round = served.next_round();
                let (earlier_tokens, started) = (tokens_read(&round.jobs), Instant::now());
                let is_long = round.is_long;
                let jobs = round.score(&reranker, served.limits);
                // The tokens of a long pair are known after its last round, so it has no part in the speed.
                let tokens = if is_long { 0 } else { tokens_read(&jobs).saturating_sub(earlier_tokens) };
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
        state.waiting.push_back(Job { work, scored: Scored::default(), long_pair: None, reply });
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
    fn next_round(&self) -> Round {
        let mut state = self.lock();
        loop {
            state.answer_finished();
            let max_tokens = state.round_tokens(self.limits.batch_tokens);
            let was_long = state.was_long;
            if let Some(round) = Round::take(&mut state.waiting, max_tokens, self.limits, was_long) {
                state.in_round = round.jobs.len();
                state.was_long = round.is_long;
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
        deadlines.map(|deadline| deadline.batch_tokens(self.speed)).fold(max_tokens, usize::min)
    }
}

fn tokens_read(jobs: &[Job]) -> usize {
    jobs.iter().map(|job| job.scored.tokens).sum()
}
