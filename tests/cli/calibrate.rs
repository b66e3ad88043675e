//! ranklet calibrate, and probabilities.

use std::path::Path;

use serde_json::{Value, json};

use super::program::*;
use crate::common::fixtures_directory;

const MODEL: &str = "bert-gelu-h36";

/// Judged pairs: those with the higher logits are relevant, but for some.
fn judged_pairs(folder: &Folder) -> (String, Vec<f64>, Vec<bool>) {
    let pairs: Vec<[String; 2]> =
        (0..40).map(|number| ["a river".to_owned(), format!("the road {number} to the sea")]).collect();
    let lines: Vec<String> = pairs.iter().map(|pair| json!(pair).to_string()).collect();
    let file = folder.write("plain.jsonl", lines.join("\n"));
    let logits = scores(&["--model", &model(MODEL), "--pairs", &file, "--scores", "raw"]);
    let mut sorted = logits.clone();
    sorted.sort_by(f64::total_cmp);
    let relevant: Vec<bool> =
        logits.iter().enumerate().map(|(index, logit)| (*logit > sorted[25]) != (index % 13 == 5)).collect();
    let lines: Vec<String> = pairs
        .iter()
        .zip(&relevant)
        .map(|([query, document], relevant)| {
            json!({ "query": query, "document": document, "relevant": relevant, "other": 1 }).to_string()
        })
        .collect();
    (folder.write("judged.jsonl", lines.join("\n")), logits, relevant)
}

fn scores(arguments: &[&str]) -> Vec<f64> {
    let output = stdout(&ranklet(&[&["score", "--dtype", "f32"], arguments].concat()));
    output.lines().map(|line| line.parse().unwrap()).collect()
}

fn config(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap()
}

#[test]
fn a_calibrated_model_is_whole_and_gives_probabilities() {
    let folder = Folder::new();
    let (judged, logits, relevant) = judged_pairs(&folder);
    let out = folder.path("calibrated");
    let calibrate = ["calibrate", "--model", &model(MODEL), "--dtype", "f32", "--pairs", &judged, "--out"];
    let arguments = [&calibrate[..], &[out.to_str().unwrap(), "--json"]].concat();
    let report: Value = serde_json::from_str(&stdout(&ranklet(&arguments))).unwrap();
    assert_eq!(report["pairs"], 40);
    assert_eq!(report["relevant"], relevant.iter().filter(|relevant| **relevant).count() as f64);
    assert!(report["error_after"].as_f64().unwrap() < report["error_before"].as_f64().unwrap(), "{report}");

    let written = config(&out);
    assert_eq!(written["ranklet"]["calibration"], report["calibration"]);
    let (scale, offset) =
        (report["calibration"]["scale"].as_f64().unwrap(), report["calibration"]["offset"].as_f64().unwrap());
    // The other fields and their order stay.
    let original = std::fs::read_to_string(fixtures_directory().join(MODEL).join("config.json")).unwrap();
    let names = |text: &str| -> Vec<String> {
        let fields = text.lines().filter_map(|line| line.strip_prefix("  \"")?.split_once('"'));
        fields.map(|(name, _)| name.to_owned()).filter(|name| name != "ranklet").collect()
    };
    assert_eq!(names(&std::fs::read_to_string(out.join("config.json")).unwrap()), names(&original));
    for entry in std::fs::read_dir(fixtures_directory().join(MODEL)).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(out.join(&name).is_file(), "{name:?} is missing");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let links = |folder: &Path| std::fs::metadata(folder.join("tokenizer.json")).unwrap().ino();
        // Another device cannot be linked to.
        let is_linked = links(&out) == links(&fixtures_directory().join(MODEL));
        let is_same_device =
            std::fs::metadata(&out).unwrap().dev() == std::fs::metadata(fixtures_directory()).unwrap().dev();
        assert_eq!(is_linked, is_same_device);
    }

    let out = out.to_str().unwrap();
    let plain = folder.path("plain.jsonl");
    let probabilities =
        scores(&["--model", out, "--pairs", plain.to_str().unwrap(), "--scores", "probability"]);
    for (probability, logit) in probabilities.iter().zip(&logits) {
        assert!((probability - 1.0 / (1.0 + (-(scale * logit + offset)).exp())).abs() < 1e-5);
    }
    let raw = scores(&["--model", out, "--pairs", plain.to_str().unwrap(), "--scores", "raw"]);
    assert_eq!(raw, logits);
    assert!(stdout(&ranklet(&["info", "--model", out])).contains("calibration     scale"));
    let rank = ["rank", "--query", "q", "--documents", "-", "--scores", "probability", "--json"];
    let ranked = ranklet_with_input(&[&rank[..], &["--model", out]].concat(), "a river\n");
    assert!(stdout(&ranked).contains("\"score\":0."));
    let plain_model = ranklet_with_input(&rank, "a river\n");
    let message = String::from_utf8_lossy(&plain_model.stderr).into_owned();
    assert!(message.contains("unsupported error") && message.contains("ranklet calibrate"), "{message}");

    // In place, with other judgments: the second calibration replaces the first.
    let other = folder.write(
        "other.jsonl",
        std::fs::read_to_string(&judged).unwrap().replace("\"relevant\":true", "\"relevant\":0.75"),
    );
    let again = ["calibrate", "--model", out, "--dtype", "f32", "--pairs", &other, "--out", out];
    let text = stdout(&ranklet(&again));
    assert!(text.contains("judged pairs       40,") && text.contains(" before, "), "{text}");
    let second = config(Path::new(out));
    assert_ne!(second["ranklet"], written["ranklet"]);
    assert_eq!(second["model_type"], written["model_type"]);
    assert!(config(&fixtures_directory().join(MODEL)).get("ranklet").is_none());
}

#[test]
fn judgments_may_be_those_of_an_evaluation() {
    let folder = Folder::new();
    let (_, logits, relevant) = judged_pairs(&folder);
    let hits: Vec<Value> = (0..40)
        .map(|number| {
            let content = format!("the road {number} to the sea");
            json!({ "qid": "7", "docid": format!("d{number}"), "score": 40 - number, "content": content })
        })
        .collect();
    let run = folder.write("run.json", json!([{ "query": "a river", "hits": hits }]).to_string());
    let judged = |write: &dyn Fn(usize, bool) -> Option<u32>| -> String {
        let lines = relevant
            .iter()
            .enumerate()
            .filter_map(|(number, relevant)| Some(format!("7 0 d{number} {}\n", write(number, *relevant)?)));
        lines.collect()
    };
    let calibrate = |qrels: &str, options: &[&str]| -> Value {
        let qrels = folder.write("qrels.txt", qrels);
        let out = folder.path("out");
        let arguments = [
            "calibrate",
            "--model",
            &model(MODEL),
            "--dtype",
            "f32",
            "--run",
            &run,
            "--qrels",
            &qrels,
            "--json",
        ];
        let arguments = [&arguments[..], &["--out", out.to_str().unwrap()], options].concat();
        serde_json::from_str(&stdout(&ranklet(&arguments))).unwrap()
    };
    let all = calibrate(&judged(&|_, relevant| Some(u32::from(relevant))), &[]);
    assert_eq!(all["pairs"], logits.len());
    // Without a judgment "not relevant", documents without a judgment count as that.
    assert_eq!(calibrate(&judged(&|_, relevant| relevant.then_some(1)), &[]), all);
    assert_eq!(calibrate(&judged(&|_, relevant| Some(1 + u32::from(relevant))), &["--min-gain", "2"]), all);
    let half = calibrate(&judged(&|number, relevant| (number < 20).then_some(u32::from(relevant))), &[]);
    assert_eq!(half["pairs"], 20);
}

#[test]
fn bad_judgments_and_folders_are_refused() {
    let folder = Folder::new();
    let out = folder.path("out").to_str().unwrap().to_owned();
    let line = |relevant: &str| format!(r#"{{"query": "q", "document": "a", "relevant": {relevant}}}"#);
    for (content, message) in [
        (line("true"), "all judged documents are relevant"),
        (format!("{}\n{}", line("true"), line("2")), "\"relevant\" is 2; it must be a number from 0 to 1"),
        (
            format!("{}\n{}", line("true"), line("\"yes\"")),
            "line 2 is not {\"query\", \"document\", \"relevant\"}",
        ),
        (r#"["q", "a"]"#.to_owned(), "line 1 is not"),
        (r#"{"query": "q", "document": "a"}"#.to_owned(), "missing field \"relevant\""),
        (String::new(), "needs judgments of both kinds"),
        (format!("{}\n{}", line("true"), line("false")), "the same score"),
    ] {
        let pairs = folder.write("pairs.jsonl", content);
        assert_fails(&["calibrate", "--model", &model(MODEL), "--pairs", &pairs, "--out", &out], &[message]);
    }
    let (judged, ..) = judged_pairs(&folder);
    let reversed = std::fs::read_to_string(&judged).unwrap().replace("true", "0").replace("false", "1");
    let reversed = folder.write("reversed.jsonl", reversed);
    let reverses =
        ["calibrate", "--model", &model(MODEL), "--dtype", "f32", "--pairs", &reversed, "--out", &out];
    assert_fails(&reverses, &["scores the relevant documents lower"]);
    assert!(!folder.path("out").exists());
    let file = folder.write("file", "");
    assert_fails(
        &["calibrate", "--model", &model(MODEL), "--pairs", &judged, "--out", &file],
        &["is a file: --out names a folder"],
    );
    assert_fails(
        &["calibrate", "--model", &model("bert-labels3-cjk-h60"), "--pairs", &judged, "--out", &out],
        &["3 labels"],
    );
    for usage in
        [vec![], vec!["--run", "r"], vec!["--qrels", "q"], vec!["--pairs", "p", "--run", "r", "--qrels", "q"]]
    {
        let arguments = [&["calibrate", "--out", &out][..], &usage].concat();
        assert_eq!(ranklet(&arguments).status.code(), Some(2), "{usage:?}");
    }
}

#[test]
fn the_default_model_can_be_calibrated() {
    let folder = Folder::new();
    let line = |document: &str, relevant: bool| {
        json!({ "query": "What is the capital of France?", "document": document, "relevant": relevant })
            .to_string()
    };
    let pairs = [
        line("Paris is the capital of France.", true),
        line("Bananas are yellow.", false),
        line("Berlin is the capital of Germany.", false),
    ];
    let pairs = folder.write("pairs.jsonl", pairs.join("\n"));
    let out = folder.path("out");
    stdout(&ranklet(&["calibrate", "--pairs", &pairs, "--out", out.to_str().unwrap()]));
    let model = out.to_str().unwrap();
    let rank =
        ["rank", "--query", "capital of France", "--documents", "-", "--scores", "probability", "--json"];
    let ranked =
        ranklet_with_input(&[&rank[..], &["--model", model]].concat(), "Paris is the capital of France.\n");
    let ranked: Value = serde_json::from_str(&stdout(&ranked)).unwrap();
    let probability = ranked["results"][0]["score"].as_f64().unwrap();
    assert!((0.5..1.0).contains(&probability), "{probability}");
}
