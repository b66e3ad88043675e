//! The models in the program by their names, `ranklet/default` and `ranklet/small`.

use serde_json::Value;

use super::program::*;

const SMALL: &str = "ranklet/small";

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(&ranklet(arguments))).unwrap()
}

#[test]
fn the_small_model_is_in_the_program() {
    let info = json(&["info", "--model", SMALL, "--json"]);
    assert_eq!(info["parameters"], 13_349_761, "{info}");
    assert!(info["weights_bytes"].as_u64().unwrap() <= 8_500_000, "{info}");
    let folder = Folder::new();
    let documents = folder.write("documents.txt", "one\ntwo\n");
    let rank = ["rank", "--query", "q", "--documents", &documents, "--json"];
    let small = json(&[&rank[..], &["--model", SMALL]].concat());
    assert_eq!(small["results"].as_array().unwrap().len(), 2);
    let default = json(&rank);
    assert_ne!(small["results"], default["results"]);
    assert_eq!(json(&[&rank[..], &["--model", "ranklet/default"]].concat())["results"], default["results"]);
}

#[test]
fn the_small_model_is_calibrated_into_a_folder() {
    let folder = Folder::new();
    let pair = |document: &str, relevant: bool| {
        serde_json::json!({ "query": "a river", "document": document, "relevant": relevant }).to_string()
    };
    let texts = ["A river.", "The sea.", "A river to the sea.", "A road.", "Rivers are long.", "A house."];
    let mut ranked: Vec<(f64, &str)> = texts
        .iter()
        .map(|text| {
            let pairs = folder.write("pair.jsonl", serde_json::json!(["a river", text]).to_string());
            let score = stdout(&ranklet(&["score", "--model", SMALL, "--pairs", &pairs, "--scores", "raw"]));
            (score.trim().parse().unwrap(), *text)
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let lines: Vec<String> =
        ranked.iter().enumerate().map(|(rank, (_, text))| pair(text, rank < 2 || rank == 3)).collect();
    let pairs = folder.write("judged.jsonl", lines.join("\n"));
    let out = folder.path("calibrated");
    let out = out.to_str().unwrap();
    stdout(&ranklet(&["calibrate", "--model", SMALL, "--pairs", &pairs, "--out", out]));
    let calibrated = json(&["info", "--model", out, "--json"]);
    assert_eq!(calibrated["weights_bytes"], json(&["info", "--model", SMALL, "--json"])["weights_bytes"]);
}

#[test]
fn a_revision_of_the_small_model_and_its_quantization_are_refused() {
    let documents = Folder::new();
    let file = documents.write("documents.txt", "one\n");
    let rank = ["rank", "--model", SMALL, "--revision", "main", "--query", "q", "--documents", &file];
    assert_fails(&rank, &[SMALL, "part of this program", "--revision"]);
    let out = documents.path("q8");
    let quantize = ["quantize", "--model", SMALL, "--dtype", "q8", "--out", out.to_str().unwrap()];
    assert_fails(&quantize, &[SMALL, "quantized already"]);
}

#[cfg(feature = "serve")]
#[test]
fn a_server_names_the_small_model() {
    let server = super::serve::serve(&["--model", SMALL]);
    assert_eq!(server.request("GET", "/v1/models", &[], "").json()["data"][0]["id"], SMALL);
    let body = serde_json::json!({ "query": "q", "documents": ["one", "two"] });
    assert_eq!(server.post("/v1/rerank", &body).json()["model"], SMALL);
}
