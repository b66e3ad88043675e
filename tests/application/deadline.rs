//! Deadlines: a ranking of the documents scored so far.

use std::time::{Duration, Instant};

use ranklet::{Device, ModelSource, Options, Pairs, RerankOptions, Reranker, Reranking, Scores, ScoringRun};

use crate::common::fixture;

fn documents(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("river {number} and the road to the sea ").repeat(10)).collect()
}

fn until(deadline: Duration) -> RerankOptions<'static> {
    RerankOptions { deadline: Some(deadline), ..RerankOptions::default() }
}

/// Checks that the scored documents are those before the unscored ones, with the scores of a ranking of all.
#[track_caller]
fn check(found: &Reranking, all: &Reranking) {
    let count = all.results.len();
    let scored = found.results.len();
    assert_eq!(found.unscored, (scored..count).collect::<Vec<_>>());
    let expected: Vec<_> = all.results.iter().filter(|result| result.index < scored).copied().collect();
    assert_eq!(found.results, expected);
}

#[test]
fn a_deadline_far_away_changes_nothing() {
    let reranker = fixture("bert-gelu-h36").load();
    let documents = documents(30);
    let all = reranker.rerank_blocking("rivers", &documents, RerankOptions::default()).unwrap();
    assert!(all.unscored.is_empty());
    let found = reranker.rerank_blocking("rivers", &documents, until(Duration::from_secs(3600))).unwrap();
    assert_eq!(found, all);
}

#[test]
fn a_deadline_in_the_past_leaves_all_documents_unscored() {
    let reranker = fixture("bert-gelu-h36").load();
    let documents = documents(3);
    let found = reranker.rerank_blocking("rivers", &documents, until(Duration::ZERO)).unwrap();
    assert_eq!((found.results, found.unscored), (vec![], vec![0, 1, 2]));
    let none: [&str; 0] = [];
    let found = reranker.rerank_blocking("rivers", &none, until(Duration::ZERO)).unwrap();
    assert_eq!(found, Reranking::default());
}

/// Steps a run by hand. Nothing is scored after its deadline, however slow the machine is.
#[test]
fn no_micro_batch_begins_after_the_deadline() {
    let reranker = fixture("bert-gelu-h36").load();
    let documents = documents(200);
    let deadline = Duration::from_millis(50);
    let started = Instant::now();
    let pairs = Pairs::OneQuery {
        query: "rivers".into(),
        documents: documents.iter().map(|text| text.as_str().into()).collect(),
        options: ranklet::RankOptions::default().into(),
    };
    let mut run = ScoringRun::new(pairs, Scores::Raw).deadline(Some(deadline));
    let mut late = 0;
    let mut scores = 0;
    let mut largest = 0;
    loop {
        let is_late = started.elapsed() > deadline + Duration::from_millis(1);
        let Some(part) = pollster::block_on(run.step(&reranker)).unwrap() else { break };
        late += usize::from(is_late);
        scores += part.scores.len();
        largest = largest.max(part.scores.len());
        // Makes the ranking take long.
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(late, 0);
    assert_eq!(scores, run.done());
    assert!(run.done() < documents.len(), "{} were scored", run.done());
    assert!(largest < documents.len() / 2, "a micro-batch of {largest} documents");
}

/// On a quiet machine: the time of a call with a deadline of a tenth of the whole ranking.
#[test]
#[ignore = "measures time"]
fn long_a_call_ends_soon_after_its_deadline() {
    let options = Options { device: Device::Cpu, ..Options::default() };
    let reranker = Reranker::load_blocking(ModelSource::Embedded, options).unwrap();
    let documents = documents(300);
    let started = Instant::now();
    let all = reranker.rerank_blocking("rivers", &documents, RerankOptions::default()).unwrap();
    let deadline = started.elapsed() / 10;
    for _ in 0..5 {
        let started = Instant::now();
        let found = reranker.rerank_blocking("rivers", &documents, until(deadline)).unwrap();
        let took = started.elapsed();
        println!("{took:?} of {deadline:?}, {} of {} documents", found.results.len(), documents.len());
        assert!(took <= deadline.mul_f64(1.2), "{took:?} of {deadline:?}");
        assert!(found.results.len() > documents.len() / 40);
        check(&found, &all);
    }
}

#[test]
fn the_documents_scored_so_far_are_ranked() {
    let reranker = fixture("bert-gelu-h36").load();
    let documents = documents(2000);
    let all = reranker.rerank_blocking("rivers", &documents, RerankOptions::default()).unwrap();
    let found = reranker.rerank_blocking("rivers", &documents, until(Duration::from_millis(20))).unwrap();
    check(&found, &all);
    assert!(!found.unscored.is_empty());
}
