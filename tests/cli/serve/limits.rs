//! `ranklet serve`: limits of what one request may cost, each just above and just below.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{Answer, DOCUMENTS, QUERY, Server, body, serve};

#[track_caller]
fn assert_right(server: &Server) {
    assert_eq!(server.post("/v1/rerank", &body(json!({}))).json()["results"][0]["index"], 1);
}

/// Lines repeat the names on their path, so a small body can have long texts.
#[test]
fn the_texts_of_a_request_have_no_more_bytes_than_a_body_may_have() {
    let server = serve(&["--max-body-bytes", "1000"]);
    let name = "a name of some bytes, which each line repeats";
    let document = |leaves: usize| json!({ name: vec![[1]; leaves] });
    let request = |leaves: usize, field: &str| json!({ "query": QUERY, field: ["a text", document(leaves)], "structured": "lines" });
    // Twenty lines of 48 bytes and a line break between them are 979 bytes, and "a text" has 6.
    assert_eq!(server.post("/v1/rerank", &request(20, "documents")).status, 200);
    let message =
        "makes the texts of all documents longer than 1000 bytes together; name fewer fields in rank_fields";
    let refused = server.post("/v1/rerank", &request(21, "documents"));
    refused.expect_error(413, &format!("documents[1] {message}"));
    let refused = server.post("/rerank", &request(21, "texts"));
    assert_eq!((refused.status, &refused.json()["error"]), (413, &json!(format!("texts[1] {message}"))));
    server.post("/score", &request(21, "items")).expect_error(413, &format!("items[1] {message}"));
    assert_right(&server);
}

#[test]
fn names_of_fields_have_a_maximum_length() {
    let server = serve(&[]);
    let ranked = |path: &str, field: &str, name: &str| {
        server.post(path, &json!({ "query": QUERY, field: [{ name: "a text" }], "rank_fields": ["x", name] }))
    };
    for (longest, longer) in [("a".repeat(256), "a".repeat(257)), ("a.".repeat(32), "a.".repeat(33))] {
        assert_eq!(ranked("/v1/rerank", "documents", &longest).status, 200);
        let message = "rank_fields[1] must have at most 256 bytes and 32 dots";
        ranked("/v1/rerank", "documents", &longer).expect_error(400, message);
        let tei = ranked("/rerank", "texts", &longer);
        assert_eq!((tei.status, &tei.json()["error"]), (422, &json!(message)));
    }
    assert_right(&server);
}

#[test]
fn highlights_are_those_of_no_more_sentences_than_a_request_may_have_documents() {
    let server = serve(&["--max-documents", "5"]);
    let three = "It rains in autumn. Paris is the capital of France! Trees are green.";
    let ranked = |extra: Value| {
        let mut extra = extra;
        extra["documents"] = json!([three, three, DOCUMENTS[2]]);
        extra["highlights"] = json!(1);
        server.post("/v1/rerank", &body(extra))
    };
    let message =
        "the results have 6 sentences, and the server scores 5 per request; ask for fewer results with top_n";
    // The document of one sentence has its score already.
    ranked(json!({})).expect_error(413, message);
    let best = ranked(json!({ "top_n": 1 }));
    assert_eq!(best.json()["results"][0]["highlights"].as_array().unwrap().len(), 1);
    assert_right(&server);
}

#[test]
fn a_request_with_highlights_is_admitted_once() {
    let server = serve(&["--max-queue", "1"]);
    let sentences: Vec<String> =
        (0..20).map(|number| format!("Paris has {number} bridges over its river. ")).collect();
    let document = sentences.concat();
    let highlighted = json!({ "query": QUERY, "documents": vec![document; 20], "highlights": 1 });
    let other = body(json!({ "documents": vec!["word ".repeat(100); 20] }));
    let answered = AtomicBool::new(false);
    // Other requests try to take its place between its scores and its highlights.
    std::thread::scope(|scope| {
        let request = server.send("POST", "/v1/rerank", &[], &highlighted.to_string());
        server.wait_for_requests(1);
        for _ in 0..3 {
            scope.spawn(|| {
                while !answered.load(Ordering::Relaxed) {
                    server.post("/v1/rerank", &other);
                }
            });
        }
        let answer = Answer::read(request);
        answered.store(true, Ordering::Relaxed);
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["results"][0]["highlights"].as_array().unwrap().len(), 1);
    });
}
