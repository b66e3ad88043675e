//! Explanations: contributions of words and sentences.

use ranklet::{
    ErrorKind, ExplainOptions, ExplainedTexts, Explanation, ModelSource, OffsetUnit, Options, PairText,
    Reranker, Scores, TextUnit,
};

use crate::common::fixture;

const QUERY: &str = "What is the capital of France?";
const DOCUMENT: &str = "Bananas are yellow. Paris is the capital of France. It rains in autumn.";

/// The error of a sum of f32 logits of a size of about ten.
const MAX_ROUNDING: f32 = 1e-4;

fn embedded() -> Reranker {
    Reranker::load_blocking(ModelSource::Embedded, Options::default()).unwrap()
}

fn logit(reranker: &Reranker, query: &str, document: &str) -> f32 {
    reranker.score_blocking(&[(query, document)], Scores::Raw).unwrap()[0]
}

fn contents<'a>(explanation: &Explanation, query: &'a str, document: &'a str) -> Vec<&'a str> {
    let text = |text| if text == PairText::Query { query } else { document };
    explanation.units.iter().map(|unit| &text(unit.text)[unit.span.start..unit.span.end]).collect()
}

#[test]
fn occlusion_is_the_difference_to_the_pair_without_the_unit() {
    let reranker = embedded();
    let options = ExplainOptions { of: ExplainedTexts::Both, ..ExplainOptions::default() };
    let explanation = reranker.explain_blocking("capital France", "Paris, France.", options).unwrap();
    assert_eq!(
        contents(&explanation, "capital France", "Paris, France."),
        ["capital", "France", "Paris", "France"]
    );
    let whole = logit(&reranker, "capital France", "Paris, France.");
    assert_eq!(explanation.logit, whole);
    assert_eq!(explanation.base, logit(&reranker, "", ", ."));
    let without = [
        ("France", "Paris, France."),
        ("capital ", "Paris, France."),
        ("capital France", ", France."),
        ("capital France", "Paris, ."),
    ];
    for (unit, (query, document)) in explanation.units.iter().zip(without) {
        assert_eq!(unit.contribution, whole - logit(&reranker, query, document));
    }
    assert_eq!(explanation.variants, 6);
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
        let error = explanation.additivity_error();
        assert!(error.abs() < MAX_ROUNDING, "{unit:?} {of:?}: {error}");
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

/// One sentence in each of twelve languages, with marks, joiners, surrogate pairs and scripts without spaces.
#[test]
fn offsets_point_at_words_in_twelve_languages() {
    let reranker = embedded();
    let texts = [
        ("en", "It isn't 🦀 far.", "isn't"),
        ("de", "Größe ist „wichtig“.", "wichtig"),
        ("es", "¿Dónde está mañana?", "mañana"),
        ("fr", "Ou\u{300} est l\u{2019}e\u{301}cole ?", "Ou\u{300}"),
        ("tr", "İstanbul'da yaşıyor.", "yaşıyor"),
        ("vi", "Thủ đô là Hà Nội.", "Nội"),
        ("ru", "Москва — столица.", "столица"),
        ("el", "Η Αθήνα είναι πόλη.", "Αθήνα"),
        ("ar", "القُدْس مدينة قديمة.", "القُدْس"),
        ("hi", "दिल्ली राजधानी है।", "दिल्ली"),
        ("zh", "北京是首都。", "北"),
        ("ko", "서울은 수도입니다.", "서울은"),
    ];
    for (language, text, word) in texts {
        let bytes = reranker.explain_blocking("q", text, ExplainOptions::default()).unwrap();
        let found = contents(&bytes, "q", text);
        let place = found.iter().position(|found| *found == word);
        let place = place.unwrap_or_else(|| panic!("{language}: {found:?}"));
        let options = ExplainOptions { offsets: OffsetUnit::Utf16, ..ExplainOptions::default() };
        let utf16 = reranker.explain_blocking("q", text, options).unwrap();
        let units: Vec<u16> = text.encode_utf16().collect();
        let span = utf16.units[place].span;
        assert_eq!(String::from_utf16(&units[span.start..span.end]).unwrap(), word, "{language}");
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
        assert!(one.additivity_error().abs() < MAX_ROUNDING);
    }
    let labels = fixture("bert-silu-accents-labels2-h48");
    let reranker =
        Reranker::load_blocking(ModelSource::Directory(labels.directory), Options::default()).unwrap();
    let error = reranker.explain_blocking("q", "a word", ExplainOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
}
