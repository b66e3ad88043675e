//! Scores requests in turns: one thread fills micro-batches with pairs of several requests.

mod job;
mod long_pair;
mod round;

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ranklet::{Reranker, Result, ScoringSpeed};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use job::{Job, RoundLimits};
use round::Round;

pub(super) use job::{Scored, Work};

/// Hands requests to the thread that scores them.
#[derive(Debug, Clone)]
pub(super) struct Scheduler {
    queue: Arc<Queue>,
    /// A permit for each request that may be under way.
    permits: Arc<Semaphore>,
    max_requests: usize,
}

#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    has_jobs: Condvar,
    limits: RoundLimits,
}

#[derive(Debug, Default)]
struct State {
    /// Requests that wait for their turn, the next one first.
    waiting: VecDeque<Job>,
    /// True if the last round scored a part of a long pair.
    was_long: bool,
    /// The speed of the rounds so far.
    speed: ScoringSpeed,
}

/// The right of a request to have its pairs scored. It may submit several times, one after the other.
#[derive(Debug)]
pub(super) struct Admission {
    queue: Arc<Queue>,
    _permit: OwnedSemaphorePermit,
}

/// The error for more requests than allowed.
#[derive(Debug)]
pub(super) struct QueueFull;

impl Scheduler {
    /// Starts the thread. It scores about `max_batch_tokens` tokens before other requests take their turn.
    pub(super) fn start(reranker: Arc<Reranker>, max_batch_tokens: usize, max_requests: usize) -> Self {
        let max_requests = max_requests.min(Semaphore::MAX_PERMITS);
        let queue = Arc::new(Queue {
            state: Mutex::default(),
            has_jobs: Condvar::new(),
            limits: RoundLimits { batch_tokens: max_batch_tokens, max_length: reranker.info().max_length },
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
        Self { queue, permits: Arc::new(Semaphore::new(max_requests)), max_requests }
    }

    /// Admits a request, until the admission is dropped.
    ///
    /// # Errors
    /// [`QueueFull`] if as many requests as allowed are under way.
    pub(super) fn admit(&self) -> Result<Admission, QueueFull> {
        let permit = Arc::clone(&self.permits).try_acquire_owned().map_err(|_| QueueFull)?;
        Ok(Admission { queue: Arc::clone(&self.queue), _permit: permit })
    }

    /// Number of requests under way.
    pub(super) fn pending(&self) -> usize {
        self.max_requests - self.permits.available_permits()
    }
}

impl Admission {
    /// Adds pairs of the request to the queue. The receiver gets their scores; dropping it ends the work.
    pub(super) fn submit(&self, work: Work) -> oneshot::Receiver<Result<Scored>> {
        let (reply, receiver) = oneshot::channel();
        if work.pairs.is_empty() {
            let _ = reply.send(Ok(Scored::default()));
            return receiver;
        }
        let mut state = self.queue.lock();
        state.waiting.retain(|job| !job.reply.is_closed());
        state.waiting.push_back(Job { work, scored: Scored::default(), long_pair: None, reply });
        self.queue.has_jobs.notify_one();
        receiver
    }

    /// Answers the waiting requests whose deadline has passed. Those of the current round are answered at its end.
    pub(super) fn end_late_jobs(&self) {
        self.queue.lock().answer_finished();
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
                state.was_long = round.is_long;
                return round;
            }
            state = self.has_jobs.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Answers the finished requests of a round. The others go to the end of the queue, so that each gets its turn.
    fn end_round(&self, jobs: Vec<Job>, tokens: usize, time: Duration) {
        let mut state = self.lock();
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

    /// The tokens of the next round: fewer if a request has a deadline. The micro-batches of a long pair keep their size.
    fn round_tokens(&self, max_tokens: usize) -> usize {
        let deadlines = self.waiting.iter().filter_map(|job| job.work.deadline);
        deadlines.map(|deadline| deadline.batch_tokens(self.speed)).fold(max_tokens, usize::min)
    }
}

fn tokens_read(jobs: &[Job]) -> usize {
    jobs.iter().map(|job| job.scored.tokens).sum()
}
