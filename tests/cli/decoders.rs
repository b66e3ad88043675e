//! Decoders on the command line: the options that encoders have too.

#![cfg(feature = "decoder")]

use super::program::*;
use crate::common::fixture;
use serde_json::{Value, json};

fn folder_of(name: &str) -> String {
    fixture(name).directory.to_str().unwrap().to_owned()
}

/// Returns a copy of a fixture whose scores have an activation that is unknown.
fn with_unknown_activation(name: &str) -> Folder {
    let (fixture, folder) = (fixture(name), Folder::new());
    for (name, bytes) in fixture.files().iter() {
        std::fs::create_dir_all(folder.path(name).parent().unwrap()).unwrap();
        folder.write(name, bytes);
    }
    let name = "config_sentence_transformers.json";
    let config = std::fs::read(folder.path(name)).unwrap_or_else(|_| b"{}".to_vec());
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    config["activation_fn"] = json!("torch.nn.modules.activation.Tanhshrink");
    folder.write(name, config.to_string());
    folder
}

#[test]
fn an_unknown_activation_stops_neither_raw_scores_nor_sigmoids() {
    let pairs = Folder::new();
    let pairs = pairs.write("pairs.jsonl", "[\"a query\", \"a document\"]\n");
    for name in ["families/qwen2-window-h24", "families/chain-cls-h40"] {
        let folder = with_unknown_activation(name);
        let model = folder.path("");
        let of = |model: &str, scores: &str| {
            let arguments = ["score", "--model", model, "--pairs", &pairs, "--scores", scores];
            arguments.map(str::to_owned)
        };
        let run = |model: &str, scores: &str| {
            let arguments = of(model, scores);
            stdout(&ranklet(&arguments.each_ref().map(String::as_str)))
        };
        let (model, known) = (model.to_str().unwrap(), folder_of(name));
        for scores in ["raw", "sigmoid"] {
            assert_eq!(run(model, scores), run(&known, scores), "{name}: {scores}");
        }
        let arguments = of(model, "model");
        assert_fails(&arguments.each_ref().map(String::as_str), &["Tanhshrink", "scores"]);
    }
}

#[test]
fn eval_and_bench_pass_the_instruction_to_the_models_that_take_one() {
    let folder = Folder::new();
    let hit =
        |docid: &str, content: &str| json!({ "qid": "7", "docid": docid, "score": 1, "content": content });
    let hits: Vec<Value> =
        (0..12).map(|index| hit(&format!("d{index}"), &format!("document {index} of a list"))).collect();
    let run = folder.write("run.json", json!([{ "query": "a query", "hits": hits }]).to_string());
    let qrels = folder.write("qrels.txt", "7 0 d3 1\n");
    let out = folder.path("out.trec");
    let decoder = folder_of("families/qwen2-window-h24");
    let reranked = |more: &[&str]| {
        let eval =
            ["eval", "--run", &run, "--qrels", &qrels, "--out", out.to_str().unwrap(), "--model", &decoder];
        stdout(&ranklet(&[&eval[..], more].concat()));
        std::fs::read_to_string(&out).unwrap()
    };
    let (plain, instructed) = (reranked(&[]), reranked(&["--instruction", "Be strict."]));
    assert_ne!(plain, instructed);
    assert_eq!(plain, reranked(&["--instruction", ""]));
    // The second model takes none.
    let encoder = folder_of("bert-gelu-h36");
    assert_eq!(reranked(&["--instruction", "Be strict.", "--compare", &encoder]), instructed);
    let alone =
        ["eval", "--run", &run, "--qrels", &qrels, "--instruction", "Be strict.", "--model", &encoder];
    assert_fails(&alone, &["instruction", "queries"]);

    let workload = json!({ "query": "a query", "documents": ["a river", "an old city"] }).to_string();
    let served = |more: &[&str]| {
        let arguments = [&["bench", "--serve", "--model", decoder.as_str()], more].concat();
        let answers = stdout(&ranklet_with_input(&arguments, &workload));
        serde_json::from_str::<Value>(answers.lines().nth(1).unwrap()).unwrap()["scores"].clone()
    };
    assert_ne!(served(&["--instruction", "Be strict."]), served(&[]));
    assert_eq!(served(&["--instruction", ""]), served(&[]));
    let bench = ["bench", "--documents", "2", "--repetitions", "1", "--instruction", "Be strict."];
    stdout(&ranklet(&[&bench[..], &["--model", decoder.as_str()]].concat()));
    assert_fails(&bench, &["put it into the query"]);
}

/// What does not work is refused before the weights, which are not there, are read.
#[test]
fn options_of_a_decoder_work_as_those_of_an_encoder_or_are_refused_by_name() {
    let folder = Folder::new();
    let documents = folder.write("documents.txt", "one river\nan old city\n");
    let decoder = folder_of("families/qwen3-tied-h40");
    let rank = ["rank", "--query", "q", "--documents", &documents, "--json", "--model"];
    let results = |more: &[&str]| -> Value {
        let ranked = stdout(&ranklet(&[&rank[..], &[decoder.as_str()], more].concat()));
        serde_json::from_str::<Value>(&ranked).unwrap()["results"].clone()
    };
    let plain = results(&[]);
    for more in [&["--threads", "1"][..], &["--threads", "3", "--device", "cpu", "--dtype", "f32"]] {
        assert_eq!(results(more), plain, "{more:?}");
    }
    assert_eq!(results(&["--max-length", "300"]), plain);
    for (name, bytes) in fixture("families/qwen3-tied-h40").files().iter() {
        std::fs::create_dir_all(folder.path(name).parent().unwrap()).unwrap();
        folder.write(name, if name == "model.safetensors" { &[] } else { bytes });
    }
    let empty = folder.path("");
    for (more, named) in [
        (["--device", "gpu"], "the device gpu"),
        (["--dtype", "f16"], "the dtype f16"),
        (["--dtype", "q8"], "quantized weights"),
        (["--long-documents", "chunk"], "--long-documents"),
    ] {
        let arguments = [&rank[..], &[empty.to_str().unwrap()], &more].concat();
        assert_fails(&arguments, &["a decoder, which r", named]);
    }
}
