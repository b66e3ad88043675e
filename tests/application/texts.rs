//! Texts of documents with fields: paths, YAML as PyYAML writes it, and lines.

use ranklet::{ErrorKind, JsonValue, document_texts};
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
        let texts = document_texts(&documents[..count], case.rank_fields.as_deref(), structured).unwrap();
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
    let error = document_texts(&documents, rank_fields, structured).unwrap_err();
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
        let texts = document_texts::<&str>(&documents, None, Some(structured.parse().unwrap())).unwrap();
        assert!(texts[0].trim_end().ends_with("a: 1"), "{texts:?}");
    }
    let path = vec!["a"; 120].join(".");
    assert_eq!(document_texts(&documents, Some(&[path]), None).unwrap(), ["1"]);
}
