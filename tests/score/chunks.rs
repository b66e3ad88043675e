//! Long documents in chunks: a document has the score of its best chunk, and the span of that chunk.

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

/// At least `words` words of prose that answers none of the queries.
fn filler(words: usize) -> String {
    let subjects = ["The gardener", "A sailor", "My neighbor", "The old clerk", "Nobody"];
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
    // As a document of its own, the chunk has the same score.
    assert_eq!(reranker.score_blocking(&[(query, chunk)], Scores::Raw).unwrap(), [ranked[0].score]);

    let truncated = RankOptions { long_documents: LongDocuments::Truncate, ..CHUNK };
    let truncated = reranker.rank_blocking(query, &documents, truncated).unwrap();
    let of = |index: usize| truncated.iter().find(|ranked| ranked.index == index).unwrap();
    assert!(of(1).score < ranked[0].score - 0.5, "the answer is beyond the truncated document");
    assert_eq!(of(1).span, None);
}

/// A document that fits into one chunk has the same score with and without chunks.
#[test]
fn documents_that_fit_into_one_chunk_keep_their_scores() {
    for fixture in fixtures().into_iter().filter(|fixture| fixture.expected.num_labels == 1) {
        let reranker = fixture.load();
        let documents: Vec<String> =
            fixture.expected.pairs.iter().map(|(_, document)| document.clone()).collect();
        let query = "a river";
        let truncated = one_query(
            query,
            &documents,
            RankOptions { scores: Scores::Raw, ..RankOptions::default() }.into(),
        );
        let (truncated, chunked) = (
            run(&reranker, truncated).unwrap().scores,
            run(&reranker, one_query(query, &documents, CHUNK.into())).unwrap(),
        );
        let spans = chunked.spans.unwrap();
        assert_eq!(spans.len(), documents.len());
        let mut single_chunks = 0;
        for (index, document) in documents.iter().enumerate() {
            let whole = spans[index].end >= document.trim_end().len() && spans[index].start == 0;
            single_chunks += usize::from(whole);
            assert!(
                document.get(spans[index].start..spans[index].end).is_some(),
                "{}: {document:?}",
                fixture.name
            );
            if whole {
                assert_eq!(truncated[index], chunked.scores[index], "{}: {document:?}", fixture.name);
            }
        }
        assert!(single_chunks > documents.len() / 2, "{}: {single_chunks}", fixture.name);
    }
}

/// Every chunk is scored, in whatever micro-batch it is. Each word here is one token.
#[test]
fn a_document_has_the_score_of_its_best_chunk() {
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
        let max_tokens = reranker.info().max_length - 3 - 3;
        let words: Vec<&str> = document.split(' ').collect();
        // Chunks start one step apart, where a step is a chunk without its overlap.
        let step = max_tokens - (max_tokens / 4).min(128);
        for chunk in (0..).map(|index| index * step).take_while(|start| start + max_tokens <= words.len()) {
            let text = words[chunk..chunk + max_tokens].join(" ");
            assert!(reranker.score_blocking(&[(query, &text)], Scores::Raw).unwrap()[0] <= *score);
        }
    }
}

#[test]
fn collections_keep_documents_in_chunks() {
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
        let (prepared, mut unprepared) = (
            run(&reranker, pairs).unwrap(),
            run(&reranker, one_query(query, &documents, CHUNK.into())).unwrap(),
        );
        unprepared.scores.reverse();
        unprepared.spans.as_mut().unwrap().reverse();
        unprepared.tokens.reverse();
        assert_eq!(prepared, unprepared);
    }
}

#[test]
fn spans_are_in_the_chosen_unit() {
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
    let code_points = |byte: usize| document[..byte].chars().count();
    let expected = Span { start: code_points(bytes.start), end: code_points(bytes.end) };
    assert_eq!(span(OffsetUnit::CodePoint), expected);
    assert!(bytes.start > 0);
}

#[test]
fn a_long_query_leaves_half_of_the_tokens_to_the_document() {
    let reranker = fixture("bert-gelu-h36").load();
    let (query, documents) = ("e ".repeat(3_000), ["a o ".repeat(3_000)]);
    let part = run(&reranker, one_query(&query, &documents, CHUNK.into())).unwrap();
    let span = part.spans.unwrap()[0];
    assert_eq!((span.end - span.start).div_ceil(2), (reranker.info().max_length - 3) / 2);
}

#[test]
fn models_with_several_labels_cannot_score_in_chunks() {
    let reranker = fixture("bert-softmax3-h64").load();
    let error = run(&reranker, one_query("a", &["b".to_owned()], CHUNK.into())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.context().contains("labels"), "{error}");
}

/// Of a document of megabytes, only the tokens within the limit are tokenized.
#[test]
fn a_limit_on_tokens_bounds_the_work_for_a_long_document() {
    let reranker = embedded();
    let text = filler(300_000);
    let limited = RankOptions { max_tokens_per_document: Some(600), ..CHUNK };
    let rank = |document: &str| reranker.rank_blocking("capital", &[document], limited).unwrap();
    assert_eq!(rank(&text), rank(&text[..20_000]));
    let time = |options: RankOptions| {
        let started = std::time::Instant::now();
        Collection::new(&reranker).push(&reranker, &text, options.into()).unwrap();
        started.elapsed()
    };
    let (whole, limited) = (time(CHUNK), time(limited));
    assert!(10 * limited < whole, "{limited:?} of {whole:?}");
}
