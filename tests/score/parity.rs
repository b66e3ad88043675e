//! Tiny random checkpoints give the token ids and the scores of sentence-transformers.

use crate::common::{all_fixtures, fixtures, largest_difference};
use ranklet::internals::{Batch, Checkpoint, PairTokenizer};
use ranklet::{Device, Scores};

/// The contract is 1e-4. f32 arithmetic in another order changes logits of three layers of width 64 by about 1e-6; the
/// fixtures' script asserts that a wrong GELU, token type or epsilon changes some logit by more than 1e-3.
const TOLERANCE: f32 = 1e-4;

#[test]
fn candle_logits_agree_with_sentence_transformers() {
    logits_agree(Device::Candle);
}

#[test]
fn cpu_logits_agree_with_sentence_transformers() {
    logits_agree(Device::Cpu);
}

fn logits_agree(device: Device) {
    for fixture in all_fixtures() {
        let expected = &fixture.expected;
        let got = fixture.load_on(device).score_blocking(&expected.pairs, Scores::Raw).unwrap();
        let (place, difference) = largest_difference(&got, &expected.logits.concat());
        let pair = &expected.pairs[place / expected.num_labels];
        println!("{}: largest difference {difference:.1e}", fixture.name);
        assert!(difference <= TOLERANCE, "{}: {difference} on {pair:?}", fixture.name);
    }
}

#[test]
fn scores_agree_with_sentence_transformers() {
    for fixture in all_fixtures() {
        let expected = &fixture.expected;
        let reranker = fixture.load_on(Device::Candle);
        let info = reranker.info();
        assert_eq!(format!("{:?}", info.activation), expected.activation, "{}", fixture.name);
        assert_eq!(info.max_length, expected.model_max_length, "{}", fixture.name);
        assert_eq!(info.warnings, Vec::<String>::new(), "{}", fixture.name);
        let got = reranker.score_blocking(&expected.pairs, Scores::Model).unwrap();
        let (place, difference) = largest_difference(&got, &expected.scores.concat());
        let pair = &expected.pairs[place / expected.num_labels];
        assert!(difference <= TOLERANCE, "{}: {difference} on {pair:?}", fixture.name);
    }
}

#[test]
fn token_ids_and_types_are_those_of_the_hf_tokenizers() {
    for fixture in all_fixtures() {
        let checkpoint = Checkpoint::read(fixture.files()).unwrap();
        let tokenizer = PairTokenizer::read(
            &checkpoint.tokenizer_json,
            &checkpoint.tokenizer_config,
            checkpoint.limits(),
        )
        .and_then(|tokenizer| tokenizer.with_prompt(checkpoint.prompt_config.as_ref(), ""))
        .unwrap();
        let length = tokenizer.model_max_length();
        for (index, (query, document)) in fixture.expected.pairs.iter().enumerate() {
            let mut batch = Batch::default();
            let query_text = tokenizer.encode_query(query, length, "").unwrap();
            let document_text = tokenizer.encode(document, length, None).unwrap();
            tokenizer.push(&mut batch, &query_text, &document_text, length).unwrap();
            let place = format!("{}, pair {index}: {query:?}, {document:?}", fixture.name);
            assert_eq!(batch.input_ids, fixture.expected.input_ids[index], "{place}");
            // HF's tokenizer may give token types even if the model has no table for them.
            if checkpoint.config.reads_token_types {
                assert_eq!(batch.token_type_ids, fixture.expected.token_type_ids[index], "{place}");
            }
        }
    }
}

/// The score of a document depends only on its pair, not on its batch, its position or other documents.
#[test]
fn a_pair_has_one_score_whatever_else_is_in_the_call() {
    for fixture in fixtures() {
        let pairs = &fixture.expected.pairs;
        let reranker = fixture.load();
        let together = reranker.score_blocking(pairs, Scores::Raw).unwrap();
        let alone: Vec<f32> = pairs
            .iter()
            .flat_map(|pair| reranker.score_blocking(std::slice::from_ref(pair), Scores::Raw).unwrap())
            .collect();
        let reversed_pairs: Vec<_> = pairs.iter().rev().cloned().collect();
        let reversed: Vec<f32> = reranker
            .score_blocking(&reversed_pairs, Scores::Raw)
            .unwrap()
            .chunks_exact(fixture.expected.num_labels)
            .rev()
            .flatten()
            .copied()
            .collect();
        assert_eq!(alone, together, "{}", fixture.name);
        assert_eq!(reversed, together, "{}", fixture.name);
    }
}

/// The default prompt is prepended to queries, but not to documents. The expected scores are those of
/// sentence-transformers 6.2 for this fixture with this prompt.
#[test]
fn the_default_prompt_is_prepended_to_every_query() {
    let mut files = crate::common::fixture("bert-gelu-tanh-h44").files();
    let name = "config_sentence_transformers.json";
    let mut json: serde_json::Value = serde_json::from_slice(files.get(name).unwrap()).unwrap();
    json["prompts"] = serde_json::json!({ "q": "Find: " });
    json["default_prompt_name"] = serde_json::json!("q");
    files.insert(name, json.to_string().into_bytes());
    let pairs = [("query", "a document"), ("the cat", "")];
    let got = crate::common::load(files).unwrap().score_blocking(&pairs, Scores::Model).unwrap();
    let (_, difference) = largest_difference(&got, &[1.122_828_4, 1.675_784_3]);
    assert!(difference <= TOLERANCE, "{got:?}");
}
