//! A model rounded to q8 ranks as well as the checkpoint it was made from, and in almost the same order. The embedded models
//! rank as well as their cards say.
//!
//! Needs the evaluation data and a trained checkpoint in `../shared`; without them these tests are ignored.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use ranklet::{Dtype, ModelFiles, ModelSource, Options, Reranker, Scores, eval, quantize};
use serde_json::Value;

/// A query with its candidates and the gains of all judged documents.
struct Query {
    text: String,
    documents: Vec<Document>,
    judged: Vec<i32>,
}

struct Document {
    id: String,
    text: String,
    gain: i32,
}

fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared")
}

fn read(path: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(shared().join("data").join(path)).unwrap()).into_owned()
}

/// Reads TREC relevance judgments: query to document to gain.
fn judgments(path: &str) -> HashMap<String, HashMap<String, i32>> {
    let mut judgments: HashMap<String, HashMap<String, i32>> = HashMap::new();
    for line in read(path).lines() {
        if let [query, _, document, gain] = line.split_whitespace().collect::<Vec<_>>()[..] {
            let gain = gain.parse().unwrap();
            judgments.entry(query.to_owned()).or_default().insert(document.to_owned(), gain);
        }
    }
    judgments
}

/// TREC DL21: BM25's top 100 of every query.
fn trec_dl21() -> Vec<Query> {
    let qrels = judgments("trec-dl21/qrels.dl21-passage.txt");
    let run: Vec<Value> = serde_json::from_str(&read("trec-dl21/BM25_dl21.json")).unwrap();
    run.iter()
        .map(|query| {
            let hits = query["hits"].as_array().unwrap();
            let gains = &qrels[&hits[0]["qid"].to_string()];
            let document = |hit: &Value| {
                let id = hit["docid"].as_str().unwrap().to_owned();
                let gain = gains.get(&id).copied().unwrap_or(0);
                Document { id, text: hit["content"].as_str().unwrap().to_owned(), gain }
            };
            Query {
                text: query["query"].as_str().unwrap().to_owned(),
                documents: hits.iter().map(document).collect(),
                judged: gains.values().copied().collect(),
            }
        })
        .collect()
}

/// WikiQA's development set: the first 60 questions with a correct sentence, over the sentences of their article.
fn wikiqa() -> Vec<Query> {
    let mut questions: BTreeMap<usize, Query> = BTreeMap::new();
    let mut order = HashMap::new();
    for line in read("wikiqa/WikiQA-dev.tsv").lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let next = order.len();
        let index = *order.entry(fields[0].to_owned()).or_insert(next);
        let question = questions.entry(index).or_insert_with(|| Query {
            text: fields[1].to_owned(),
            documents: Vec::new(),
            judged: Vec::new(),
        });
        let gain = fields[fields.len() - 1].trim().parse().unwrap();
        question.documents.push(Document { id: fields[4].to_owned(), text: fields[5].to_owned(), gain });
        question.judged.push(gain);
    }
    questions.into_values().filter(|question| question.judged.contains(&1)).take(60).collect()
}

/// Cranfield: the first 30 queries, each over its relevant abstracts and every hundredth of the others.
fn cranfield() -> Vec<Query> {
    let documents = cranfield_records("cranfield/cran.all.1400");
    let qrels = judgments("cranfield/QRelsCorrectedforTRECeval");
    cranfield_records("cranfield/cran.qry")
        .into_iter()
        .enumerate()
        .take(30)
        .map(|(index, (_, text))| {
            let gains = &qrels[&(index + 1).to_string()];
            let relevant: HashSet<&str> =
                gains.iter().filter(|(_, gain)| **gain > 0).map(|(id, _)| id.as_str()).collect();
            let candidates = documents.iter().enumerate().filter(|(index, (id, text))| {
                !text.is_empty() && (index % 100 == 0 || relevant.contains(id.as_str()))
            });
            let documents = candidates
                .map(|(_, (id, text))| Document {
                    id: id.clone(),
                    text: text.clone(),
                    gain: i32::from(relevant.contains(id.as_str())),
                })
                .collect::<Vec<_>>();
            Query { text, judged: documents.iter().map(|document| document.gain).collect(), documents }
        })
        .collect()
}

/// Reads records of `.I id` and fields; returns the text of the field `.W`.
fn cranfield_records(path: &str) -> Vec<(String, String)> {
    read(path)
        .split(".I ")
        .skip(1)
        .map(|record| {
            let (id, rest) = record.split_once('\n').unwrap();
            let text = rest.split_once(".W").map_or("", |(_, text)| text);
            (id.trim().to_owned(), text.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect()
}

/// The mean nDCG@10 of a reranker, and its scores.
fn measure(reranker: &Reranker, queries: &[Query]) -> (f64, Vec<Vec<f32>>) {
    let mut sum = 0.0;
    let mut all = Vec::new();
    for query in queries {
        let pairs: Vec<_> = query.documents.iter().map(|document| (&query.text, &document.text)).collect();
        let scores = reranker.score_blocking(&pairs, Scores::Raw).unwrap();
        let ids: Vec<&str> = query.documents.iter().map(|document| document.id.as_str()).collect();
        let order = eval::trec_order(&scores.iter().copied().map(f64::from).collect::<Vec<_>>(), &ids);
        let gains: Vec<i32> = order.into_iter().map(|index| query.documents[index].gain).collect();
        sum += eval::ndcg(&gains, &query.judged, 10, eval::Gain::Linear);
        all.push(scores);
    }
    (sum / queries.len() as f64, all)
}

/// The root mean square of the differences.
fn root_mean_square(a: &[f32], b: &[f32]) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (sum / a.len() as f64).sqrt()
}

fn load(files: ModelFiles) -> Reranker {
    Reranker::load_blocking(ModelSource::Files(files), Options::default()).unwrap()
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared/data and ../shared/models")]
fn rounding_to_q8_keeps_the_quality_of_a_model() {
    let mut files = ModelFiles::new();
    let folder = shared().join("models/minilm-l6-ce");
    for name in ["config.json", "config_sentence_transformers.json", "model.safetensors", "tokenizer.json"] {
        files.insert(name, std::fs::read(folder.join(name)).unwrap());
    }
    let exact = load(files.clone());
    let rounded = load(pollster::block_on(quantize(files, "the checkpoint", Dtype::Q8)).unwrap());
    let collections = [("TREC DL21", trec_dl21()), ("WikiQA", wikiqa()), ("Cranfield", cranfield())];
    let (mut exact_sum, mut rounded_sum, mut taus) = (0.0, 0.0, Vec::new());
    for (name, queries) in &collections {
        assert!(queries.len() >= 30, "{name}: {} queries", queries.len());
        let (exact_ndcg, exact_scores) = measure(&exact, queries);
        let (rounded_ndcg, rounded_scores) = measure(&rounded, queries);
        let own: Vec<f64> =
            exact_scores.iter().zip(&rounded_scores).map(|(a, b)| eval::kendall_tau(a, b)).collect();
        let tau = own.iter().sum::<f64>() / own.len() as f64;
        let error = root_mean_square(&exact_scores.concat(), &rounded_scores.concat());
        println!(
            "{name}: nDCG@10 {exact_ndcg:.4} in f32, {rounded_ndcg:.4} in q8, tau {tau:.4}, logits differ by {error:.4}"
        );
        if *name == "TREC DL21" {
            // The figure of sentence-transformers on the checkpoint's card. Duplicate documents have equal scores; the
            // order of such ties changes it by up to 5e-4.
            assert!((exact_ndcg - 0.5455).abs() < 1e-3, "{exact_ndcg}");
        }
        exact_sum += exact_ndcg;
        rounded_sum += rounded_ndcg;
        taus.extend(own);
    }
    let tau = taus.iter().sum::<f64>() / taus.len() as f64;
    println!("mean nDCG@10 {:.4} in f32, {:.4} in q8, tau {tau:.4}", exact_sum / 3.0, rounded_sum / 3.0);
    assert!((rounded_sum / exact_sum - 1.0).abs() <= 0.005, "{rounded_sum} against {exact_sum}");
    assert!(tau >= 0.97, "{tau}");
}

/// A collection's name, its queries, and the least nDCG@10 of a model.
type Floor<'a> = (&'a str, &'a [Query], f64);

/// Checks that a model reaches its floors, a little below the figures of its card.
fn assert_quality(name: &str, files: ModelFiles, floors: &[Floor<'_>]) {
    let reranker = load(files);
    for (collection, queries, floor) in floors {
        let (ndcg, _) = measure(&reranker, queries);
        println!("{name}, {collection}: nDCG@10 {ndcg:.4}");
        assert!(ndcg >= *floor, "{name}, {collection}: {ndcg}");
    }
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared/data")]
fn the_embedded_models_rank_as_well_as_their_cards_say() {
    let (trec_dl21, wikiqa, cranfield) = (trec_dl21(), wikiqa(), cranfield());
    assert_quality(
        "default",
        ModelFiles::embedded(),
        &[("TREC DL21", &trec_dl21, 0.575), ("WikiQA", &wikiqa, 0.872), ("Cranfield", &cranfield, 0.78)],
    );
    let small = ModelFiles::embedded_as("ranklet/small").unwrap();
    assert_quality(
        "small",
        small,
        &[("TREC DL21", &trec_dl21, 0.553), ("WikiQA", &wikiqa, 0.76), ("Cranfield", &cranfield, 0.81)],
    );
}
