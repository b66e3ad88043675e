//! A tiny tokenizer of each family gives the token ids and types of transformers.

use std::path::{Path, PathBuf};

use crate::common::fixtures_directory;
use ranklet::ModelFiles;
use ranklet::internals::{Batch, ModelLimits, PairTokenizer, TokenizerClass, TokenizerConfig};
use serde::Deserialize;

/// `expected.json`, written by `make_tokenizers.py`.
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
    assert!(folders.len() >= 26, "only {} tokenizers", folders.len());
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
        TokenizerClass::Albert => "AlbertTokenizer",
        TokenizerClass::MpNet => "MPNetTokenizer",
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
        let mut files = ModelFiles::from_directory(&folder).unwrap();
        let config = TokenizerConfig::read(&files).unwrap();
        assert_eq!(class_name(config.class), expected.class, "{name}");
        let limits = ModelLimits { vocab_size: expected.vocab_size, max_tokens: Some(512), token_types: 2 };
        let json = config.take_tokenizer_json(&mut files).unwrap();
        let tokenizer =
            PairTokenizer::read(&json, &config, limits).unwrap_or_else(|error| panic!("{name}: {error}"));
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
                let expected = &expected.input_ids[index];
                wrong.push(format!("{name} {query:?} {document:?}: {:?}, not {expected:?}", batch.input_ids));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong, first: {:#?}", wrong.len(), &wrong[..wrong.len().min(8)]);
}

/// Loads the tokenizer of a folder without its maximum length.
fn unlimited_tokenizer(folder: &Path) -> PairTokenizer {
    let mut files = ModelFiles::from_directory(folder).unwrap();
    let mut config = TokenizerConfig::read(&files).unwrap();
    config.model_max_length = None;
    let limits = ModelLimits { vocab_size: 1000, max_tokens: None, token_types: 2 };
    let json = config.take_tokenizer_json(&mut files).unwrap();
    PairTokenizer::read(&json, &config, limits).unwrap()
}

fn ids(tokenizer: &PairTokenizer, document: &str, max_length: usize) -> Vec<u32> {
    let mut batch = Batch::default();
    let query = tokenizer.encode("a query", max_length, None).unwrap();
    let document = tokenizer.encode(document, max_length, None).unwrap();
    tokenizer.push(&mut batch, &query, &document, max_length).unwrap();
    batch.input_ids
}

/// Truncates a pair to `max_length` after tokenizing its whole document. It ends with `end_tokens` special tokens.
fn truncated_ids(
    tokenizer: &PairTokenizer,
    document: &str,
    max_length: usize,
    end_tokens: usize,
) -> Vec<u32> {
    let mut pair = ids(tokenizer, document, 1 << 40);
    if pair.len() > max_length {
        let end = pair.split_off(pair.len() - end_tokens);
        pair.truncate(max_length - end_tokens);
        pair.extend(end);
    }
    pair
}

/// Only the beginning of a long text is tokenized, so the rest must not change its tokens. These texts have marks that
/// normalization moves to the front of a run, white space that joins the next word, and endless words and pieces.
#[test]
fn the_beginning_of_a_long_text_gives_the_ids_of_the_whole_text() {
    let marks = format!("a{}\u{323} b", "\u{301}".repeat(1200));
    let lines = format!("\n{}\n{}\nx", " ".repeat(900), " ".repeat(900));
    let endings = [
        marks,
        lines,
        format!("{}<mask> y", " ".repeat(2500)),
        format!("{}[MASK] y", " ".repeat(2500)),
        format!("{}x", "\n ".repeat(1500)),
        "wordwithoutend".repeat(300),
        "漢字と仮名".repeat(300),
        "привет ".repeat(300),
        "e\u{301}\u{323}".repeat(600),
        "👩‍👩‍👧‍👦".repeat(200),
        "<s>[SEP]<|im_end|>".repeat(200),
        "!?...--".repeat(400),
        "\0".repeat(3000),
        "12345 678,9 ".repeat(200),
        "it's we'LL ".repeat(200),
        "ｶﾞ ﬁ e\u{301}\u{ad}".repeat(300),
    ];
    for folder in folders() {
        let tokenizer = unlimited_tokenizer(&folder);
        let end_tokens = usize::from(!folder.file_name().unwrap().to_string_lossy().starts_with("qwen3"));
        for (index, ending) in endings.iter().enumerate() {
            for words in (0..24).step_by(3) {
                let text = format!("{}{ending}", "ab. ".repeat(words));
                let case = format!("{}, ending {index} after {words} words", folder.display());
                assert_eq!(
                    ids(&tokenizer, &text, 48),
                    truncated_ids(&tokenizer, &text, 48, end_tokens),
                    "{case}"
                );
            }
        }
    }
}

/// The regular expression that splits words backtracks at most a million times and then returns no words. transformers
/// uses another regex engine, which returns one token per space.
#[test]
fn a_million_spaces_give_the_tokens_of_transformers() {
    for name in ["roberta", "qwen3"] {
        let tokenizer = unlimited_tokenizer(&fixtures_directory().join("tokenizers").join(name));
        let other_tokens = ids(&tokenizer, "", 1 << 40).len();
        let spaces = 1_200_000;
        let text = format!("{}x y", " ".repeat(spaces));
        assert_eq!(ids(&tokenizer, &text, 1 << 40).len() - other_tokens, spaces + 3, "{name}");
        let text = format!("a{}  x", "\n".repeat(spaces));
        assert_eq!(ids(&tokenizer, &text, 1 << 40).len() - other_tokens, spaces + 4, "{name}");
    }
}

/// Each of these texts makes an alternative of the patterns scan far and fail. If that repeated at every character, a
/// megabyte would take an hour.
#[test]
fn patterns_take_linear_time() {
    for name in ["gpt-4o", "deepseek", "word-ends"] {
        let tokenizer = unlimited_tokenizer(&fixtures_directory().join("tokenizers").join(name));
        for part in ["A", "ʰA", "AAAAʰ", " ", " x", "\t ", "漢A", "!", "1", "'s"] {
            let text = part.repeat(1_000_000 / part.len());
            assert!(ids(&tokenizer, &text, 1 << 40).len() > 3, "{name}, {part:?}");
        }
    }
}
