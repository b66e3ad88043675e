//! Scoring with and without progress.

use ranklet::{PartialScores, Reranker, Result, Scores, ScoringRun};

use crate::terminal::Progress;

/// Runs all steps of a run and shows progress.
pub(crate) fn score_with_progress(reranker: &Reranker, scoring: &mut ScoringRun) -> Result<PartialScores> {
    let mut progress = Progress::new(scoring.len());
    let mut all = PartialScores::default();
    while let Some(part) = pollster::block_on(scoring.step(reranker))? {
        all.append(part);
        progress.show(scoring.done());
    }
    Ok(all)
}

/// Returns the raw scores of documents for one query, without showing progress.
pub(crate) fn raw_scores(reranker: &Reranker, query: &str, documents: &[&str]) -> Result<Vec<f32>> {
    let pairs: Vec<(&str, &str)> = documents.iter().map(|document| (query, *document)).collect();
    reranker.score_blocking(&pairs, Scores::Raw)
}
