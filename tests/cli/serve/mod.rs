//! `ranklet serve`, over HTTP. The recorded requests are those of rerank clients.

mod faults;
mod forms;
mod instructions;
mod limits;
mod long_documents;
mod options;
mod refusals;
mod scores;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(super) const QUERY: &str = "What is the capital of France?";
pub(super) const DOCUMENTS: [&str; 3] =
    ["Berlin is the capital of Germany.", "Paris is the capital of France.", "Bananas are yellow."];

/// A server that ends with the test.
pub(super) struct Server {
    pub(super) process: Child,
    pub(super) address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(super) fn serve(arguments: &[&str]) -> Server {
    let mut process = Command::new(env!("CARGO_BIN_EXE_ranklet"))
        .args(["serve", "--port", "0", "--device", "cpu"])
        .args(arguments)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(process.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit_once("http://").unwrap_or_else(|| panic!("{line}")).1.to_owned();
    Server { process, address }
}

impl Server {
    /// Opens a connection and sends a request.
    pub(super) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {length}\r\n"
        );
        stream.write_all(format!("{head}{headers}\r\n{body}").as_bytes()).unwrap();
        stream
    }

    pub(super) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        Answer::read(self.send(method, path, headers, body))
    }

    /// Waits until `count` requests are under way.
    #[track_caller]
    pub(super) fn wait_for_requests(&self, count: usize) {
        let pending = format!("ranklet_requests_pending {count}\n");
        let limit = Instant::now() + Duration::from_secs(60);
        while !self.request("GET", "/metrics", &[], "").body.contains(&pending) {
            assert!(Instant::now() < limit, "there were never {count} requests under way");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, &[("content-type", "application/json")], &body.to_string())
    }
}

/// A request of the documents with some more fields.
pub(super) fn body(extra: Value) -> Value {
    let mut body = json!({ "query": QUERY, "documents": DOCUMENTS });
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    body
}

pub(super) struct Answer {
    pub(super) status: u16,
    headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn read(mut stream: TcpStream) -> Self {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Self { status, headers, body: body.to_owned() }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(super) fn expect_error(&self, status: u16, message: &str) {
        let body = self.json();
        assert_eq!(self.status, status, "{body}");
        assert!(body["message"].as_str().unwrap().contains(message), "{body}");
        assert_eq!(body["error"]["message"], body["message"]);
    }
}

/// The scores of the documents, as `ranklet score` computes them.
fn expected() -> Vec<(usize, f64)> {
    let pairs: String = DOCUMENTS.iter().map(|document| format!("{}\n", json!([QUERY, document]))).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pairs.jsonl");
    std::fs::write(&path, pairs).unwrap();
    let arguments =
        ["score", "--device", "cpu", "--scores", "sigmoid", "--json", "--pairs", path.to_str().unwrap()];
    let scores = crate::program::stdout(&crate::program::ranklet(&arguments));
    let scores: Vec<[f64; 1]> = serde_json::from_str(&scores).unwrap();
    let mut ranking: Vec<(usize, f64)> = scores.into_iter().map(|[score]| score).enumerate().collect();
    ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranking
}

pub(super) fn rows(body: &Value, score: &str) -> Vec<(usize, f64)> {
    let rows = body.as_array().unwrap_or_else(|| panic!("no rows: {body}"));
    rows.iter().map(|row| (row["index"].as_u64().unwrap() as usize, row[score].as_f64().unwrap())).collect()
}

/// The package and `ranklet rank` read the same texts.
#[test]
fn the_text_of_a_document_is_the_first_field_that_is_a_string() {
    let server = serve(&[]);
    let rank = |documents: &[Value]| {
        server.post("/v1/rerank", &json!({ "model": "m", "query": "rivers", "documents": documents }))
    };
    let (cases, refused): (Vec<_>, Vec<_>) =
        crate::program::document_texts().into_iter().partition(|(_, text)| text.is_some());
    let (documents, texts): (Vec<Value>, Vec<Value>) =
        cases.into_iter().map(|(document, text)| (document, Value::from(text))).unzip();
    let expected = rows(&rank(&texts).json()["results"], "relevance_score");
    assert_eq!(rows(&rank(&documents).json()["results"], "relevance_score"), expected);
    for (document, _) in refused {
        rank(&[json!("a text"), document]).expect_error(400, "documents[1] ");
    }
}

#[test]
fn recorded_requests_of_clients_are_answered_as_they_read_them() {
    let recording = include_str!("../../fixtures/rerank_clients.json");
    let recording: BTreeMap<String, Value> = serde_json::from_str(recording).unwrap();
    let server = serve(&["--api-key", "key of the test"]);
    let expected = expected();
    assert_eq!(expected[0].0, 1);
    for (client, request) in recording {
        let headers = request["headers"].as_object().unwrap();
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        let answer =
            server.request("POST", request["path"].as_str().unwrap(), &headers, &request["body"].to_string());
        assert_eq!(answer.status, 200, "{client}: {}", answer.body);
        let body = answer.json();
        let found =
            if body.is_array() { rows(&body, "score") } else { rows(&body["results"], "relevance_score") };
        let asked = request["body"].get("top_n").or(request["body"].get("top_k"));
        let number = asked.and_then(Value::as_u64).map_or(3, |number| number as usize);
        assert_eq!(found, expected[..number], "{client}");
        if body.is_object() {
            assert_eq!(body["data"], body["results"], "{client}");
            assert!(body["usage"]["total_tokens"].as_u64().unwrap() > 0, "{client}");
            assert_eq!(body["meta"]["tokens"]["input_tokens"], body["usage"]["total_tokens"], "{client}");
            assert_eq!(body["object"], "rerank", "{client}");
        }
    }
}

#[test]
fn bad_requests_are_refused_and_the_next_one_is_right() {
    let server = serve(&["--max-body-bytes", "5000", "--max-documents", "5"]);
    for (body, status, message) in [
        ("", 400, "the body is empty"),
        ("\u{feff}", 400, "the body is empty"),
        ("query=q", 400, "not valid JSON"),
        ("[1]", 400, "must be a JSON object"),
        (r#"{"documents":["a"]}"#, 400, "query is missing; it must be a string"),
        (r#"{"query":5,"documents":["a"]}"#, 400, "query must be a string, not 5"),
        (
            r#"{"query":"q","documents":["a",null]}"#,
            400,
            "documents[1] must be a string or an object, not null",
        ),
        (r#"{"query":"q","documents":["a"],"top_n":"3"}"#, 400, "top_n must be a whole number"),
        (r#"{"query":"q","documents":["a"],"top_n":1.5}"#, 400, "top_n must be a whole number"),
        (r#"{"query":"q","documents":["a"],"max_tokens_per_doc":-1}"#, 400, "0 or more"),
        (r#"{"query":"q","documents":[{"a":1}]}"#, 400, "documents[0] has no string text"),
        (r#"{"query":"q","documents":[{"a":1}]}"#, 400, "in rank_fields"),
        (r#"{"query":"q","documents":[{"a":1}],"rank_fields":["b"]}"#, 400, "has a field of rank_fields: b"),
        (
            r#"{"query":"q","documents":[{"a":{}}],"rank_fields":["a"]}"#,
            400,
            "field \"a\" of rank_fields must be",
        ),
        (
            r#"{"query":"q","documents":["a","b","c","d","e","f"]}"#,
            413,
            "has 6 documents, and the server takes 5",
        ),
    ] {
        server.request("POST", "/v1/rerank", &[], body).expect_error(status, message);
    }
    server.request("POST", "/v1/rerank", &[], &"x".repeat(6000)).expect_error(413, "more than 5000 bytes");
    server.request("GET", "/nothing", &[], "").expect_error(404, "known paths are /rerank,");
    let wrong = server.request("GET", "/v1/rerank", &[], "");
    wrong.expect_error(405, "answers POST only");
    assert_eq!(wrong.headers["allow"], "POST");
    let fields = json!({ "query": QUERY, "documents": DOCUMENTS, "rank_fields": vec!["a"; 101] });
    server.post("/v1/rerank", &fields).expect_error(413, "has 101 rank_fields, and the server takes 100");
    let half_an_emoji = r#"{"query":"q","documents":["half \ud83d emoji"],"return_documents":true}"#;
    let answer = server.request("POST", "/v1/rerank", &[], half_an_emoji);
    assert_eq!(answer.json()["results"][0]["document"]["text"], "half \u{fffd} emoji", "{}", answer.body);
    let tei = server.post("/rerank", &json!({ "query": QUERY, "texts": 5 }));
    assert_eq!(tei.status, 422);
    assert_eq!(tei.json()["error_type"], "Validation");
    let infinity = server.post("/rerank", &json!({ "query": 5, "documents": ["a"] }));
    assert_eq!(infinity.json()["detail"][0]["msg"], "query must be a string, not 5");
    let marked = "\u{feff}{\"query\":\"q\",\"documents\":[\"a\"]}";
    assert_eq!(server.request("POST", "/v1/rerank", &[], marked).status, 200);
    let metrics = server.request("GET", "/metrics", &[], "").body;
    assert!(metrics.contains("ranklet_documents_total 2\n"), "{metrics}");
    assert!(metrics.contains("ranklet_requests_total{path=\"/v1/rerank\",status=\"400\"} 14\n"), "{metrics}");
}

#[test]
fn what_no_browser_sends_as_an_origin_is_refused() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_ranklet")).args(["serve", "--cors", "a.example"]).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && message.contains("must be an origin such as"), "{message}");
}

#[test]
fn keys_and_origins() {
    let server = serve(&["--api-key", "first", "--api-key", "second", "--cors", "https://A.example:443/"]);
    let post = |headers: &[(&str, &str)]| {
        server.request("POST", "/v1/rerank", headers, r#"{"query":"q","documents":["a"]}"#)
    };
    for key in ["Bearer first", "bearer second", "second"] {
        assert_eq!(post(&[("authorization", key)]).status, 200, "{key}");
    }
    post(&[]).expect_error(401, "an API key is needed");
    for key in ["Bearer third", "Bearer firs", "Bearer firstfirst", "Basic first"] {
        post(&[("authorization", key)]).expect_error(401, "the API key is wrong");
    }
    assert_eq!(server.request("GET", "/health", &[], "").status, 200);
    assert_eq!(server.request("GET", "/models", &[], "").status, 401);
    let page = post(&[("origin", "https://a.example")]);
    assert_eq!(page.headers["access-control-allow-origin"], "https://a.example");
    assert_eq!(page.headers["access-control-expose-headers"], "retry-after");
    assert!(!post(&[("origin", "https://b.example")]).headers.contains_key("access-control-allow-origin"));
    // Clients send headers of their own.
    let requested = "authorization,content-type,x-fern-language,x-client-name";
    let asks = [
        ("origin", "https://a.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", requested),
    ];
    let allowed = server.request("OPTIONS", "/v1/rerank", &asks, "");
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.headers["access-control-allow-origin"], "https://a.example");
    assert_eq!(allowed.headers["access-control-allow-headers"], requested);
    assert!(allowed.headers["access-control-allow-methods"].contains("POST"));
    for (key, problem) in [
        ("", "would let every client in"),
        ("key\n", "cannot send"),
        (" key", "cannot send"),
        ("ключ", "cannot send"),
    ] {
        let refused = crate::program::ranklet(&["serve", "--port", "0", "--api-key", key]);
        assert_eq!(refused.status.code(), Some(2), "{key:?}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(problem), "{key:?}");
    }
}

#[test]
fn a_full_server_answers_at_once_and_a_short_request_does_not_wait() {
    let server = serve(&["--max-queue", "2", "--max-batch-tokens", "512"]);
    let long = json!({ "query": QUERY, "documents": vec!["word ".repeat(200); 1000] });
    let running = server.send("POST", "/v1/rerank", &[], &long.to_string());
    std::thread::sleep(Duration::from_millis(500));
    let started = Instant::now();
    assert_eq!(server.post("/v1/rerank", &json!({ "query": QUERY, "documents": DOCUMENTS })).status, 200);
    let second = server.send("POST", "/v1/rerank", &[], &long.to_string());
    std::thread::sleep(Duration::from_millis(200));
    let refused = server.post("/v1/rerank", &json!({ "query": QUERY, "documents": DOCUMENTS }));
    refused.expect_error(429, "too many requests");
    assert!(refused.headers["retry-after"].parse::<u32>().unwrap() >= 1);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    // Clients that hang up make room.
    drop((running, second));
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.post("/v1/rerank", &json!({ "query": QUERY, "documents": DOCUMENTS })).status != 200 {
        assert!(Instant::now() < deadline, "the work of clients that have gone goes on");
        std::thread::sleep(Duration::from_millis(100));
    }
    let metrics = server.request("GET", "/metrics", &[], "").body;
    assert!(metrics.contains("ranklet_documents_total 6\n"), "{metrics}");
}

#[cfg(unix)]
#[test]
fn a_signal_stops_the_server_after_the_requests_under_way() {
    let mut server = serve(&[]);
    let body = json!({ "query": QUERY, "documents": vec!["word ".repeat(100); 100] });
    let running = server.send("POST", "/v1/rerank", &[], &body.to_string());
    std::thread::sleep(Duration::from_millis(300));
    let id = server.process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(Answer::read(running).status, 200);
    assert!(server.process.wait().unwrap().success());
}

#[cfg(unix)]
#[test]
fn a_second_signal_stops_the_server_at_once() {
    let mut server = serve(&["--body-timeout-ms", "600000"]);
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(b"POST /rerank HTTP/1.1\r\nhost: test\r\ncontent-length: 9\r\n\r\n{").unwrap();
    let id = server.process.id().to_string();
    for signal in ["-INT", "-INT"] {
        std::thread::sleep(Duration::from_millis(300));
        assert!(server.process.try_wait().unwrap().is_none(), "a request is under way");
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    let status = loop {
        match server.process.try_wait().unwrap() {
            Some(status) => break status,
            None => assert!(Instant::now() < deadline, "the server goes on"),
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(status.code(), Some(1));
    let mut messages = String::new();
    server.process.stderr.take().unwrap().read_to_string(&mut messages).unwrap();
    assert!(messages.contains("stopped before all requests were answered"), "{messages}");
}

#[test]
fn an_address_in_use_is_an_error() {
    let server = serve(&[]);
    let (_, port) = server.address.rsplit_once(':').unwrap();
    let output = crate::program::ranklet(&["serve", "--port", port]);
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("cannot listen on 127.0.0.1:"), "{message}");
}
