//! Rankings: documents by falling score.

use serde::Serialize;

use super::PartialScores;
use crate::text::Span;

/// One document of a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ranked {
    /// Index of the document in the input.
    pub index: usize,
    /// Its score.
    pub score: f32,
    /// With [`LongDocuments::Chunk`](crate::LongDocuments::Chunk): where the chunk with this score is in the document,
    /// in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

/// Sorts the pairs of a model with one label by falling score and returns the first `top_n`, or all. Equal scores keep
/// their order.
pub fn best_first(scored: &PartialScores, top_n: Option<usize>) -> Vec<Ranked> {
    let span = |index: usize| scored.spans.as_ref().and_then(|spans| spans.get(index).copied());
    let all = scored.scores.iter().enumerate();
    let mut ranked: Vec<Ranked> =
        all.map(|(index, &score)| Ranked { index, score, span: span(index) }).collect();
    ranked.sort_by(|a, b| b.score.total_cmp(&a.score));
    ranked.truncate(top_n.unwrap_or(usize::MAX));
    ranked
}
