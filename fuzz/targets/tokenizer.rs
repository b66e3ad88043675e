//! Fuzzes `tokenizer.json` and the files that go with it, and encodes difficult texts with the tokenizer.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use ranklet::Result;
use ranklet::internals::{Batch, Checkpoint, PairTokenizer};
use ranklet_fuzz::{check, fixtures, join, mutate, refused, split, with, write_seeds};
use serde_json::{Value, json};

const FILES: [&str; 4] =
    ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];

/// Texts that are difficult for a tokenizer.
const TEXTS: [&str; 7] = [
    "",
    "\0",
    " \t\r\n\u{3000}\u{feff}",
    "the old  river [SEP] runs [CLS] by[MASK]the [UNK] city ##s",
    "👩‍👩‍👧‍👦 🇫🇷 e\u{301}\u{300} \u{1100}\u{1161}\u{11a8} ﬁ İ ß",
    "漢字かな交じり 한국어 العربية हिन्दी ไทย \u{10ffff}\u{e000}",
    "don't; 3.14-2,718 (a_b)…«x» \u{2028}\u{200b}",
];

/// Texts on which a tokenizer of quadratic time would not finish. They are slow, so each input gets one of them.
static LONG_TEXTS: LazyLock<[String; 3]> =
    LazyLock::new(|| ["x".repeat(4000), ["a", &"\u{301}".repeat(4000)].concat(), TEXTS.concat().repeat(20)]);

/// Number of words that a fixture's vocabulary is cut to, so that more mutations hit something with a meaning.
const WORDS: u64 = 24;

/// A tokenizer in few bytes, so that most mutations hit a name or a number.
const SMALL: &[u8] = br###"{"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##",
"max_input_chars_per_word":100,"vocab":{"[UNK]":4,"[CLS]":5,"[SEP]":6,"a":7,"x":8,"##x":9}}}"###;

/// Returns the small tokenizer, and every fixture: unchanged, and with a class that reads the whole pipeline, with each
/// component in turn.
fn seeds() -> Vec<Vec<u8>> {
    let fast = br#"{"tokenizer_class":"PreTrainedTokenizerFast","model_input_names":["token_type_ids"]}"#;
    let mut seeds = vec![join(&[SMALL, b"{}"])];
    for files in fixtures() {
        let mut tokenizer: Value =
            serde_json::from_slice(files.get(FILES[0]).unwrap_or_default()).expect("a fixture is JSON");
        if let Some(vocabulary) = tokenizer["model"]["vocab"].as_object_mut() {
            vocabulary.retain(|_, id| id.as_u64() < Some(WORDS));
        }
        seeds.push(join(&[tokenizer.to_string().as_bytes(), files.get(FILES[1]).unwrap_or_default()]));
        seeds.push(join(&[tokenizer.to_string().as_bytes(), fast]));
        if seeds.len() == 3 {
            for (section, component) in components() {
                let mut other = tokenizer.clone();
                other[section] = component;
                seeds.push(join(&[other.to_string().as_bytes(), fast]));
            }
            tokenizer["added_tokens"] = added_tokens();
            seeds.push(join(&[tokenizer.to_string().as_bytes(), files.get(FILES[1]).unwrap_or_default()]));
        }
    }
    seeds.push(join(&[SMALL, b"{}", br#"{"cls_token":"a"}"#, br###"{"x":8,"##x":5}"###]));
    seeds
}

/// Returns the special tokens and two tokens with unusual matching options.
fn added_tokens() -> Value {
    let token = |id, content, flag| {
        let mut token = json!({ "id": id, "content": content, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false, "special": false });
        token[flag] = json!(true);
        token
    };
    json!([
        token(4, "[UNK]", "special"),
        token(5, "[CLS]", "special"),
        token(6, "[SEP]", "special"),
        token(11, "É", "normalized"),
        token(12, "a", "rstrip"),
        token(13, "b", "lstrip"),
        token(14, "c", "single_word"),
    ])
}

fn components() -> Vec<(&'static str, Value)> {
    let mut components = Vec::new();
    for name in ["Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents"] {
        components.push(("normalizer", json!({ "type": name })));
    }
    let strip = json!({ "type": "Strip", "strip_left": true, "strip_right": false });
    components
        .push(("normalizer", json!({ "type": "Sequence", "normalizers": [strip, { "type": "NFKD" }] })));
    for name in ["Whitespace", "WhitespaceSplit"] {
        components.push(("pre_tokenizer", json!({ "type": name })));
    }
    let digits = json!({ "type": "Digits", "individual_digits": true });
    let punctuation = json!({ "type": "Punctuation", "behavior": "MergedWithNext" });
    components.push((
        "pre_tokenizer",
        json!({ "type": "Sequence", "pretokenizers": [digits, punctuation, { "type": "BertPreTokenizer" }] }),
    ));
    for name in ["BertProcessing", "RobertaProcessing"] {
        components
            .push(("post_processor", json!({ "type": name, "cls": ["[CLS]", 5], "sep": ["[SEP]", 6] })));
    }
    components
}

/// Encodes every text with the next one. Checks that the model has rows for all ids and types, and that the length is
/// within the limit.
fn encode_all(
    tokenizer: &PairTokenizer,
    long: &str,
    vocab_size: usize,
    type_vocab_size: usize,
) -> Result<()> {
    let max_length = tokenizer.model_max_length();
    let mut query = tokenizer.encode(long, max_length, None)?;
    for text in TEXTS {
        for limit in [Some(0), Some(7), None] {
            let document = tokenizer.encode(text, max_length, limit)?;
            let mut batch = Batch::default();
            tokenizer.push(&mut batch, &query, &document, max_length)?;
            assert!(batch.tokens() <= max_length);
            assert!(batch.input_ids.iter().all(|id| (*id as usize) < vocab_size));
            assert!(batch.token_type_ids.iter().all(|kind| *kind == 0 || (*kind as usize) < type_vocab_size));
            query = document;
        }
    }
    Ok(())
}

fuzz_target!(init: write_seeds("tokenizer", seeds()), |input: &[u8]| {
    let files = with(FILES.into_iter().zip(split(input)));
    let long = &LONG_TEXTS[input.len() % LONG_TEXTS.len()];
    let read = Checkpoint::read(files.clone()).and_then(|checkpoint| {
        let (json, config) = (&checkpoint.tokenizer_json, &checkpoint.config);
        let tokenizer = PairTokenizer::read(json, &checkpoint.tokenizer_config, config.into())?;
        encode_all(&tokenizer, long, config.vocab_size, config.type_vocab_size)
    });
    match read {
        Ok(()) => check(files),
        Err(error) => refused(&error),
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(data, size, max_size, seed)
});
