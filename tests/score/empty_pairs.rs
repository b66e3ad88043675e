//! Pairs without tokens: a tokenizer without special tokens gives them for two empty texts.
//!
//! sentence-transformers 6.2 raises an error for such a pair alone, and gives a number that depends on the padding
//! next to others.

use std::sync::Arc;

use crate::common::fixture;
use ranklet::{
    Device, ErrorKind, LongDocuments, ModelFiles, ModelSource, Options, Pairs, RankOptions, Reranker, Scores,
    ScoringRun,
};
use serde_json::{Value, json};

/// Removes the special tokens of pairs.
fn without_special_tokens(name: &str) -> ModelFiles {
    let mut files = fixture(name).files();
    let mut tokenizer: Value = serde_json::from_slice(files.get("tokenizer.json").unwrap()).unwrap();
    tokenizer["post_processor"] = json!(null);
    files.insert("tokenizer.json", tokenizer.to_string().into_bytes());
    files
}

fn load(files: ModelFiles, device: Device) -> Reranker {
    let options = Options { device, ..Options::default() };
    Reranker::load_blocking(ModelSource::Files(files), options).unwrap()
}

/// Checks that `["", ""]` is refused by its index, and that the other pairs have scores before and after.
fn check(reranker: &Reranker) {
    let others = [("a river", "an old city"), ("a river", ""), ("", "an old city")];
    let scores = reranker.score_blocking(&others, Scores::Raw).unwrap();
    assert!(scores.iter().all(|score| score.is_finite()), "{scores:?}");

    let with_empty = [others[0], others[1], ("", ""), others[2]];
    let error = reranker.score_blocking(&with_empty, Scores::Raw).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input, "{error}");
    assert!(error.to_string().starts_with("input error: pair 2: this pair has no tokens"), "{error}");
    assert_eq!(reranker.score_blocking(&others, Scores::Raw).unwrap(), scores);
}

#[test]
fn a_pair_without_tokens_is_an_error_that_names_it() {
    let files = || without_special_tokens("families/modernbert-cls-h48");
    for device in [Device::Cpu, Device::Candle, Device::Auto] {
        let reranker = load(files(), device);
        check(&reranker);

        let documents = ["an old city", ""];
        for long_documents in [LongDocuments::Truncate, LongDocuments::Chunk] {
            let options = RankOptions { long_documents, ..RankOptions::default() };
            assert_eq!(reranker.rank_blocking("a river", &documents, options).unwrap().len(), 2);
            let error = reranker.rank_blocking("", &documents, options).unwrap_err();
            assert!(error.to_string().starts_with("input error: document 1: this pair"), "{error}");
        }

        let collection = Arc::new(reranker.prepare(&documents).unwrap());
        let pairs = Pairs::Prepared { query: "".into(), collection, candidates: Some(vec![1, 0]) };
        let error = pollster::block_on(ScoringRun::new(pairs, Scores::Raw).step(&reranker)).unwrap_err();
        assert!(error.to_string().starts_with("input error: document 0: this pair"), "{error}");
    }
}
