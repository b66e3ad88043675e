//! Tokenizer files that would panic, hang or fill the memory are rejected with an error that names the reason. Every
//! case breaks one thing in a valid file.

use crate::common::fixtures_directory;
use ranklet::internals::{ModelLimits, PairTokenizer, TokenizerConfig};
use ranklet::{Error, ErrorKind, ModelFiles};
use serde_json::{Value, json};

/// Reads the tokenizer of a fixture after changing its tokenizer.json.
fn read(name: &str, change: impl FnOnce(&mut Value)) -> Result<PairTokenizer, Error> {
    let files = ModelFiles::from_directory(&fixtures_directory().join("tokenizers").join(name)).unwrap();
    let mut json: Value = serde_json::from_slice(files.get("tokenizer.json").unwrap()).unwrap();
    change(&mut json);
    let limits = ModelLimits { vocab_size: 1000, max_tokens: Some(512), token_types: 2 };
    PairTokenizer::read(json.to_string().as_bytes(), &TokenizerConfig::read(&files).unwrap(), limits)
}

#[track_caller]
fn assert_rejected(name: &str, change: impl FnOnce(&mut Value), kind: ErrorKind, reason: &str) {
    assert!(read(name, |_| {}).is_ok());
    let Err(error) = read(name, change) else { panic!("{name} loads; it should fail with {reason:?}") };
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.context().contains(reason), "{error:?} does not name {reason:?}");
}

#[test]
fn merges_of_missing_tokens_are_rejected() {
    for name in ["roberta", "roberta-backend", "qwen3"] {
        for merge in [json!(["Ġ", "nowhere"]), json!(["nowhere", "Ġ"]), json!(["<s>", "<s>"]), json!("a b c")]
        {
            let change = |json: &mut Value| json["model"]["merges"] = json!([merge]);
            assert_rejected(name, change, ErrorKind::Tokenizer, "merge of");
        }
    }
    let suffix = "</w>".repeat(1000);
    for (field, value) in [("continuing_subword_prefix", "##"), ("end_of_word_suffix", suffix.as_str())] {
        assert_rejected("roberta", |json| json["model"][field] = json!(value), ErrorKind::Unsupported, field);
    }
    // The bytes of the suffix would have offsets outside the word.
    let change = |json: &mut Value| json["model"]["byte_fallback"] = json!(true);
    assert_rejected("word-ends", change, ErrorKind::Unsupported, "byte_fallback");
    assert_rejected(
        "roberta",
        |json| json["model"]["dropout"] = json!(0.5),
        ErrorKind::Unsupported,
        "dropout",
    );
    assert_rejected(
        "roberta",
        |json| json["model"]["type"] = json!("Unigram"),
        ErrorKind::Unsupported,
        "Unigram",
    );
}

#[test]
fn invalid_unigram_vocabularies_are_rejected() {
    let name = "xlm-roberta-backend";
    let model = |field: &'static str, value: Value| move |json: &mut Value| json["model"][field] = value;
    assert_rejected(name, model("unk_id", json!(100_000)), ErrorKind::Tokenizer, "unk_id 100000");
    assert_rejected(name, model("unk_id", json!(null)), ErrorKind::Unsupported, "unknown token");
    assert_rejected(name, model("unk_id", json!(-1)), ErrorKind::Tokenizer, "tokenizer.json");
    assert_rejected(name, model("vocab", json!([])), ErrorKind::Tokenizer, "unk_id");
    assert_rejected(name, model("vocab", json!([["a", "b"]])), ErrorKind::Tokenizer, "tokenizer.json");
    let long = json!([["a".repeat(100_000), 0.0]]);
    assert_rejected("camembert", model("vocab", long), ErrorKind::Unsupported, "piece of 100000 bytes");
}

#[test]
fn character_maps_with_offsets_out_of_bounds_are_rejected() {
    let map = |trie: &[u32], replacements: &[u8]| {
        let bytes: Vec<u8> = trie.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        [&(bytes.len() as u32).to_le_bytes()[..], &bytes, replacements].concat()
    };
    // The root's children start at 256. "a" has a leaf, whose value is at 512.
    let good = |value: u32| {
        let mut trie = vec![1 << 31; 768];
        trie[0] = 256 << 10;
        trie[256 ^ 97] = ((512 ^ 256 ^ 97) << 10) | 1 << 8 | 97;
        trie[512] = value | 1 << 31;
        trie
    };
    let text = "A\0é\0".as_bytes();
    let cases = [
        (vec![], "cut short"),
        (vec![255; 4], "cut short"),
        (map(&[], b"")[..4].to_vec(), "outside"),
        (map(&[256 << 10], b""), "outside"),
        (map(&[256 << 10; 300], b""), "outside"),
        (map(&[u32::MAX; 600], b""), "outside"),
        (map(&good(6), text), "outside"),
        (map(&good(3), text), "outside"),
        (map(&good(u32::MAX), text), "outside"),
        (map(&good(0), &[0xff]), "utf-8"),
        (map(&good(0), &[b'x'; 100_000]), "1 bytes with 100000 bytes"),
    ];
    for (bytes, reason) in cases {
        for name in ["xlm-roberta", "xlm-roberta-backend"] {
            let kind = if reason.contains("100000") { ErrorKind::Unsupported } else { ErrorKind::Tokenizer };
            let change = |json: &mut Value| {
                json["normalizer"]["normalizers"][0]["precompiled_charsmap"] = json!(base64(&bytes));
            };
            assert_rejected(name, change, kind, reason);
        }
    }
    let change = |json: &mut Value| {
        json["normalizer"]["normalizers"][0]["precompiled_charsmap"] = json!(base64(&map(&good(2), text)));
    };
    assert!(read("xlm-roberta", change).is_ok());
}

#[test]
fn components_that_take_exponential_time_or_memory_are_rejected() {
    let sequence = |part: Value, count| json!({ "type": "Sequence", "normalizers": vec![part; count] });
    let replace =
        |pattern: Value, content: &str| json!({ "type": "Replace", "pattern": pattern, "content": content });
    for (normalizer, reason) in [
        (replace(json!({ "Regex": "(a*)*b" }), " "), "(a*)*b"),
        (replace(json!({ "Regex": r"\s+" }), &"a".repeat(33)), "33 times longer"),
        (replace(json!({ "String": "ab" }), &"a".repeat(66)), "33 times longer"),
        (replace(json!({ "String": "" }), ""), "Replace"),
        (replace(json!({ "Regex": r"\w+" }), ""), r"\\w+"),
        (sequence(replace(json!({ "String": "a" }), "aa"), 6), "64 times longer"),
        (sequence(replace(json!({ "Regex": r"\s+" }), "▁"), 4), "81 times longer"),
        (sequence(json!({ "type": "NFKD" }), 2), "more than one NFKD"),
        (json!({ "type": "Prepend", "prepend": "a".repeat(17) }), "Prepend of 17 bytes"),
        (sequence(json!({ "type": "Prepend", "prepend": "a" }), 2), "more than one Prepend"),
        (json!({ "type": "ByteLevel" }), "ByteLevel"),
    ] {
        let change = |json: &mut Value| json["normalizer"] = normalizer;
        assert_rejected("modernbert", change, ErrorKind::Unsupported, reason);
    }
    let split = |pattern: Value| json!({ "type": "Split", "pattern": pattern, "behavior": "Isolated", "invert": false });
    let level =
        json!({ "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": false });
    let meta = json!({ "type": "Metaspace", "replacement": "▁" });
    for (pre_tokenizer, reason) in [
        (split(json!({ "Regex": "(a*)*b" })), "(a*)*b"),
        (split(json!({ "Regex": r"\s*[\r\n]+" })), "Split"),
        (split(json!({ "Regex": "a*".repeat(1001) })), "Split"),
        (split(json!({ "String": "" })), "Split"),
        (json!({ "type": "Sequence", "pretokenizers": [level, level] }), "more than one ByteLevel"),
        (json!({ "type": "Sequence", "pretokenizers": [meta, meta] }), "more than one Metaspace"),
        (json!({ "type": "UnicodeScripts" }), "UnicodeScripts"),
    ] {
        let change = |json: &mut Value| json["pre_tokenizer"] = pre_tokenizer;
        assert_rejected("modernbert", change, ErrorKind::Unsupported, reason);
    }
}

/// Each of these builds a pipeline of its own, which `tokenizer.json` need not match.
#[test]
fn classes_that_build_another_tokenizer_are_rejected() {
    for class in ["BigBirdTokenizer", "T5TokenizerFast", "BertJapaneseTokenizer", "LlamaTokenizerFast"] {
        let mut files = ModelFiles::new();
        files.insert("tokenizer_config.json", json!({ "tokenizer_class": class }).to_string().into_bytes());
        let error = TokenizerConfig::read(&files).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let class = class.trim_end_matches("Fast");
        assert!(
            error.context().contains(class) && error.context().contains("PreTrainedTokenizerFast"),
            "{error}"
        );
    }
}

#[test]
fn malformed_vocabulary_files_are_rejected() {
    type File<'a> = (&'a str, &'a [u8]);
    let cases: [(&str, &[File], &str); 8] = [
        ("BertTokenizer", &[("vocab.txt", b"[UNK]\n\xff")], "vocab.txt"),
        ("BertTokenizer", &[("vocab.json", b"{}"), ("merges.txt", b"")], "tokenizer.json is missing"),
        ("RobertaTokenizer", &[("vocab.json", b"{}")], "merges.txt is missing"),
        ("RobertaTokenizer", &[("vocab.json", b"[]"), ("merges.txt", b"")], "vocab.json"),
        ("RobertaTokenizer", &[("vocab.json", b"{}"), ("merges.txt", b"a b\n\nb c")], "merges.txt: line 2"),
        ("RobertaTokenizer", &[("vocab.json", b"{}"), ("merges.txt", b"a b c")], "merges.txt: line 1"),
        ("RobertaTokenizer", &[("vocab.txt", b"a")], "save_pretrained"),
        ("XLMRobertaTokenizer", &[("vocab.txt", b"a")], "save_pretrained"),
    ];
    for (class, contents, reason) in cases {
        let mut files = ModelFiles::new();
        files.insert("tokenizer_config.json", json!({ "tokenizer_class": class }).to_string().into_bytes());
        for (name, bytes) in contents {
            files.insert(*name, bytes.to_vec());
        }
        let config = TokenizerConfig::read(&files).unwrap();
        let error = config.take_tokenizer_json(&mut files).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tokenizer, "{error}");
        assert!(error.context().contains(reason), "{error} does not name {reason:?}");
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk
            .iter()
            .enumerate()
            .fold(0_u32, |bits, (index, byte)| bits | u32::from(*byte) << (16 - 8 * index));
        for index in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * index)) as usize & 63] as char;
            text.push(if index <= chunk.len() { digit } else { '=' });
        }
    }
    text
}
