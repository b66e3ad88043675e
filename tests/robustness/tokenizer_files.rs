//! Malformed and hostile tokenizer.json files.

use super::broken::*;
use crate::common::load;
use ranklet::{ErrorItem, ErrorKind, ItemKind, ModelFiles, RankOptions, Scores};
use serde_json::{Value, json};

#[test]
fn broken_tokenizers() {
    for text in ["", "{}", "[]", "null", r#"{"version": "1.0", "model": {"type": "WordPiece"}}"#] {
        assert_refused(with("tokenizer.json", text), ErrorKind::Tokenizer, &["tokenizer.json"]);
    }
    let files = good();
    let cut = &files.get("tokenizer.json").unwrap()[..1000];
    assert_refused(with("tokenizer.json", cut), ErrorKind::Tokenizer, &["tokenizer.json"]);
    let config = |fields| with_fields("tokenizer_config.json", fields);
    assert_refused(config(json!({ "cls_token": "[NOWHERE]" })), ErrorKind::Tokenizer, &["[NOWHERE]"]);
    assert_refused(config(json!({ "truncation_side": "middle" })), ErrorKind::Tokenizer, &["middle"]);
    assert_refused(config(json!({ "model_max_length": 2 })), ErrorKind::Config, &["2"]);
    assert_refused(config(json!({ "model_max_length": 0.5 })), ErrorKind::Tokenizer, &["0.5"]);
    assert_refused(config(json!({ "do_lower_case": "yes" })), ErrorKind::Tokenizer, &["do_lower_case"]);
}

/// Files on which the tokenizers library panics or allocates gigabytes if it gets them unchecked.
#[test]
fn hostile_tokenizers() {
    for text in [r#"{"decoder":"#, r#"{"decoder":{1}}"#, r#"{"model":{"type":"WordPiece"},"decoder":{"#] {
        assert_refused(with("tokenizer.json", text), ErrorKind::Tokenizer, &["tokenizer.json"]);
    }
    // The class `PreTrainedTokenizerFast` reads the whole file.
    assert!(load(with_pipeline(json!({}))).is_ok());
    let bpe = json!({ "type": "BPE", "vocab": { "a": 0, "b": 1 }, "merges": ["a b"] });
    let sequence = json!({ "type": "Sequence", "pretokenizers": [{ "type": "FixedLength", "length": 0 }] });
    for (fields, kind, name) in [
        (
            json!({ "pre_tokenizer": { "type": "FixedLength", "length": 0 } }),
            ErrorKind::Unsupported,
            "FixedLength",
        ),
        (json!({ "pre_tokenizer": sequence }), ErrorKind::Unsupported, "FixedLength"),
        (json!({ "model": bpe }), ErrorKind::Tokenizer, "\"ab\""),
    ] {
        assert_refused(with_pipeline(fields), kind, &[name]);
    }
    let pair = json!([{ "SpecialToken": { "id": "[X]", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } },
        { "Sequence": { "id": "B", "type_id": 0 } }]);
    let template = json!({ "type": "TemplateProcessing", "single": [], "pair": pair, "special_tokens": {} });
    assert_refused(with_pipeline(json!({ "post_processor": template })), ErrorKind::Tokenizer, &["[X]"]);

    // A class that builds its own normalizer ignores the one in the file.
    let unread = json!({ "type": "Precompiled", "precompiled_charsmap": "/////w==" });
    assert!(
        load(with_fields("tokenizer.json", json!({ "normalizer": unread, "decoder": { "type": "?" } })))
            .is_ok()
    );
}

/// Returns the valid files with some fields of tokenizer.json replaced, and a class that reads the whole file.
fn with_pipeline(fields: Value) -> ModelFiles {
    let mut files = with_fields("tokenizer.json", fields);
    files.insert("tokenizer_config.json", br#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#.to_vec());
    files
}

/// Returns the added tokens of the valid files and further ones: copies of the first token with the fields in `more`.
fn with_added_tokens(more: &[Value]) -> Value {
    let files = good();
    let tokenizer: Value = serde_json::from_slice(files.get("tokenizer.json").unwrap()).unwrap();
    let mut tokens = tokenizer["added_tokens"].as_array().unwrap().clone();
    for fields in more {
        let mut token = tokens[0].clone();
        token["id"] = json!(1000 + tokens.len());
        for (name, value) in fields.as_object().unwrap() {
            token[name] = value.clone();
        }
        tokens.push(token);
    }
    json!({ "added_tokens": tokens })
}

/// Added tokens on which the tokenizers library panics, either for texts that contain them or for all texts.
#[test]
fn added_tokens_that_cannot_be_matched() {
    let nothing = with_added_tokens(&[json!({ "content": "\u{1}", "normalized": true })]);
    let crossing = with_added_tokens(&[
        json!({ "content": "a", "rstrip": true }),
        json!({ "content": " ", "lstrip": true }),
    ]);
    for (fields, name) in [(nothing, "\\u{1}"), (crossing, "\" \"")] {
        assert_refused(with_fields("tokenizer.json", fields.clone()), ErrorKind::Tokenizer, &[name]);
        assert_refused(with_pipeline(fields), ErrorKind::Tokenizer, &[name]);
    }
    let usual = with_added_tokens(&[json!({ "content": "a", "lstrip": true, "normalized": true })]);
    let reranker = load(with_fields("tokenizer.json", usual)).unwrap();
    assert!(reranker.score_blocking(&[("a  b", "  a a")], Scores::Raw).is_ok());
}

/// Files of a few bytes with which a text would take minutes: the library looks up every part of a word in the
/// vocabulary, and writes the prefix before it each time.
#[test]
fn tokenizers_whose_time_grows_without_bound() {
    let files = good();
    let tokenizer: Value = serde_json::from_slice(files.get("tokenizer.json").unwrap()).unwrap();
    let model = |name: &str, value: Value| {
        let mut model = tokenizer["model"].clone();
        model[name] = value;
        json!({ "model": model })
    };
    let words = model("max_input_chars_per_word", json!(1_000_000_000));
    assert_refused(with_pipeline(words.clone()), ErrorKind::Unsupported, &["max_input_chars_per_word"]);
    // BertTokenizer has its own limit and ignores the file's.
    assert!(load(with_fields("tokenizer.json", words)).is_ok());
    let prefix = model("continuing_subword_prefix", json!("#".repeat(100_000)));
    assert_refused(with_pipeline(prefix.clone()), ErrorKind::Unsupported, &["continuing_subword_prefix"]);
    assert_refused(
        with_fields("tokenizer.json", prefix),
        ErrorKind::Unsupported,
        &["continuing_subword_prefix"],
    );
    let normalizers =
        json!({ "type": "Sequence", "normalizers": vec![json!({ "type": "StripAccents" }); 10_000] });
    assert_refused(
        with_pipeline(json!({ "normalizer": normalizers })),
        ErrorKind::Unsupported,
        &["normalizer"],
    );
}

#[test]
fn a_pair_template_that_grows_with_the_square_of_its_file() {
    let token = json!({ "SpecialToken": { "id": "[X]", "type_id": 0 } });
    let ids = json!({ "[X]": { "id": "[X]", "ids": vec![0; 2000], "tokens": [] } });
    let template = json!({ "type": "TemplateProcessing", "single": [], "pair": vec![token; 2000],
        "special_tokens": ids });
    assert_refused(
        with_pipeline(json!({ "post_processor": template })),
        ErrorKind::Unsupported,
        &["pair template has more than"],
    );
}

/// The library identifies a component by its fields if its type is missing or unknown. So components came in under
/// other names: text that doubles sixty times, patterns of exponential time, and a model on which the library panics.
#[test]
fn components_with_misleading_types() {
    for field in [
        json!({ "pattern": { "String": "a" }, "content": "aa" }),
        json!({ "pattern": { "Regex": "(a*)*b" }, "content": "" }),
        json!({ "prepend": "a" }),
        json!({ "normalizers": [] }),
        json!({}),
    ] {
        let mut normalizer = field;
        normalizer["type"] = json!("BertNormalizer");
        let sequence = json!({ "type": "Sequence", "normalizers": vec![normalizer; 60] });
        for section in [&sequence["normalizers"][0], &sequence] {
            assert_refused(
                with_pipeline(json!({ "normalizer": section })),
                ErrorKind::Tokenizer,
                &["tokenizer.json"],
            );
        }
    }
    let words = json!({ "[UNK]": 4, "[CLS]": 5, "[SEP]": 6, "a": 7 });
    let mut model = json!({ "unk_token": "[UNK]", "max_input_chars_per_word": 100, "vocab": words });
    assert_refused(with_pipeline(json!({ "model": model })), ErrorKind::Tokenizer, &["prefix"]);
    model["continuing_subword_prefix"] = json!("####");
    assert!(load(with_pipeline(json!({ "model": model }))).is_ok());
    model["merges"] = json!(["a a"]);
    assert_refused(with_pipeline(json!({ "model": model })), ErrorKind::Unsupported, &["BPE"]);
}

/// A token whose id has no row in the model. Texts without it can be scored; texts with it cannot.
#[test]
fn ids_beyond_the_vocabulary() {
    let files = good();
    let mut tokenizer: Value = serde_json::from_slice(files.get("tokenizer.json").unwrap()).unwrap();
    let vocabulary = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    vocabulary.insert("zzyzx".to_owned(), json!(4_000_000_000u32));
    let reranker = load(with("tokenizer.json", tokenizer.to_string())).unwrap();
    assert!(reranker.info().warnings.iter().any(|warning| warning.contains("vocabulary")));

    let before = reranker.score_blocking(&[("query", "document")], Scores::Raw).unwrap();
    let error =
        reranker.score_blocking(&[("query", "a"), ("query", "the zzyzx road")], Scores::Raw).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tokenizer);
    for name in ["pair 1", "zzyzx", "4000000000"] {
        assert!(error.to_string().contains(name), "{error}");
    }
    assert_eq!(error.item().unwrap(), &ErrorItem { kind: ItemKind::Pair, range: 1..2 });
    let options = RankOptions::default();
    let error = reranker.rank_blocking("query", &["a", "b", "the zzyzx road"], options).unwrap_err();
    assert_eq!(error.item().unwrap(), &ErrorItem { kind: ItemKind::Document, range: 2..3 });
    assert_eq!(reranker.score_blocking(&[("query", "document")], Scores::Raw).unwrap(), before);
}
