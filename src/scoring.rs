//! A call under way: pairs scored micro-batch by micro-batch, so that a caller can show progress, stop, or let
//! another call have its turn.

use std::borrow::Cow;
use std::sync::Arc;

use crate::collection::Collection;
use crate::error::{Error, Result};
use crate::options::Scores;
use crate::reranker::Reranker;
use crate::text::{Batch, Text};

/// The pairs of a call.
#[derive(Debug, Clone)]
pub enum Pairs<'a> {
    /// One query with many documents.
    OneQuery {
        /// The query.
        query: Cow<'a, str>,
        /// The documents.
        documents: Vec<Cow<'a, str>>,
        /// Cut every document to so many tokens first.
        max_tokens_per_document: Option<usize>,
    },
    /// Pairs of query and document.
    Each(Vec<(Cow<'a, str>, Cow<'a, str>)>),
    /// One query with documents tokenised before.
    Prepared {
        /// The query.
        query: Cow<'a, str>,
        /// The documents.
        collection: Arc<Collection>,
        /// The places in the collection of those to score, in the order of the scores; `None`: all, in order.
        candidates: Option<Vec<u32>>,
    },
}

/// A call under way. Texts are tokenised when their turn comes.
#[derive(Debug)]
pub struct Scoring<'a> {
    pairs: Pairs<'a>,
    scores: Scores,
    next: usize,
    tokens: usize,
}

impl<'a> Scoring<'a> {
    /// Begins a call; nothing is computed yet.
    pub fn new(pairs: Pairs<'a>, scores: Scores) -> Self {
        Self { pairs, scores, next: 0, tokens: 0 }
    }

    /// Number of pairs in all.
    pub fn len(&self) -> usize {
        match &self.pairs {
            Pairs::OneQuery { documents, .. } => documents.len(),
            Pairs::Each(pairs) => pairs.len(),
            Pairs::Prepared { collection, candidates, .. } => {
                candidates.as_ref().map_or(collection.len(), Vec::len)
            }
        }
    }

    /// Whether there are no pairs at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Pairs scored so far.
    pub fn done(&self) -> usize {
        self.next
    }

    /// Tokens scored so far, special ones included.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Scores the next micro-batch: `[pairs of the batch, num_labels]`, row-major; `None` when all are done.
    ///
    /// # Errors
    /// As [`Reranker::score`]. The pairs of a failed step stay unscored; the reranker can be used on.
    pub async fn step(&mut self, reranker: &Reranker) -> Result<Option<Vec<f32>>> {
        if self.next == self.len() {
            return Ok(None);
        }
        let batch = self.next_batch(reranker)?;
        let scores =
            reranker.score_batch(&batch, self.scores).await.map_err(|error| error.at(self.place(&batch)))?;
        self.next += batch.pairs();
        self.tokens += batch.tokens();
        Ok(Some(scores))
    }

    fn place(&self, batch: &Batch) -> String {
        format!("pairs {} to {}", self.next, self.next + batch.pairs() - 1)
    }

    /// Pairs from `next` on, in order, until the engine's token budget is full. A query that stands in several pairs
    /// in a row is tokenised once.
    fn next_batch(&self, reranker: &Reranker) -> Result<Batch> {
        let mut batch = Batch::default();
        let mut last: Option<(&str, Text)> = None;
        for index in self.next..self.len() {
            let query = self.query(index);
            let at = |error: Error| error.at(format!("{} {index}", self.unit()));
            let encoded = match last.take() {
                Some((text, encoded)) if text == query => encoded,
                _ => reranker.encode_query(query).map_err(at)?,
            };
            self.push(reranker, &mut batch, &encoded, index).map_err(at)?;
            if batch.tokens() >= reranker.batch_tokens() {
                break;
            }
            last = Some((query, encoded));
        }
        Ok(batch)
    }

    fn query(&self, index: usize) -> &str {
        match &self.pairs {
            Pairs::OneQuery { query, .. } | Pairs::Prepared { query, .. } => query,
            Pairs::Each(pairs) => &pairs[index].0,
        }
    }

    /// Adds the pair of `query` and the document at `index` to a batch.
    fn push(&self, reranker: &Reranker, batch: &mut Batch, query: &Text, index: usize) -> Result<()> {
        match &self.pairs {
            Pairs::OneQuery { documents, max_tokens_per_document, .. } => {
                reranker.push(batch, query, &reranker.encode(&documents[index], *max_tokens_per_document)?)
            }
            Pairs::Each(pairs) => reranker.push(batch, query, &reranker.encode(&pairs[index].1, None)?),
            Pairs::Prepared { collection, candidates, .. } => {
                let place = candidates.as_ref().map_or(index, |places| places[index] as usize);
                reranker.push(batch, query, collection.document(reranker, place)?)
            }
        }
    }

    /// What a caller counts.
    fn unit(&self) -> &'static str {
        match &self.pairs {
            Pairs::OneQuery { .. } | Pairs::Prepared { .. } => "document",
            Pairs::Each(_) => "pair",
        }
    }
}
