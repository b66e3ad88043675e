//! ranklet eval: formats of runs and judgments, refusals, measures, outputs.

use serde_json::{Value, json};

use super::program::*;

const QUERY: &str = "What is the capital of France?";
const BERLIN: &str = "Berlin is the capital of Germany.";
const PARIS: &str = "Paris is the capital of France and its largest city.";

/// A run of one query with two documents; the relevant one is second.
fn run_json() -> String {
    let hit = |docid: &str, score: f64, content: &str| json!({ "qid": "7", "docid": docid, "score": score, "content": content });
    json!([{ "query": QUERY, "hits": [hit("berlin", 9.0, BERLIN), hit("paris", 8.0, PARIS)] }]).to_string()
}

fn evaluation(arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(&ranklet(&[&["eval", "--json"], arguments].concat()))).unwrap()
}

#[test]
fn eval_shows_metrics_of_the_first_stage_and_of_the_reranking() {
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
    // The relevant document is second: its gain is divided by log2(3).
    assert_eq!(evaluation["first_stage"], json!({ "ndcg@10": 1.0 / 3f64.log2(), "mrr@10": 0.5 }));
    let table = stdout(&ranklet(&arguments));
    for line in ["nDCG@10", "first stage       0.6309      0.5000", "reranked          1.0000      1.0000"] {
        assert!(table.contains(line), "{table}");
    }
}

#[test]
fn eval_reads_judgments_of_trec_and_beir_with_whole_gains_in_any_form() {
    let folder = Folder::new();
    let run = folder.write("run.json", run_json());
    for (name, qrels) in [
        ("trec.txt", "7 0 paris 1\n"),
        ("float.txt", "7 0 paris 1.0\n"),
        ("beir.tsv", "query-id\tcorpus-id\tscore\n7\tparis\t1\n"),
        ("windows.txt", "\u{feff}7 0 paris 1\r\n"),
        ("header.tsv", "query_id\titer\tdoc_id\trelevance\n7\t0\tparis\t1\n"),
        ("negative.txt", "7 0 paris +1\n7 0 berlin -2.0\n"),
    ] {
        let qrels = folder.write(name, qrels);
        let evaluation = evaluation(&["--run", &run, "--qrels", &qrels]);
        assert_eq!(evaluation["first_stage"]["mrr@10"], 0.5, "{name}");
    }
    for (qrels, problem) in [
        ("7 0 paris 0.5\n", "not a whole number"),
        ("7 paris\n", "line 1 is neither"),
        ("7,0,paris,1\n", "with spaces or tabs between"),
        ("7 0 1 paris\n", "the gain \"paris\" is not a whole number"),
        ("7 0 paris 99999999999\n", "of up to 31 bits"),
        ("", "no judgments"),
        ("7 0 paris 1\n7 0 paris 2\n", "judged 2 here and 1 earlier"),
        ("8 0 paris 1\n", "no query has a judgment"),
        ("7 0 Paris 1\n", "no document has a judgment"),
    ] {
        let qrels = folder.write("qrels.txt", qrels);
        assert_fails(&["eval", "--run", &run, "--qrels", &qrels], &[problem]);
    }
}

#[test]
fn eval_reads_a_trec_run_with_its_collection_and_writes_one() {
    let folder = Folder::new();
    let run = folder.write("run.trec", "7 Q0 berlin 1 9.0 bm25\n7 Q0 paris 2 8.0 bm25\n");
    let qrels = folder.write("qrels.txt", "7 0 paris 1\n");
    let corpus = folder.write(
        "corpus.jsonl",
        format!(
            "{}\n{}\n",
            json!({ "_id": "berlin", "text": BERLIN }),
            json!({ "_id": "paris", "title": "Paris", "text": &PARIS[6..] })
        ),
    );
    let queries = folder.write("queries.tsv", format!("7\t{QUERY}\n"));
    let out = folder.path("out.trec");
    let texts = ["--corpus", &corpus, "--queries", &queries];
    let arguments = ["--run", &run, "--qrels", &qrels, "--out", out.to_str().unwrap()];
    assert_eq!(evaluation(&[&arguments[..], &texts].concat())["reranked"]["mrr@10"], 1.0);
    let written = std::fs::read_to_string(&out).unwrap();
    let lines: Vec<Vec<&str>> = written.lines().map(|line| line.split(' ').collect()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((lines[0][0], lines[0][2], lines[0][3], lines[0][5]), ("7", "paris", "1", "ranklet"));
    assert_fails(&["eval", "--run", &run, "--qrels", &qrels], &["TREC run", "--corpus"]);
    let broken = folder.write("broken.trec", "7 Q0 rome 1 9.0 bm25\n");
    assert_fails(&[&["eval", "--run", &broken, "--qrels", &qrels], &texts[..]].concat(), &["line 1", "rome"]);
}

#[test]
fn eval_refuses_a_document_that_a_query_has_twice() {
    let folder = Folder::new();
    let mut run: Value = serde_json::from_str(&run_json()).unwrap();
    run[0]["hits"][0]["docid"] = json!("paris");
    let run = folder.write("run.json", run.to_string());
    let qrels = folder.write("qrels.txt", "7 0 paris 1\n");
    assert_fails(&["eval", "--run", &run, "--qrels", &qrels], &["paris", "twice"]);
}

/// As pytrec_eval and ir_measures count it: the mean is over two queries.
#[test]
fn eval_counts_a_judged_query_without_hits_as_zero_and_names_those_not_in_the_run() {
    let folder = Folder::new();
    let mut run: Value = serde_json::from_str(&run_json()).unwrap();
    run.as_array_mut().unwrap().push(json!({ "query": "nothing found", "qid": "8", "hits": [] }));
    let run = folder.write("run.json", run.to_string());
    let qrels = folder.write("qrels.txt", "7 0 paris 1\n8 0 x 1\n9 0 y 1\n");
    let evaluation = evaluation(&["--run", &run, "--qrels", &qrels]);
    assert_eq!(evaluation["queries"], 2);
    assert_eq!(evaluation["first_stage"]["mrr@10"], 0.25);
    assert_eq!(evaluation["missing_queries"], json!(["9"]));
    let output = ranklet(&["eval", "--run", &run, "--qrels", &qrels]);
    let warnings = String::from_utf8_lossy(&output.stderr).into_owned();
    let table = stdout(&output);
    assert!(table.contains("2 queries, 2 documents"), "{table}");
    assert!(warnings.contains("the run lacks 1 judged query, not counted: 9"), "{warnings}");
    let nameless = folder.write("nameless.json", r#"[{ "query": "nothing found", "hits": [] }]"#);
    assert_fails(&["eval", "--run", &nameless, "--qrels", &qrels], &["nothing found", "qid"]);
}

#[test]
fn eval_compares_two_models_with_intervals_and_a_paired_test() {
    let folder = Folder::new();
    let (run, qrels) = (folder.write("run.json", run_json()), folder.write("qrels.txt", "7 0 paris 1\n"));
    let other = model("bert-gelu-h36");
    let measures = "ndcg@10,ndcg_exp@5,mrr@10,map,recall@1,p@1";
    let evaluation =
        evaluation(&["--run", &run, "--qrels", &qrels, "--measures", measures, "--compare", &other]);
    assert_eq!(evaluation["reranked"].as_object().unwrap().len(), 6);
    assert!(evaluation["compared"]["map"].as_f64().unwrap() > 0.0);
    let comparisons = evaluation["comparisons"].as_array().unwrap();
    assert_eq!(comparisons.len(), 12);
    assert_eq!(comparisons[0]["systems"], json!(["first_stage", "reranked"]));
    // One query that differs: both signs are equally likely.
    assert_eq!(comparisons[0]["p_value"], 1.0);
    assert_eq!(evaluation["per_query"][0]["qid"], "7");
    let bad = ranklet(&["eval", "--run", &run, "--qrels", &qrels, "--measures", "f1"]);
    assert_eq!(bad.status.code(), Some(2));
}

#[test]
fn eval_writes_a_report_that_shows_queries_as_text() {
    let folder = Folder::new();
    let run = run_json().replace(QUERY, "<script>alert(1)</script> capital of France?");
    let (run, qrels) = (folder.write("run.json", run), folder.write("qrels.txt", "7 0 paris 1\n"));
    let report = folder.path("report.html");
    evaluation(&["--run", &run, "--qrels", &qrels, "--report", report.to_str().unwrap()]);
    let html = std::fs::read_to_string(&report).unwrap();
    assert!(!html.contains("<script"), "{html}");
    for part in ["<svg", "nDCG@10", "&lt;script&gt;", "A gain in 1 query, a loss in 0, no difference in"] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn eval_reads_a_run_in_json_lines_and_names_what_is_wrong_in_words_of_json() {
    let folder = Folder::new();
    let qrels = folder.write("qrels.txt", "7 0 paris 1\n");
    let lines = run_json().trim_matches(['[', ']']).to_owned() + "\n";
    let run = folder.write("run.jsonl", lines.replace("\"content\"", "\"text\""));
    let values = evaluation(&["--run", &run, "--qrels", &qrels, "--measures", "nDCG@10, MAP"]);
    assert_eq!(values["reranked"], json!({ "ndcg@10": 1.0, "map": 1.0 }));
    let hit = |score: &str| {
        format!(
            r#"[{{"query": "q", "qid": 7, "hits": [{{"docid": "a", "score": {score}, "content": "b"}}]}}]"#
        )
    };
    for (run, problem) in [
        (hit("\"1\""), "string \"1\" in place of a number"),
        (hit("1").replace("\"score\": 1, ", ""), "missing field \"score\""),
        (hit("1").replace("7", "7.5"), "an id must be a string or a whole number"),
    ] {
        let run = folder.write("run.json", run);
        assert_fails(&["eval", "--run", &run, "--qrels", &qrels], &[&run, problem]);
    }
    assert_fails(&["eval", "--run", "-", "--qrels", "-"], &["only one of the files can be -"]);
}

#[test]
fn eval_compares_a_model_with_a_revision_of_its_own() {
    let folder = Folder::new();
    let (run, qrels) = (folder.write("run.json", run_json()), folder.write("qrels.txt", "7 0 paris 1\n"));
    let arguments = ["eval", "--run", &run, "--qrels", &qrels, "--compare-revision", "v1"];
    assert_eq!(ranklet(&arguments).status.code(), Some(2));
    let compared = model("bert-gelu-h36");
    assert_fails(&[&arguments[..], &["--compare", &compared]].concat(), &[&compared, "is a folder here"]);
}
