//! `ranklet serve --long-documents chunk`: a document of many chunks takes turns with other requests.

use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, DOCUMENTS, QUERY, Server, body, serve};

const SENTENCE: &str = "Paris is the capital of France. ";

/// A request with one document, which takes one thread some seconds.
fn long(extra: Value) -> Value {
    let mut body = json!({ "query": QUERY, "documents": [SENTENCE.repeat(30_000)] });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

/// Sends a request, and waits until `count` requests are under way.
fn send(server: &Server, body: &Value, count: usize) -> TcpStream {
    let stream = server.send("POST", "/v1/rerank", &[], &body.to_string());
    server.wait_for_requests(count);
    stream
}

#[track_caller]
fn assert_not_answered(stream: &TcpStream) {
    stream.set_nonblocking(true).unwrap();
    let read = stream.peek(&mut [0]);
    assert!(read.is_err(), "the request is answered");
    stream.set_nonblocking(false).unwrap();
}

#[test]
fn requests_do_not_wait_for_a_document_of_many_chunks() {
    let server = serve(&["--long-documents", "chunk", "--score-cache", "1000000", "--threads", "1"]);
    let running = send(&server, &long(json!({})), 1);
    assert_eq!(server.post("/v1/rerank", &body(json!({}))).json()["results"][0]["index"], 1);
    let late = server.post("/v1/rerank", &long(json!({ "deadline_ms": 300, "scores": "raw" }))).json();
    assert_eq!((&late["results"], &late["unscored"]), (&json!([]), &json!([0])));
    // Equal documents are scored once.
    let same = send(&server, &long(json!({})), 2);
    assert_not_answered(&running);
    let answers = [running, same].map(|stream| Answer::read(stream).json());
    assert_eq!(answers[0]["results"], answers[1]["results"]);
    assert!(answers[0]["usage"]["total_tokens"].as_u64().unwrap() > 200_000, "{}", answers[0]);
    assert_eq!(answers[1]["usage"]["total_tokens"], 0);
}

/// The score of a long document does not depend on the rounds.
#[test]
fn a_document_of_many_chunks_has_the_score_that_it_has_alone() {
    let text = DOCUMENTS.map(|document| document.repeat(40)).concat();
    let documents = [&text[..], DOCUMENTS[1], &text[..], &text[1000..]];
    let body = json!({ "query": QUERY, "documents": documents });
    let scores = |arguments: &[&str]| {
        let server = serve(&[&["--long-documents", "chunk"], arguments].concat());
        let scores = server.post("/score", &body).json();
        assert_eq!(server.post("/score", &body).json()["data"], scores["data"]);
        scores["data"].clone()
    };
    let expected = scores(&["--max-batch-tokens", "1000000"]);
    assert_eq!(expected.as_array().unwrap().len(), 4);
    for arguments in
        [&["--max-batch-tokens", "64"][..], &["--max-batch-tokens", "64", "--score-cache", "100000"]]
    {
        assert_eq!(scores(arguments), expected, "{arguments:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_work_for_a_document_of_many_chunks_ends_when_the_client_goes_away() {
    let server = serve(&["--long-documents", "chunk"]);
    let ticks = || {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", server.process.id())).unwrap();
        let fields = status.rsplit_once(')').unwrap().1.split_whitespace();
        fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>()
    };
    let loaded = ticks();
    let running = send(&server, &long(json!({ "documents": [SENTENCE.repeat(40_000)] })), 1);
    while ticks() < loaded + 20 {
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(running);
    let (gone, mut last) = (ticks(), 0);
    while ticks() > last {
        last = ticks();
        std::thread::sleep(Duration::from_secs(1));
    }
    // All of the document takes more than ten seconds of a processor.
    assert!(last < gone + 300, "{loaded}, {gone}, {last}");
}
