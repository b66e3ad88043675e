//! Measures of rankings are those of trec_eval, to 1e-9 (`tests/fixtures/make_eval.py`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use ranklet::eval::{Measure, trec_order};
use serde::Deserialize;
use serde_json::Value;

use crate::common::fixtures_directory;

type Gains = HashMap<String, i32>;
type Run = BTreeMap<String, f64>;

#[derive(Deserialize)]
struct Query {
    qid: String,
    run: Run,
    qrels: Gains,
    values: BTreeMap<String, f64>,
}

const TOLERANCE: f64 = 1e-9;

fn value(measure: &str, run: &Run, qrels: &Gains) -> f64 {
    let ids: Vec<&str> = run.keys().map(String::as_str).collect();
    let scores: Vec<f64> = run.values().copied().collect();
    let order = trec_order(&scores, &ids);
    let ranked: Vec<i32> = order.iter().map(|&index| qrels.get(ids[index]).copied().unwrap_or(0)).collect();
    let judged: Vec<i32> = qrels.values().copied().collect();
    measure.parse::<Measure>().unwrap().of(&ranked, &judged)
}

#[test]
fn measures_of_random_runs_with_ties_agree_with_trec_eval() {
    let json = std::fs::read(fixtures_directory().join("eval_measures.json")).unwrap();
    let queries: Vec<Query> = serde_json::from_slice(&json).unwrap();
    assert!(queries.len() >= 40 && queries.iter().all(|query| query.values.len() >= 20));
    for Query { qid, run, qrels, values } in &queries {
        for (measure, want) in values {
            let got = value(measure, run, qrels);
            assert!((got - want).abs() <= TOLERANCE, "{measure} of {qid}: {got}, {want}");
        }
    }
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared/data")]
fn means_over_collections_agree_with_trec_eval() {
    let expected: BTreeMap<String, BTreeMap<String, f64>> =
        serde_json::from_slice(&std::fs::read(fixtures_directory().join("eval_collections.json")).unwrap())
            .unwrap();
    let collections = [
        ("trec-dl21", "trec-dl21/qrels.dl21-passage.txt"),
        ("scifact", "scifact-hf/qrels.beir-v1.0.0-scifact.test.txt"),
        ("cranfield", "cranfield/QRelsCorrectedforTRECeval"),
    ];
    for (name, path) in collections {
        let qrels = trec_qrels(path);
        let runs = if name == "trec-dl21" { dl21_run() } else { tied_runs(&qrels) };
        let runs: Vec<_> = runs.iter().filter(|(query, _)| qrels.contains_key(*query)).collect();
        assert!(runs.len() >= 50, "{name}: {} queries", runs.len());
        for (measure, want) in &expected[name] {
            let sum: f64 = runs.iter().map(|(query, run)| value(measure, run, &qrels[*query])).sum();
            let got = sum / runs.len() as f64;
            assert!((got - want).abs() <= TOLERANCE, "{measure} of {name}: {got}, {want}");
        }
    }
}

fn shared(path: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path)).unwrap()
}

fn trec_qrels(path: &str) -> BTreeMap<String, Gains> {
    let mut qrels = BTreeMap::<String, Gains>::new();
    for line in String::from_utf8(shared(path)).unwrap().lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [query, _, document, gain] = fields[..] else { continue };
        qrels.entry(query.into()).or_default().insert(document.into(), gain.parse().unwrap());
    }
    qrels
}

/// BM25's run with scores rounded to whole numbers, so that many are tied.
fn dl21_run() -> BTreeMap<String, Run> {
    let queries: Vec<Value> = serde_json::from_slice(&shared("trec-dl21/BM25_dl21.json")).unwrap();
    let mut runs = BTreeMap::<String, Run>::new();
    for hit in queries.iter().flat_map(|query| query["hits"].as_array().unwrap()) {
        let query = hit["qid"].as_str().map_or_else(|| hit["qid"].to_string(), str::to_owned);
        // Python's round() rounds halves to even.
        let score = hit["score"].as_f64().unwrap().round_ties_even();
        runs.entry(query).or_default().insert(hit["docid"].as_str().unwrap().to_owned(), score);
    }
    runs
}

/// A tenth of all judged documents for each query, with five different scores.
fn tied_runs(qrels: &BTreeMap<String, Gains>) -> BTreeMap<String, Run> {
    let documents: BTreeSet<&String> = qrels.values().flat_map(Gains::keys).collect();
    let run = |query: &String, gains: &Gains| {
        documents
            .iter()
            .filter(|document| {
                fnv1a(&format!("{query} {document}")).is_multiple_of(10) || gains.contains_key(**document)
            })
            .map(|document| ((*document).clone(), (fnv1a(&format!("{document} {query}")) % 5) as f64))
            .collect()
    };
    qrels.iter().map(|(query, gains)| (query.clone(), run(query, gains))).collect()
}

/// 64-bit FNV-1a.
fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
