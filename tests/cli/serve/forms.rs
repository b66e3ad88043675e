//! `ranklet serve`: the forms of requests and of their answers.

use serde_json::{Value, json};

use super::{DOCUMENTS, QUERY, body, rows, serve};

#[test]
fn forms_of_requests_and_answers() {
    let server = serve(&[]);
    let results = |path: &str, extra: Value| server.post(path, &body(extra)).json()["results"].clone();
    let plain = results("/v1/rerank", json!({}));
    let nulls =
        json!({ "top_n": null, "rank_fields": null, "return_documents": null, "extra": { "deep": [1] } });
    assert_eq!(results("/v2/rerank", nulls), plain);
    let nulls = json!({ "texts": null, "top_k": null, "return_documents": true });
    assert_eq!(results("/v2/rerank", nulls)[0]["document"], json!({ "text": DOCUMENTS[1] }));
    for none in [json!({ "top_n": 0 }), json!({ "top_n": -1 }), json!({ "top_k": -1 })] {
        assert_eq!(results("/v1/rerank", none.clone()), plain, "{none}");
    }
    assert_eq!(results("/v1/rerank", json!({ "top_n": 1.0 })).as_array().unwrap().len(), 1);
    let echo = json!({ "return_documents": true });
    assert_eq!(results("/v1/rerank", echo.clone())[0]["document"], json!({ "text": DOCUMENTS[1] }));
    assert_eq!(results("/rerank", echo)[0]["document"], DOCUMENTS[1]);
    let (text, object) = (json!(DOCUMENTS[1]), json!({ "text": DOCUMENTS[1] }));
    for (mut extra, expected) in [
        (json!({ "top_k": 2 }), &text),
        (json!({ "truncation": true }), &text),
        (json!({ "truncation": false, "top_n": null }), &text),
        (json!({ "truncation": true, "top_n": 2 }), &object),
        (json!({ "truncation": null }), &object),
        (json!({ "truncation": "end" }), &object),
    ] {
        extra["return_documents"] = json!(true);
        assert_eq!(&results("/v1/rerank", extra.clone())[0]["document"], expected, "{extra}");
    }
    let objects: Vec<Value> =
        DOCUMENTS.iter().map(|text| json!({ "title": "A page", "words": text })).collect();
    let fields = results("/v1/rerank", json!({ "documents": objects, "rank_fields": ["words"] }));
    assert_eq!(fields, plain);
    let raw =
        server.post("/rerank", &json!({ "query": QUERY, "texts": DOCUMENTS, "raw_scores": true })).json();
    for ((_, logit), (_, score)) in rows(&raw, "score").into_iter().zip(rows(&plain, "relevance_score")) {
        assert!((1.0 / (1.0 + (-logit).exp()) - score).abs() < 1e-6, "{logit} {score}");
    }
    // vLLM has two names of the flag; a request with both means the newer one.
    for flags in [json!({ "activation": false }), json!({ "activation": true, "use_activation": false })] {
        let mut request = json!({ "query": QUERY, "texts": DOCUMENTS });
        request.as_object_mut().unwrap().extend(flags.as_object().unwrap().clone());
        assert_eq!(server.post("/rerank", &request).json(), raw, "{flags}");
    }
    let scores = server.post("/score", &json!({ "text_1": QUERY, "text_2": DOCUMENTS })).json();
    let nulls = json!({ "text_1": null, "queries": [QUERY], "text_2": null, "documents": DOCUMENTS });
    assert_eq!(server.post("/score", &nulls).json()["data"], scores["data"]);
    for (query, documents) in
        [("data_1", "data_2"), ("queries", "documents"), ("queries", "items"), ("query", "items")]
    {
        let answer = server.post("/v1/score", &json!({ query: QUERY, documents: DOCUMENTS })).json();
        assert_eq!(answer["data"], scores["data"], "{query} and {documents}: {answer}");
    }
    let pairs = json!({ "data_1": [QUERY, QUERY], "items": DOCUMENTS });
    server
        .post("/score", &pairs)
        .expect_error(400, "data_1 must have one text, or as many as items: 2 and 3");
    let mut ranking = rows(&scores["data"], "score");
    ranking.sort_by(|a, b| b.1.total_cmp(&a.1));
    assert_eq!(ranking, rows(&plain, "relevance_score"));
    let empty = server.post("/v1/rerank", &json!({ "query": QUERY, "documents": [] })).json();
    assert_eq!(empty["results"], json!([]));
    let cut = server.post("/v1/rerank", &body(json!({ "max_tokens_per_doc": 1 }))).json();
    assert_eq!(cut["usage"]["total_tokens"], 3 * (3 + 7 + 1));
    assert_eq!(results("/v1/rerank", json!({ "max_tokens_per_doc": 0 })), plain);
}

#[test]
fn inputs_of_text_ranking_are_answered_as_texts() {
    let server = serve(&[]);
    let inputs = json!({ "query": QUERY, "texts": DOCUMENTS });
    for fields in [json!({}), json!({ "return_text": true, "raw_scores": true })] {
        let answer = |mut request: Value| {
            request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            server.post("/rerank", &request).json()
        };
        let expected = answer(inputs.clone());
        assert_eq!(rows(&expected, "score").len(), 3);
        assert_eq!(answer(json!({ "inputs": inputs })), expected);
        assert_eq!(answer(json!({ "inputs": inputs, "query": null })), expected);
        // Beside a query, it is a field that no service has.
        assert_eq!(answer(json!({ "inputs": "x", "query": QUERY, "texts": DOCUMENTS })), expected);
    }
    let wrong = server.post("/rerank", &json!({ "inputs": { "query": 5, "texts": DOCUMENTS } }));
    assert_eq!((wrong.status, &wrong.json()["error"]), (422, &json!("query must be a string, not 5")));
    let text = server.post("/v1/rerank", &json!({ "inputs": QUERY, "documents": DOCUMENTS }));
    text.expect_error(400, "query is missing");
}

#[test]
fn the_models_name_is_its_id_or_the_last_part_of_its_folder_or_that_of_the_option() {
    let folder = crate::common::fixtures_directory().join("bert-gelu-h36");
    let folder = folder.to_str().unwrap();
    for (arguments, name) in [
        (vec!["--model", folder], "bert-gelu-h36"),
        (vec!["--model", folder, "--served-model-name", "the/name"], "the/name"),
        (vec![], "ranklet"),
    ] {
        let server = serve(&arguments);
        let get = |path: &str| server.request("GET", path, &[], "").json();
        assert_eq!(get("/health")["model"], name);
        assert_eq!(get("/v1/models")["data"][0]["id"], name);
        assert_eq!(server.post("/v1/rerank", &body(json!({}))).json()["model"], name);
    }
}

/// infinity_client needs `stats`, and refuses each owner but "infinity".
#[test]
fn each_path_of_the_model_list_is_that_of_its_service() {
    let server = serve(&["--host", "localhost"]);
    let get = |path: &str| server.request("GET", path, &[], "").json()["data"][0].clone();
    let (infinity, open_ai) = (get("/models"), get("/v1/models"));
    assert_eq!((&infinity["stats"], infinity.get("owned_by")), (&json!({}), None));
    assert_eq!((open_ai.get("stats"), &open_ai["owned_by"]), (None, &json!("ranklet")));
    assert_eq!(infinity["id"], open_ai["id"]);
}

#[test]
fn a_host_that_does_not_exist_is_refused() {
    let arguments = ["serve", "--port", "0", "--host", "not a host"];
    crate::program::assert_fails(&arguments, &["cannot listen on not a host:0"]);
}

#[test]
fn a_slash_at_the_end_is_part_of_no_path() {
    let server = serve(&[]);
    let plain_body = body(json!({}));
    let plain = server.post("/v1/rerank", &plain_body).json()["results"].clone();
    for path in ["/v1/rerank/", "/v1/rerank//", "/v1/rerank/?a=b"] {
        assert_eq!(server.post(path, &plain_body).json()["results"], plain, "{path}");
    }
    // The path of Infinity echoes strings.
    let echo = server.post("/rerank/", &body(json!({ "return_documents": true })));
    assert_eq!(echo.json()["results"][0]["document"], DOCUMENTS[1]);
    server.request("GET", "/v1/rerank/", &[], "").expect_error(405, "/v1/rerank answers POST only");
    server.request("GET", "/v1/", &[], "").expect_error(404, "there is nothing at /v1/;");
    server.request("GET", "/", &[], "").expect_error(404, "there is nothing at /;");
    let head = server.request("HEAD", "/health/", &[], "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let metrics = server.request("GET", "/metrics/", &[], "").body;
    assert!(metrics.contains("ranklet_requests_total{path=\"/v1/rerank\",status=\"200\"} 4\n"), "{metrics}");
}
