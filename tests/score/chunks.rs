//! Long documents in chunks: the score is that of the best chunk, and the span says where it is.

use std::sync::Arc;

use crate::common::{fixture, fixtures};
use ranklet::{
    Collection, DocumentOptions, ErrorKind, LongDocuments, ModelSource, OffsetUnit, Options, Pairs,
    PartialScores, RankOptions, Reranker, Scores, ScoringRun, Span,
};

const CHUNK: RankOptions = RankOptions {
    top_n: None,
    scores: Scores::Raw,
    max_tokens_per_document: None,
    long_documents: LongDocuments::Chunk,
    instruction: None,
};

fn embedded() -> Reranker {
    Reranker::load_blocking(ModelSource::Embedded, Options::default()).unwrap()
}

fn run(reranker: &Reranker, pairs: Pairs) -> ranklet::Result<PartialScores> {
    let mut scoring = ScoringRun::new(pairs, Scores::Raw);
    let mut all = PartialScores::default();
    while let Some(part) = pollster::block_on(scoring.step(reranker))? {
        all.append(part);
    }
    Ok(all)
}

fn one_query<'a>(query: &'a str, documents: &'a [String], options: DocumentOptions) -> Pairs<'a> {
    Pairs::OneQuery { query: query.into(), documents: documents.iter().map(Into::into).collect(), options }
}

/// Returns `words` words of prose that answer no query.
fn filler(words: usize) -> String {
    let subjects = ["The gardener", "A sailor", "My neighbour", "The old clerk", "Nobody"];
    let verbs = ["carried", "painted", "forgot", "repaired", "described"];
    let objects = ["a wooden chair", "the blue gate", "seven letters", "an empty basket", "the long road"];
    let sentence = |index: usize| {
        let (subject, verb) = (subjects[index % 5], verbs[index / 5 % 5]);
        format!("{subject} {verb} {} on day {index}. ", objects[index / 25 % 5])
    };
    let mut text = String::new();
    let mut count = 0;
    for sentence in (0..).map(sentence) {
        count += sentence.split_whitespace().count();
        text.push_str(&sentence);
        if count >= words {
            break;
        }
    }
    text
}

const ANSWER: &str = "The capital of France is Paris, a city on the river Seine.";

#[test]
fn an_answer_at_the_end_of_five_thousand_words_is_found() {
    let reranker = embedded();
    let query = "What is the capital of France?";
    let documents = [filler(5_000), filler(5_000) + ANSWER, filler(100)];
    let ranked = reranker.rank_blocking(query, &documents, CHUNK).unwrap();
    assert_eq!(ranked[0].index, 1);
    let span = ranked[0].span.unwrap();
    let chunk = &documents[1][span.start..span.end];
    assert!(chunk.contains(ANSWER), "{chunk}");
    assert!(chunk.split_whitespace().count() < 512);
    // The text of the chunk as a document has the same score.
    assert_eq!(reranker.score_blocking(&[(query, chunk)], Scores::Raw).unwrap(), [ranked[0].score]);

    let cut = RankOptions { long_documents: LongDocuments::Truncate, ..CHUNK };
    let cut = reranker.rank_blocking(query, &documents, cut).unwrap();
    let of = |index: usize| cut.iter().find(|ranked| ranked.index == index).unwrap();
    assert!(of(1).score < ranked[0].score - 0.5, "the answer is not in what is cut");
    assert_eq!(of(1).span, None);
}

/// A document that fits is one chunk. A document in chunks never scores below its beginning, which is the first chunk.
#[test]
fn documents_that_fit_have_the_same_scores_in_chunks() {
    for fixture in fixtures().into_iter().filter(|fixture| fixture.expected.num_labels == 1) {
        let reranker = fixture.load();
        let documents: Vec<String> =
            fixture.expected.pairs.iter().map(|(_, document)| document.clone()).collect();
        let query = "a river";
        let cut = one_query(
            query,
            &documents,
            RankOptions { scores: Scores::Raw, ..RankOptions::default() }.into(),
        );
        let (cut, chunked) = (
            run(&reranker, cut).unwrap().scores,
            run(&reranker, one_query(query, &documents, CHUNK.into())).unwrap(),
        );
        let spans = chunked.spans.unwrap();
        assert_eq!(spans.len(), documents.len());
        let mut in_one = 0;
        for (index, document) in documents.iter().enumerate() {
            let whole = spans[index].end >= document.trim_end().len() && spans[index].start == 0;
            in_one += usize::from(whole);
            assert!(
                document.get(spans[index].start..spans[index].end).is_some(),
                "{}: {document:?}",
                fixture.name
            );
            if whole {
                assert_eq!(cut[index], chunked.scores[index], "{}: {document:?}", fixture.name);
            }
        }
        assert!(in_one > documents.len() / 2, "{}: {in_one}", fixture.name);
    }
}

/// With one token per word, the test knows all chunks; each is scored, whatever micro-batch it is in.
#[test]
fn the_score_is_that_of_the_best_chunk() {
    let reranker = fixture("bert-gelu-h36").load();
    let words = ["a", "e", "i", "o", "u"];
    let documents: Vec<String> = [1, 40, 400, 4_000]
        .map(|count| (0..count).map(|index| words[index * index % 7 % 5]).collect::<Vec<_>>().join(" "))
        .into();
    let query = "a e i";
    let chunked = run(&reranker, one_query(query, &documents, CHUNK.into())).unwrap();
    for ((document, score), span) in documents.iter().zip(&chunked.scores).zip(chunked.spans.unwrap()) {
        let slice = &document[span.start..span.end];
        assert_eq!(reranker.score_blocking(&[(query, slice)], Scores::Raw).unwrap(), [*score]);
        let room = reranker.info().max_length - 3 - 3;
        let all: Vec<&str> = document.split(' ').collect();
        // The overlap decides where chunks begin: at whole numbers of steps from the start.
        let step = room - (room / 4).min(128);
        for chunk in (0..).map(|index| index * step).take_while(|start| start + room <= all.len()) {
            let text = all[chunk..chunk + room].join(" ");
            assert!(reranker.score_blocking(&[(query, &text)], Scores::Raw).unwrap()[0] <= *score);
        }
    }
}

#[test]
fn collections_hold_documents_in_chunks() {
    let reranker = embedded();
    let documents = [filler(900), filler(700) + ANSWER, String::new()];
    let mut collection = Collection::new(&reranker);
    for document in &documents {
        collection.push(&reranker, document, CHUNK.into()).unwrap();
    }
    let collection = Arc::new(collection);
    for query in ["What is the capital of France?", "Who forgot seven letters?"] {
        let pairs = Pairs::Prepared {
            query: query.into(),
            collection: Arc::clone(&collection),
            candidates: Some(vec![2, 1, 0]),
        };
        let (prepared, mut fresh) = (
            run(&reranker, pairs).unwrap(),
            run(&reranker, one_query(query, &documents, CHUNK.into())).unwrap(),
        );
        fresh.scores.reverse();
        fresh.spans.as_mut().unwrap().reverse();
        assert_eq!(prepared, fresh);
    }
}

#[test]
fn spans_are_counted_in_the_requested_unit() {
    let reranker = embedded();
    let document = ["😀 é ".repeat(600), ANSWER.to_owned()].concat();
    let documents = [document.clone()];
    let query = "What is the capital of France?";
    let span = |unit| {
        let options = DocumentOptions { unit, ..CHUNK.into() };
        run(&reranker, one_query(query, &documents, options)).unwrap().spans.unwrap()[0]
    };
    let bytes = span(OffsetUnit::Byte);
    let utf16 = |byte: usize| document[..byte].encode_utf16().count();
    assert!(document[bytes.start..bytes.end].ends_with(ANSWER));
    assert_eq!(span(OffsetUnit::Utf16), Span { start: utf16(bytes.start), end: utf16(bytes.end) });
    assert!(bytes.start > 0);
}

#[test]
fn a_long_query_leaves_half_of_the_tokens_to_chunks() {
    let reranker = fixture("bert-gelu-h36").load();
    let (query, documents) = ("e ".repeat(3_000), ["a o ".repeat(3_000)]);
    let part = run(&reranker, one_query(&query, &documents, CHUNK.into())).unwrap();
    let span = part.spans.unwrap()[0];
    assert_eq!((span.end - span.start).div_ceil(2), (reranker.info().max_length - 3) / 2);
}

#[test]
fn several_labels_have_no_best_chunk() {
    let reranker = fixture("bert-softmax3-h64").load();
    let error = run(&reranker, one_query("a", &["b".to_owned()], CHUNK.into())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.context().contains("labels"), "{error}");
}
