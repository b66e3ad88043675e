//! Texts of documents with fields: paths, YAML as PyYAML writes it, and lines.

use std::error::Error as _;

use ranklet::{ErrorKind, JsonValue, TextsTooLong, document_texts};
use serde::Deserialize;

use crate::cases;

#[derive(Debug, Deserialize)]
struct Case {
    document: JsonValue,
    rank_fields: Option<Vec<String>>,
    structured: Option<String>,
    text: String,
}

#[test]
fn texts_are_those_of_pyyaml_and_of_the_formulas() {
    let mut differing = Vec::new();
    for case in cases::<Case>("texts") {
        // A second document has all fields, so that a missing one is no error.
        let all: serde_json::Map<_, _> =
            case.rank_fields.iter().flatten().map(|field| (field.clone(), "x".into())).collect();
        let documents = [case.document.clone(), serde_json::Value::Object(all).into()];
        let structured = case.structured.as_ref().map(|name| name.parse().unwrap());
        let count = if case.rank_fields.is_some() { 2 } else { 1 };
        let fields = case.rank_fields.as_deref();
        let texts = document_texts(&documents[..count], fields, structured, None).unwrap();
        if texts[0] != case.text {
            differing.push((case.document, case.rank_fields, case.structured, texts[0].clone(), case.text));
        }
    }
    assert!(
        differing.is_empty(),
        "{} texts differ: {:#?}",
        differing.len(),
        &differing[..differing.len().min(5)]
    );
}

fn refused(
    documents: &str,
    rank_fields: Option<&[&str]>,
    structured: Option<&str>,
) -> (Option<usize>, String) {
    let documents: Vec<JsonValue> = serde_json::from_str(documents).unwrap();
    let structured = structured.map(|name| name.parse().unwrap());
    let error = document_texts(&documents, rank_fields, structured, None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    (error.item().map(|item| item.range.start), error.context().to_owned())
}

#[test]
fn documents_without_a_text_are_errors_that_name_them() {
    for (documents, fields, structured, index, message) in [
        (r#"["a", {"x": 1}]"#, None, None, Some(1), "has no string text"),
        (r#"["a", {"text": 1}]"#, None, None, Some(1), "has no string text"),
        (
            r#"[{"a": 1}]"#,
            Some(&["b", "c.d"][..]),
            None,
            None,
            "no document has a field of rank_fields: b, c.d",
        ),
        (r#"[{"a": 1}, "text"]"#, Some(&["a"]), None, Some(1), "must be an object with the fields"),
        (r#"[{"a": {"b": 1}}]"#, Some(&["a"]), None, Some(0), "choose a form with structured"),
        (r#"[{"a": {"b": 1}}]"#, Some(&["a.b.c"]), None, None, "no document has a field"),
        (r#"[{"a": 1}, ["b"]]"#, Some(&["a"]), Some("yaml"), Some(1), "must be an object"),
        (r#"[{"a": 1}, 5]"#, None, Some("lines"), Some(1), "must be a string or an object, not 5"),
    ] {
        let (found, context) = refused(documents, fields, structured);
        assert_eq!(found, index, "{context}");
        assert!(context.contains(message), "{context}");
    }
    let error = "json".parse::<ranklet::Structured>().unwrap_err();
    assert!(error.context().contains("use one of yaml, lines"), "{error}");
}

#[test]
fn deep_documents_have_texts() {
    let deep = format!("[{}1{}]", "{\"a\":".repeat(120), "}".repeat(120));
    let documents: Vec<JsonValue> = serde_json::from_str(&deep).unwrap();
    for structured in ["yaml", "lines"] {
        let structured = Some(structured.parse().unwrap());
        let texts = document_texts::<&str>(&documents, None, structured, None).unwrap();
        assert!(texts[0].trim_end().ends_with("a: 1"), "{texts:?}");
    }
    let path = vec!["a"; 120].join(".");
    assert_eq!(document_texts(&documents, Some(&[path]), None, None).unwrap(), ["1"]);
}

#[test]
fn a_field_that_is_named_again_is_written_once() {
    let documents: Vec<JsonValue> = serde_json::from_str(r#"[{"a": "x", "b": 1}]"#).unwrap();
    let texts = |fields: &[&str], structured: Option<&str>| {
        let structured = structured.map(|name| name.parse().unwrap());
        document_texts(&documents, Some(fields), structured, None).unwrap().remove(0)
    };
    assert_eq!(texts(&["a", "b", "a", "b"], None), "a: x\nb: 1");
    assert_eq!(texts(&["a", "a"], None), "x");
    assert_eq!(texts(&["b", "a", "b"], Some("lines")), "b: 1\na: x");
    assert_eq!(texts(&["b", "a", "b"], Some("yaml")), "b: 1\na: x\n");
}

/// In each form, a document can have a text that is much longer than itself.
#[test]
fn all_texts_together_have_a_maximum_length() {
    let deep = format!("{}[1, 2, 3]{}", r#"{"long":"#.repeat(20), "}".repeat(20));
    let documents = format!(r#"["four", {{"long name": [[1], [2], [3]], "a": "value"}}, {deep}]"#);
    let documents: Vec<JsonValue> = serde_json::from_str(&documents).unwrap();
    let fields = ["a", "long name", "long.long"];
    for (rank_fields, structured) in
        [(None, Some("yaml")), (None, Some("lines")), (Some(&fields[..]), Some("lines"))]
    {
        let structured = structured.map(|name| name.parse().unwrap());
        let texts = |max_bytes| document_texts(&documents, rank_fields, structured, max_bytes);
        let all = texts(None).unwrap();
        let bytes = |count: usize| all[..count].iter().map(String::len).sum::<usize>();
        assert_eq!(texts(Some(bytes(3))).unwrap(), all);
        for (max_bytes, index) in
            [(bytes(3) - 1, 2), (bytes(2), 2), (bytes(2) - 1, 1), (4, 1), (3, 0), (0, 0)]
        {
            let error = texts(Some(max_bytes)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Input);
            assert_eq!(error.item().map(|item| item.range.clone()), Some(index..index + 1), "{max_bytes}");
            assert!(error.source().is_some_and(|source| source.is::<TextsTooLong>()), "{error}");
            let message = format!("longer than {max_bytes} bytes together; name fewer fields in rank_fields");
            assert!(error.context().contains(&message), "{error}");
        }
    }
    let named = document_texts(&documents[1..2], Some(&["a"]), None, Some(5)).unwrap();
    assert_eq!(named, ["value"]);
    let error = document_texts(&documents[1..2], Some(&["a"]), None, Some(4)).unwrap_err();
    assert!(error.source().is_some_and(|source| source.is::<TextsTooLong>()), "{error}");
}
