//! Scoring with and without progress.

use ranklet::{Pairs, PartialScores, Reranker, Result, Scores, ScoringRun};

use crate::terminal::Progress;

/// Runs all steps of a run and shows progress.
pub(crate) fn score_with_progress(reranker: &Reranker, scoring: &mut ScoringRun) -> Result<PartialScores> {
    let mut progress = Progress::new(scoring.len(), "documents");
    let mut all = PartialScores::default();
    while let Some(part) = pollster::block_on(scoring.step(reranker))? {
        all.append(part);
        progress.show(scoring.done());
    }
    Ok(all)
}

/// Returns the raw scores of documents for one query, without showing progress.
pub(crate) fn raw_scores(
    reranker: &Reranker,
    query: &str,
    documents: &[&str],
    instruction: Option<&str>,
) -> Result<Vec<f32>> {
    let pairs = documents.iter().map(|document| (query.into(), (*document).into())).collect();
    let mut scoring = ScoringRun::new(Pairs::truncated(pairs), Scores::Raw).instruction(instruction);
    let mut all = PartialScores::default();
    while let Some(part) = pollster::block_on(scoring.step(reranker))? {
        all.append(part);
    }
    Ok(all.scores)
}
