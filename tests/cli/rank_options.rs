//! ranklet rank: fields of documents, minimum scores, fusion and deadlines.

use serde_json::{Value, json};

use super::program::*;

/// The whole output of ranking documents.
fn rank(documents: &Value, options: &[&str]) -> Value {
    let folder = Folder::new();
    let documents = folder.write("documents.json", documents.to_string());
    let model = model("bert-gelu-h36");
    let arguments = ["rank", "--model", &model, "--query", "a river", "--documents", &documents, "--json"];
    serde_json::from_str(&stdout(&ranklet(&[&arguments[..], options].concat()))).unwrap()
}

/// One field of the results, best first.
fn column(ranking: &Value, name: &str) -> Vec<Value> {
    ranking["results"].as_array().unwrap().iter().map(|result| result[name].clone()).collect()
}

#[test]
fn fields_are_scored_by_name_and_path_and_in_both_forms() {
    let folder = Folder::new();
    // In the order of the file, which a map of serde_json would not keep.
    let text = r#"{"id": "x", "title": "Rivers: a guide", "author": {"name": "Ann", "born": 1970}, "pages": [1, 2]}"#;
    let file = folder.write("documents.jsonl", text);
    let text_of = |options: &[&str]| {
        let arguments =
            ["rank", "--model", &model("bert-gelu-h36"), "--query", "q", "--documents", &file, "--json"];
        let ranking: Value =
            serde_json::from_str(&stdout(&ranklet(&[&arguments[..], options].concat()))).unwrap();
        assert_eq!(ranking["results"][0]["id"], "x");
        ranking["results"][0]["document"].as_str().unwrap().to_owned()
    };
    assert_eq!(text_of(&["--rank-fields", "author.name"]), "Ann");
    assert_eq!(text_of(&["--rank-fields", "author.born,pages,nothing"]), "author.born: 1970\npages: 1, 2");
    assert_eq!(
        text_of(&["--structured", "yaml"]),
        "id: x\ntitle: 'Rivers: a guide'\nauthor:\n  name: Ann\n  born: 1970\npages:\n- 1\n- 2\n"
    );
    assert_eq!(
        text_of(&["--structured", "lines", "--rank-fields", "title,author"]),
        "title: Rivers: a guide\nauthor.name: Ann\nauthor.born: 1970"
    );
    let rank =
        |options: &[&'static str]| [&["rank", "--query", "q", "--documents", &file][..], options].concat();
    assert_fails(&rank(&["--rank-fields", "author"]), &["line 1 field \"author\"", "structured"]);
    assert_fails(
        &rank(&["--rank-fields", "none,x.y"]),
        &["no document has a field of rank_fields: none, x.y"],
    );
    let texts = folder.write("documents.txt", "one\ntwo\n");
    assert_fails(
        &["rank", "--query", "q", "--documents", &texts, "--rank-fields", "a"],
        &["no document has a field of rank_fields: a"],
    );
}

#[test]
fn results_below_the_minimum_score_are_left_out() {
    let documents = json!(["one river", "two roads", "three stars", "four winds"]);
    let all = rank(&documents, &[]);
    let scores: Vec<f64> = column(&all, "score").iter().map(|score| score.as_f64().unwrap()).collect();
    let min = scores[1].to_string();
    let some = rank(&documents, &["--min-score", &min]);
    assert_eq!(some["results"].as_array().unwrap()[..], all["results"].as_array().unwrap()[..2]);
    assert_eq!(
        rank(&documents, &["--min-score", &min, "--top-n", "1"])["results"].as_array().unwrap().len(),
        1
    );
    assert_eq!(rank(&documents, &["--min-score", "1e9"])["results"], json!([]));
    assert_eq!(
        rank(&documents, &["--scores", "raw", "--min-score", "-1e9"])["results"].as_array().unwrap().len(),
        4
    );
    let refused = ["rank", "--query", "q", "--documents", "-", "--min-score", "nan"];
    assert_wrong_usage(&refused, "the minimum score is NaN");
}

#[test]
fn the_order_is_fused_with_that_of_a_first_stage() {
    let document = |text: &str, score: Value| json!({ "text": text, "score": score, "meta": { "bm25": 1 } });
    let documents = json!([
        document("one river", json!(1)),
        document("two roads", json!(3.5)),
        document("three stars", json!(null)),
        { "text": "four winds" }
    ]);
    let model_order = column(&rank(&documents, &[]), "index");
    assert_eq!(column(&rank(&documents, &["--fuse", "linear", "--fuse-weight", "1"]), "index"), model_order);
    let first_stage = rank(&documents, &["--fuse", "linear", "--fuse-weight", "0"]);
    assert_eq!(column(&first_stage, "index"), [json!(1), json!(0), json!(2), json!(3)]);
    assert_eq!(column(&first_stage, "score"), [json!(1.0), json!(0.0), json!(0.0), json!(0.0)]);
    let fused = rank(&documents, &["--fuse", "rrf", "--fuse-k", "1"]);
    let of = |index: u64, name: &str| {
        let results = fused["results"].as_array().unwrap();
        results.iter().find(|result| result["index"] == index).unwrap()[name].as_f64().unwrap()
    };
    let rank_of = |index: u64| 1.0 + model_order.iter().position(|other| *other == index).unwrap() as f64;
    for (index, first_stage) in [(0, 1.0 / 3.0), (1, 1.0 / 2.0), (2, 0.0), (3, 0.0)] {
        assert!((of(index, "score") - (1.0 / (1.0 + rank_of(index)) + first_stage)).abs() < 1e-6, "{fused}");
    }
    let scores = column(&rank(&documents, &[]), "score");
    assert_eq!(of(0, "model_score"), scores[rank_of(0) as usize - 1].as_f64().unwrap());
    assert!(rank(&documents, &[])["results"][0].get("model_score").is_none());
    // The text of equal scores keeps its order.
    assert_eq!(
        column(
            &rank(
                &documents,
                &["--fuse", "linear", "--fuse-weight", "0", "--first-stage-field", "meta.bm25"]
            ),
            "index"
        ),
        [0, 1, 2, 3]
    );
    let folder = Folder::new();
    let file = folder.write("documents.json", documents.to_string());
    let fails = |options: &[&'static str], message: &str| {
        let arguments = [&["rank", "--query", "q", "--documents", &file][..], options].concat();
        assert_fails(&arguments, &[message]);
    };
    for (options, message) in [
        (&["--fuse", "sum"][..], "unknown method \"sum\": use one of rrf, linear"),
        (&["--fuse", "rrf", "--fuse-weight", "0.5"], "the weight is a parameter of the method linear"),
        (&["--fuse", "linear", "--fuse-weight", "2"], "the weight is 2; it must be a number from 0 to 1"),
    ] {
        let arguments = [&["rank", "--query", "q", "--documents", &file][..], options].concat();
        assert_wrong_usage(&arguments, message);
    }
    fails(
        &["--fuse", "rrf", "--first-stage-field", "none"],
        "no document has the first stage's score in \"none\"",
    );
    fails(
        &["--fuse", "rrf", "--first-stage-field", "text"],
        "document 0 has no score: its \"text\" is a string",
    );
    assert_eq!(
        ranklet(&["rank", "--query", "q", "--documents", &file, "--fuse-k", "1"]).status.code(),
        Some(2)
    );
}

#[test]
fn a_deadline_ends_the_ranking_and_says_which_documents_have_no_score() {
    let documents = json!((0..300).map(|number| format!("river {number} ").repeat(40)).collect::<Vec<_>>());
    let all = rank(&documents, &[]);
    assert_eq!(all["unscored"], json!([]));
    assert_eq!(rank(&documents, &["--deadline-ms", "3600000"])["results"], all["results"]);
    let cut = rank(&documents, &["--deadline-ms", "1"]);
    let scored = cut["results"].as_array().unwrap().len();
    assert!(scored < 300);
    assert_eq!(cut["unscored"], json!((scored..300).collect::<Vec<_>>()));
    let is_scored = |result: &&Value| result["index"].as_u64().unwrap() < scored as u64;
    let expected: Vec<&Value> = all["results"].as_array().unwrap().iter().filter(is_scored).collect();
    assert_eq!(cut["results"].as_array().unwrap().iter().collect::<Vec<_>>(), expected);
}

#[test]
fn the_status_line_counts_documents() {
    let folder = Folder::new();
    for (documents, counted) in
        [(vec!["a river"], "1 document, "), (vec!["a river", "a lake"], "2 documents, ")]
    {
        let file = folder.write("documents.json", json!(documents).to_string());
        let output =
            ranklet(&["rank", "--model", &model("bert-gelu-h36"), "--query", "river", "--documents", &file]);
        let status = String::from_utf8_lossy(&output.stderr);
        assert!(status.lines().any(|line| line.starts_with(counted)), "{status}");
    }
}
