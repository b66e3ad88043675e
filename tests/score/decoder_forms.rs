//! Published forms of decoders: prompts, tokens of the score, and options of sentence-transformers.

#![cfg(feature = "decoder")]

use crate::common::{fixture, fixtures_directory, largest_difference, load};
use ranklet::{ErrorKind, ModelFiles, Pairs, RankOptions, Reranker, Result, Scores, ScoringRun};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

const TOLERANCE: f32 = 1e-4;

/// `decoder_forms.json`, written by `make_decoder_forms.py`.
#[derive(Deserialize)]
struct Forms {
    instruction: String,
    pairs: Vec<(String, String)>,
    zerank_pairs: Vec<(String, String)>,
    forms: Vec<Form>,
}

#[derive(Deserialize)]
struct Form {
    name: String,
    base: String,
    files: BTreeMap<String, Option<String>>,
    /// The reason why sentence-transformers does not score the form.
    refused: Option<String>,
    #[serde(default)]
    logits: Vec<f32>,
    #[serde(default)]
    scores: Vec<f32>,
    #[serde(default)]
    instructed: Vec<f32>,
}

impl Form {
    fn files(&self) -> ModelFiles {
        let mut files = fixture(&self.base).files();
        for (name, text) in &self.files {
            files.take(name);
            if let Some(text) = text {
                files.insert(name, text.clone().into_bytes());
            }
        }
        let config = std::str::from_utf8(files.get("config.json").unwrap()).unwrap();
        if config.contains("ForSequenceClassification") { with_score_layer(files, &self.base) } else { files }
    }

    /// Whether pairs are joined without a prompt.
    fn is_plain(&self) -> bool {
        self.name.starts_with("texts") || self.name.contains("no template")
    }
}

/// Adds the tensor `score.weight`: the row of one answer minus that of the other.
pub(crate) fn with_score_layer(mut files: ModelFiles, base: &str) -> ModelFiles {
    let source = fixture(base).files();
    let ids: Value = serde_json::from_slice(source.get("1_LogitScore/config.json").unwrap()).unwrap();
    let weights = files.get("model.safetensors").unwrap().to_vec();
    let tensors = SafeTensors::deserialize(&weights).unwrap();
    let words = tensors.tensor("model.embed_tokens.weight").unwrap();
    let width = words.shape()[1] * 4;
    let row = |name: &str| -> Vec<f32> {
        let start = ids[name].as_u64().unwrap() as usize * width;
        let bytes = words.data()[start..start + width].as_chunks::<4>().0;
        bytes.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    };
    let rows = row("true_token_id").into_iter().zip(row("false_token_id"));
    let difference: Vec<u8> = rows.flat_map(|(yes, no)| (yes - no).to_le_bytes()).collect();
    let score = TensorView::new(safetensors::Dtype::F32, vec![1, width / 4], &difference).unwrap();
    let all = tensors.iter().chain([("score.weight", score)]);
    files.insert("model.safetensors", safetensors::serialize(all, None).unwrap());
    files
}

fn score(
    reranker: &Reranker,
    pairs: &[(String, String)],
    scores: Scores,
    instruction: Option<&str>,
) -> Result<Vec<f32>> {
    let pairs = pairs.iter().map(|(query, document)| (query.into(), document.into())).collect();
    let mut scoring = ScoringRun::new(Pairs::truncated(pairs), scores).instruction(instruction);
    let mut got = Vec::new();
    while let Some(part) = pollster::block_on(scoring.step(reranker))? {
        got.extend(part.scores);
    }
    Ok(got)
}

#[track_caller]
fn assert_close(name: &str, got: &[f32], wanted: &[f32]) {
    assert_eq!(got.len(), wanted.len(), "{name}");
    let (index, difference) = largest_difference(got, wanted);
    println!("{name}: {difference:.1e}");
    assert!(difference <= TOLERANCE, "{name}: {difference} at {index}: {got:?} instead of {wanted:?}");
}

#[test]
fn every_form_scores_as_its_own_code_does_or_is_refused() {
    let json = std::fs::read(fixtures_directory().join("decoder_forms.json")).unwrap();
    let all: Forms = serde_json::from_slice(&json).unwrap();
    assert!(all.forms.len() > 25);
    for form in &all.forms {
        let name = form.name.as_str();
        let loaded = load(form.files());
        if let Some(reason) = &form.refused {
            let error = loaded.err().unwrap_or_else(|| panic!("{name} loads; the reference: {reason}"));
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}: {error}");
            let named = if name == "modules without options" { "transformer_task" } else { "template" };
            assert!(error.context().contains(named), "{name}: {error}");
            continue;
        }
        let reranker = loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(reranker.info().warnings, Vec::<String>::new(), "{name}");
        let pairs = if form.instructed.is_empty() { &all.zerank_pairs } else { &all.pairs };
        for (scores, wanted) in [(Scores::Raw, &form.logits), (Scores::Model, &form.scores)] {
            assert_close(name, &score(&reranker, &pairs[..wanted.len()], scores, None).unwrap(), wanted);
        }
        let instructed = score(&reranker, pairs, Scores::Raw, Some(&all.instruction));
        if form.is_plain() || form.instructed.is_empty() || form.instructed == form.logits {
            let error = instructed.unwrap_err();
            assert!(error.context().contains("put it into the query"), "{name}: {error}");
        } else {
            assert_close(name, &instructed.unwrap(), &form.instructed);
        }
    }
}

/// The order of sums does not depend on the number of threads.
#[test]
fn the_number_of_threads_changes_no_score() {
    use ranklet::{ModelSource, Options};
    let pair = [("a query", "a document ".repeat(20))];
    for name in ["families/qwen2-window-h24", "families/qwen3-tied-h40"] {
        let scores = [None, Some(1), Some(3)].map(|threads| {
            let threads = threads.and_then(std::num::NonZeroUsize::new);
            let options = Options { threads, ..Options::default() };
            let source = ModelSource::Files(fixture(name).files());
            let reranker = Reranker::load_blocking(source, options).unwrap();
            reranker.score_blocking(&pair, Scores::Raw).unwrap()
        });
        assert!(scores.iter().all(|score| *score == scores[0]), "{name}: {scores:?}");
    }
}

/// An instruction that the model does not know is an error before anything is scored.
#[test]
fn ranking_takes_the_instruction_of_a_qwen2() {
    let reranker = fixture("families/qwen2-window-h24").load();
    let documents = ["a river", "an old city"];
    let rank = |instruction| {
        let options = RankOptions { instruction, ..RankOptions::default() };
        reranker.rank_blocking("a query", &documents, options).unwrap()
    };
    assert_eq!(rank(None), rank(Some("")));
    assert_ne!(rank(None), rank(Some("Be strict.")));
}

/// A run can be stopped after each long pair, and after each pair if the tokens of its micro-batches are limited.
#[test]
fn a_run_computes_one_pair_per_step() {
    let reranker = fixture("families/qwen3-tied-h40").load();
    let steps = |document: String, max_batch_tokens| {
        let documents = vec![document.into(); 3];
        let options = RankOptions::default().into();
        let mut run =
            ScoringRun::new(Pairs::OneQuery { query: "a query".into(), documents, options }, Scores::Raw);
        run.set_max_batch_tokens(max_batch_tokens);
        let mut steps = Vec::new();
        while let Some(part) = pollster::block_on(run.step(&reranker)).unwrap() {
            steps.push(part.scores.len());
        }
        steps
    };
    assert_eq!(steps("a document ".repeat(200), usize::MAX), [1, 1, 1]);
    assert_eq!(steps("a document".into(), 1), [1, 1, 1]);
}
