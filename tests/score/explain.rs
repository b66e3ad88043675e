//! Explanations: contributions of words and sentences.

use ranklet::{
    Contribution, ErrorKind, ExplainOptions, ExplainedTexts, Explainer, Explanation, LongDocuments,
    ModelSource, Options, PairText, RankOptions, Reranker, Scores, TextUnit,
};

use crate::common::fixture;

const QUERY: &str = "What is the capital of France?";
const DOCUMENT: &str = "Bananas are yellow. Paris is the capital of France. It rains in autumn.";

fn embedded() -> Reranker {
    loaded_with(Options::default())
}

fn loaded_with(options: Options) -> Reranker {
    Reranker::load_blocking(ModelSource::Embedded, options).unwrap()
}

fn logit(reranker: &Reranker, query: &str, document: &str) -> f32 {
    reranker.score_blocking(&[(query, document)], Scores::Raw).unwrap()[0]
}

/// Checks the bound of the documentation, with a little for the rounding of the sum itself.
fn assert_adds_up(explanation: &Explanation) {
    let sum: f64 = explanation.units.iter().map(|unit| f64::from(unit.contribution).abs()).sum();
    let error = f64::from(explanation.additivity_error()).abs();
    assert!(error <= 1.001 * sum * 2f64.powi(-24), "{error}: {explanation:?}");
}

fn contents<'a>(explanation: &Explanation, query: &'a str, document: &'a str) -> Vec<&'a str> {
    let text = |text| if text == PairText::Query { query } else { document };
    explanation.units.iter().map(|unit| &text(unit.text)[unit.span.start..unit.span.end]).collect()
}

/// The contribution of a unit: the mean of what is lost without it, and of what it adds to its context without units.
fn occlusion(reranker: &Reranker, [whole, without, alone, empty]: [(&str, &str); 4]) -> f32 {
    let logit = |(query, document)| f64::from(logit(reranker, query, document));
    ((logit(whole) - logit(without) + logit(alone) - logit(empty)) / 2.0) as f32
}

#[test]
fn occlusion_removes_a_unit_from_its_text_and_adds_it_alone() {
    let reranker = embedded();
    let (query, document) = ("capital France", "Paris, France.");
    let whole = (query, document);
    let options = ExplainOptions { of: ExplainedTexts::Both, ..ExplainOptions::default() };
    let explanation = reranker.explain_blocking(query, document, options).unwrap();
    assert_eq!(contents(&explanation, query, document), ["capital", "France", "Paris", "France"]);
    assert_eq!(explanation.logit, logit(&reranker, query, document));
    assert_eq!(explanation.base, logit(&reranker, "", ", ."));
    let variants = [
        [whole, ("France", document), ("capital", document), ("", document)],
        [whole, ("capital", document), ("France", document), ("", document)],
        [whole, (query, ", France."), (query, "Paris, ."), (query, ", .")],
        [whole, (query, "Paris, ."), (query, ", France."), (query, ", .")],
    ];
    for (unit, variants) in explanation.units.iter().zip(variants) {
        assert_eq!(unit.contribution, occlusion(&reranker, variants));
    }
    assert_eq!(explanation.variants, 2 + 2 * (1 + 2));
}

#[test]
fn words_are_explained_in_their_sentence_and_sentences_in_their_document() {
    let reranker = embedded();
    let document = "Bananas ripen. Paris is big. Yes.";
    let explain = |unit| {
        let options = ExplainOptions { unit, ..ExplainOptions::default() };
        reranker.explain_blocking(QUERY, document, options).unwrap()
    };
    let words = explain(TextUnit::Word);
    assert_eq!(contents(&words, QUERY, document), ["Bananas", "ripen", "Paris", "is", "big", "Yes"]);
    let pair = |document| (QUERY, document);
    let variants = ["Paris is big.", "is big.", "Paris .", "."].map(pair);
    assert_eq!(words.units[2].contribution, occlusion(&reranker, variants));
    let only = logit(&reranker, QUERY, "Yes.") - logit(&reranker, QUERY, ".");
    assert_eq!(words.units[5].contribution, only);
    // For each sentence, it and its punctuation; two for two words, and six for three.
    assert_eq!(words.variants, 2 + 3 * 2 + 2 + 6);
    let sentences = explain(TextUnit::Sentence);
    let variants = [document, "Bananas ripen. Yes.", "Paris is big.", ""].map(pair);
    assert_eq!(sentences.units[1].contribution, occlusion(&reranker, variants));
    assert_eq!(sentences.variants, 2 + 3 * 2);
}

#[test]
fn shapley_values_add_up_to_the_difference_of_the_logits() {
    let reranker = embedded();
    for (unit, of) in [
        (TextUnit::Word, ExplainedTexts::Document),
        (TextUnit::Word, ExplainedTexts::Both),
        (TextUnit::Sentence, ExplainedTexts::Document),
    ] {
        let options = ExplainOptions { unit, of, samples: 3, ..ExplainOptions::default() };
        let explanation = reranker.explain_blocking(QUERY, DOCUMENT, options).unwrap();
        assert_adds_up(&explanation);
        assert!((explanation.logit - explanation.base).abs() > 0.5, "{explanation:?}");
    }
}

/// The exact values by their definition: the mean over all orders, which weighs each subset of the others.
#[test]
fn sampled_shapley_values_approach_the_exact_ones() {
    let reranker = embedded();
    let words = ["Paris", "capital", "France"];
    let value = |subset: usize| {
        let text: Vec<&str> = (0..3).filter(|word| subset >> word & 1 == 1).map(|word| words[word]).collect();
        logit(&reranker, QUERY, &text.join(" "))
    };
    let values: Vec<f32> = (0..8).map(value).collect();
    let exact = |word: usize| {
        let others = (0..8usize).filter(|subset| subset >> word & 1 == 0);
        let weighted = others.map(|subset| {
            let weight = [1.0 / 3.0, 1.0 / 6.0, 1.0 / 3.0][subset.count_ones() as usize];
            weight * (values[subset | 1 << word] - values[subset])
        });
        weighted.sum::<f32>()
    };
    let options = ExplainOptions { samples: 400, ..ExplainOptions::default() };
    let explanation = reranker.explain_blocking(QUERY, "Paris capital France", options).unwrap();
    let range =
        values.iter().copied().fold(f32::MIN, f32::max) - values.iter().copied().fold(f32::MAX, f32::min);
    for (word, unit) in explanation.units.iter().enumerate() {
        let difference = (unit.contribution - exact(word)).abs();
        assert!(difference < 0.1 * range, "{}: {} and {}", words[word], unit.contribution, exact(word));
    }
}

#[test]
fn the_sentence_with_the_answer_adds_most() {
    let reranker = embedded();
    for samples in [0, 4] {
        let options = ExplainOptions { unit: TextUnit::Sentence, samples, ..ExplainOptions::default() };
        let explanation = reranker.explain_blocking(QUERY, DOCUMENT, options).unwrap();
        let best = explanation.units.iter().max_by(|a, b| a.contribution.total_cmp(&b.contribution)).unwrap();
        assert_eq!(&DOCUMENT[best.span.start..best.span.end], "Paris is the capital of France.");
    }
}

#[test]
fn texts_without_units_have_an_explanation_and_models_with_labels_have_none() {
    let reranker = embedded();
    for samples in [0, 2] {
        let options = ExplainOptions { samples, ..ExplainOptions::default() };
        let explanation = reranker.explain_blocking("q", " ... ", options).unwrap();
        assert_eq!((explanation.units.len(), explanation.variants), (0, 2));
        assert_eq!(explanation.logit, explanation.base);
        let one = reranker.explain_blocking("q", "word", options).unwrap();
        assert_eq!(one.variants, 2);
        assert_adds_up(&one);
    }
    let labels = fixture("bert-silu-accents-labels2-h48");
    let reranker =
        Reranker::load_blocking(ModelSource::Directory(labels.directory), Options::default()).unwrap();
    let error = reranker.explain_blocking("q", "a word", ExplainOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
}

/// The first contributions are known soon, and the others at intervals that grow.
#[test]
fn the_first_micro_batch_has_few_variants_and_later_ones_grow() {
    let threads = std::num::NonZeroUsize::new(2);
    let reranker = loaded_with(Options { threads, ..Options::default() });
    let document = "The city of Paris has many parks and is the capital of France. ".repeat(8);
    for (of, samples) in [(ExplainedTexts::Document, 0), (ExplainedTexts::Both, 2)] {
        let options = ExplainOptions { of, samples, ..ExplainOptions::default() };
        let mut explainer = Explainer::new(&reranker, QUERY, &document, options).unwrap();
        let mut steps = Vec::new();
        let mut scored = 0;
        while pollster::block_on(explainer.step(&reranker)).unwrap() {
            let known = explainer.explanation().units.iter().filter(|unit| unit.contribution != 0.0).count();
            if steps.is_empty() {
                assert!(known >= 1, "{:?}", explainer.explanation());
            }
            steps.push(explainer.scored() - scored);
            scored = explainer.scored();
        }
        assert!(steps[0] <= 6 && steps.len() >= 6, "{steps:?}");
        // Later ones are as large as those of a ranking.
        assert!(steps[..6].is_sorted() && steps[5] >= 20, "{steps:?}");
        assert_eq!(scored, explainer.variants());
    }
}

/// Units beyond the model's limit add nothing and cost nothing, whatever the length of the document.
#[test]
fn units_beyond_the_limit_are_not_scored() {
    let reranker = embedded();
    let document = "capital of France ".repeat(60_000);
    for (unit, samples) in [(TextUnit::Word, 0), (TextUnit::Sentence, 2)] {
        let options = ExplainOptions { unit, samples, ..ExplainOptions::default() };
        let explainer = Explainer::new(&reranker, QUERY, &document, options).unwrap();
        assert!(explainer.variants() <= 2 + 2 * reranker.info().max_length, "{}", explainer.variants());
        let units = explainer.explanation().units.len();
        assert_eq!(units, if unit == TextUnit::Word { 180_000 } else { 1 });
    }
    let options = ExplainOptions { samples: 1000, ..ExplainOptions::default() };
    let error = Explainer::new(&reranker, QUERY, &document, options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.context().contains("use fewer samples, or explain sentences"), "{error}");
}

/// Leaving out a unit does not move later text within the limit.
#[test]
fn a_cut_document_is_explained_without_the_rest() {
    let reranker = loaded_with(Options { max_length: Some(24), ..Options::default() });
    let read = "Paris is the capital of France and a city on the river";
    let longer = format!("{read} which is long and winding as rivers are in the north of France");
    let options = ExplainOptions::default();
    let explanation = reranker.explain_blocking("capital", &longer, options).unwrap();
    let cut = explanation.units.iter().rposition(|unit| unit.contribution != 0.0).unwrap() + 1;
    assert!(cut <= explanation.units.len() - 5, "{explanation:?}");
    let end = explanation.units[cut - 1].span.end;
    let alone = reranker.explain_blocking("capital", &longer[..end], options).unwrap();
    assert_eq!(alone.units[..], explanation.units[..cut]);
    assert_eq!((alone.logit, alone.base), (explanation.logit, explanation.base));
}

/// Without options, a long document is explained with the score that ranking without options gives it.
#[test]
fn the_defaults_of_ranking_and_explaining_agree() {
    let reranker = loaded_with(Options { max_length: Some(64), ..Options::default() });
    let document = format!("{}{DOCUMENT}", "Bees make honey from nectar. ".repeat(30));
    let ranked =
        [LongDocuments::default(), LongDocuments::Truncate, LongDocuments::Chunk].map(|long_documents| {
            let options = RankOptions { long_documents, scores: Scores::Raw, ..RankOptions::default() };
            reranker.rank_blocking(QUERY, &[&document], options).unwrap()[0].score
        });
    assert_ne!(ranked[0], ranked[2], "the best chunk is not the beginning");
    let explained = [
        ExplainOptions::default(),
        ExplainOptions { long_documents: LongDocuments::Truncate, ..ExplainOptions::default() },
        ExplainOptions { long_documents: LongDocuments::Chunk, ..ExplainOptions::default() },
    ]
    .map(|options| reranker.explain_blocking(QUERY, &document, options).unwrap().logit);
    assert_eq!(explained, ranked);
}

/// The best chunk of a long document is explained, with the score that ranking in chunks gives.
#[test]
fn a_long_document_is_explained_by_its_best_chunk() {
    let reranker = loaded_with(Options { max_length: Some(64), ..Options::default() });
    let padding = "Bees make honey from nectar. ".repeat(30);
    let document = format!("{padding}{DOCUMENT} {padding}");
    let rank =
        RankOptions { long_documents: LongDocuments::Chunk, scores: Scores::Raw, ..RankOptions::default() };
    let ranked = reranker.rank_blocking(QUERY, &[&document], rank).unwrap()[0];
    let long_documents = LongDocuments::Chunk;
    for (unit, best) in [
        (TextUnit::Sentence, &["Paris is the capital of France."][..]),
        (TextUnit::Word, &["Paris", "capital", "France"]),
    ] {
        let options = ExplainOptions { unit, long_documents, ..ExplainOptions::default() };
        let mut explainer = Explainer::new(&reranker, QUERY, &document, options).unwrap();
        let cost = explainer.variants();
        assert_eq!((explainer.scored(), explainer.explanation().span), (0, None));
        while pollster::block_on(explainer.step(&reranker)).unwrap() {}
        let explanation = explainer.explanation();
        assert_eq!((explanation.logit, explanation.span), (ranked.score, ranked.span));
        assert!(explanation.variants <= cost && cost < 200, "{} of {cost}", explanation.variants);
        let span = ranked.span.unwrap();
        for unit in &explanation.units {
            let is_read = unit.span.start < span.end && unit.span.end > span.start;
            assert!(is_read || unit.contribution == 0.0, "{unit:?} {span:?}");
        }
        let max = explanation.units.iter().max_by(|a, b| a.contribution.total_cmp(&b.contribution)).unwrap();
        assert!(best.contains(&&document[max.span.start..max.span.end]), "{max:?}");
        assert_eq!(explainer.variants(), explanation.variants);
    }
}

/// The default prompt is before every sentence of the query.
#[test]
fn a_prompt_is_kept_with_each_sentence_of_the_query() {
    let mut files = fixture("bert-gelu-tanh-h44").files();
    let name = "config_sentence_transformers.json";
    let mut json: serde_json::Value = serde_json::from_slice(files.get(name).unwrap()).unwrap();
    json["prompts"] = serde_json::json!({ "q": "Find: " });
    json["default_prompt_name"] = serde_json::json!("q");
    files.insert(name, json.to_string().into_bytes());
    let reranker = Reranker::load_blocking(ModelSource::Files(files), Options::default()).unwrap();
    let options = ExplainOptions { of: ExplainedTexts::Query, ..ExplainOptions::default() };
    let explain = |query| reranker.explain_blocking(query, "Many people live in Berlin.", options).unwrap();
    let [both, second] = ["Yes it is. How many people live?", "How many people live?"].map(explain);
    let [both, second] = [&both, &second]
        .map(|explanation| explanation.units.iter().map(|unit| unit.contribution).collect::<Vec<_>>());
    assert_eq!(both[3..], second[..]);
}

/// A decoder reads the beginning of a document, and only its words are explained.
#[test]
fn words_that_a_decoder_does_not_read_add_nothing_and_are_not_scored() {
    let directory = fixture("families/qwen3-tied-h40").directory;
    let options = Options { max_length: Some(300), ..Options::default() };
    let reranker = Reranker::load_blocking(ModelSource::Directory(directory), options).unwrap();
    let sentences: Vec<String> = (0..12).map(|at| format!("People number {at} live in Berlin.")).collect();
    let document = sentences.join(" ");
    let other = format!("{} Something else ends it.", sentences[..11].join(" "));
    assert_eq!(logit(&reranker, QUERY, &document), logit(&reranker, QUERY, &other), "the end is not read");
    for unit in [TextUnit::Word, TextUnit::Sentence] {
        let options = ExplainOptions { unit, ..ExplainOptions::default() };
        let explanation = reranker.explain_blocking(QUERY, &document, options).unwrap();
        let last = document.len() - sentences[11].len();
        let (inside, outside): (Vec<&Contribution>, Vec<&Contribution>) =
            explanation.units.iter().partition(|unit| unit.span.start < last);
        assert!(!outside.is_empty() && outside.iter().all(|unit| unit.contribution == 0.0), "{outside:?}");
        let read = inside.iter().filter(|unit| unit.contribution != 0.0).count();
        assert!(read > 0 && explanation.variants <= 2 + 4 * read + 2, "{explanation:?}");
    }
}
