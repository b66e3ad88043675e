//! ranklet rank and ranklet score: inputs, outputs, options.

use super::program::*;
use crate::common::{fixture, fixtures_directory, largest_difference, seed};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

#[test]
fn the_seed_example_ranks_paris_first_with_the_oracles_scores() {
    let (seed, folder) = (seed(), Folder::new());
    let documents = folder.write("documents.json", json!(seed.documents).to_string());
    for (kind, expected) in [("raw", &seed.logits), ("model", &seed.scores), ("sigmoid", &seed.scores)] {
        // In f32: q8 rounds activations too, and tests/score/seed.rs tests its differences.
        let arguments = [
            "rank",
            "--query",
            &seed.query,
            "--documents",
            &documents,
            "--scores",
            kind,
            "--json",
            "--dtype",
            "f32",
        ];
        let ranking: Value = serde_json::from_str(&stdout(&ranklet(&arguments))).unwrap();
        let results = ranking["results"].as_array().unwrap();
        assert_eq!(results[0]["document"], seed.documents[0]);
        assert_eq!(results.len(), 4);
        for result in results {
            let index = result["index"].as_u64().unwrap() as usize;
            let score = result["score"].as_f64().unwrap() as f32;
            assert!((score - expected[index]).abs() <= 1e-4, "{kind}: {score} for {index}");
        }
        assert_eq!(ranking["usage"]["documents"], 4);
        assert_eq!(ranking["backend"]["device"], "cpu");
    }
}

/// Runs the commands of the README.
#[test]
fn the_commands_in_the_readme_work() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let block = readme.split_once("<!-- test: sh -->").expect("README marks its commands").1;
    let script = block.split_once("```sh\n").unwrap().1.split_once("```").unwrap().0;
    let folder = Folder::new();
    let program = Path::new(env!("CARGO_BIN_EXE_ranklet")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-eu", "-c", script])
        .current_dir(folder.0.path())
        .env("PATH", path)
        .output();
    let text = stdout(&output.unwrap());
    let first = text.lines().nth(1).unwrap_or_default();
    assert!(first.contains("Paris is the capital of France and its largest city."), "{text}");
}

#[test]
fn score_writes_one_line_per_pair_in_order_with_labels_separated_by_tabs() {
    for name in ["bert-gelu-h36", "bert-labels3-cjk-h60"] {
        let (fixture, folder) = (fixture(name), Folder::new());
        let lines: Vec<String> = fixture.expected.pairs.iter().map(|pair| json!(pair).to_string()).collect();
        let pairs = folder.write("pairs.jsonl", lines.join("\n"));
        let arguments = [
            "score",
            "--model",
            &model(name),
            "--pairs",
            &pairs,
            "--device",
            "candle",
            "--dtype",
            "f32",
            "--scores",
            "raw",
        ];
        let text = stdout(&ranklet(&arguments));
        assert_eq!(text.lines().count(), fixture.expected.pairs.len());
        let got: Vec<Vec<f32>> =
            text.lines().map(|line| line.split('\t').map(|score| score.parse().unwrap()).collect()).collect();
        assert!(got.iter().all(|labels| labels.len() == fixture.expected.num_labels));
        assert!(largest_difference(&got.concat(), &fixture.expected.logits.concat()).1 <= 1e-4);

        let rows: Vec<Vec<f32>> =
            serde_json::from_str(&stdout(&ranklet(&[&arguments[..], &["--json"]].concat()))).unwrap();
        assert_eq!(rows, got);
    }
}

#[test]
fn top_n_keeps_the_best() {
    let folder = Folder::new();
    let documents = folder.write("documents.txt", "one\ntwo\nthree\nfour\n");
    let rank = |more: &[&str]| {
        let arguments = ["rank", "--query", "three", "--documents", &documents, "--json"];
        let ranking: Value =
            serde_json::from_str(&stdout(&ranklet(&[&arguments[..], more].concat()))).unwrap();
        ranking["results"].as_array().unwrap().clone()
    };
    let all = rank(&[]);
    assert_eq!(rank(&["--top-n", "2"]), all[..2]);
    assert_eq!(rank(&["--top-n", "9"]), all);
    assert!(all.windows(2).all(|pair| pair[0]["score"].as_f64() >= pair[1]["score"].as_f64()));
}

#[test]
fn an_empty_list_of_documents_gives_an_empty_ranking() {
    let folder = Folder::new();
    let documents = folder.write("documents.json", "[]");
    let text = stdout(&ranklet(&["rank", "--query", "q", "--documents", &documents, "--json"]));
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["results"], json!([]));
}

#[test]
fn the_table_has_no_control_characters() {
    let folder = Folder::new();
    let documents = folder.write("documents.json", json!(["\u{1b}[31mred\nalert\u{7}"]).to_string());
    let text = stdout(&ranklet(&["rank", "--query", "q", "--documents", &documents]));
    assert_eq!(text.lines().count(), 2, "{text:?}");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
}

/// Tokens after the cut do not change the score.
#[test]
fn max_length_truncates_pairs() {
    let folder = Folder::new();
    let documents = folder
        .write("documents.json", json!(["one two three four", "one two three four five six"]).to_string());
    let scores = |length: &str| {
        let arguments = ["rank", "--query", "q", "--documents", &documents, "--max-length", length, "--json"];
        let ranking: Value = serde_json::from_str(&stdout(&ranklet(&arguments))).unwrap();
        let results = ranking["results"].as_array().unwrap();
        (results[0]["score"].as_f64().unwrap(), results[1]["score"].as_f64().unwrap())
    };
    let (first, second) = scores("8");
    assert_eq!(first, second);
    let (first, second) = scores("64");
    assert_ne!(first, second);
}

/// An instruction is passed to a model whose prompt contains one; the scores are those of sentence-transformers.
#[test]
#[cfg(feature = "decoder")]
fn an_instruction_reaches_the_model_or_is_an_error() {
    let json = std::fs::read(fixtures_directory().join("qwen3_forms.json")).unwrap();
    let forms: Value = serde_json::from_slice(&json).unwrap();
    let folder = Folder::new();
    let source = fixture("families/qwen3-tied-h40").directory;
    for name in ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"] {
        folder.write(name, std::fs::read(source.join(name)).unwrap());
    }
    folder.write("chat_template.jinja", forms["template"].as_str().unwrap());
    let lines: Vec<String> = forms["pairs"].as_array().unwrap().iter().map(Value::to_string).collect();
    let pairs = folder.write("pairs.jsonl", lines.join("\n"));
    let instruction = forms["instruction"].as_str().unwrap();
    let model = folder.path("");
    let arguments = ["score", "--scores", "raw", "--pairs", &pairs, "--instruction", instruction];
    let output = stdout(&ranklet(&[&arguments[..], &["--model", model.to_str().unwrap()]].concat()));
    let got: Vec<f32> = output.lines().map(|line| line.parse().unwrap()).collect();
    let wanted: Vec<f32> = serde_json::from_value(forms["plain_instructed"].clone()).unwrap();
    assert!(largest_difference(&got, &wanted).1 <= 1e-4, "{output}");
    assert_fails(&arguments, &["unsupported", "put it into the query"]);

    let documents = folder.write("documents.json", json!(["a", "b"]).to_string());
    let rank = ["rank", "--query", "q", "--documents", &documents, "--instruction", "Find it."];
    assert_fails(&rank, &["unsupported", "put it into the query"]);
}

/// Uses a software adapter if there is no other.
#[cfg(feature = "gpu")]
#[test]
fn the_gpu_ranks_and_is_checked_against_known_scores() {
    let folder = Folder::new();
    let documents = folder.write("documents.txt", "Bees make honey.\nTrains run late.\n");
    let rank = ["rank", "--query", "how do bees make honey", "--documents", &documents, "--json", "--device"];
    let read = |arguments: &[&str]| -> Value { serde_json::from_str(&stdout(&ranklet(arguments))).unwrap() };
    let ranked = |device: &str| read(&[&rank[..], &[device]].concat());
    let (gpu, cpu) = (ranked("gpu"), ranked("cpu"));
    assert_eq!(gpu["backend"]["device"], "gpu");
    let order = |ranking: &Value| {
        let results = ranking["results"].as_array().unwrap();
        results.iter().map(|result| result["index"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(order(&gpu), order(&cpu));
    let report = read(&["verify", "--json"]);
    assert_eq!(report["reference"], "the model file");
    assert_eq!(report["pairs"].as_array().unwrap().len(), 2);
}
