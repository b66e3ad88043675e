//! `ranklet serve`: instructions, of the server and of requests. The models that take one are decoders.

#![cfg(feature = "decoder")]

use serde_json::{Value, json};

use super::{Server, body, serve};
use crate::common::fixture;

#[test]
fn a_request_has_its_own_instruction_or_that_of_the_server() {
    let model = fixture("families/qwen2-window-h24").directory;
    let model = ["--model", model.to_str().unwrap(), "--dtype", "f32"];
    let plain = serve(&model);
    let strict = serve(&[&model[..], &["--instruction", "Be strict."]].concat());
    let scores = |server: &Server, path: &str, fields: Value| {
        let answer = server.post(path, &body(fields)).json();
        let rows = if path.ends_with("score") { &answer["data"] } else { &answer["results"] };
        assert!(rows.is_array(), "{answer}");
        rows.clone()
    };
    for (path, fields) in
        [("/v1/rerank", json!({})), ("/v1/rerank", json!({ "highlights": 1 })), ("/v1/score", json!({}))]
    {
        let with = |instruction: Value| {
            let mut fields = fields.clone();
            fields["instruction"] = instruction;
            fields
        };
        let (without, be_strict) = (with(Value::Null), with(json!("Be strict.")));
        let default = scores(&plain, path, without.clone());
        let instructed = scores(&strict, path, without);
        assert_ne!(default, instructed, "{path}");
        assert_eq!(scores(&plain, path, be_strict), instructed, "{path}");
        assert_eq!(scores(&strict, path, with(json!(""))), instructed, "{path}");
        let kind = with(json!("Be kind."));
        assert_eq!(scores(&strict, path, kind.clone()), scores(&plain, path, kind), "{path}");
    }
    plain
        .post("/v1/rerank", &body(json!({ "instruction": "x".repeat(16 * 1024 + 1) })))
        .expect_error(413, "has 16385 bytes of instruction, and the server takes 16384");
    // Requests at the same time, each with its own.
    let alone =
        |at: usize| scores(&plain, "/v1/rerank", json!({ "instruction": format!("Take {}.", at % 3) }));
    let expected: Vec<Value> = (0..3).map(alone).collect();
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..12).map(|at| scope.spawn(move || alone(at))).collect();
        for (at, thread) in running.into_iter().enumerate() {
            assert_eq!(thread.join().unwrap(), expected[at % 3]);
        }
    });
}

#[test]
fn documents_of_a_decoder_are_cut_to_max_tokens_per_doc() {
    let model = fixture("families/qwen2-window-h24").directory;
    let model = ["--model", model.to_str().unwrap(), "--dtype", "f32"];
    let (free, limited) = (serve(&model), serve(&[&model[..], &["--max-tokens-per-document", "5"]].concat()));
    let answer = |server: &Server, fields: Value| {
        let answer = server.post("/v1/rerank", &body(fields));
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let (whole, cut) = (answer(&free, json!({})), answer(&free, json!({ "max_tokens_per_doc": 5 })));
    let tokens = |answer: &Value| answer["usage"]["total_tokens"].as_u64().unwrap();
    assert!(tokens(&cut) < tokens(&whole), "{cut} {whole}");
    assert_ne!(cut["results"], whole["results"]);
    assert_eq!(answer(&limited, json!({}))["results"], cut["results"]);
    assert_eq!(answer(&free, json!({ "max_tokens_per_doc": 100_000 }))["results"], whole["results"]);
}
