//! The cache of scores.

use std::num::NonZero;
use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Waker};

use ranklet::{
    Collection, ErrorKind, LongDocuments, ModelSource, Options, Pairs, RankOptions, RerankOptions, Reranker,
    ScoreCacheOptions, ScoreOptions, ScoredPairs, Scores,
};

use serde_json::Value;

use crate::common::{Fixture, fixture};

fn load(fixture: &Fixture, max_bytes: usize) -> Reranker {
    let score_cache = Some(ScoreCacheOptions { max_bytes });
    fixture.load_with(Options { score_cache, ..Options::default() })
}

/// Loads a model whose micro-batches are small, however many processors there are.
fn load_single_threaded(fixture: &Fixture, score_cache: Option<ScoreCacheOptions>) -> Reranker {
    fixture.load_with(Options { score_cache, threads: NonZero::new(1), ..Options::default() })
}

const DOCUMENTS: [&str; 4] = ["one river", "two roads", "three stars", "four winds"];

fn pairs<'a>(documents: &[&'a str]) -> Pairs<'a> {
    Pairs::truncated(documents.iter().map(|document| ("a query".into(), (*document).into())).collect())
}

fn scores(scored: &ScoredPairs) -> Vec<f32> {
    scored.pairs.iter().flatten().flat_map(|pair| pair.scores.iter().copied()).collect()
}

#[test]
fn a_second_identical_call_scores_nothing() {
    for name in ["bert-gelu-h36", "bert-labels3-cjk-h60"] {
        let fixture = fixture(name);
        let (reranker, plain) = (load(&fixture, 1 << 20), fixture.load());
        for kind in [Scores::Model, Scores::Raw, Scores::Sigmoid] {
            let options = ScoreOptions { scores: kind, ..ScoreOptions::default() };
            let expected = plain.score_pairs_blocking(pairs(&DOCUMENTS), options).unwrap();
            assert_eq!(expected.cache_hits(), 0);
            let scored = reranker.score_pairs_blocking(pairs(&DOCUMENTS), options).unwrap();
            assert_eq!(scores(&scored), scores(&expected), "{name} {kind:?}");
            // Logits serve all kinds of scores.
            let hits = if kind == Scores::Model { 0 } else { 4 };
            assert_eq!((scored.cache_hits(), scored.tokens() == 0), (hits, hits == 4));
        }
        assert_eq!(reranker.score_cache_usage().unwrap().pairs, 4);
        assert_eq!(plain.score_cache_usage(), None);
    }
}

#[test]
fn a_call_scores_only_the_pairs_that_are_new() {
    let reranker = load(&fixture("bert-gelu-h36"), 1 << 20);
    let options = RerankOptions::default();
    let first = reranker.rerank_blocking("a query", &DOCUMENTS[..2], options).unwrap();
    let second =
        reranker.rerank_blocking("a query", &[&DOCUMENTS[1..], &DOCUMENTS[1..]].concat(), options).unwrap();
    assert_eq!((first.cache_hits, second.cache_hits), (0, 4));
    let expected = fixture("bert-gelu-h36")
        .load()
        .rerank_blocking("a query", &[&DOCUMENTS[1..], &DOCUMENTS[1..]].concat(), options)
        .unwrap();
    assert_eq!(second.results, expected.results);
    assert!(2 * second.tokens < expected.tokens);
    let other = reranker.rerank_blocking("another query", &DOCUMENTS, options).unwrap();
    assert_eq!(other.cache_hits, 0);
}

#[test]
fn options_that_change_scores_are_part_of_the_key() {
    let reranker = load(&fixture("bert-gelu-h36"), 1 << 20);
    let plain = fixture("bert-gelu-h36").load();
    let long = "one river and two roads ".repeat(60);
    let documents = [long.as_str(), "one river"];
    let all = [
        RankOptions::default(),
        RankOptions { max_tokens_per_document: Some(3), ..RankOptions::default() },
        RankOptions { max_tokens_per_document: Some(4), ..RankOptions::default() },
        RankOptions { long_documents: LongDocuments::Chunk, ..RankOptions::default() },
        RankOptions { long_documents: LongDocuments::Chunk, scores: Scores::Raw, ..RankOptions::default() },
    ];
    for is_second in [false, true] {
        for options in all {
            let found = reranker.rerank_blocking("rivers", &documents, options.into()).unwrap();
            let expected = plain.rerank_blocking("rivers", &documents, options.into()).unwrap();
            // Spans of chunks too.
            assert_eq!(found.results, expected.results, "{options:?}");
            assert_eq!(found.cache_hits, if is_second { 2 } else { 0 }, "{options:?}");
        }
    }
    let chunked = reranker.rerank_blocking("rivers", &documents, all[3].into()).unwrap();
    assert!(chunked.results.iter().all(|result| result.span.is_some()));
}

#[test]
fn calls_at_the_same_time_share_their_pairs() {
    const CALLS: usize = 8;
    let reranker = load(&fixture("bert-gelu-h36"), 1 << 20);
    let documents: Vec<String> = (0..40).map(|number| format!("river {number} ").repeat(20)).collect();
    let one = fixture("bert-gelu-h36")
        .load()
        .rerank_blocking("rivers", &documents, RerankOptions::default())
        .unwrap();
    let barrier = Barrier::new(CALLS);
    let found: Vec<_> = std::thread::scope(|scope| {
        let call = || {
            barrier.wait();
            reranker.rerank_blocking("rivers", &documents, RerankOptions::default()).unwrap()
        };
        let threads: Vec<_> = (0..CALLS).map(|_| scope.spawn(call)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(found.iter().all(|call| call.results == one.results));
    assert_eq!(found.iter().map(|call| call.tokens).sum::<usize>(), one.tokens);
    assert_eq!(found.iter().map(|call| call.cache_hits).sum::<usize>(), (CALLS - 1) * documents.len());
}

#[test]
fn a_call_that_is_dropped_between_micro_batches_leaves_its_scores_and_its_pairs() {
    let cache = Some(ScoreCacheOptions { max_bytes: 1 << 20 });
    let reranker = load_single_threaded(&fixture("bert-gelu-h36"), cache);
    let documents: Vec<String> = (0..400).map(|number| format!("river {number} ").repeat(20)).collect();
    let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
    let mut context = Context::from_waker(Waker::noop());
    let mut dropped = Box::pin(reranker.score_pairs(pairs(&documents), ScoreOptions::default()));
    assert!(dropped.as_mut().poll(&mut context).is_pending());
    // Without a cache too.
    let plain = load_single_threaded(&fixture("bert-gelu-h36"), None);
    assert!(
        pin!(plain.score_pairs(pairs(&documents), ScoreOptions::default())).poll(&mut context).is_pending()
    );
    // Another call waits for the pairs of the first one, and scores them itself when that is gone.
    let mut waiting = Box::pin(reranker.score_pairs(pairs(&documents[399..]), ScoreOptions::default()));
    assert!(waiting.as_mut().poll(&mut context).is_pending());
    drop(dropped);
    assert_eq!(pollster::block_on(waiting).unwrap().cache_hits(), 0);
    let rest = reranker.score_pairs_blocking(pairs(&documents), ScoreOptions::default()).unwrap();
    let hits = rest.cache_hits();
    assert!(hits > 1 && hits < 400, "{hits}");
    let expected = plain.score_pairs_blocking(pairs(&documents), ScoreOptions::default()).unwrap();
    assert_eq!(scores(&rest), scores(&expected));
}

#[test]
fn a_call_that_ends_early_leaves_its_pairs_to_the_next() {
    let reranker = load(&fixture("bert-gelu-h36"), 1 << 20);
    let deadline = Some(std::time::Duration::ZERO);
    let ended = ScoreOptions { deadline, ..ScoreOptions::default() };
    let scored = reranker.score_pairs_blocking(pairs(&DOCUMENTS), ended).unwrap();
    assert!(scored.pairs.iter().all(Option::is_none));
    let scored = reranker.score_pairs_blocking(pairs(&DOCUMENTS), ScoreOptions::default()).unwrap();
    assert_eq!((scored.cache_hits(), scores(&scored).len()), (0, 4));
}

#[test]
fn errors_name_the_pairs_of_the_caller_and_refused_options_are_refused_for_cached_pairs() {
    let reranker = load(&fixture("bert-gelu-h36"), 1 << 20);
    reranker.score_pairs_blocking(pairs(&DOCUMENTS), ScoreOptions::default()).unwrap();
    let options = ScoreOptions { scores: Scores::Probability, ..ScoreOptions::default() };
    let error = reranker.score_pairs_blocking(pairs(&DOCUMENTS), options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    // Without special tokens, a pair of empty texts has no tokens, which is an error.
    let mut files = fixture("families/modernbert-cls-h48").files();
    let mut tokenizer: Value = serde_json::from_slice(files.get("tokenizer.json").unwrap()).unwrap();
    tokenizer["post_processor"] = Value::Null;
    files.insert("tokenizer.json", tokenizer.to_string().into_bytes());
    let score_cache = Some(ScoreCacheOptions { max_bytes: 1 << 20 });
    let options = Options { score_cache, ..Options::default() };
    let without_tokens = Reranker::load_blocking(ModelSource::Files(files), options).unwrap();
    let known = [("a river", "an old city"), ("a river", "")];
    without_tokens.score_blocking(&known, Scores::Raw).unwrap();
    let error = without_tokens
        .score_blocking(&[&known[..], &[("", ""), known[0]]].concat(), Scores::Raw)
        .unwrap_err();
    assert!(error.to_string().starts_with("input error: pair 2: this pair has no tokens"), "{error}");
    let options = ScoreOptions { instruction: Some("Find it."), ..ScoreOptions::default() };
    let error = reranker.score_pairs_blocking(pairs(&DOCUMENTS), options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn a_small_cache_gives_the_same_scores_and_stays_within_its_bound() {
    let fixture = fixture("bert-gelu-h36");
    let expected = fixture.load().score_pairs_blocking(pairs(&DOCUMENTS), ScoreOptions::default()).unwrap();
    for max_bytes in [0, 300, 700] {
        let reranker = load(&fixture, max_bytes);
        for _ in 0..3 {
            let scored = reranker.score_pairs_blocking(pairs(&DOCUMENTS), ScoreOptions::default()).unwrap();
            assert_eq!(scores(&scored), scores(&expected));
            assert!(reranker.score_cache_usage().unwrap().bytes <= max_bytes);
        }
    }
}

fn prepared(collection: &Arc<Collection>, candidates: Option<Vec<u32>>) -> Pairs<'static> {
    Pairs::Prepared { query: "a query".into(), collection: Arc::clone(collection), candidates }
}

#[test]
fn a_second_identical_call_with_a_collection_scores_nothing() {
    let fixture = fixture("bert-gelu-h36");
    let (reranker, plain) = (load(&fixture, 1 << 20), fixture.load());
    let options = ScoreOptions::default();
    let expected = scores(&plain.score_pairs_blocking(pairs(&DOCUMENTS), options).unwrap());
    let collection = Arc::new(reranker.prepare(&DOCUMENTS).unwrap());
    for hits in [0, 4] {
        let scored = reranker.score_pairs_blocking(prepared(&collection, None), options).unwrap();
        assert_eq!((scores(&scored), scored.cache_hits()), (expected.clone(), hits));
        assert_eq!(scored.tokens() == 0, hits == 4);
    }
    // The same texts, in another collection, in another order, and given as they are.
    let other = Arc::new(reranker.prepare(&["five stars", DOCUMENTS[2]]).unwrap());
    assert_eq!(reranker.score_pairs_blocking(prepared(&other, None), options).unwrap().cache_hits(), 1);
    let some = prepared(&collection, Some(vec![3, 1]));
    let scored = reranker.score_pairs_blocking(some, options).unwrap();
    assert_eq!((scores(&scored), scored.tokens()), (vec![expected[3], expected[1]], 0));
    let scored = reranker.score_pairs_blocking(pairs(&DOCUMENTS), options).unwrap();
    assert_eq!((scores(&scored), scored.tokens()), (expected, 0));
    assert_eq!(reranker.score_cache_usage().unwrap().pairs, 5);
}

#[test]
fn the_cache_knows_how_the_documents_of_a_collection_were_tokenized() {
    let fixture = fixture("bert-gelu-h36");
    let (reranker, plain) = (load(&fixture, 1 << 20), fixture.load());
    let long = "one river and two roads ".repeat(60);
    let chunked = RankOptions { long_documents: LongDocuments::Chunk, ..RankOptions::default() };
    let shorter = RankOptions { max_tokens_per_document: Some(3), ..RankOptions::default() };
    // Documents that are tokenized in several ways are scored without the cache.
    let all =
        [vec![RankOptions::default()], vec![shorter], vec![chunked], vec![shorter, RankOptions::default()]];
    for kinds in all {
        let collect = |reranker: &Reranker| {
            let mut collection = Collection::new(reranker);
            for kind in &kinds {
                collection.push(reranker, &long, (*kind).into()).unwrap();
            }
            Arc::new(collection)
        };
        let (collection, plain_collection) = (collect(&reranker), collect(&plain));
        for (is_second, kind) in [(false, Scores::Raw), (true, Scores::Raw), (true, Scores::Sigmoid)] {
            let options = ScoreOptions { scores: kind, ..ScoreOptions::default() };
            let expected = plain.score_pairs_blocking(prepared(&plain_collection, None), options).unwrap();
            let found = reranker.score_pairs_blocking(prepared(&collection, None), options).unwrap();
            assert_eq!(scores(&found), scores(&expected), "{kinds:?} {kind:?}");
            let spans = |scored: &ScoredPairs| -> Vec<_> {
                scored.pairs.iter().flatten().map(|pair| pair.span).collect()
            };
            assert_eq!(spans(&found), spans(&expected), "{kinds:?}");
            // The best chunk depends on the kind of scores.
            let is_known = is_second && (kind == Scores::Raw || kinds[0] != chunked);
            let hits = usize::from(is_known && kinds.len() == 1);
            assert_eq!(found.cache_hits(), hits, "{kinds:?} {kind:?}");
        }
    }
}

#[test]
fn a_collection_of_another_reranker_and_an_index_past_its_end_are_errors_with_a_cache_too() {
    let fixture = fixture("bert-gelu-h36");
    let (reranker, other) = (load(&fixture, 1 << 20), load(&fixture, 1 << 20));
    let collection = Arc::new(reranker.prepare(&DOCUMENTS).unwrap());
    for _ in 0..2 {
        let options = ScoreOptions::default();
        reranker.score_pairs_blocking(prepared(&collection, None), options).unwrap();
        let error = other.score_pairs_blocking(prepared(&collection, None), options).unwrap_err();
        assert!(error.to_string().contains("another reranker"), "{error}");
        let past = prepared(&collection, Some(vec![0, 4]));
        let error = reranker.score_pairs_blocking(past, options).unwrap_err();
        assert!(error.to_string().contains("document 4"), "{error}");
    }
    let empty = prepared(&collection, Some(vec![]));
    assert!(reranker.score_pairs_blocking(empty, ScoreOptions::default()).unwrap().pairs.is_empty());
}
