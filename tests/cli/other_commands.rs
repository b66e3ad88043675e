//! ranklet quantize, eval, bench and info.

use super::program::*;
use crate::common::{fixture, fixtures_directory};
use serde_json::{Value, json};
use std::path::Path;

#[test]
fn quantize_writes_a_model_that_ranks() {
    let folder = Folder::new();
    let out = folder.path("q8");
    let out = out.to_str().unwrap();
    let source = model("bert-gelu-h36");
    stdout(&ranklet(&["quantize", "--model", &source, "--dtype", "q8", "--out", out]));
    let documents = folder.write("documents.txt", "one\ntwo\n");
    let arguments = ["rank", "--model", out, "--query", "q", "--documents", &documents, "--json"];
    let ranking: Value = serde_json::from_str(&stdout(&ranklet(&arguments))).unwrap();
    assert_eq!(ranking["backend"]["dtype"], "q8");
    let config = |folder: &str| -> Value {
        serde_json::from_slice(&std::fs::read(Path::new(folder).join("config.json")).unwrap()).unwrap()
    };
    let mut listed: Vec<String> = std::fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    listed.sort();
    assert_eq!(config(out)["ranklet"], json!({ "files": listed }));

    let small = folder.path("q4");
    let small = small.to_str().unwrap();
    stdout(&ranklet(&["quantize", "--model", &source, "--dtype", "q4", "--out", small]));
    for dtype in ["auto", "q4"] {
        let arguments =
            ["rank", "--model", small, "--dtype", dtype, "--query", "q", "--documents", &documents];
        let text = stdout(&ranklet(&[&arguments[..], &["--json"]].concat()));
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["backend"]["dtype"], "q8");
    }
    let size = |folder: &str| std::fs::metadata(Path::new(folder).join("model.safetensors")).unwrap().len();
    assert!(size(small) < size(out));

    assert_fails(&["quantize", "--model", out, "--dtype", "q8", "--out", out], &["q8"]);
    let copy = folder.path("copy");
    std::fs::create_dir(&copy).unwrap();
    for entry in std::fs::read_dir(&source).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
    }
    let copy = copy.to_str().unwrap();
    assert_fails(&["quantize", "--model", copy, "--dtype", "q8", "--out", copy], &["another folder"]);
}

#[test]
fn a_folder_with_pytorch_weights_ranks_and_is_quantized() {
    let (folder, name) = (Folder::new(), "bert-bare-h36");
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(fixtures_directory().join(name).join(file), folder.path(file)).unwrap();
    }
    let bin = fixtures_directory().join("weights/bin-f32/pytorch_model.bin");
    std::fs::copy(bin, folder.path("pytorch_model.bin")).unwrap();
    let torch = folder.0.path().to_str().unwrap().to_owned();
    let documents = folder.write("documents.txt", "one\ntwo\n");
    let rank = |model: &str| {
        let arguments = ["rank", "--model", model, "--query", "q", "--documents", &documents, "--json"];
        let ranking: Value = serde_json::from_str(&stdout(&ranklet(&arguments))).unwrap();
        ranking["results"].clone()
    };
    assert!(rank(&torch).as_array().is_some_and(|results| results.len() == 2));
    assert_eq!(rank(&torch), rank(&model(name)));

    let quantize = |source: &str, out: &str| {
        let out = folder.path(out);
        stdout(&ranklet(&["quantize", "--model", source, "--dtype", "q8", "--out", out.to_str().unwrap()]));
        assert!(!out.join("pytorch_model.bin").exists());
        out.to_str().unwrap().to_owned()
    };
    assert_eq!(rank(&quantize(&torch, "q8")), rank(&quantize(&model(name), "twin")));
}

#[test]
fn bench_measures_new_documents_in_each_repetition() {
    let model = model("bert-gelu-h36");
    let arguments = ["bench", "--model", &model, "--documents", "7", "--repetitions", "3"];
    let text = stdout(&ranklet(&[&arguments[..], &["--json"]].concat()));
    let measured: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(measured["documents"], 7);
    let list = |name: &str| -> Vec<f64> { serde_json::from_value(measured[name].clone()).unwrap() };
    let (mut ms, tokens) = (list("ms"), list("tokens"));
    assert_eq!((ms.len(), tokens.len()), (3, 3));
    ms.sort_by(f64::total_cmp);
    for (name, expected) in [("min_ms", ms[0]), ("median_ms", ms[1]), ("max_ms", ms[2])] {
        assert_eq!(measured[name].as_f64().unwrap(), expected, "{name}");
    }
    assert!(ms[0] > 0.0 && tokens.iter().all(|tokens| *tokens >= 7.0));
    assert!(measured["load_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(measured["backend"]["dtype"], "f32");
    if cfg!(target_os = "linux") {
        assert!(measured["peak_bytes"].as_u64().unwrap() > 1_000_000);
    }
    let text = stdout(&ranklet(&arguments));
    for part in ["7 documents", "3 repetitions", "median", "documents per second", "loaded in", "f32"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn bench_answers_a_harness_line_by_line() {
    let (fixture, model) = (fixture("bert-gelu-h36"), model("bert-gelu-h36"));
    let (query, document) = &fixture.expected.pairs[0];
    let workloads = json!({ "query": query, "documents": [document, "another"] }).to_string();
    let workloads = format!("{workloads}\n{}\n", json!({ "query": "q", "documents": [] }));
    let text = stdout(&ranklet_with_input(&["bench", "--model", &model, "--serve"], &workloads));
    let answers: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[0]["backend"]["device"], "cpu");
    let score = answers[1]["scores"][0].as_f64().unwrap() as f32;
    assert!((score - fixture.expected.logits[0][0]).abs() <= 1e-4, "{score}");
    assert_eq!(answers[1]["scores"].as_array().unwrap().len(), 2);
    assert_eq!(answers[2]["scores"], json!([]));

    let output = ranklet_with_input(&["bench", "--model", &model, "--serve"], "nonsense\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("stdin"));
}

#[test]
fn info_summarizes_a_model_without_reading_its_weights() {
    for (name, model_type, architecture) in [
        ("bert-gelu-h36", "bert", "BertForSequenceClassification"),
        ("families/deberta-c2p-h40", "deberta-v2", "DebertaV2ForSequenceClassification"),
        ("families/chain-cls-h40", "modernbert", "ModernBertModel"),
    ] {
        let fixture = fixture(name);
        let folder = fixture.directory.to_str().unwrap();
        let info: Value =
            serde_json::from_str(&stdout(&ranklet(&["info", "--model", folder, "--json"]))).unwrap();
        let loaded = fixture.load();
        assert_eq!(info["model_type"], model_type);
        assert_eq!(info["architecture"], architecture);
        assert_eq!(info["parameters"], loaded.info().parameters, "{name}");
        assert_eq!(info["num_labels"], fixture.expected.num_labels);
        assert_eq!(info["max_length"], fixture.expected.model_max_length);
        let text = stdout(&ranklet(&["info", "--model", folder]));
        for wanted in [architecture, "memory in f32", "memory in q8", "  0  embed", "rows: Cls"] {
            assert!(text.contains(wanted), "{name}: {wanted:?} is not in {text}");
        }
    }
    assert_fails(&["info", "--model", "/no/such/folder"], &["neither a folder nor"]);
}

#[test]
#[cfg(feature = "decoder")]
fn info_of_a_decoder_has_no_plan_and_one_dtype() {
    let fixture = fixture("families/qwen3-tied-h40");
    let folder = fixture.directory.to_str().unwrap();
    let info: Value =
        serde_json::from_str(&stdout(&ranklet(&["info", "--model", folder, "--json"]))).unwrap();
    let loaded = fixture.load();
    assert_eq!(info["parameters"], loaded.info().parameters);
    assert_eq!(info["memory_bytes"], json!([["f32", loaded.info().memory_bytes]]));
    assert_eq!(info["plan"], Value::Null);
    assert!(stdout(&ranklet(&["info", "--model", folder])).contains("a decoder, which candle runs"));
}
