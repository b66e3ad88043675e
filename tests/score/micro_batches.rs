//! The limit on the tokens of a micro-batch.

use crate::common::fixture;
use ranklet::{Pairs, RankOptions, Scores, ScoringRun};

/// Returns the scores of each step.
fn steps(max_batch_tokens: Option<usize>) -> Vec<Vec<f32>> {
    let reranker = fixture("bert-gelu-h36").load();
    let documents =
        (0..40).map(|at| format!("document {at} {}", "of a river ".repeat(at % 7)).into()).collect();
    let pairs =
        Pairs::OneQuery { query: "a river".into(), documents, options: RankOptions::default().into() };
    let mut run = ScoringRun::new(pairs, Scores::Raw);
    if let Some(tokens) = max_batch_tokens {
        run.set_max_batch_tokens(tokens);
    }
    let mut steps = Vec::new();
    while let Some(part) = pollster::block_on(run.step(&reranker)).unwrap() {
        steps.push(part.scores);
    }
    steps
}

#[test]
fn a_limit_divides_the_pairs_and_keeps_their_scores() {
    let all = steps(None);
    assert_eq!(all.len(), 1);
    let one_by_one = steps(Some(1));
    assert_eq!(one_by_one.len(), 40);
    assert_eq!(one_by_one.concat(), all[0]);
    let some = steps(Some(100));
    assert!((3..40).contains(&some.len()), "{} steps", some.len());
    assert_eq!(some.concat(), all[0]);
}
