//! The published tokenizers of XLM-RoBERTa and BERT give transformers' token ids for whole collections.
//!
//! Needs the collections in `../shared/data`; without them these tests show as ignored. `fixtures/make_token_ids.py`
//! stores a hash of transformers' token ids for each collection.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::common::fixtures_directory;
use ranklet::ModelFiles;
use ranklet::internals::{Batch, ModelLimits, PairTokenizer, TokenizerConfig};
use serde_json::{Value, json};

const XQUAD: [&str; 12] = ["ar", "de", "el", "en", "es", "hi", "ro", "ru", "th", "tr", "vi", "zh"];

fn shared() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data")
}

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(fixtures_directory().join("token_ids.json")).unwrap()).unwrap()
}

fn read(path: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(shared().join(path)).unwrap()).into_owned()
}

/// The number of pairs, the number of pairs of maximum length, and FNV-1a over lengths and ids, as in
/// `make_token_ids.py`.
fn summarize(tokenizer: &PairTokenizer, pairs: &[(String, String)], max_length: usize) -> Value {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    let mut full = 0;
    for (query, document) in pairs {
        let mut batch = Batch::default();
        let query = tokenizer.encode(query, max_length, None).unwrap();
        let document = tokenizer.encode(document, max_length, None).unwrap();
        tokenizer.push(&mut batch, &query, &document, max_length).unwrap();
        full += usize::from(batch.tokens() == max_length);
        for word in
            std::iter::once(batch.tokens() as u64).chain(batch.input_ids.iter().map(|id| u64::from(*id)))
        {
            state = (state ^ word).wrapping_mul(0x100_0000_01b3);
        }
    }
    json!({ "pairs": pairs.len(), "full": full, "hash": format!("{state:016x}") })
}

fn tokenizer(json: &[u8], config: impl Into<Vec<u8>>, vocab_size: usize) -> PairTokenizer {
    let mut files = ModelFiles::new();
    files.insert("tokenizer_config.json", config.into());
    let config = TokenizerConfig::read(&files).unwrap();
    let start = Instant::now();
    let limits = ModelLimits { vocab_size, max_tokens: Some(512), token_types: 2 };
    let tokenizer = PairTokenizer::read(json, &config, limits).unwrap();
    println!("{} bytes read in {:.2?}", json.len(), start.elapsed());
    tokenizer
}

fn xquad(language: &str) -> Vec<(String, String)> {
    let content: Value = serde_json::from_str(&read(&format!("xquad/xquad.{language}.json"))).unwrap();
    let list = |value: &Value, name: &str| value[name].as_array().unwrap().clone();
    let mut pairs = Vec::new();
    for paragraph in list(&content, "data").iter().flat_map(|article| list(article, "paragraphs")) {
        for qa in list(&paragraph, "qas") {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            pairs.push((text(&qa["question"]), text(&paragraph["context"])));
        }
    }
    pairs
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared/data")]
fn xlm_roberta_gives_the_ids_of_transformers_in_twelve_languages() {
    let expected = expected();
    let max_length = expected["max_length"].as_u64().unwrap() as usize;
    let gzip = Command::new("gzip")
        .args(["-dc".as_ref(), shared().join("tok-xlmr/tokenizer.json.gz").as_os_str()])
        .stdout(Stdio::piped())
        .spawn();
    let mut json = Vec::new();
    gzip.unwrap().stdout.unwrap().read_to_end(&mut json).unwrap();
    for class in ["XLMRobertaTokenizer", "PreTrainedTokenizerFast"] {
        let tokenizer = tokenizer(&json, json!({ "tokenizer_class": class }).to_string(), 250_002);
        let languages = expected[class].as_object().unwrap();
        assert_eq!(languages.len(), 12);
        for (language, expected) in languages {
            let pairs = xquad(language);
            let start = Instant::now();
            assert_eq!(&summarize(&tokenizer, &pairs, max_length), expected, "{class}, {language}");
            println!("{class}, {language}: {} pairs in {:.2?}", pairs.len(), start.elapsed());
        }
    }
}

/// The tiny tokenizers of the fixtures meet many characters that their vocabularies do not have.
#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared/data")]
fn forms_without_a_class_give_the_ids_of_transformers_in_twelve_languages() {
    let expected = expected();
    let max_length = expected["max_length"].as_u64().unwrap() as usize;
    let forms = expected["forms"].as_object().unwrap();
    assert!(forms.len() >= 8, "only {} forms", forms.len());
    for (language, pairs) in XQUAD.map(|language| (language, xquad(language))) {
        for (name, languages) in forms {
            let mut files =
                ModelFiles::from_directory(&fixtures_directory().join("tokenizers").join(name)).unwrap();
            let mut config = TokenizerConfig::read(&files).unwrap();
            config.model_max_length = None;
            let json = config.take_tokenizer_json(&mut files).unwrap();
            let limits = ModelLimits { vocab_size: 1000, max_tokens: Some(512), token_types: 2 };
            let tokenizer = PairTokenizer::read(&json, &config, limits).unwrap();
            assert_eq!(summarize(&tokenizer, &pairs, max_length), languages[language], "{name}, {language}");
        }
    }
}

fn cranfield_records(path: &str) -> Vec<String> {
    let text = |record: &str| {
        let (_, rest) = record.split_once('\n').unwrap();
        rest.split_once(".W").map_or("", |(_, text)| text).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    read(path).split(".I ").skip(1).map(text).collect()
}

#[test]
#[cfg_attr(not(shared), ignore = "needs ../shared/data")]
fn bert_gives_the_ids_of_transformers_on_cranfield() {
    let expected = expected();
    let folder = "tok-bert-ms-marco-MiniLM-L-6-v2";
    let config = read(&format!("{folder}/tokenizer_config.json"));
    let tokenizer = tokenizer(read(&format!("{folder}/tokenizer.json")).as_bytes(), config, 30522);
    let (queries, documents) =
        (cranfield_records("cranfield/cran.qry"), cranfield_records("cranfield/cran.all.1400"));
    let mut pairs = Vec::new();
    for line in read("cranfield/QRelsCorrectedforTRECeval").lines() {
        if let [query, _, document, _] = line.split_whitespace().collect::<Vec<_>>()[..] {
            let index = |number: &str| number.parse::<usize>().unwrap() - 1;
            pairs.push((queries[index(query)].clone(), documents[index(document)].clone()));
        }
    }
    let max_length = expected["max_length"].as_u64().unwrap() as usize;
    assert_eq!(summarize(&tokenizer, &pairs, max_length), expected["BertTokenizer"]["cranfield"]);
}
