//! Scores pairs to the end, with the cache of scores if the reranker has one.

use std::collections::HashMap;
use std::task::Poll;
use std::time::Duration;

use super::deadline::Deadline;
use super::{Pairs, PartialScores, Reranker, ScoringRun};
use crate::error::{Error, Result};
use crate::model::apply_score_function;
use crate::options::{DocumentOptions, LongDocuments, Scores};
use crate::score_cache::{Claim, Key, PairScore, ScoreCache, TextKey, Ticket, Waiter};
use crate::text::Span;

/// Options of scoring pairs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ScoreOptions<'a> {
    /// The kind of scores.
    pub scores: Scores,
    /// The instruction, for a model whose prompt contains one; `None` for the default of the model's files.
    pub instruction: Option<&'a str>,
    /// The time after which no further micro-batch begins; `None` for no limit.
    pub deadline: Option<Duration>,
    /// Maximum tokens of a micro-batch; `None` for those that the engine prefers. See
    /// [`ScoringRun::set_max_batch_tokens`].
    pub max_batch_tokens: Option<usize>,
}

/// The scores of a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredPair {
    /// `[num_labels]`.
    pub scores: Box<[f32]>,
    /// The position of the document's best chunk; `None` if documents are not chunked.
    pub span: Option<Span>,
    /// Number of tokens that the model has read for it: 0 for a score from the cache.
    pub tokens: usize,
    /// Whether the scores come from the cache, from another call, or from an equal pair of this call.
    pub is_cached: bool,
}

/// The scores of pairs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScoredPairs {
    /// `[pairs]`, in input order; `None` for a pair that was not scored before the deadline.
    pub pairs: Vec<Option<ScoredPair>>,
}

impl ScoredPairs {
    /// Number of tokens that the model has read.
    pub fn tokens(&self) -> usize {
        self.pairs.iter().flatten().map(|pair| pair.tokens).sum()
    }

    /// Number of pairs that were not scored by this call; see [`ScoredPair::is_cached`].
    pub fn cache_hits(&self) -> usize {
        self.pairs.iter().flatten().filter(|pair| pair.is_cached).count()
    }
}

/// A call that scores pairs until a deadline.
struct CachedCall<'a> {
    pairs: &'a Pairs<'a>,
    options: ScoreOptions<'a>,
    deadline: Option<Deadline>,
}

impl Reranker {
    /// Scores pairs. If the reranker has a cache of scores, pairs that it knows are not scored again, and calls at the same
    /// time share the pairs that they have in common. A document of a [`Collection`](crate::Collection) is known by its text too.
    ///
    /// Natively the future is pending between micro-batches and wakes at once. Dropping it ends the call: the cache keeps
    /// the scores so far, and other calls take over the pairs that they share.
    ///
    /// # Errors
    /// As [`ScoringRun::step`].
    pub async fn score_pairs(&self, pairs: Pairs<'_>, options: ScoreOptions<'_>) -> Result<ScoredPairs> {
        let len = pairs.len();
        if let Some(cache) = self.session.cache.as_ref().filter(|_| len > 0)
            && let Some(documents) = pairs.document_keys(&self.session, cache.keys())
        {
            let call = CachedCall { pairs: &pairs, options, deadline: options.deadline.map(Deadline::after) };
            return CachedScoring::new(self, cache, &call, documents)?.run().await;
        }
        let scored = self.score_without_cache(pairs, options).await?;
        let mut pairs: Vec<Option<ScoredPair>> = self.split(scored).map(Some).collect();
        pairs.resize(len, None);
        Ok(ScoredPairs { pairs })
    }

    /// Returns the scores of all pairs, or of those before the deadline.
    pub(super) async fn score_without_cache(
        &self,
        pairs: Pairs<'_>,
        options: ScoreOptions<'_>,
    ) -> Result<PartialScores> {
        let mut run = options.run(pairs, options.scores, options.deadline.map(Deadline::after));
        let mut all = PartialScores::default();
        while let Some(part) = run.step(self).await? {
            all.append(part);
            yield_after_step(&run).await;
        }
        Ok(all)
    }

    /// Returns the scores of each pair.
    fn split(&self, scores: PartialScores) -> impl Iterator<Item = ScoredPair> {
        let PartialScores { scores, spans, tokens, .. } = scores;
        let num_labels = self.session.head.num_labels();
        tokens.into_iter().enumerate().map(move |(index, tokens)| ScoredPair {
            scores: scores[index * num_labels..][..num_labels].into(),
            span: spans.as_ref().map(|spans| spans[index]),
            tokens,
            is_cached: false,
        })
    }
}

impl<'a> ScoreOptions<'a> {
    fn run(self, pairs: Pairs<'a>, scores: Scores, deadline: Option<Deadline>) -> ScoringRun<'a> {
        let mut run = ScoringRun::new(pairs, scores).instruction(self.instruction).until(deadline);
        run.set_max_batch_tokens(self.max_batch_tokens.unwrap_or(usize::MAX));
        run
    }
}

/// Scores pairs that the cache does not have.
struct CachedScoring<'a> {
    reranker: &'a Reranker,
    cache: &'a ScoreCache,
    call: &'a CachedCall<'a>,
    /// The kind of the cached scores: logits, except for documents in chunks. For these it is the kind of the call,
    /// because it decides which chunk is best.
    cached_kind: Scores,
    /// The keys of the documents' texts, by pair.
    texts: Vec<TextKey>,
    documents: DocumentOptions,
    pairs: Vec<Option<ScoredPair>>,
}

/// The pairs without a score, by what to do about them. Each has the index of the pair.
#[derive(Default)]
struct Claims {
    /// To score; without a ticket if another call scores the pair too.
    mine: Vec<(usize, Option<Ticket>)>,
    /// To wait for.
    others: Vec<(usize, Waiter)>,
    /// Equal to an earlier pair in `mine`.
    repeated: Vec<(usize, usize)>,
}

/// The pairs must be scored from the start, because another engine has taken over.
struct Restart;

impl<'a> CachedScoring<'a> {
    fn new(
        reranker: &'a Reranker,
        cache: &'a ScoreCache,
        call: &'a CachedCall<'a>,
        (texts, documents): (Vec<TextKey>, DocumentOptions),
    ) -> Result<Self> {
        reranker.session.check_instruction(call.options.instruction, false)?;
        reranker.session.activation.of(call.options.scores)?;
        let cached_kind = match documents.long_documents {
            LongDocuments::Truncate => Scores::Raw,
            LongDocuments::Chunk => call.options.scores,
        };
        Ok(Self { reranker, cache, call, cached_kind, texts, documents, pairs: Vec::new() })
    }

    async fn run(mut self) -> Result<ScoredPairs> {
        loop {
            let has_fallen_back = self.reranker.session.has_fallen_back();
            self.pairs = vec![None; self.call.pairs.len()];
            let outcome = self.run_on_one_engine(has_fallen_back).await?;
            if outcome.is_ok() && self.reranker.session.has_fallen_back() == has_fallen_back {
                return Ok(ScoredPairs { pairs: self.pairs });
            }
        }
    }

    /// Scores all pairs, or those before the deadline.
    async fn run_on_one_engine(&mut self, has_fallen_back: bool) -> Result<Result<(), Restart>> {
        let keys = self.keys(has_fallen_back);
        loop {
            let Claims { mine, others, repeated } = self.claim(&keys)?;
            if self.score(mine, &keys).await?.is_err() {
                return Ok(Err(Restart));
            }
            for (index, earlier) in repeated {
                let pair = self.pairs[earlier].clone();
                self.pairs[index] = pair.map(|pair| ScoredPair { tokens: 0, is_cached: true, ..pair });
            }
            for (index, waiter) in others {
                if let Some(score) = waiter.await {
                    self.set_cached(index, score)?;
                }
            }
            let has_ended = self.call.deadline.is_some_and(|deadline| deadline.has_passed());
            if has_ended || self.pairs.iter().all(Option::is_some) {
                return Ok(Ok(()));
            }
        }
    }

    fn keys(&self, has_fallen_back: bool) -> Vec<Key> {
        let CachedCall { pairs, options, .. } = self.call;
        let options = (self.documents, self.cached_kind, options.instruction, has_fallen_back);
        let key =
            |(index, text): (usize, &TextKey)| self.cache.keys().pair(&options, pairs.query(index), *text);
        self.texts.iter().enumerate().map(key).collect()
    }

    /// Takes the scores that the cache has, and claims the other pairs.
    fn claim(&mut self, keys: &[Key]) -> Result<Claims> {
        let mut claims = Claims::default();
        let mut first_of: HashMap<Key, usize> = HashMap::new();
        for (index, key) in keys.iter().enumerate() {
            if self.pairs[index].is_some() {
                continue;
            }
            if let Some(&earlier) = first_of.get(key) {
                claims.repeated.push((index, earlier));
                continue;
            }
            match self.cache.claim(*key) {
                Claim::Cached(score) => {
                    self.set_cached(index, score)?;
                    continue;
                }
                Claim::Mine(ticket) => claims.mine.push((index, Some(ticket))),
                // Another call may end after the deadline of this one.
                Claim::Other(_) if self.call.deadline.is_some() => claims.mine.push((index, None)),
                Claim::Other(waiter) => {
                    claims.others.push((index, waiter));
                    continue;
                }
            }
            first_of.insert(*key, index);
        }
        Ok(claims)
    }

    /// Scores claimed pairs until the deadline. The tickets of the other pairs are dropped.
    async fn score(
        &mut self,
        mine: Vec<(usize, Option<Ticket>)>,
        keys: &[Key],
    ) -> Result<Result<(), Restart>> {
        let (indices, tickets): (Vec<usize>, Vec<Option<Ticket>>) = mine.into_iter().unzip();
        let CachedCall { pairs, options, deadline } = self.call;
        let mut run = options.run(pairs.subset(&indices), self.cached_kind, *deadline);
        let mut claimed = indices.iter().copied().zip(tickets);
        loop {
            let step = run.step(self.reranker).await;
            let Some(part) = step.map_err(|error| in_caller_order(error, &indices))? else {
                return Ok(Ok(()));
            };
            if part.restarted {
                return Ok(Err(Restart));
            }
            for (pair, (index, ticket)) in self.reranker.split(part).zip(claimed.by_ref()) {
                let score = PairScore { values: pair.scores.clone(), span: pair.span };
                match ticket {
                    Some(ticket) => ticket.fulfill(score),
                    None => self.cache.insert(keys[index], score),
                }
                self.pairs[index] = Some(self.with_function(pair)?);
            }
            yield_after_step(&run).await;
        }
    }

    fn set_cached(&mut self, index: usize, score: PairScore) -> Result<()> {
        let pair = ScoredPair { scores: score.values, span: score.span, tokens: 0, is_cached: true };
        self.pairs[index] = Some(self.with_function(pair)?);
        Ok(())
    }

    /// Turns what the cache has into the scores of this call.
    fn with_function(&self, mut pair: ScoredPair) -> Result<ScoredPair> {
        if self.cached_kind != self.call.options.scores {
            let function = self.reranker.session.activation.of(self.call.options.scores)?;
            apply_score_function(function, &mut pair.scores);
        }
        Ok(pair)
    }
}

/// Is pending once, so that the owner of a future can drop it between two micro-batches. It is ready after the last one, whose
/// scores must not be lost, and in WebAssembly: there, JavaScript owns the loop over micro-batches, and the bindings poll
/// the future of a CPU engine only once.
fn yield_after_step(run: &ScoringRun<'_>) -> impl Future<Output = ()> + use<> {
    let mut is_ready = cfg!(target_arch = "wasm32") || run.done() == run.len();
    std::future::poll_fn(move |context| {
        if std::mem::replace(&mut is_ready, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
}

/// Returns an error about some of the pairs at `indices` as one about the caller's pairs.
fn in_caller_order(error: Error, indices: &[usize]) -> Error {
    let Some(item) = error.item().cloned() else { return error };
    let first = indices.get(item.range.start).copied().unwrap_or(item.range.start);
    let last = indices.get(item.range.end.saturating_sub(1)).copied().unwrap_or(first);
    error.about(crate::error::ErrorItem { range: first..last + 1, ..item })
}
