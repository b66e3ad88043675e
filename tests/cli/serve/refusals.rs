//! `ranklet serve`: refused requests, in the shape of each dialect. The tests of the package replay the same table.

use serde_json::{Value, json};

use super::{DOCUMENTS, QUERY, Server, rows, serve};

fn table() -> Value {
    serde_json::from_str(include_str!("../../fixtures/rerank_refusals.json")).unwrap()
}

/// A request of a dialect for two documents, with some more fields.
fn body(dialect: &Value, fields: &Value) -> Value {
    let mut body = json!({ "query": QUERY, dialect["documents"].as_str().unwrap(): DOCUMENTS[..2] });
    let extra = [&dialect["extra"], fields].into_iter().filter_map(Value::as_object).cloned();
    body.as_object_mut().unwrap().extend(extra.flatten());
    body
}

fn post(server: &Server, dialect: &Value, fields: &Value) -> (u16, Value) {
    let answer = server.post(dialect["path"].as_str().unwrap(), &body(dialect, fields));
    (answer.status, answer.json())
}

/// Checks an error and returns its message.
fn message(dialect: &Value, fields: &Value, (status, error): (u16, Value)) -> String {
    let name = dialect["name"].as_str().unwrap();
    assert_eq!(json!(status), dialect["status"], "{name}, {fields}: {error}");
    let message = if dialect["documents"] == "texts" {
        assert_eq!(error["error_type"], "Validation", "{name}, {fields}: {error}");
        &error["error"]
    } else {
        assert_eq!(error["error"]["code"], dialect["status"], "{name}, {fields}: {error}");
        let detail = if status == 422 { &error["detail"][0]["msg"] } else { &error["detail"] };
        assert_eq!(detail, &error["message"], "{name}, {fields}: {error}");
        &error["message"]
    };
    message.as_str().unwrap_or_else(|| panic!("{name}, {fields}: {error}")).to_owned()
}

#[test]
fn wrong_fields_are_refused_as_the_servers_of_each_dialect_do_it() {
    let server = serve(&[]);
    let table = table();
    for dialect in table["dialects"].as_array().unwrap() {
        for case in table["refused"].as_array().unwrap() {
            let (fields, part) = (&case[0], case[1].as_str().unwrap());
            let message = message(dialect, fields, post(&server, dialect, fields));
            assert!(message.contains(part), "{fields}: {message}");
        }
        let (status, ranking) = post(&server, dialect, &json!({}));
        assert_eq!(status, 200, "{ranking}");
    }
    let instructed = json!({ "text_1": QUERY, "text_2": DOCUMENTS, "instruction": "Find facts." });
    server.post("/score", &instructed).expect_error(400, "this model takes no instruction");
    let probability = json!({ "text_1": QUERY, "text_2": DOCUMENTS, "scores": "probability" });
    server.post("/score", &probability).expect_error(400, "ranklet calibrate");
    server
        .post("/score", &json!({ "text_1": QUERY, "text_2": DOCUMENTS, "scores": 1 }))
        .expect_error(400, "scores");
}

#[test]
fn scores_that_the_model_does_not_have_are_a_wrong_field() {
    let folder = tempfile::tempdir().unwrap();
    let files = ranklet::ModelFiles::embedded();
    for (name, bytes) in files.iter() {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let mut config: Value = serde_json::from_slice(files.get("config.json").unwrap()).unwrap();
    config["sentence_transformers"] = json!({ "activation_fn": "torch.nn.Tanhshrink" });
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let server = serve(&["--model", folder.path().to_str().unwrap()]);
    for dialect in table()["dialects"].as_array().unwrap() {
        let fields = json!({ "scores": "model" });
        let message = message(dialect, &fields, post(&server, dialect, &fields));
        assert!(message.contains("only raw scores and sigmoids can be had"), "{message}");
        assert_eq!(post(&server, dialect, &json!({})).0, 200);
    }
}

#[test]
fn a_model_without_instructions_refuses_that_of_the_server() {
    let arguments = ["serve", "--port", "0", "--instruction", "Be strict."];
    crate::program::assert_fails(&arguments, &["takes no instruction", "put it into the query"]);
}

#[test]
fn probabilities_are_those_of_the_calibration() {
    let folder = tempfile::tempdir().unwrap();
    let (scale, offset) = (0.5, -1.25);
    let files = ranklet::ModelFiles::embedded();
    for (name, bytes) in files.iter() {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let mut config: Value = serde_json::from_slice(files.get("config.json").unwrap()).unwrap();
    config["ranklet"] = json!({ "calibration": { "scale": scale, "offset": offset } });
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let server = serve(&["--model", folder.path().to_str().unwrap()]);
    let table = table();
    for dialect in table["dialects"].as_array().unwrap() {
        let scores = |fields: Value| {
            let (status, answer) = post(&server, dialect, &fields);
            assert_eq!(status, 200, "{answer}");
            match &answer["results"] {
                Value::Null => rows(&answer, "score"),
                results => rows(results, "relevance_score"),
            }
        };
        let logits = scores(json!({ "scores": "raw" }));
        assert_eq!(logits, scores(json!({ "raw_scores": true, "scores": "raw" })));
        assert_eq!(logits, scores(json!({ "use_activation": false, "scores": null })));
        let sigmoids = scores(json!({}));
        assert_eq!(sigmoids, scores(json!({ "scores": "sigmoid" })));
        // Clients of Infinity and TEI always send the flag.
        let probabilities = scores(json!({ "scores": "probability", "raw_scores": false }));
        for ((index, logit), (other, probability)) in logits.iter().zip(&probabilities) {
            let expected = 1.0 / (1.0 + f64::exp(-(scale * logit + offset)));
            assert_eq!(index, other);
            assert!((probability - expected).abs() < 1e-6, "{probability}, not {expected}");
        }
        assert_ne!(sigmoids, probabilities);
        // The bound is for the scores of the answer.
        let best = probabilities[0].1;
        assert_eq!(scores(json!({ "scores": "probability", "min_score": best })), probabilities[..1]);
    }
    let pairs = json!({ "text_1": QUERY, "text_2": DOCUMENTS[..2], "scores": "probability" });
    let ranking = post(&server, &table["dialects"][0], &json!({ "scores": "probability" })).1;
    for (index, score) in rows(&ranking["results"], "relevance_score") {
        assert_eq!(server.post("/v1/score", &pairs).json()["data"][index]["score"], json!(score));
    }
}
