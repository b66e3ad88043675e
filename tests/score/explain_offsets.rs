//! The offsets of explanations, in many languages and with tokens of all kinds.

use std::collections::BTreeMap;
use std::path::Path;

use ranklet::{
    ExplainOptions, ExplainedTexts, Explainer, Explanation, ModelSource, OffsetUnit, Options, PairText,
    Reranker, TextUnit,
};
use serde_json::Value;
use unicode_segmentation::UnicodeSegmentation;

use crate::common::{all_fixtures, fixture, fixtures_directory};

fn embedded() -> Reranker {
    Reranker::load_blocking(ModelSource::Embedded, Options::default()).unwrap()
}

/// The units of a document. Nothing is scored.
fn units(reranker: &Reranker, document: &str, unit: TextUnit, offsets: OffsetUnit) -> Vec<(usize, usize)> {
    let options = ExplainOptions { unit, offsets, ..ExplainOptions::default() };
    let explainer = Explainer::new(reranker, "q", document, options).unwrap();
    explainer.explanation().units.iter().map(|unit| (unit.span.start, unit.span.end)).collect()
}

fn contents(reranker: &Reranker, document: &str, unit: TextUnit) -> Vec<String> {
    let units = units(reranker, document, unit, OffsetUnit::Byte);
    units.into_iter().map(|(start, end)| document[start..end].to_owned()).collect()
}

/// One or two sentences in each of twelve languages, with a word or a phrase in each, with marks, joiners, surrogate pairs
/// and scripts without spaces.
const TEXTS: [(&str, &str, &str); 12] = [
    ("en", "It isn't 🦀 far. Is it?", "isn't"),
    ("de", "Größe ist „wichtig“. Das stimmt.", "wichtig"),
    ("es", "¿Dónde está mañana? Aquí.", "mañana"),
    ("fr", "Ou\u{300} est l\u{2019}e\u{301}cole ? Ici.", "Ou\u{300}"),
    ("tr", "İstanbul'da yaşıyor. Evet.", "yaşıyor"),
    ("vi", "Thủ đô là Hà No\u{302}\u{323}i. Đúng.", "No\u{302}\u{323}i"),
    ("ru", "Москва — столица. Да.", "столица"),
    ("el", "Η Αθήνα είναι πόλη. Ναι.", "Αθήνα"),
    ("ar", "القُدْس مدينة قديمة. نعم.", "القُدْس"),
    ("hi", "दिल्ली राजधानी है। हाँ।", "दिल्ली"),
    ("zh", "北京是首都。是的。", "北"),
    ("ko", "서울은 수도입니다. 네.", "서울은"),
];

#[test]
fn offsets_point_at_words_and_sentences_in_twelve_languages() {
    let reranker = embedded();
    for (language, text, word) in TEXTS {
        let found = contents(&reranker, text, TextUnit::Word);
        let place = found.iter().position(|found| found == word);
        let place = place.unwrap_or_else(|| panic!("{language}: {found:?}"));
        let utf16: Vec<u16> = text.encode_utf16().collect();
        let (start, end) = units(&reranker, text, TextUnit::Word, OffsetUnit::Utf16)[place];
        assert_eq!(String::from_utf16(&utf16[start..end]).unwrap(), word, "{language}");
        let (start, end) = units(&reranker, text, TextUnit::Word, OffsetUnit::CodePoint)[place];
        assert_eq!(text.chars().skip(start).take(end - start).collect::<String>(), word, "{language}");
        let sentences = contents(&reranker, text, TextUnit::Sentence);
        assert_eq!(sentences.len(), 2, "{language}: {sentences:?}");
        assert!(sentences[0].contains(word), "{language}");
    }
}

/// Tokenizers of all families, some of which split characters into bytes, some of which have tokens of several words.
#[test]
fn units_are_whole_words_for_the_tokenizers_of_all_families() {
    let text = "cafe\u{301} au lait 🦀👩‍👩‍👧 नमस्ते 東京タワー word, don't ﷺ ½ a\u{200b}b สวัสดีครับ";
    let mut models = 0;
    for fixture in all_fixtures() {
        if fixture.expected.num_labels > 1 {
            continue;
        }
        let reranker = fixture.load();
        let spans = units(&reranker, text, TextUnit::Word, OffsetUnit::Byte);
        assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{}: {spans:?}", fixture.name);
        let words: Vec<(usize, &str)> = text.unicode_word_indices().collect();
        for (start, end) in &spans {
            assert!(words.iter().any(|(word, _)| word == start), "{}: {start}", fixture.name);
            assert!(
                words.iter().any(|(word, content)| word + content.len() == *end),
                "{}: {end}",
                fixture.name
            );
        }
        for (start, word) in words {
            let is_covered = spans.iter().any(|span| span.0 <= start && start + word.len() <= span.1);
            assert!(is_covered, "{}: {word} {spans:?}", fixture.name);
        }
        let options = ExplainOptions { of: ExplainedTexts::Both, samples: 1, ..ExplainOptions::default() };
        let explanation = reranker.explain_blocking("a café 🦀", text, options).unwrap();
        assert_adds_up(&explanation, &fixture.name);
        let is_query = |text| explanation.units.iter().filter(|unit| unit.text == text).count();
        assert!(
            is_query(PairText::Query) >= 1 && is_query(PairText::Document) == spans.len(),
            "{}",
            fixture.name
        );
        models += 1;
    }
    assert!(models > 25, "{models}");
}

/// A part of a text without the white space around it.
fn trimmed((at, part): (usize, &str)) -> (usize, &str) {
    (at + part.len() - part.trim_start().len(), part.trim())
}

fn assert_adds_up(explanation: &Explanation, name: &str) {
    let sum: f64 = explanation.units.iter().map(|unit| f64::from(unit.contribution).abs()).sum();
    let error = f64::from(explanation.additivity_error()).abs();
    assert!(error <= 1.001 * sum * 2f64.powi(-24), "{name}: {error}: {explanation:?}");
}

/// The paragraphs of XQuAD: units begin and end where words and sentences of the Unicode standard do, in all three units of
/// offsets.
#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared/data/xquad")]
fn offsets_point_at_words_and_sentences_of_xquad() {
    let reranker = embedded();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/xquad");
    for language in ["ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh"] {
        let file = std::fs::read(folder.join(format!("xquad.{language}.json"))).unwrap();
        let file: Value = serde_json::from_slice(&file).unwrap();
        let articles = file["data"].as_array().unwrap();
        let paragraphs = articles.iter().flat_map(|article| article["paragraphs"].as_array().unwrap());
        let mut count = 0;
        for paragraph in paragraphs {
            let text = paragraph["context"].as_str().unwrap();
            for unit in [TextUnit::Word, TextUnit::Sentence] {
                let parts: Vec<(usize, &str)> = match unit {
                    TextUnit::Word => text.unicode_word_indices().collect(),
                    _ => text.split_sentence_bound_indices().map(trimmed).collect(),
                };
                let bytes = units(&reranker, text, unit, OffsetUnit::Byte);
                for (start, end) in &bytes {
                    // ½ after a digit belongs to it here, and is a word of its own in the standard.
                    let is_start = parts.iter().any(|(at, _)| at == start);
                    let is_end = parts.iter().any(|(at, part)| at + part.len() == *end);
                    assert!(is_start && is_end, "{language}: {:?} in {text}", &text[*start..*end]);
                    count += 1;
                }
                let utf16: Vec<u16> = text.encode_utf16().collect();
                let chars: Vec<char> = text.chars().collect();
                let wide = units(&reranker, text, unit, OffsetUnit::Utf16);
                let points = units(&reranker, text, unit, OffsetUnit::CodePoint);
                for ((bytes, wide), points) in bytes.iter().zip(wide).zip(points) {
                    let content = &text[bytes.0..bytes.1];
                    assert_eq!(String::from_utf16(&utf16[wide.0..wide.1]).unwrap(), content);
                    assert_eq!(chars[points.0..points.1].iter().collect::<String>(), content);
                }
            }
        }
        assert!(count > 5000, "{language}: {count}");
    }
}

/// Explanations that sentence-transformers and Hugging Face's tokenizers give; see `make_explanations.py`.
#[test]
fn occlusion_agrees_with_another_implementation() {
    let file = std::fs::read(fixtures_directory().join("explanations.json")).unwrap();
    let file: Value = serde_json::from_slice(&file).unwrap();
    let mut models: BTreeMap<&str, Reranker> = BTreeMap::new();
    let mut count = 0;
    for case in file["contributions"].as_array().unwrap() {
        let field = |name: &str| case[name].as_str().unwrap();
        if case["deviation"].is_number() {
            continue;
        }
        let reranker = models.entry(field("model")).or_insert_with(|| fixture(field("model")).load());
        let options = ExplainOptions {
            unit: field("unit").parse().unwrap(),
            of: field("of").parse().unwrap(),
            offsets: OffsetUnit::Utf16,
            ..ExplainOptions::default()
        };
        let explanation = reranker.explain_blocking(field("query"), field("document"), options).unwrap();
        let expected = case["units"].as_array().unwrap();
        assert_eq!(explanation.units.len(), expected.len(), "{case}");
        let close = |got: f32, expected: &Value| (f64::from(got) - expected.as_f64().unwrap()).abs() <= 2e-4;
        assert!(close(explanation.logit, &case["logit"]) && close(explanation.base, &case["base"]), "{case}");
        for (unit, expected) in explanation.units.iter().zip(expected) {
            let text = if unit.text == PairText::Query { "query" } else { "document" };
            let offsets = [unit.span.start, unit.span.end].map(|offset| offset as u64);
            let expected_offsets = ["start", "end"].map(|end| expected[end].as_u64().unwrap());
            assert_eq!((text, offsets), (expected["text"].as_str().unwrap(), expected_offsets), "{case}");
            assert!(close(unit.contribution, &expected["contribution"]), "{unit:?} {case}");
        }
        count += 1;
    }
    assert!(count > 50 && models.len() >= 4, "{count}");
}
