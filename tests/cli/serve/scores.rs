//! `ranklet serve`: requests for scores, and the names of their texts in errors.

use serde_json::{Value, json};

use super::{DOCUMENTS, QUERY, body, rows, serve};
use crate::common::fixture;

#[test]
fn scores_are_those_of_the_chosen_fields_and_tokens() {
    let server = serve(&[]);
    let pages: Vec<Value> =
        DOCUMENTS.iter().map(|text| json!({ "page": { "text": text }, "id": 7 })).collect();
    let with = |mut request: Value, extra: &Value| {
        request.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        request
    };
    let mut all = Vec::new();
    for extra in [
        json!({ "rank_fields": ["page.text"] }),
        json!({ "rank_fields": ["page.text", "id"], "structured": "yaml" }),
        json!({ "structured": "lines" }),
        json!({ "rank_fields": ["page.text"], "max_tokens_per_doc": 3 }),
        json!({ "rank_fields": ["page.text"], "max_tokens_per_doc": 0, "raw_scores": true }),
    ] {
        let ranking = server.post("/v1/rerank", &with(body(json!({ "documents": pages })), &extra)).json();
        let mut expected = rows(&ranking["results"], "relevance_score");
        expected.sort_by_key(|(index, _)| *index);
        let pairs = with(json!({ "text_1": QUERY, "text_2": pages }), &extra);
        let scores = rows(&server.post("/score", &pairs).json()["data"], "score");
        assert_eq!(scores, expected, "{extra}");
        assert!(!all.contains(&scores), "{extra}");
        all.push(scores);
    }
}

#[test]
fn fields_that_only_rankings_have_are_refused() {
    let server = serve(&[]);
    let pairs = |name: &str, value: Value| {
        server.post("/v1/score", &json!({ "text_1": QUERY, "text_2": DOCUMENTS, name: value }))
    };
    for (name, value) in [
        ("deadline_ms", json!(100)),
        ("deadlineMs", json!(100)),
        ("min_score", json!(0.5)),
        ("minScore", json!(0.5)),
        ("fuse", json!({ "first_stage": [1, 2, 3], "method": "rrf" })),
        ("highlights", json!(1)),
    ] {
        pairs(name, value).expect_error(400, &format!("{name} belongs to /rerank"));
        assert_eq!(pairs(name, Value::Null).status, 200, "{name}");
    }
    pairs("max_tokens_per_doc", json!(-1)).expect_error(400, "0 or more");
    pairs("structured", json!("json")).expect_error(400, "structured must be \"yaml\" or \"lines\"");
}

#[test]
fn errors_name_the_field_of_the_request_and_the_index_in_it() {
    let server = serve(&[]);
    let wrong = json!({ "a": 1 });
    for (queries, documents) in [("text_1", "text_2"), ("queries", "items"), ("data_1", "data_2")] {
        let request = json!({ queries: QUERY, documents: [DOCUMENTS[0], wrong] });
        let message = format!("{documents}[1] has no string text");
        server.post("/score", &request).expect_error(400, &message);
        let request = json!({ queries: [QUERY, wrong], documents: [DOCUMENTS[0], DOCUMENTS[1]] });
        let message =
            format!("{queries}[1] must be a string or an object with a string in text, not an object");
        server.post("/score", &request).expect_error(400, &message);
    }
    let tei = server.post("/rerank", &json!({ "query": QUERY, "texts": [DOCUMENTS[0], wrong] }));
    let message = tei.json()["error"].as_str().unwrap().to_owned();
    assert!(message.starts_with("texts[1] has no string text"), "{message}");
}

/// A tokenizer without special tokens gives a pair of two empty texts no tokens.
#[test]
fn errors_of_scoring_name_the_field_of_the_request_and_the_index_in_it() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in fixture("families/modernbert-cls-h48").files().iter() {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let path = folder.path().join("tokenizer.json");
    let mut tokenizer: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    tokenizer["post_processor"] = Value::Null;
    std::fs::write(&path, tokenizer.to_string()).unwrap();
    let model = folder.path().to_str().unwrap();
    // With one token, each round has one pair.
    for batch in ["1", "4096"] {
        let server = serve(&["--model", model, "--max-batch-tokens", batch]);
        let texts = ["an old city", "a river", ""];
        for (path, query, documents) in [
            ("/v1/rerank", "query", "documents"),
            ("/score", "text_1", "text_2"),
            ("/v1/score", "query", "items"),
        ] {
            let message = format!("{documents}[2]: this pair has no tokens");
            server.post(path, &json!({ query: "", documents: texts })).expect_error(400, &message);
        }
        let tei = server.post("/rerank", &json!({ "query": "", "texts": texts }));
        let message = tei.json()["error"].as_str().unwrap().to_owned();
        assert!(tei.status == 422 && message.starts_with("texts[2]: this pair has no tokens"), "{message}");
    }
}
