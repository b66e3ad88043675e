//! Bad files, models, options and usage: exit codes and messages.

use super::program::*;
use crate::common::fixture;
use serde_json::{Value, json};

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
    for (text, problem) in [
        ("{\"query\": \"q\"}", "it is an object"),
        ("[\"q\", null]", "it has a string and null"),
        ("[\"q\"]", "it has 1 elements"),
        ("q\td", "expected value at column 1"),
    ] {
        let pairs = folder.write("pairs.jsonl", text);
        assert_fails(&["score", "--pairs", &pairs], &["line 1 is not [\"query\", \"document\"]", problem]);
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
    fails(&["--model", &model("bert-labels3-cjk-h60")], &["3 labels", "score pairs instead"]);
    fails(&["--dtype", "f16"], &["f16", "f32"]);
    fails(&["--dtype", "q4"], &["q4", "ranklet quantize"]);
    fails(&["--max-length", "3"], &["3 tokens"]);
    fails(&["--max-length", "513"], &["513", "512"]);
}

/// Warnings are printed after the data, so that a failure is one line, even if the model has warnings.
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

#[test]
fn verify_is_only_for_a_gpu() {
    assert_fails(&["verify", "--device", "cpu"], &["--device is gpu or auto"]);
}

/// An encoder whose files declare an embedding model.
#[test]
fn info_says_what_a_model_is_that_is_no_reranker() {
    let folder = Folder::new();
    let source = fixture("families/chain-mean-sigmoid-h36").directory;
    for name in
        ["config.json", "model.safetensors", "modules.json", "tokenizer.json", "tokenizer_config.json"]
    {
        std::fs::copy(source.join(name), folder.path(name)).unwrap();
    }
    let model = folder.0.path().to_str().unwrap();
    for command in [&["info"][..], &["info", "--json"], &["score", "--pairs", "-"]] {
        assert_fails(
            &[command, &["--model", model]].concat(),
            &["this is an embedding model, not a cross-encoder"],
        );
    }
}

#[test]
fn arguments_that_are_no_values_or_folders_are_explained() {
    let folder = Folder::new();
    for (arguments, problem) in [
        (&["info", "--device", "cuda"][..], "unknown device \"cuda\": use one of"),
        (&["info", "--threads", "0"], "use a whole number of at least 1"),
    ] {
        let text = String::from_utf8(ranklet(arguments).stderr).unwrap();
        assert!(text.contains(problem) && !text.contains("input error"), "{text}");
    }
    let empty = folder.0.path().to_str().unwrap();
    assert_fails(&["info", "--model", empty], &["is an empty folder", "config.json"]);
    assert_fails(&["info", "--model", "https://huggingface.co/owner/name"], &["pass owner/name"]);
    let file = folder.write("file", "");
    let source = model("bert-gelu-h36");
    assert_fails(
        &["quantize", "--model", &source, "--dtype", "q8", "--out", &file],
        &["--out names a folder"],
    );
    let output = ranklet_with_input(&["bench", "--serve"], "{\"query\": 1}\n");
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("the number 1 in place of a string") && !text.contains("line 1"), "{text}");
}

/// Each of these options changes nothing next to the others.
#[test]
fn options_without_an_effect_are_refused() {
    let ranking = ["rank", "--query", "q", "--documents", "d.txt"];
    let calibration = ["calibrate", "--out", "o", "--pairs", "p.jsonl"];
    for (command, more, named) in [
        (&ranking[..], &["--first-stage-field", "bm25"][..], "--fuse"),
        (&ranking, &["--fuse-k", "60"], "--fuse"),
        (&calibration, &["--min-gain", "2"], "--min-gain"),
        (&calibration, &["--corpus", "c.tsv", "--queries", "q.tsv"], "--corpus"),
    ] {
        let output = ranklet(&[command, more].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{more:?}: {stderr}");
        assert!(stderr.contains(named), "{more:?}: {stderr}");
    }
}
