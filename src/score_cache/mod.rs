//! Scores of pairs that were scored before, and of pairs that another call is scoring.

mod key;
mod lru;

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::text::Span;
use lru::Lru;

pub(crate) use key::KeyMaker;

/// A hash of a pair and of all options that change its score.
pub(crate) type Key = u128;

/// A hash of a document's text.
pub(crate) type TextKey = u128;

/// The cached score of a pair.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct PairScore {
    /// `[num_labels]`: the logits; for a document in chunks, the scores of the best chunk as its call computed them.
    pub(crate) values: Box<[f32]>,
    /// The position of the best chunk.
    pub(crate) span: Option<Span>,
}

/// The content of a reranker's cache of scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScoreCacheUsage {
    /// Number of pairs.
    pub pairs: usize,
    /// Their memory in bytes.
    pub bytes: usize,
}

/// The scores of one reranker's pairs: those of the least recently used pairs are removed when they have too many bytes.
#[derive(Debug)]
pub(crate) struct ScoreCache {
    keys: KeyMaker,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    scores: Lru,
    /// The pairs that calls are scoring.
    in_flight: HashMap<Key, Arc<Mutex<Flight>>>,
}

/// A pair that a call is scoring.
#[derive(Debug, Default)]
struct Flight {
    /// The score; `None` inside if the call ended without it.
    outcome: Option<Option<PairScore>>,
    waiting: Vec<Waker>,
}

/// The way in which a call gets the score of a pair.
#[derive(Debug)]
pub(crate) enum Claim {
    /// It takes the score.
    Cached(PairScore),
    /// It scores the pair.
    Mine(Ticket),
    /// It waits for another call.
    Other(Waiter),
}

/// The duty to score a pair. Dropping it leaves the pair to the calls that wait.
#[derive(Debug)]
pub(crate) struct Ticket {
    key: Key,
    flight: Arc<Mutex<Flight>>,
    state: Arc<Mutex<State>>,
}

/// Waits for the score of a pair; `None` if the call that was scoring it ended without it.
#[derive(Debug)]
pub(crate) struct Waiter(Arc<Mutex<Flight>>);

impl ScoreCache {
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn new(max_bytes: usize) -> Self {
        let state = State { scores: Lru::new(max_bytes), in_flight: HashMap::new() };
        Self { keys: KeyMaker::default(), state: Arc::new(Mutex::new(state)) }
    }

    /// The keys of pairs.
    pub(crate) fn keys(&self) -> &KeyMaker {
        &self.keys
    }

    pub(crate) fn usage(&self) -> ScoreCacheUsage {
        let state = lock(&self.state);
        ScoreCacheUsage { pairs: state.scores.len(), bytes: state.scores.bytes() }
    }

    /// Finds or claims the score of a pair.
    pub(crate) fn claim(&self, key: Key) -> Claim {
        let mut state = lock(&self.state);
        if let Some(score) = state.scores.get(key) {
            return Claim::Cached(score);
        }
        if let Some(flight) = state.in_flight.get(&key) {
            return Claim::Other(Waiter(Arc::clone(flight)));
        }
        let flight = Arc::<Mutex<Flight>>::default();
        state.in_flight.insert(key, Arc::clone(&flight));
        Claim::Mine(Ticket { key, flight, state: Arc::clone(&self.state) })
    }

    /// Adds a score.
    pub(crate) fn insert(&self, key: Key, score: PairScore) {
        lock(&self.state).scores.insert(key, score);
    }
}

impl Ticket {
    /// Hands the score to the cache and to the calls that wait for it.
    pub(crate) fn fulfill(self, score: PairScore) {
        lock(&self.state).scores.insert(self.key, score.clone());
        self.end(Some(score));
    }

    fn end(&self, outcome: Option<PairScore>) {
        let mut flight = lock(&self.flight);
        if flight.outcome.is_some() {
            return;
        }
        flight.outcome = Some(outcome);
        let waiting = std::mem::take(&mut flight.waiting);
        drop(flight);
        lock(&self.state).in_flight.remove(&self.key);
        waiting.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.end(None);
    }
}

impl Future for Waiter {
    type Output = Option<PairScore>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut flight = lock(&self.0);
        match &flight.outcome {
            Some(outcome) => Poll::Ready(outcome.clone()),
            None => {
                if !flight.waiting.iter().any(|waker| waker.will_wake(context.waker())) {
                    flight.waiting.push(context.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn score(logit: f32) -> PairScore {
        PairScore { values: vec![logit].into(), span: None }
    }

    fn poll(waiter: Pin<&mut Waiter>) -> Poll<Option<PairScore>> {
        waiter.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_pair_in_flight_is_shared_and_then_cached() {
        let cache = ScoreCache::new(10_000);
        let Claim::Mine(ticket) = cache.claim(1) else { panic!("no call scores it") };
        let Claim::Other(waiter) = cache.claim(1) else { panic!("a call scores it") };
        let mut waiter = pin!(waiter);
        assert_eq!(poll(waiter.as_mut()), Poll::Pending);
        ticket.fulfill(score(2.5));
        assert_eq!(poll(waiter), Poll::Ready(Some(score(2.5))));
        assert!(matches!(cache.claim(1), Claim::Cached(found) if found == score(2.5)));
        assert_eq!(cache.usage().pairs, 1);
        assert!(lock(&cache.state).in_flight.is_empty());
    }

    #[test]
    fn a_call_that_ends_leaves_its_pairs_to_the_others() {
        let cache = ScoreCache::new(10_000);
        let Claim::Mine(ticket) = cache.claim(1) else { panic!("no call scores it") };
        let Claim::Other(waiter) = cache.claim(1) else { panic!("a call scores it") };
        drop(ticket);
        assert_eq!(poll(pin!(waiter)), Poll::Ready(None));
        assert!(matches!(cache.claim(1), Claim::Mine(_)));
    }

    #[test]
    fn a_call_gets_a_score_that_the_cache_has_no_space_for() {
        let cache = ScoreCache::new(0);
        let Claim::Mine(ticket) = cache.claim(1) else { panic!("no call scores it") };
        let Claim::Other(waiter) = cache.claim(1) else { panic!("a call scores it") };
        ticket.fulfill(score(1.0));
        assert_eq!(poll(pin!(waiter)), Poll::Ready(Some(score(1.0))));
        assert!(matches!(cache.claim(1), Claim::Mine(_)));
    }
}
