//! The best sentences of documents, and comparisons of two documents.

use std::time::Duration;

use ranklet::{
    ExplainOptions, Highlight, LongDocuments, ModelSource, Options, RankOptions, RerankOptions, Reranker,
    Reranking, ScoreCacheOptions, Scores, Span, TextUnit,
};

const QUERY: &str = "What is the capital of France?";
const DOCUMENTS: [&str; 4] = [
    "It rains in autumn. Paris is the capital of France!  Trees are green.",
    "Bananas are yellow.",
    "",
    "Berlin is in Germany. Lyon is a city in France. The capital has parks.",
];

fn embedded(options: Options) -> Reranker {
    Reranker::load_blocking(ModelSource::Embedded, options).unwrap()
}

fn rerank(reranker: &Reranker, documents: &[&str], options: RerankOptions<'_>) -> Reranking {
    reranker.rerank_blocking(QUERY, documents, options).unwrap()
}

fn contents<'a>(document: &'a str, highlights: &[Highlight]) -> Vec<&'a str> {
    highlights.iter().map(|highlight| &document[highlight.span.start..highlight.span.end]).collect()
}

#[test]
fn highlights_are_the_best_sentences_with_their_own_scores() {
    let reranker = embedded(Options::default());
    let rank = RankOptions { top_n: Some(3), ..RankOptions::default() };
    let plain = rerank(&reranker, &DOCUMENTS, rank.into());
    assert!(plain.highlights.is_empty());
    let reranking = rerank(&reranker, &DOCUMENTS, RerankOptions { highlights: 2, ..rank.into() });
    assert_eq!(reranking.results, plain.results);
    assert!(reranking.tokens > plain.tokens);
    assert_eq!(reranking.highlights.len(), 3);
    for (result, highlights) in reranking.results.iter().zip(&reranking.highlights) {
        let document = DOCUMENTS[result.index];
        let contents = contents(document, highlights);
        match result.index {
            0 => assert_eq!(contents[0], "Paris is the capital of France!"),
            3 => assert_eq!(contents.len(), 2),
            1 => {
                assert_eq!(contents, ["Bananas are yellow."]);
                assert_eq!(highlights[0].score, result.score);
            }
            _ => assert_eq!(contents, [""; 0]),
        }
        assert!(highlights.is_sorted_by(|a, b| a.score >= b.score));
        for (highlight, content) in highlights.iter().zip(contents) {
            assert_eq!(
                highlight.score,
                reranker.score_blocking(&[(QUERY, content)], Scores::Model).unwrap()[0]
            );
        }
    }
}

/// Sentences that the model does not read of a document are no reason for its rank.
#[test]
fn sentences_beyond_the_limit_are_highlights_of_chunks_only() {
    let reranker = embedded(Options { max_length: Some(64), ..Options::default() });
    let document = format!("{}{}", "Bees make honey. ".repeat(40), DOCUMENTS[0]);
    let best = |long_documents, max_tokens_per_document| {
        let rank = RankOptions { long_documents, max_tokens_per_document, ..RankOptions::default() };
        let mut reranking = rerank(&reranker, &[&document], RerankOptions { highlights: 1, ..rank.into() });
        contents(&document, &reranking.highlights.pop().unwrap()).concat()
    };
    assert_eq!(best(LongDocuments::Truncate, None), "Bees make honey.");
    assert_eq!(best(LongDocuments::Chunk, None), "Paris is the capital of France!");
    assert_eq!(best(LongDocuments::Chunk, Some(20)), "Bees make honey.");
}

#[cfg(feature = "decoder")]
#[test]
fn sentences_that_a_decoder_does_not_read_are_no_highlights() {
    let directory = crate::common::fixture("families/qwen2-window-h24").directory;
    let options = Options { max_length: Some(200), ..Options::default() };
    let reranker = Reranker::load_blocking(ModelSource::Directory(directory), options).unwrap();
    let highlights = |document: &str| {
        let options = RerankOptions { highlights: 1000, ..RerankOptions::default() };
        rerank(&reranker, &[document], options).highlights.remove(0)
    };
    assert_eq!(highlights(DOCUMENTS[0]).len(), 3);
    let long = format!("{}{}", "Bees make honey. ".repeat(300), DOCUMENTS[0]);
    let found = highlights(&long);
    // A sentence has several tokens, and the prompt has some too.
    assert!(!found.is_empty() && found.len() < 70, "{}", found.len());
    let ends = found.iter().map(|highlight| highlight.span.end);
    assert_eq!(ends.max(), Some("Bees make honey. ".len() * found.len() - 1));
    let rank = RankOptions { max_tokens_per_document: Some(20), ..RankOptions::default() };
    let options = RerankOptions { highlights: 1000, ..rank.into() };
    let cut = rerank(&reranker, &[&long], options).highlights.remove(0);
    assert!(!cut.is_empty() && cut.len() < 7, "{}", cut.len());
}

#[test]
fn highlights_use_the_cache_and_end_at_the_deadline() {
    let score_cache = Some(ScoreCacheOptions { max_bytes: 1 << 20 });
    let reranker = embedded(Options { score_cache, ..Options::default() });
    let options = RerankOptions { highlights: 3, ..RerankOptions::default() };
    let first = rerank(&reranker, &DOCUMENTS, options);
    let second = rerank(&reranker, &DOCUMENTS, options);
    assert_eq!(first.highlights, second.highlights);
    assert_eq!((second.tokens, second.cache_hits), (0, DOCUMENTS.len()));
    let reranker = embedded(Options::default());
    let late = RerankOptions { deadline: Some(Duration::ZERO), highlights: 3, ..RerankOptions::default() };
    let late = rerank(&reranker, &DOCUMENTS, late);
    assert_eq!(late.unscored.len() + late.results.len(), DOCUMENTS.len());
    assert_eq!(late.highlights.len(), late.results.len());
    assert!(late.highlights.iter().all(Vec::is_empty));
}

#[test]
fn a_comparison_says_what_lifts_one_document_above_another() {
    let reranker = embedded(Options::default());
    let (a, b) = (DOCUMENTS[0], DOCUMENTS[3]);
    let options = ExplainOptions { unit: TextUnit::Sentence, samples: 2, ..ExplainOptions::default() };
    let comparison = reranker.compare_blocking(QUERY, a, b, options).unwrap();
    assert_eq!(comparison.a, reranker.explain_blocking(QUERY, a, options).unwrap());
    assert_eq!(comparison.b, reranker.explain_blocking(QUERY, b, options).unwrap());
    assert_eq!(comparison.difference, comparison.a.logit - comparison.b.logit);
    let lifts: Vec<(Span, f32)> = comparison.lifts().map(|(unit, lift)| (unit.span, lift)).collect();
    assert_eq!(lifts.len(), 6);
    for (index, (span, lift)) in lifts.into_iter().enumerate() {
        let (unit, sign) =
            if index < 3 { (comparison.a.units[index], 1.0) } else { (comparison.b.units[index - 3], -1.0) };
        assert_eq!((span, lift), (unit.span, sign * unit.contribution));
    }
    let best = comparison.lifts().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0;
    assert_eq!(&a[best.span.start..best.span.end], "Paris is the capital of France!");
}
