//! `ranklet serve` when clients or the model fail: each fault has its answer, and the next request is right.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::fixtures_directory;
use crate::serve::{Answer, DOCUMENTS, QUERY, Server, serve};

/// Sends a request whose body does not end, and leaves the connection open.
fn send_part(server: &Server, headers: &str, part: &str) -> TcpStream {
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = "POST /v1/rerank HTTP/1.1\r\nhost: test\r\nconnection: close\r\n";
    stream.write_all(format!("{head}{headers}\r\n\r\n{part}").as_bytes()).unwrap();
    stream
}

#[track_caller]
fn assert_right(server: &Server) {
    let answer = server.post("/v1/rerank", &json!({ "query": QUERY, "documents": DOCUMENTS }));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["results"][0]["index"], 1);
}

#[test]
fn slow_bodies_are_given_up() {
    let server = serve(&["--body-timeout-ms", "300"]);
    let slow = send_part(&server, "content-length: 100", r#"{"query": "#);
    assert_right(&server);
    Answer::read(slow).expect_error(400, "the body did not arrive within 300 ms");
    assert_right(&server);
}

#[test]
fn bodies_that_are_cut_off_are_refused() {
    let server = serve(&[]);
    let cut = send_part(&server, "content-length: 100", r#"{"query": "#);
    cut.shutdown(Shutdown::Write).unwrap();
    Answer::read(cut).expect_error(400, "the body was cut off");
    assert_right(&server);
    let broken = send_part(&server, "transfer-encoding: chunked", "9\r\n{\"query\":\r\nno number\r\n");
    Answer::read(broken).expect_error(400, "the body was cut off");
    assert_right(&server);
    // A client that goes away gets no answer.
    drop(send_part(&server, "content-length: 100", r#"{"query": "#));
    assert_right(&server);
}

#[test]
fn deep_bodies_and_bodies_of_many_bytes_are_refused() {
    let server = serve(&["--max-body-bytes", "300000"]);
    let depth = 100_000;
    let deep = format!(r#"{{"query":"q","documents":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    server.request("POST", "/v1/rerank", &[], &deep).expect_error(400, "too deep");
    let lines = "{\n  \"query\": \"q\",\n  \"documents\": [nul]\n}";
    server.request("POST", "/v1/rerank", &[], lines).expect_error(400, "at line 3, column ");
    assert_right(&server);
    // The size of chunks is not known when they begin.
    let chunk = format!("{:x}\r\n{}\r\n", 200_000, " ".repeat(200_000));
    let huge = send_part(&server, "transfer-encoding: chunked", &format!("{chunk}{chunk}0\r\n\r\n"));
    Answer::read(huge).expect_error(413, "more than 300000 bytes");
    assert_right(&server);
}

/// The bodies are larger than what the system buffers of a connection.
#[test]
fn a_client_that_sends_its_whole_body_first_reads_why_it_was_refused() {
    let server = serve(&["--max-body-bytes", "1000000", "--api-key", "key"]);
    let body = " ".repeat(17 << 20);
    let key = ("authorization", "Bearer key");
    for (method, path, key, status, message) in [
        ("POST", "/v1/rerank", key, 413, "more than 1000000 bytes"),
        ("POST", "/v1/rerank", ("authorization", "Bearer other"), 401, "the API key is wrong"),
        ("POST", "/nothing", key, 404, "known paths are /rerank,"),
        ("PUT", "/score", key, 405, "answers POST only"),
    ] {
        server.request(method, path, &[key], &body).expect_error(status, message);
    }
    let chunk = format!("{:x}\r\n{body}\r\n", body.len());
    let headers = "authorization: Bearer key\r\ntransfer-encoding: chunked";
    let chunked = send_part(&server, headers, &format!("{chunk}0\r\n\r\n"));
    Answer::read(chunked).expect_error(413, "more than 1000000 bytes");
}

#[test]
fn a_refused_body_is_not_read_for_ever() {
    let server = serve(&["--max-body-bytes", "1000"]);
    let headers = "content-length: 1000000000000";
    // Until the time for a body has passed, and up to some bytes.
    let mut endless = send_part(&server, headers, "{");
    let part = vec![b' '; 1 << 20];
    let sent = (0..1000).position(|_| endless.write_all(&part).is_err());
    assert!(sent.is_some_and(|parts| parts >= 64), "{sent:?}");
    let server = serve(&["--max-body-bytes", "1000", "--body-timeout-ms", "300"]);
    Answer::read(send_part(&server, headers, "{")).expect_error(413, "more than 1000 bytes");
    // A client that waits before it sends the body reads the answer first.
    let server = serve(&["--max-body-bytes", "1000", "--body-timeout-ms", "600000"]);
    let waiting = send_part(&server, &format!("{headers}\r\nexpect: 100-continue"), "");
    Answer::read(waiting).expect_error(413, "more than 1000 bytes");
}

#[cfg(unix)]
#[test]
fn requests_under_way_keep_a_server_that_stops_for_some_time_only() {
    use std::process::Command;
    use std::time::Instant;

    let mut server = serve(&["--body-timeout-ms", "600000", "--shutdown-timeout-ms", "500"]);
    let mut unfinished = send_part(&server, "content-length: 100\r\nexpect: 100-continue", "");
    // The server reads the body, of which nothing comes.
    let mut line = [0; "HTTP/1.1 100 ".len()];
    unfinished.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"HTTP/1.1 100 ");
    let started = Instant::now();
    let id = server.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(server.process.wait().unwrap().code(), Some(1));
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_millis(500) && elapsed < Duration::from_secs(60), "{elapsed:?}");
    let mut messages = String::new();
    server.process.stderr.take().unwrap().read_to_string(&mut messages).unwrap();
    assert!(messages.contains("stopped before all requests were answered"), "{messages}");
}

/// A request for the scores of many documents has its query in memory once.
#[cfg(target_os = "linux")]
#[test]
fn a_long_query_takes_its_memory_once() {
    let model = fixtures_directory().join("bert-gelu-h36");
    let server = serve(&["--model", model.to_str().unwrap()]);
    let peak = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    assert_right_form(&server);
    let before = peak();
    let body = json!({ "query": "river ".repeat(50_000), "documents": vec!["water"; 1000] });
    assert_eq!(server.post("/score", &body).json()["data"].as_array().unwrap().len(), 1000);
    // A copy per document would be 300 MB.
    let grown = peak() - before;
    assert!(grown < 60_000, "{grown} kB");
}

#[cfg(target_os = "linux")]
fn assert_right_form(server: &Server) {
    let answer = server.post("/score", &json!({ "query": "river", "documents": ["water"] }));
    assert_eq!(answer.status, 200, "{}", answer.body);
}

/// Copies a small model to a folder and makes its logits overflow for some pairs: the first value of the pooler is 1 or -1,
/// and the logit is that value times the largest number, plus the largest number.
fn write_failing_model(folder: &Path) {
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        let file = fixtures_directory().join("bert-gelu-h36").join(name);
        if file.exists() {
            std::fs::copy(file, folder.join(name)).unwrap();
        }
    }
    let mut bytes = std::fs::read(fixtures_directory().join("bert-gelu-h36/model.safetensors")).unwrap();
    let data = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: Value = serde_json::from_slice(&bytes[8..data]).unwrap();
    let mut row = [0.0; 36];
    row[3] = 1000.0;
    let mut weights = [0.0; 36];
    weights[0] = f32::MAX;
    for (name, values) in [
        ("bert.pooler.dense.weight", &row[..]),
        ("bert.pooler.dense.bias", &[0.0]),
        ("classifier.weight", &weights),
        ("classifier.bias", &[f32::MAX]),
    ] {
        let start = data + header[name]["data_offsets"][0].as_u64().unwrap() as usize;
        for (at, value) in values.iter().enumerate() {
            bytes[start + 4 * at..][..4].copy_from_slice(&value.to_le_bytes());
        }
    }
    std::fs::write(folder.join("model.safetensors"), bytes).unwrap();
}

#[test]
fn a_model_that_fails_for_a_request_answers_the_others() {
    let folder = tempfile::tempdir().unwrap();
    write_failing_model(folder.path());
    let mut server = serve(&["--model", folder.path().to_str().unwrap(), "--dtype", "f32"]);
    let words = ["Paris", "France", "capital", "the", "of", "is", "a", "Berlin", "Germany", "yellow"];
    let bodies: Vec<Value> =
        words.iter().map(|word| json!({ "query": "Paris", "documents": [word] })).collect();
    let statuses: Vec<u16> = bodies.iter().map(|body| server.post("/v1/rerank", body).status).collect();
    assert!(statuses.iter().all(|status| [200, 500].contains(status)), "{statuses:?}");
    let (failing, working) = (position(&statuses, 500), position(&statuses, 200));
    server.post("/v1/rerank", &bodies[failing]).expect_error(500, "the model failed");

    // Requests of one micro-batch, each with its own answer.
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let server = &server;
        let send = |body| scope.spawn(move || server.post("/v1/rerank", body).status);
        let running: Vec<_> = bodies.iter().map(send).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers, statuses);
    let score = &server.post("/v1/rerank", &bodies[working]).json()["results"][0]["relevance_score"];
    assert!(score.as_f64().unwrap().is_finite());

    // The operator reads the cause, once per answer.
    server.process.kill().unwrap();
    let mut messages = String::new();
    server.process.stderr.take().unwrap().read_to_string(&mut messages).unwrap();
    let failures = 2 * statuses.iter().filter(|status| **status == 500).count() + 1;
    let lines: Vec<&str> = messages.lines().collect();
    assert!(
        lines.len() == failures && lines.iter().all(|line| line.contains("cannot score this input")),
        "{messages}"
    );
}

#[track_caller]
fn position(statuses: &[u16], wanted: u16) -> usize {
    let at = statuses.iter().position(|status| *status == wanted);
    at.unwrap_or_else(|| panic!("no request is answered with {wanted}: {statuses:?}"))
}
