//! Documents of a collection have the same scores as documents of a plain call.

use std::sync::Arc;

use crate::common::{fixture, fixtures};
use ranklet::{
    Collection, DocumentOptions, ErrorKind, LongDocuments, Pairs, RankOptions, Reranker, Result, Scores,
    ScoringRun,
};

fn run(reranker: &Reranker, pairs: Pairs) -> Result<Vec<f32>> {
    let mut scoring = ScoringRun::new(pairs, Scores::Raw);
    let mut scores = Vec::new();
    while let Some(part) = pollster::block_on(scoring.step(reranker))? {
        scores.extend(part.scores);
    }
    Ok(scores)
}

fn prepared(collection: &Arc<Collection>, query: &str, candidates: Option<Vec<u32>>) -> Pairs<'static> {
    Pairs::Prepared { query: query.to_owned().into(), collection: Arc::clone(collection), candidates }
}

fn one_query<'a>(query: &'a str, documents: &'a [String], max_tokens: Option<usize>) -> Pairs<'a> {
    Pairs::OneQuery {
        query: query.into(),
        documents: documents.iter().map(Into::into).collect(),
        options: document_options(max_tokens),
    }
}

fn document_options(max_tokens: Option<usize>) -> DocumentOptions {
    RankOptions { max_tokens_per_document: max_tokens, ..RankOptions::default() }.into()
}

/// Compares all difficult texts of the fixtures, and texts that are too long to be tokenized whole.
#[test]
fn scores_are_those_of_the_plain_call() {
    for fixture in fixtures() {
        let reranker = fixture.load();
        let mut documents: Vec<String> =
            fixture.expected.pairs.iter().map(|(_, document)| document.clone()).collect();
        documents.extend(["the river ".repeat(9_000), "漢".repeat(9_000)]);
        let collection = Arc::new(reranker.prepare(&documents).unwrap());
        for query in ["a river", &"an old city ".repeat(9_000)] {
            assert_eq!(
                run(&reranker, prepared(&collection, query, None)).unwrap(),
                run(&reranker, one_query(query, &documents, None)).unwrap(),
                "{}",
                fixture.name
            );
        }
    }
}

/// Query and document are both too long, and the document has its own limit.
#[test]
fn a_limit_for_documents_counts_when_both_are_too_long() {
    let reranker = fixture("bert-gelu-h36").load();
    // Words of one letter are one token each.
    let text_tokens = reranker.info().max_length - 3;
    let (short, long) = ("a ".repeat(text_tokens + 1), "a ".repeat(3_000));
    // So long that at first only its beginning is tokenized.
    let query = "e ".repeat(1_000);
    for max_tokens in [text_tokens + 1, 999, 1_001] {
        let mut collection = Collection::new(&reranker);
        collection.push(&reranker, &long, document_options(Some(max_tokens))).unwrap();
        let scores = run(&reranker, prepared(&Arc::new(collection), &query, None)).unwrap();
        assert_eq!(
            scores,
            run(&reranker, one_query(&query, std::slice::from_ref(&long), Some(max_tokens))).unwrap()
        );
        // The longer one keeps the odd token.
        let same = if max_tokens < 1_000 { &short } else { &long };
        assert_eq!(
            scores,
            run(&reranker, one_query(&query, std::slice::from_ref(same), None)).unwrap(),
            "at most {max_tokens} tokens"
        );
    }
}

#[test]
fn candidates_choose_and_order_documents() {
    let reranker = fixture("bert-gelu-h36").load();
    let documents: Vec<String> = (0..40).map(|index| format!("city {index} river")).collect();
    let collection = Arc::new(reranker.prepare(&documents).unwrap());
    let all = run(&reranker, prepared(&collection, "a river", None)).unwrap();
    let some = run(&reranker, prepared(&collection, "a river", Some(vec![7, 0, 39, 7]))).unwrap();
    assert_eq!(some, [all[7], all[0], all[39], all[7]]);
    assert!(run(&reranker, prepared(&collection, "a river", Some(Vec::new()))).unwrap().is_empty());
}

#[test]
fn documents_outside_the_collection_and_other_rerankers_are_refused() {
    let (reranker, other) = (fixture("bert-gelu-h36").load(), fixture("bert-gelu-h36").load());
    let mut collection = reranker.prepare(&["a city"]).unwrap();
    let error = collection.push(&other, "a river", document_options(None)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    let chunked = RankOptions { long_documents: LongDocuments::Chunk, ..RankOptions::default() };
    let error = collection.push(&reranker, "a river", chunked.into()).unwrap_err();
    assert!(error.to_string().contains("and not both"), "{error}");
    let collection = Arc::new(collection);
    let error = run(&other, prepared(&collection, "a river", None)).unwrap_err();
    assert!(error.to_string().contains("another reranker"), "{error}");
    let error = run(&reranker, prepared(&collection, "a river", Some(vec![0, 1]))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.to_string().contains("document 1 of a collection that has 1"), "{error}");
}
