//! Published models give their published scores. Needs internet access, because it downloads models from the Hub.
//!
//! `cargo test --release --test load published -- --ignored --nocapture` downloads some gigabytes into the cache of
//! HF's own programs.

use std::io::Write;
use std::process::{Command, Stdio};

const BERLIN: &str = "How many people live in Berlin?";
const EGG: &str = "How many calories in an egg";
const FRANCE: &str = "What is the capital of France?";

const POPULATION: &str =
    "Berlin had a population of 3,520,031 registered inhabitants in an area of 891.82 square kilometers.";
const MUSEUMS: &str = "Berlin is well known for its museums.";
const PARIS: &str = "Paris is the capital of France.";
const GERMANY: &str = "Berlin is the capital of Germany.";

/// A query, a document, and the raw logit if it was published.
type Pair = (&'static str, &'static str, Option<f64>);

/// Models, the tolerance for their published digits and engines, and pairs, best first.
const PUBLISHED: [(&str, f64, &[Pair]); 8] = [
    (
        "cross-encoder/ms-marco-MiniLM-L6-v2",
        1e-3,
        &[
            // From the model card; computed by sentence-transformers.
            (BERLIN, POPULATION, Some(8.607_138)),
            (BERLIN, MUSEUMS, Some(-4.320_078)),
            (
                EGG,
                "There are on average between 55 and 80 calories in an egg depending on its size.",
                Some(9.9541),
            ),
            (EGG, "Most of the calories in an egg come from the yellow yolk in the center.", Some(0.9186)),
            (
                EGG,
                "Egg whites are very low in calories, have no fat, no cholesterol, and are loaded with protein.",
                Some(-2.0108),
            ),
            // From the tests of fastembed; computed by onnxruntime.
            (FRANCE, PARIS, Some(8.500_708)),
            (FRANCE, GERMANY, Some(-2.541_011)),
        ],
    ),
    (
        "cross-encoder/ms-marco-MiniLM-L12-v2",
        1e-3,
        &[(FRANCE, PARIS, Some(9.330_912)), (FRANCE, GERMANY, Some(-2.038_025))],
    ),
    (
        "BAAI/bge-reranker-base",
        1e-3,
        &[(FRANCE, PARIS, Some(6.157_333)), (FRANCE, GERMANY, Some(-3.659_394))],
    ),
    (
        "jinaai/jina-reranker-v1-tiny-en",
        1e-3,
        &[(FRANCE, PARIS, Some(2.5911)), (FRANCE, GERMANY, Some(0.1122))],
    ),
    (
        "jinaai/jina-reranker-v1-turbo-en",
        1e-3,
        &[(FRANCE, PARIS, Some(1.8295)), (FRANCE, GERMANY, Some(-2.8908))],
    ),
    // No scores are published for these models, so only the order is checked.
    ("cross-encoder/ms-marco-electra-base", 0.0, &[(FRANCE, PARIS, None), (FRANCE, GERMANY, None)]),
    ("BAAI/bge-reranker-large", 0.0, &[(FRANCE, PARIS, None), (FRANCE, GERMANY, None)]),
    ("mixedbread-ai/mxbai-rerank-base-v1", 0.0, &[(FRANCE, PARIS, None), (FRANCE, GERMANY, None)]),
];

/// Returns raw logits in f32 from the command line, which downloads the model.
fn logits(model: &str, pairs: &[Pair]) -> Vec<f64> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ranklet"))
        .args(["score", "--model", model, "--dtype", "f32", "--scores", "raw", "--pairs", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: String = pairs
        .iter()
        .map(|(query, document, _)| format!("{}\n", serde_json::json!([query, document])))
        .collect();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{model}");
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

#[test]
#[ignore = "needs internet: cargo test --release --test load published -- --ignored"]
fn published_models_score_as_published() {
    for (model, tolerance, pairs) in PUBLISHED {
        let logits = logits(model, pairs);
        println!("{model}: {logits:?}");
        assert_eq!(logits.len(), pairs.len());
        for (got, (query, document, published)) in logits.iter().zip(pairs) {
            let difference = published.map_or(0.0, |published| (got - published).abs());
            assert!(
                difference <= tolerance,
                "{model}: {query:?}, {document:?}: {got}, published {published:?}"
            );
        }
        for (better, worse) in logits
            .iter()
            .zip(&logits[1..])
            .zip(pairs.windows(2))
            .filter_map(|(logits, pair)| (pair[0].0 == pair[1].0).then_some(logits))
        {
            assert!(better > worse, "{model}: {logits:?}");
        }
    }
}
