//! The same token ids and types as transformers' tokenizers, for a tiny tokenizer of each family.

mod common;

use std::path::PathBuf;

use common::fixtures_directory;
use ranklet::ModelFiles;
use ranklet::checkpoint::{TokenizerClass, TokenizerConfig};
use ranklet::text::{Batch, Limits, PairTokenizer};
use serde::Deserialize;

/// `expected.json`; `make_tokenizers.py` says how it was made.
#[derive(Deserialize)]
struct Expected {
    class: String,
    vocab_size: usize,
    input_ids: Vec<Vec<u32>>,
    second_type_from: Vec<usize>,
}

fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(fixtures_directory().join("tokenizers"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(folders.len() >= 14, "only {} tokenizers", folders.len());
    folders
}

fn class_name(class: TokenizerClass) -> &'static str {
    match class {
        TokenizerClass::Backend => "TokenizersBackend",
        TokenizerClass::Bert => "BertTokenizer",
        TokenizerClass::DistilBert => "DistilBertTokenizer",
        TokenizerClass::Roberta => "RobertaTokenizer",
        TokenizerClass::XlmRoberta => "XLMRobertaTokenizer",
        TokenizerClass::Camembert => "CamembertTokenizer",
        TokenizerClass::DebertaV2 => "DebertaV2Tokenizer",
        TokenizerClass::Qwen2 => "Qwen2Tokenizer",
    }
}

#[test]
fn ids_and_types_are_those_of_transformers() {
    let pairs = std::fs::read(fixtures_directory().join("tokenizers/pairs.json")).unwrap();
    let pairs: Vec<(String, String)> = serde_json::from_slice(&pairs).unwrap();
    let mut wrong = Vec::new();
    for folder in folders() {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let expected: Expected =
            serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let files = ModelFiles::from_directory(&folder).unwrap();
        let config = TokenizerConfig::read(&files).unwrap();
        assert_eq!(class_name(config.class), expected.class, "{name}");
        let limits = Limits { vocab_size: expected.vocab_size, max_tokens: Some(512), token_types: 2 };
        let tokenizer = PairTokenizer::read(files.get("tokenizer.json").unwrap(), &config, limits)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(tokenizer.tokens_beyond_vocabulary(), 0, "{name}");
        let length = tokenizer.model_max_length();
        assert_eq!((pairs.len(), length), (expected.input_ids.len(), 48), "{name}");
        for (index, (query, document)) in pairs.iter().enumerate() {
            let mut batch = Batch::default();
            let query_text = tokenizer.encode(query, length, None).unwrap();
            let document_text = tokenizer.encode(document, length, None).unwrap();
            tokenizer.push(&mut batch, &query_text, &document_text, length).unwrap();
            let second = batch.token_type_ids.iter().position(|kind| *kind == 1).unwrap_or(batch.tokens());
            if batch.input_ids != expected.input_ids[index] || second != expected.second_type_from[index] {
                let want = &expected.input_ids[index];
                wrong.push(format!("{name} {query:?} {document:?}: {:?}, not {want:?}", batch.input_ids));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong, first: {:#?}", wrong.len(), &wrong[..wrong.len().min(8)]);
}
