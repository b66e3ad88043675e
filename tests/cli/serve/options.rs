//! `ranklet serve`: fields of requests beside those of the services, and the cache of scores.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{DOCUMENTS, QUERY, Server, body, rows, serve};

fn results(server: &Server, extra: Value) -> Value {
    let answer = server.post("/v1/rerank", &body(extra));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn indices(body: &Value) -> Vec<usize> {
    rows(&body["results"], "relevance_score").into_iter().map(|(index, _)| index).collect()
}

#[test]
fn results_are_chosen_by_score_and_fused_with_a_first_stage() {
    let server = serve(&[]);
    let plain = results(&server, json!({}));
    assert_eq!(indices(&plain), [1, 0, 2]);
    assert!(plain.get("unscored").is_none());
    let scores = rows(&plain["results"], "relevance_score");
    for name in ["min_score", "minScore"] {
        assert_eq!(indices(&results(&server, json!({ name: scores[1].1 }))), [1, 0], "{name}");
    }
    assert_eq!(indices(&results(&server, json!({ "min_score": scores[1].1, "top_n": 1 }))), [1]);
    let none = results(&server, json!({ "min_score": 2, "fuse": null, "deadline_ms": null }));
    assert_eq!(none["results"], json!([]));
    for (first_stage, order) in [(json!([1, null, 9]), [2, 0, 1]), (json!([null, null, null]), [0, 1, 2])] {
        for name in ["first_stage", "firstStage"] {
            let fuse = json!({ "fuse": { name: first_stage, "method": "linear", "weight": 0, "k": null } });
            let fused = results(&server, fuse);
            assert_eq!(indices(&fused), order);
            for result in fused["results"].as_array().unwrap() {
                let score =
                    scores.iter().find(|(index, _)| *index as u64 == result["index"].as_u64().unwrap());
                assert_eq!(result["model_score"].as_f64(), score.map(|(_, score)| *score));
            }
        }
    }
    let fuse = json!({ "first_stage": [3, 2, 1], "method": "rrf" });
    let texts = json!({ "query": QUERY, "texts": DOCUMENTS, "fuse": fuse, "min_score": scores[1].1 });
    let tei = server.post("/rerank", &texts).json();
    assert_eq!(tei.as_array().unwrap().len(), 2);
    assert_eq!(tei[0]["score"].as_f64().unwrap() as f32, (1.0f64 / 61.0 + 1.0 / 62.0) as f32);
    assert!(tei[0]["model_score"].is_number());
}

#[test]
fn results_have_their_best_sentences_with_the_scores_of_documents() {
    let server = serve(&[]);
    let long = "🦀 It rains. Paris is the capital of France! Trees are green.";
    let documents = json!([long, DOCUMENTS[1], ""]);
    let best = |document: &str, highlight: &Value| {
        let units: Vec<u16> = document.encode_utf16().collect();
        let [start, end] = ["start", "end"].map(|end| highlight[end].as_u64().unwrap() as usize);
        String::from_utf16(&units[start..end]).unwrap()
    };
    for scores in ["sigmoid", "raw"] {
        let answer = results(&server, json!({ "documents": documents, "highlights": 2, "scores": scores }));
        let plain = results(&server, json!({ "documents": documents, "scores": scores }));
        assert!(answer["usage"]["total_tokens"].as_u64() > plain["usage"]["total_tokens"].as_u64());
        for (row, plain) in
            answer["results"].as_array().unwrap().iter().zip(plain["results"].as_array().unwrap())
        {
            assert_eq!(
                (&row["index"], &row["relevance_score"]),
                (&plain["index"], &plain["relevance_score"])
            );
            let highlights = row["highlights"].as_array().unwrap();
            match row["index"].as_u64().unwrap() {
                0 => {
                    assert_eq!(highlights.len(), 2);
                    let sentence = best(long, &highlights[0]);
                    assert_eq!(sentence, "Paris is the capital of France!");
                    let alone = results(&server, json!({ "documents": [sentence], "scores": scores }));
                    assert_eq!(highlights[0]["score"], alone["results"][0]["relevance_score"]);
                    assert!(highlights[0]["score"].as_f64() >= highlights[1]["score"].as_f64());
                }
                // A document that is one sentence.
                1 => {
                    assert_eq!(best(DOCUMENTS[1], &highlights[0]), DOCUMENTS[1]);
                    assert_eq!(highlights[0]["score"], row["relevance_score"]);
                }
                _ => assert!(highlights.is_empty()),
            }
        }
    }
    let tei = json!({ "query": QUERY, "texts": [long], "highlights": 1 });
    assert_eq!(server.post("/rerank", &tei).json()[0]["highlights"].as_array().unwrap().len(), 1);
    // With a first stage, the result's score is not the model's.
    let fuse = json!({ "first_stage": [1, 2, 3], "method": "rrf" });
    let fused = results(&server, json!({ "documents": documents, "highlights": 1, "fuse": fuse }));
    let row = fused["results"].as_array().unwrap().iter().find(|row| row["index"] == 1).unwrap();
    assert_eq!(row["highlights"][0]["score"], row["model_score"]);
    let late = results(&server, json!({ "highlights": 1, "deadline_ms": 1e-6 }));
    assert!(late["results"].as_array().unwrap().iter().all(|row| row.get("highlights").is_none()));
}

#[test]
fn fields_of_documents_are_scored_by_path_and_in_both_forms() {
    let server = serve(&[]);
    let plain = results(&server, json!({}))["results"].clone();
    let nested: Vec<Value> =
        DOCUMENTS.iter().map(|text| json!({ "page": [{ "text": text }], "id": 7 })).collect();
    let scored = |extra: Value| {
        let mut extra = extra;
        extra["documents"] = json!(nested);
        results(&server, extra)["results"].clone()
    };
    assert_eq!(scored(json!({ "rank_fields": ["page.text"] })), plain);
    // The same texts, written by hand. The order of the fields is that of the request.
    let request = format!(
        r#"{{"query": {0}, "structured": "yaml", "documents": [{{"z": {1}, "a": [1]}}, {{"z": {2}, "a": [1]}}]}}"#,
        json!(QUERY),
        json!(DOCUMENTS[0]),
        json!(DOCUMENTS[1])
    );
    let structured = server.request("POST", "/v1/rerank", &[], &request).json()["results"].clone();
    let texts: Vec<String> = DOCUMENTS[..2].iter().map(|text| format!("z: {text}\na:\n- 1\n")).collect();
    assert_eq!(structured, results(&server, json!({ "documents": texts }))["results"]);
    let lines = scored(json!({ "structured": "lines" }));
    let texts: Vec<String> = DOCUMENTS.iter().map(|text| format!("id: 7\npage.text: {text}")).collect();
    assert_eq!(lines, results(&server, json!({ "documents": texts }))["results"]);
}

#[test]
fn bad_fields_are_refused_and_the_next_request_is_right() {
    let server = serve(&[]);
    for (extra, message) in [
        (json!({ "min_score": "high" }), "min_score must be a number, not \"high\""),
        (json!({ "deadline_ms": 0 }), "deadline_ms must be a number above 0, not 0"),
        (json!({ "deadline_ms": "5" }), "deadline_ms must be a number above 0"),
        (json!({ "structured": "json" }), "structured must be \"yaml\" or \"lines\", not \"json\""),
        (json!({ "fuse": [1, 2, 3] }), "fuse must be an object, not an array"),
        (json!({ "fuse": { "first_stage": [1, 2, 3], "method": "rrf", "wait": 1 } }), "fuse.wait"),
        (json!({ "rank_fields": ["a"] }), "no document has a field of rank_fields: a"),
    ] {
        server.post("/v1/rerank", &body(extra)).expect_error(400, message);
    }
    let cases: Value = serde_json::from_str(include_str!("../../fixtures/application.json")).unwrap();
    for case in cases["refused_fusions"].as_array().unwrap() {
        let extra = json!({ "documents": ["a", "b"], "fuse": case[0] });
        server.post("/v1/rerank", &body(extra)).expect_error(400, case[1].as_str().unwrap());
    }
    let tei = server.post("/rerank", &json!({ "query": QUERY, "texts": DOCUMENTS, "min_score": [] }));
    assert_eq!(tei.status, 422);
    assert_eq!(indices(&results(&server, json!({}))), [1, 0, 2]);
}

#[test]
fn the_servers_options_limit_the_tokens_of_documents_and_say_what_to_do_with_long_ones() {
    let plain = serve(&[]);
    let limited = serve(&["--max-tokens-per-document", "4"]);
    let scores = |server: &Server, extra: Value| rows(&results(server, extra)["results"], "relevance_score");
    let all = scores(&plain, json!({}));
    let four = scores(&limited, json!({}));
    assert_ne!(all, four);
    assert_eq!(scores(&plain, json!({ "max_tokens_per_doc": 4 })), four);
    for more in [0, 9] {
        assert_eq!(scores(&limited, json!({ "max_tokens_per_doc": more })), four);
    }
    let two = scores(&limited, json!({ "max_tokens_per_doc": 2 }));
    assert_eq!(scores(&plain, json!({ "max_tokens_per_doc": 2 })), two);
    assert_ne!(four, two);
    let pairs = json!({ "text_1": QUERY, "text_2": DOCUMENTS });
    let data = limited.post("/score", &pairs).json()["data"].clone();
    assert_eq!(data[four[0].0]["score"].as_f64(), Some(four[0].1));

    // The answer is behind what fits into a pair.
    let long = format!("{}{}", "Bananas are yellow and sweet. ".repeat(200), DOCUMENTS[1]);
    let chunks = serve(&["--long-documents", "chunk"]);
    let [cut, chunked] = [&plain, &chunks].map(|server| scores(server, json!({ "documents": [long] }))[0].1);
    assert!(chunked > 1.2 * cut, "{chunked} in chunks, {cut} cut");
}

#[test]
fn a_request_with_a_deadline_is_answered_with_the_documents_scored_so_far() {
    let server = serve(&["--threads", "1"]);
    let long: Vec<String> = (0..1000).map(|number| format!("word {number} ").repeat(150)).collect();
    // The first request tells the server its speed.
    assert_eq!(indices(&results(&server, json!({ "deadline_ms": 3_600_000 }))), [1, 0, 2]);
    let check = |deadline: u64| {
        let started = Instant::now();
        let answer = results(&server, json!({ "documents": long, "deadline_ms": deadline }));
        let scored = answer["results"].as_array().unwrap().len();
        assert_eq!(answer["unscored"], json!((scored..1000).collect::<Vec<_>>()));
        assert!(scored < 1000 && indices(&answer).iter().all(|index| *index < scored));
        // Generous: another program may need the processor.
        assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
        scored
    };
    check(1);
    check(200);
    // A long request is under way; the deadline holds for the wait too.
    let running = server.send("POST", "/v1/rerank", &[], &body(json!({ "documents": long })).to_string());
    std::thread::sleep(Duration::from_millis(300));
    check(200);
    drop(running);
    let soon = results(&server, json!({ "deadline_ms": 60_000 }));
    assert_eq!((indices(&soon), &soon["unscored"]), (vec![1, 0, 2], &json!([])));
}

#[test]
fn a_repeated_request_is_answered_from_the_cache() {
    let metric = |server: &Server, name: &str| -> f64 {
        let metrics = server.request("GET", "/metrics", &[], "").body;
        let line = metrics.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("no {name}: {metrics}")).rsplit_once(' ').unwrap().1.parse().unwrap()
    };
    let server = serve(&["--score-cache", "1000000"]);
    let first = results(&server, json!({}));
    assert_eq!(metric(&server, "ranklet_score_cache_hits_total"), 0.0);
    let tokens = metric(&server, "ranklet_tokens_total");
    assert_eq!(first["usage"]["total_tokens"].as_f64(), Some(tokens));
    let second = results(&server, json!({}));
    assert_eq!(second["results"], first["results"]);
    assert_eq!(second["usage"]["total_tokens"], 0);
    assert_eq!(metric(&server, "ranklet_score_cache_hits_total"), 3.0);
    assert_eq!(metric(&server, "ranklet_tokens_total"), tokens);
    assert_eq!(metric(&server, "ranklet_score_cache_pairs"), 3.0);
    assert!((1.0..1e6).contains(&metric(&server, "ranklet_score_cache_bytes")));
    // Logits serve both kinds of scores.
    let raw = results(&server, json!({ "raw_scores": true }));
    assert_eq!((indices(&raw), &raw["usage"]["total_tokens"]), (vec![1, 0, 2], &json!(0)));
    // Requests at the same time share their documents, in one round or in two.
    let others = json!({ "query": "another", "documents": (0..50).map(|number| format!("river {number}")).collect::<Vec<_>>() });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(server.post("/v1/rerank", &others).status, 200));
        }
    });
    assert_eq!(metric(&server, "ranklet_score_cache_hits_total"), 6.0 + 150.0);
    let without = serve(&[]);
    assert!(!without.request("GET", "/metrics", &[], "").body.contains("score_cache"));
}
