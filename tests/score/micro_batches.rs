//! The limit on the tokens of a micro-batch.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use crate::common::fixture;
use ranklet::{
    ModelSource, Options, Pairs, RankOptions, Reranker, ScoreCacheOptions, ScoreOptions, Scores, ScoringRun,
};

fn pairs() -> Pairs<'static> {
    let documents =
        (0..40).map(|at| format!("document {at} {}", "of a river ".repeat(at % 7)).into()).collect();
    Pairs::OneQuery { query: "a river".into(), documents, options: RankOptions::default().into() }
}

/// Returns the scores of each step.
fn steps(max_batch_tokens: Option<usize>) -> Vec<Vec<f32>> {
    let reranker = fixture("bert-gelu-h36").load();
    let mut run = ScoringRun::new(pairs(), Scores::Raw);
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

/// So an executor can run other futures between two micro-batches.
#[test]
fn the_scoring_of_pairs_is_pending_between_micro_batches() {
    let expected = steps(None).concat();
    for score_cache in [None, Some(ScoreCacheOptions { max_bytes: 1 << 20 })] {
        let source = ModelSource::Files(fixture("bert-gelu-h36").files());
        let reranker =
            Reranker::load_blocking(source, Options { score_cache, ..Options::default() }).unwrap();
        let options =
            ScoreOptions { scores: Scores::Raw, max_batch_tokens: Some(1), ..ScoreOptions::default() };
        let mut scoring = pin!(reranker.score_pairs(pairs(), options));
        let mut times_pending = 0;
        let scored = loop {
            match scoring.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(scored) => break scored.unwrap(),
                Poll::Pending => times_pending += 1,
            }
        };
        let scores: Vec<f32> = scored.pairs.iter().flatten().map(|pair| pair.scores[0]).collect();
        assert_eq!((scores, times_pending), (expected.clone(), 39), "{score_cache:?}");
    }
}
