//! Reranking: scores documents and chooses results.

use std::time::Duration;

use super::scored_pairs::ScoreOptions;
use super::{Deadline, Pairs, PartialScores, Reranker};
use crate::error::Result;
use crate::explain::{Highlight, Highlights};
use crate::options::RankOptions;
use crate::ranking::{Fuse, Ranked, Selection};

/// Options of reranking.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RerankOptions<'a> {
    /// How documents are scored, and the maximum number of results.
    pub rank: RankOptions<'a>,
    /// Minimum score of a result; see [`Selection::min_score`].
    pub min_score: Option<f64>,
    /// The time after which the call ends with the ranking of the documents scored so far. It is checked between
    /// micro-batches, which are small enough to end soon after it. `None` for no limit.
    pub deadline: Option<Duration>,
    /// A first stage whose order is fused with the model's.
    pub fuse: Option<Fuse<'a>>,
    /// Number of best sentences to find in each result; 0 for none.
    pub highlights: usize,
}

impl<'a> From<RankOptions<'a>> for RerankOptions<'a> {
    fn from(rank: RankOptions<'a>) -> Self {
        Self { rank, ..Self::default() }
    }
}

/// The outcome of reranking.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reranking {
    /// The results, best first.
    pub results: Vec<Ranked>,
    /// `[results]`, the best sentences of each, best first, in bytes; empty if the options want none.
    pub highlights: Vec<Vec<Highlight>>,
    /// Indices, in input order, of the documents that were not scored before the deadline.
    pub unscored: Vec<usize>,
    /// Number of tokens that the model has read.
    pub tokens: usize,
    /// Number of documents whose scores were not computed by this call; see
    /// [`ScoredPair::is_cached`](crate::ScoredPair::is_cached).
    pub cache_hits: usize,
}

impl Reranker {
    /// Scores documents for a query and chooses results, best first. Equal scores keep input order. Documents are scored
    /// in input order.
    ///
    /// # Errors
    /// As [`rank`](Self::rank); `input` for options that [`Selection::check`] refuses.
    pub async fn rerank<D: AsRef<str>>(
        &self,
        query: &str,
        documents: &[D],
        options: RerankOptions<'_>,
    ) -> Result<Reranking> {
        let RerankOptions { rank, min_score, deadline, fuse, highlights } = options;
        let until = deadline.map(Deadline::after);
        self.check_rankable()?;
        let selection = Selection { top_n: rank.top_n, min_score, fuse };
        selection.check(documents.len())?;
        let pairs = Pairs::OneQuery {
            query: query.into(),
            documents: documents.iter().map(|document| document.as_ref().into()).collect(),
            options: rank.into(),
        };
        let options = ScoreOptions {
            scores: rank.scores,
            instruction: rank.instruction,
            deadline,
            ..ScoreOptions::default()
        };
        let scored = self.score_pairs(pairs, options).await?;
        let scores: Vec<Option<f32>> =
            scored.pairs.iter().map(|pair| Some(*pair.as_ref()?.scores.first()?)).collect();
        let with_span = |ranked: Ranked| Ranked {
            span: scored.pairs[ranked.index].as_ref().and_then(|pair| pair.span),
            ..ranked
        };
        let is_unscored = |index: &usize| scored.pairs[*index].is_none();
        let results: Vec<Ranked> = selection.rank(&scores)?.into_iter().map(with_span).collect();
        let highlights = if highlights == 0 {
            Highlights::default()
        } else {
            let deadline = until.as_ref().map(Deadline::remaining);
            let text = |result: &Ranked| (documents[result.index].as_ref(), scores[result.index]);
            let texts: Vec<_> = results.iter().map(text).collect();
            let options = ScoreOptions { deadline, ..options };
            self.highlights_of_scored(query, &texts, highlights, rank.into(), options).await?
        };
        Ok(Reranking {
            results,
            highlights: highlights.documents,
            unscored: (0..documents.len()).filter(is_unscored).collect(),
            tokens: scored.tokens() + highlights.tokens,
            cache_hits: scored.cache_hits(),
        })
    }
}

/// Sorts the pairs of a model with one label by falling score and returns the first `top_n`, or all. Equal scores keep
/// their order.
pub fn best_first(scored: &PartialScores, top_n: Option<usize>) -> Vec<Ranked> {
    let scores: Vec<Option<f32>> = scored.scores.iter().copied().map(Some).collect();
    let ranked = Selection { top_n, ..Selection::default() }.ranked(&scores);
    let with_span = |ranked: Ranked| Ranked { span: scored.span(ranked.index), ..ranked };
    ranked.into_iter().map(with_span).collect()
}
