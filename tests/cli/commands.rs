//! The command line as a person or a program uses it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::common::{fixture, fixtures_directory, largest_difference, seed};
use serde_json::{Value, json};
use tempfile::TempDir;

fn ranklet(arguments: &[&str]) -> Output {
    ranklet_with_input(arguments, "")
}

fn ranklet_with_input(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ranklet"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that refuses its arguments may be gone before it reads.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[track_caller]
fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Exit 1, nothing on stdout, one line on stderr that holds `names`.
#[track_caller]
fn assert_fails(arguments: &[&str], names: &[&str]) {
    let output = ranklet(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(output.stdout, b"");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    for name in names {
        assert!(stderr.contains(name), "{stderr:?} does not name {name:?}");
    }
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn model(name: &str) -> String {
    fixtures_directory().join(name).to_str().unwrap().to_owned()
}

#[test]
fn the_seed_example_ranks_paris_first_with_the_oracles_scores() {
    let (seed, folder) = (seed(), Folder::new());
    let documents = folder.write("documents.json", json!(seed.documents).to_string());
    for (kind, expected) in [("raw", &seed.logits), ("model", &seed.scores), ("sigmoid", &seed.scores)] {
        // In f32, for in q8 activations are rounded too: tests/score/seed.rs says how far that goes.
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

/// The commands README shows, run as they stand there.
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
fn score_writes_a_line_a_pair_in_order_with_labels_between_tabs() {
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
fn documents_come_in_every_form_that_is_named() {
    let folder = Folder::new();
    let rank = |file: &str, input: &str| {
        let arguments =
            ["rank", "--model", &model("bert-gelu-h36"), "--query", "Paris", "--documents", file, "--json"];
        let ranking: Value = serde_json::from_str(&stdout(&ranklet_with_input(&arguments, input))).unwrap();
        ranking["results"].clone()
    };
    let expected = rank(&folder.write("a.json", r#"["one river", "two roads"]"#), "");
    assert_eq!(expected.as_array().unwrap().len(), 2);
    assert_eq!(rank(&folder.write("b.json", r#"[{"text": "one river"}, "two roads"]"#), ""), expected);
    assert_eq!(
        rank(
            &folder.write("c.jsonl", "{\"text\": \"one river\", \"id\": 7}\n{\"text\": \"two roads\"}\n"),
            ""
        ),
        expected
    );
    assert_eq!(rank(&folder.write("d.txt", "one river\r\ntwo roads\r\n"), ""), expected);
    assert_eq!(rank("-", "one river\ntwo roads\n"), expected);
    assert_eq!(rank(&folder.write("bom.txt", "\u{feff}one river\ntwo roads\n"), ""), expected);
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
fn no_documents_are_ranked_to_nothing() {
    let folder = Folder::new();
    let documents = folder.write("documents.json", "[]");
    let text = stdout(&ranklet(&["rank", "--query", "q", "--documents", &documents, "--json"]));
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["results"], json!([]));
}

#[test]
fn the_table_shows_nothing_a_terminal_would_obey() {
    let folder = Folder::new();
    let documents = folder.write("documents.json", json!(["\u{1b}[31mred\nalert\u{7}"]).to_string());
    let text = stdout(&ranklet(&["rank", "--query", "q", "--documents", &documents]));
    assert_eq!(text.lines().count(), 2, "{text:?}");
    assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
}

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
fn a_folder_with_torchs_weights_ranks_and_is_quantised() {
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

    let quantise = |source: &str, out: &str| {
        let out = folder.path(out);
        stdout(&ranklet(&["quantize", "--model", source, "--dtype", "q8", "--out", out.to_str().unwrap()]));
        assert!(!out.join("pytorch_model.bin").exists());
        out.to_str().unwrap().to_owned()
    };
    assert_eq!(rank(&quantise(&torch, "q8")), rank(&quantise(&model(name), "twin")));
}

#[test]
fn eval_shows_the_first_stage_beside_the_reranking() {
    let folder = Folder::new();
    let hit = |docid: &str, rank: u32, content: &str| json!({ "qid": 7, "docid": docid, "rank": rank, "score": 10.0 - f64::from(rank), "content": content });
    let run = json!([
        { "query": "What is the capital of France?", "hits": [
            hit("berlin", 1, "Berlin is the capital of Germany."),
            hit("paris", 2, "Paris is the capital of France and its largest city.")] },
        { "query": "nobody judged this", "hits": [{ "qid": "8", "docid": "x", "rank": 1, "score": 1, "content": "x" }] }
    ]);
    let run = folder.write("run.json", run.to_string());
    let qrels = folder.write("qrels.txt", "7 0 paris 2\n7 0 berlin 0\n");
    let arguments = ["eval", "--run", &run, "--qrels", &qrels];
    let evaluation: Value =
        serde_json::from_str(&stdout(&ranklet(&[&arguments[..], &["--json"]].concat()))).unwrap();
    assert_eq!(evaluation["queries"], 1);
    assert_eq!(evaluation["unjudged_queries"], 1);
    assert_eq!(evaluation["reranked"], json!({ "ndcg@10": 1.0, "mrr@10": 1.0 }));
    // The right document in the second place: 1 / log2(3) of the best gain.
    assert_eq!(evaluation["first_stage"], json!({ "ndcg@10": 1.0 / 3f64.log2(), "mrr@10": 0.5 }));
    let table = stdout(&ranklet(&arguments));
    for line in ["nDCG@10", "first stage     0.6309    0.5000", "reranked        1.0000    1.0000"] {
        assert!(table.contains(line), "{table}");
    }
}

#[test]
fn bench_measures_new_documents_each_repetition() {
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
    for part in ["7 documents", "3 repetitions", "median", "documents a second", "loaded in", "f32"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn bench_answers_a_harness_line_by_line() {
    let (fixture, model) = (fixture("bert-gelu-h36"), model("bert-gelu-h36"));
    let (query, document) = &fixture.expected.pairs[0];
    let works = json!({ "query": query, "documents": [document, "another"] }).to_string();
    let works = format!("{works}\n{}\n", json!({ "query": "q", "documents": [] }));
    let text = stdout(&ranklet_with_input(&["bench", "--model", &model, "--serve"], &works));
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
fn bad_files_are_named_with_their_line() {
    let folder = Folder::new();
    let rank = |file: &str| assert_fails(&["rank", "--query", "q", "--documents", file], &[file]);
    rank("no-such-file.json");
    rank(&folder.write("a.json", "{}"));
    rank(&folder.write("b.json", "[1]"));
    rank(&folder.write("c.pdf", "x"));
    rank(&folder.write("d.txt", [0xff, 0xfe, 0x00]));
    let lines = folder.write("e.jsonl", "{\"text\": \"a\"}\n{\"no\": 1}\n");
    assert_fails(&["rank", "--query", "q", "--documents", &lines], &[&lines, "line 2"]);

    for text in [
        "[\"q\", \"d\"]\n[\"q\"]",
        "[\"q\", \"d\"]\nnonsense",
        "[\"q\", \"d\"]\n[\"q\", \"d\", \"x\"]",
        "\n[1, 2]",
    ] {
        let pairs = folder.write("pairs.jsonl", text);
        assert_fails(&["score", "--pairs", &pairs], &[&pairs, "line 2"]);
    }
    let run = folder.write("run.json", "[]");
    let qrels = folder.write("qrels.txt", "1 0 d 1\n1 0 d x\n");
    assert_fails(&["eval", "--run", &run, "--qrels", &qrels], &[&qrels, "line 2"]);
}

#[test]
fn bad_models_and_options_are_named() {
    let folder = Folder::new();
    let documents = folder.write("documents.txt", "one\n");
    let fails = |more: &[&str], names: &[&str]| {
        assert_fails(&[&["rank", "--query", "q", "--documents", &documents][..], more].concat(), names);
    };
    fails(&["--model", "no/such/folder"], &["no/such/folder"]);
    fails(&["--model", folder.0.path().to_str().unwrap()], &["config.json"]);
    fails(&["--model", &model("bert-labels3-cjk-h60")], &["3 labels", "score"]);
    fails(&["--dtype", "f16"], &["f16", "f32"]);
    fails(&["--dtype", "q4"], &["q4", "ranklet quantize"]);
    fails(&["--max-length", "3"], &["3 tokens"]);
    fails(&["--max-length", "513"], &["513", "512"]);
}

/// Warnings come after the data, so that a failure is one line whatever is odd about the model.
#[test]
fn warnings_come_with_results_and_not_with_errors() {
    let (fixture, folder) = (fixture("bert-gelu-h36"), Folder::new());
    for entry in std::fs::read_dir(&fixture.directory).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.0.path().join(entry.file_name())).unwrap();
    }
    let mut tokenizer: Value =
        serde_json::from_slice(&std::fs::read(folder.path("tokenizer.json")).unwrap()).unwrap();
    tokenizer["model"]["vocab"]["zzyzx"] = json!(70_000);
    folder.write("tokenizer.json", tokenizer.to_string());
    let model = folder.0.path().to_str().unwrap();

    let output =
        ranklet_with_input(&["rank", "--model", model, "--query", "q", "--documents", "-"], "a river\n");
    assert!(stdout(&output).contains("a river"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("ranklet: warning: 1 tokens"));
    let documents = folder.write("documents.txt", "the zzyzx road\n");
    assert_fails(
        &["rank", "--model", model, "--query", "q", "--documents", &documents],
        &["document 0", "zzyzx"],
    );
}

#[test]
fn bad_usage_exits_with_two() {
    for arguments in [
        &[][..],
        &["rank"],
        &["rank", "--query", "q", "--documents", "d.txt", "--top-n", "0"],
        &["rank", "--query", "q", "--documents", "d.txt", "--device", "tpu"],
        &["rank", "--query", "q", "--documents", "d.txt", "--scores", "softmax"],
        &["rank", "--query", "q", "--documents", "d.txt", "--no-such-option"],
        &["quantize", "--model", "m", "--dtype", "f32", "--out", "o"],
        &["bench", "--documents", "0"],
        &["bench", "--serve", "--json"],
        &["frobnicate"],
    ] {
        let output = ranklet(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
    }
}

/// Cutting at the query's or the caller's length, seen from outside: what lies beyond the cut changes nothing.
#[test]
fn max_length_cuts() {
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

/// A model with a place for an instruction gets it; the scores are those of sentence-transformers.
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

#[test]
fn info_says_what_a_model_is_without_reading_its_weights() {
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

/// On an adapter in software, where there is no other.
#[cfg(feature = "gpu")]
#[test]
fn the_gpu_ranks_and_is_held_against_known_scores() {
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
