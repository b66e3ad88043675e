//! Whatever is wrong with a checkpoint has a typed error that names it. Every case starts from a good fixture and
//! breaks one thing; the unbroken one loads, so a case cannot pass because everything fails.

use std::collections::BTreeMap;

use crate::common::{fixture, load};
use ranklet::{ErrorKind, ModelFiles, RankOptions, Scores};
use serde_json::{Value, json};

fn good() -> ModelFiles {
    fixture("bert-gelu-h36").files()
}

/// Loading fails with this kind, and the message holds every one of `names`.
#[track_caller]
fn assert_refused(files: ModelFiles, kind: ErrorKind, names: &[&str]) {
    let Err(error) = load(files) else { panic!("broken files load; {kind}, {names:?} should be wrong") };
    assert_eq!(error.kind(), kind, "{error}");
    for name in names {
        assert!(error.context().contains(name), "{error:?} does not name {name:?}");
    }
}

fn with(name: &str, bytes: impl Into<Vec<u8>>) -> ModelFiles {
    let mut files = good();
    files.insert(name, bytes.into());
    files
}

fn without(name: &str) -> ModelFiles {
    let mut files = good();
    files.take(name);
    files
}

/// The good files with fields of a JSON file replaced; `Value::Null` removes one.
fn with_fields(file: &str, fields: Value) -> ModelFiles {
    let files = good();
    let mut json: Value = serde_json::from_slice(files.get(file).unwrap_or(b"{}")).unwrap();
    for (name, value) in fields.as_object().unwrap() {
        json[name] = value.clone();
    }
    with(file, json.to_string())
}

fn with_config(fields: Value) -> ModelFiles {
    with_fields("config.json", fields)
}

/// A safetensors file as its header and its data, to be broken and put together again.
struct RawWeights {
    header: BTreeMap<String, Value>,
    data: Vec<u8>,
}

impl RawWeights {
    fn of(files: &ModelFiles) -> Self {
        let bytes = files.get("model.safetensors").unwrap();
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        Self {
            header: serde_json::from_slice(&bytes[8..8 + length]).unwrap(),
            data: bytes[8 + length..].to_vec(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let header = serde_json::to_vec(&self.header).unwrap();
        [&(header.len() as u64).to_le_bytes()[..], &header, &self.data].concat()
    }

    fn files(&self) -> ModelFiles {
        with("model.safetensors", self.bytes())
    }

    /// Appends an f32 tensor.
    fn push(&mut self, name: &str, dtype: &str, shape: &[usize], data: &[u8]) {
        let offsets = [self.data.len(), self.data.len() + data.len()];
        self.data.extend(data);
        self.header
            .insert(name.to_owned(), json!({ "dtype": dtype, "shape": shape, "data_offsets": offsets }));
    }

    fn overwrite(&mut self, name: &str, element: &[u8]) {
        let start = self.header[name]["data_offsets"][0].as_u64().unwrap() as usize;
        self.data[start..start + element.len()].copy_from_slice(element);
    }
}

const QUERY_WEIGHT: &str = "bert.encoder.layer.0.attention.self.query.weight";

#[test]
fn the_unbroken_fixture_loads() {
    let reranker = load(good()).unwrap();
    assert_eq!(reranker.info().warnings, Vec::<String>::new());
    assert!(load(RawWeights::of(&good()).files()).is_ok());
    assert!(load(with_config(json!({}))).is_ok());
}

#[test]
fn missing_files() {
    assert_refused(without("config.json"), ErrorKind::Config, &["config.json"]);
    assert_refused(without("tokenizer.json"), ErrorKind::Tokenizer, &["tokenizer.json"]);
    assert_refused(without("model.safetensors"), ErrorKind::Weights, &["model.safetensors"]);
    let mut files = without("model.safetensors");
    files.insert("pytorch_model.bin", vec![]);
    assert_refused(files, ErrorKind::Weights, &["pytorch_model.bin", "malformed"]);
}

#[test]
fn broken_json() {
    for name in ["config.json", "config_sentence_transformers.json", "modules.json"] {
        assert_refused(with(name, "{"), ErrorKind::Config, &[name]);
        assert_refused(with(name, "3"), ErrorKind::Config, &[name]);
        assert_refused(with(name, [0xff, 0xfe]), ErrorKind::Config, &[name]);
        assert_refused(with(name, ""), ErrorKind::Config, &[name]);
    }
    assert_refused(with("tokenizer_config.json", "["), ErrorKind::Tokenizer, &["tokenizer_config.json"]);
    let deep = "[".repeat(100_000);
    assert_refused(with("config.json", deep), ErrorKind::Config, &["config.json"]);
}

#[test]
fn sizes_that_make_no_sense() {
    for (name, value) in [
        ("hidden_size", json!(0)),
        ("hidden_size", json!(-36)),
        ("hidden_size", json!(36.5)),
        ("hidden_size", json!("36")),
        ("hidden_size", json!(u64::MAX)),
        ("num_hidden_layers", json!(4_000_000_000u64)),
        ("num_hidden_layers", json!(0)),
        ("num_attention_heads", json!(0)),
        ("intermediate_size", json!(1u64 << 60)),
        ("vocab_size", json!(1u64 << 62)),
        ("max_position_embeddings", json!(0)),
        ("layer_norm_eps", json!(-1.0)),
        ("layer_norm_eps", json!(1e300)),
        ("layer_norm_eps", json!("small")),
        ("num_labels", json!(0)),
        ("id2label", json!({})),
        ("id2label", json!([])),
    ] {
        assert_refused(with_config(json!({ name: value })), ErrorKind::Config, &["config.json", name]);
    }
    assert_refused(
        with_config(json!({ "num_attention_heads": 5 })),
        ErrorKind::Config,
        &["hidden_size 36", "5 attention heads"],
    );
}

#[test]
fn a_configuration_that_does_not_fit_the_weights() {
    for (fields, tensor) in [
        (json!({ "num_hidden_layers": 3 }), "bert.encoder.layer.2"),
        (json!({ "hidden_size": 72 }), "bert.embeddings.word_embeddings.weight"),
        (json!({ "intermediate_size": 54 }), "bert.encoder.layer.0.intermediate.dense.weight"),
        (json!({ "vocab_size": 100_000 }), "bert.embeddings.word_embeddings.weight"),
        (json!({ "type_vocab_size": 3 }), "bert.embeddings.token_type_embeddings.weight"),
        (json!({ "id2label": { "0": "a", "1": "b" }, "num_labels": null }), "classifier.weight"),
        (json!({ "id2label": { "0": "a" }, "num_labels": 3 }), "classifier.weight"),
    ] {
        assert_refused(with_config(fields), ErrorKind::Weights, &[tensor]);
    }
}

#[test]
fn other_models_and_functions() {
    for (fields, name) in [
        (json!({ "model_type": "gpt2" }), "gpt2"),
        (json!({ "position_embedding_type": "relative_key" }), "relative_key"),
        (json!({ "feed_forward_type": "swiglu" }), "swiglu"),
        (json!({ "is_decoder": true }), "is_decoder"),
    ] {
        assert_refused(with_config(fields), ErrorKind::Unsupported, &["config.json", name]);
    }
    for (fields, name) in [
        (json!({ "model_type": null }), "model_type"),
        (json!({ "model_type": 3 }), "model_type"),
        (json!({ "hidden_act": "gelu_12" }), "gelu_12"),
        (json!({ "sbert_ce_default_activation_function": "torch.nn.modules.activation.GLU" }), "GLU"),
        (json!({ "sentence_transformers": { "activation_fn": "my.own.Activation" } }), "my.own.Activation"),
    ] {
        assert_refused(with_config(fields), ErrorKind::Config, &[name]);
    }
    let own = |fields| with_fields("config_sentence_transformers.json", fields);
    assert_refused(own(json!({ "activation_fn": "torch.nn.GLU" })), ErrorKind::Config, &["GLU"]);
    assert_refused(own(json!({ "default_prompt_name": "query" })), ErrorKind::Config, &["prompts", "query"]);
    let chain = json!([{ "type": "sentence_transformers.models.Transformer" }, { "type": "x.Dense" }]);
    let mut files = own(json!({ "model_type": "CrossEncoder" }));
    files.insert("modules.json", chain.to_string().into_bytes());
    assert_refused(files, ErrorKind::Unsupported, &["x.Dense"]);
}

#[test]
fn cut_and_padded_weights() {
    let files = good();
    let bytes = files.get("model.safetensors").unwrap();
    for length in [0, 1, 7, 8, 9, 100, bytes.len() / 2, bytes.len() - 1] {
        assert_refused(
            with("model.safetensors", &bytes[..length]),
            ErrorKind::Weights,
            &["model.safetensors"],
        );
    }
    let padded = [bytes, &[0u8; 4][..]].concat();
    assert_refused(with("model.safetensors", padded), ErrorKind::Weights, &["model.safetensors"]);
}

#[test]
fn headers_that_lie() {
    let files = good();
    for length in [u64::MAX, 1 << 40, 100_000_001] {
        let mut bytes = files.get("model.safetensors").unwrap().to_vec();
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        assert_refused(with("model.safetensors", bytes), ErrorKind::Weights, &["model.safetensors"]);
    }
    for (field, value) in [
        ("data_offsets", json!([0, 8])),
        ("data_offsets", json!([16, 8])),
        ("data_offsets", json!([0, u64::MAX])),
        ("shape", json!([36, 35])),
        ("shape", json!([u64::MAX, u64::MAX])),
        ("shape", json!([-1, 36])),
        ("dtype", json!("F31")),
        ("dtype", json!("F16")),
    ] {
        let mut weights = RawWeights::of(&files);
        weights.header.get_mut(QUERY_WEIGHT).unwrap()[field] = value;
        assert_refused(weights.files(), ErrorKind::Weights, &["model.safetensors"]);
    }
}

#[test]
fn overlapping_tensors() {
    let mut weights = RawWeights::of(&good());
    let place = weights.header["classifier.bias"]["data_offsets"].clone();
    weights.header.insert("twin".to_owned(), json!({ "dtype": "F32", "shape": [1], "data_offsets": place }));
    assert_refused(weights.files(), ErrorKind::Weights, &["model.safetensors"]);
}

#[test]
fn a_tensor_whose_shape_does_not_fill_its_bytes_is_named() {
    let mut weights = RawWeights::of(&good());
    weights.header.get_mut(QUERY_WEIGHT).unwrap()["shape"] = json!([36, 35]);
    assert_refused(weights.files(), ErrorKind::Weights, &[QUERY_WEIGHT]);
}

#[test]
fn missing_tensors_are_named() {
    let names: Vec<String> =
        RawWeights::of(&good()).header.keys().filter(|name| *name != "__metadata__").cloned().collect();
    assert!(names.len() > 30);
    for name in names {
        let mut weights = RawWeights::of(&good());
        let tensor = weights.header.remove(&name).unwrap();
        // The bytes stay, under a name nobody asks for.
        weights.header.insert("unrelated".to_owned(), tensor);
        assert_refused(weights.files(), ErrorKind::Weights, &[&name, "missing"]);
    }
}

#[test]
fn no_token_types_beside_a_table_of_them() {
    let mut files = with_config(json!({ "type_vocab_size": 0 }));
    files.insert(
        "tokenizer_config.json",
        br#"{"model_input_names": ["input_ids", "attention_mask"]}"#.to_vec(),
    );
    assert_refused(files, ErrorKind::Weights, &["token_type_embeddings", "type_vocab_size"]);
}

#[test]
fn unknown_tensors_are_named_in_a_warning() {
    let mut weights = RawWeights::of(&good());
    weights.push("cls.predictions.bias", "F32", &[1], &[0; 4]);
    weights.push("bert.embeddings.position_ids", "I64", &[1, 1], &[0; 8]);
    let reranker = load(weights.files()).unwrap();
    let warnings = &reranker.info().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("cls.predictions.bias"), "{warnings:?}");
}

#[test]
fn two_spellings_of_one_tensor() {
    let mut weights = RawWeights::of(&good());
    weights.push("bert.embeddings.LayerNorm.gamma", "F32", &[36], &[0; 144]);
    assert_refused(weights.files(), ErrorKind::Weights, &["bert.embeddings.LayerNorm"]);
}

#[test]
fn numbers_that_overflow() {
    for name in [QUERY_WEIGHT, "bert.embeddings.LayerNorm.weight", "bert.encoder.layer.0.output.dense.bias"] {
        let mut weights = RawWeights::of(&good());
        weights.overwrite(name, &1e30f32.to_le_bytes());
        assert_refused(weights.files(), ErrorKind::Weights, &[name, "too large"]);
    }
}

#[test]
fn numbers_that_are_none() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for name in [QUERY_WEIGHT, "bert.embeddings.word_embeddings.weight", "classifier.bias"] {
            let mut weights = RawWeights::of(&good());
            weights.overwrite(name, &value.to_le_bytes());
            assert_refused(weights.files(), ErrorKind::Weights, &[name, "not finite"]);
        }
    }
}

#[test]
fn elements_of_another_type() {
    let mut weights = RawWeights::of(&good());
    weights.header.get_mut("classifier.bias").unwrap()["dtype"] = json!("I32");
    assert_refused(weights.files(), ErrorKind::Weights, &["classifier.bias", "I32"]);
}

#[test]
fn golden_pairs_without_end() {
    let pair = json!({ "query": "a", "document": "b", "logits": [0.0], "source_logits": [0.0] });
    let metadata = json!({ "format": "q8", "version": 1, "scheme": "", "source": "",
        "golden": { "pairs": vec![pair; 100_000] } });
    let mut weights = RawWeights::of(&good());
    weights.header.insert("__metadata__".to_owned(), json!({ "ranklet": metadata.to_string() }));
    assert_refused(weights.files(), ErrorKind::Weights, &["model.safetensors", "100000 golden pairs"]);
}

#[test]
fn weights_so_large_that_logits_overflow_are_an_error_and_no_rank() {
    let mut weights = RawWeights::of(&good());
    weights.overwrite("classifier.weight", &[f32::MAX.to_le_bytes(), f32::MAX.to_le_bytes()].concat());
    weights.overwrite("classifier.bias", &f32::MAX.to_le_bytes());
    let reranker = load(weights.files()).unwrap();
    let documents: Vec<String> = (0..50).map(|number| format!("document {number} of Paris")).collect();
    let error = reranker.rank_blocking("Paris", &documents, RankOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[test]
fn broken_tokenizers() {
    for text in ["", "{}", "[]", "null", r#"{"version": "1.0", "model": {"type": "WordPiece"}}"#] {
        assert_refused(with("tokenizer.json", text), ErrorKind::Tokenizer, &["tokenizer.json"]);
    }
    let files = good();
    let cut = &files.get("tokenizer.json").unwrap()[..1000];
    assert_refused(with("tokenizer.json", cut), ErrorKind::Tokenizer, &["tokenizer.json"]);
    let config = |fields| with_fields("tokenizer_config.json", fields);
    assert_refused(config(json!({ "cls_token": "[NOWHERE]" })), ErrorKind::Tokenizer, &["[NOWHERE]"]);
    assert_refused(config(json!({ "truncation_side": "middle" })), ErrorKind::Tokenizer, &["middle"]);
    assert_refused(config(json!({ "model_max_length": 2 })), ErrorKind::Config, &["2"]);
    assert_refused(config(json!({ "model_max_length": 0.5 })), ErrorKind::Config, &["0.5"]);
    assert_refused(config(json!({ "do_lower_case": "yes" })), ErrorKind::Config, &["do_lower_case"]);
}

/// Files that make the tokenizers library panic or ask for gigabytes when it is handed them as they are.
#[test]
fn hostile_tokenizers() {
    for text in [r#"{"decoder":"#, r#"{"decoder":{1}}"#, r#"{"model":{"type":"WordPiece"},"decoder":{"#] {
        assert_refused(with("tokenizer.json", text), ErrorKind::Tokenizer, &["tokenizer.json"]);
    }
    // Read as they stand, for a class that takes the whole file.
    assert!(load(with_pipeline(json!({}))).is_ok());
    let bpe = json!({ "type": "BPE", "vocab": { "a": 0, "b": 1 }, "merges": ["a b"] });
    let sequence = json!({ "type": "Sequence", "pretokenizers": [{ "type": "FixedLength", "length": 0 }] });
    for (fields, kind, name) in [
        (
            json!({ "pre_tokenizer": { "type": "FixedLength", "length": 0 } }),
            ErrorKind::Unsupported,
            "FixedLength",
        ),
        (json!({ "pre_tokenizer": sequence }), ErrorKind::Unsupported, "FixedLength"),
        (json!({ "model": bpe }), ErrorKind::Tokenizer, "\"ab\""),
    ] {
        assert_refused(with_pipeline(fields), kind, &[name]);
    }
    let pair = json!([{ "SpecialToken": { "id": "[X]", "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } },
        { "Sequence": { "id": "B", "type_id": 0 } }]);
    let template = json!({ "type": "TemplateProcessing", "single": [], "pair": pair, "special_tokens": {} });
    assert_refused(with_pipeline(json!({ "post_processor": template })), ErrorKind::Tokenizer, &["[X]"]);

    // A class that makes its own normaliser never reads the file's.
    let unread = json!({ "type": "Precompiled", "precompiled_charsmap": "/////w==" });
    assert!(
        load(with_fields("tokenizer.json", json!({ "normalizer": unread, "decoder": { "type": "?" } })))
            .is_ok()
    );
}

/// The good files, their whole tokenizer.json read as it stands, with fields of it replaced.
fn with_pipeline(fields: Value) -> ModelFiles {
    let mut files = with_fields("tokenizer.json", fields);
    files.insert("tokenizer_config.json", br#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#.to_vec());
    files
}

/// The added tokens of the good files and more of them, `fields` beside what every added token has.
fn with_added_tokens(more: &[Value]) -> Value {
    let files = good();
    let tokenizer: Value = serde_json::from_slice(files.get("tokenizer.json").unwrap()).unwrap();
    let mut tokens = tokenizer["added_tokens"].as_array().unwrap().clone();
    for fields in more {
        let mut token = tokens[0].clone();
        token["id"] = json!(1000 + tokens.len());
        for (name, value) in fields.as_object().unwrap() {
            token[name] = value.clone();
        }
        tokens.push(token);
    }
    json!({ "added_tokens": tokens })
}

/// Added tokens at which the tokenizers library panics once a text holds them, or any text at all.
#[test]
fn added_tokens_that_cannot_be_cut_out() {
    let nothing = with_added_tokens(&[json!({ "content": "\u{1}", "normalized": true })]);
    let crossing = with_added_tokens(&[
        json!({ "content": "a", "rstrip": true }),
        json!({ "content": " ", "lstrip": true }),
    ]);
    for (fields, name) in [(nothing, "\\u{1}"), (crossing, "\" \"")] {
        assert_refused(with_fields("tokenizer.json", fields.clone()), ErrorKind::Tokenizer, &[name]);
        assert_refused(with_pipeline(fields), ErrorKind::Tokenizer, &[name]);
    }
    let usual = with_added_tokens(&[json!({ "content": "a", "lstrip": true, "normalized": true })]);
    let reranker = load(with_fields("tokenizer.json", usual)).unwrap();
    assert!(reranker.score_blocking(&[("a  b", "  a a")], Scores::Raw).is_ok());
}

/// Files of a few bytes that would make a text take minutes: the library looks for every part of a word in the
/// vocabulary, and writes the prefix before it each time.
#[test]
fn tokenizers_whose_time_grows_without_bound() {
    let files = good();
    let tokenizer: Value = serde_json::from_slice(files.get("tokenizer.json").unwrap()).unwrap();
    let model = |name: &str, value: Value| {
        let mut model = tokenizer["model"].clone();
        model[name] = value;
        json!({ "model": model })
    };
    let words = model("max_input_chars_per_word", json!(1_000_000_000));
    assert_refused(with_pipeline(words.clone()), ErrorKind::Unsupported, &["max_input_chars_per_word"]);
    // BertTokenizer has its own limit, whatever the file says.
    assert!(load(with_fields("tokenizer.json", words)).is_ok());
    let prefix = model("continuing_subword_prefix", json!("#".repeat(100_000)));
    assert_refused(with_pipeline(prefix.clone()), ErrorKind::Unsupported, &["continuing_subword_prefix"]);
    assert_refused(
        with_fields("tokenizer.json", prefix),
        ErrorKind::Unsupported,
        &["continuing_subword_prefix"],
    );
    let normalizers =
        json!({ "type": "Sequence", "normalizers": vec![json!({ "type": "StripAccents" }); 10_000] });
    assert_refused(
        with_pipeline(json!({ "normalizer": normalizers })),
        ErrorKind::Unsupported,
        &["normalizer"],
    );
}

#[test]
fn a_pair_template_that_grows_with_the_square_of_its_file() {
    let token = json!({ "SpecialToken": { "id": "[X]", "type_id": 0 } });
    let ids = json!({ "[X]": { "id": "[X]", "ids": vec![0; 2000], "tokens": [] } });
    let template = json!({ "type": "TemplateProcessing", "single": [], "pair": vec![token; 2000],
        "special_tokens": ids });
    assert_refused(
        with_pipeline(json!({ "post_processor": template })),
        ErrorKind::Unsupported,
        &["pair template of more than"],
    );
}

/// The library goes by the fields of a component where its type is missing or not what the library calls it: text that
/// doubles sixty times over, patterns of exponential time, and a model at which it panics came in under other names.
#[test]
fn components_that_are_not_what_they_are_called() {
    for field in [
        json!({ "pattern": { "String": "a" }, "content": "aa" }),
        json!({ "pattern": { "Regex": "(a*)*b" }, "content": "" }),
        json!({ "prepend": "a" }),
        json!({ "normalizers": [] }),
        json!({}),
    ] {
        let mut normalizer = field;
        normalizer["type"] = json!("BertNormalizer");
        let sequence = json!({ "type": "Sequence", "normalizers": vec![normalizer; 60] });
        for section in [&sequence["normalizers"][0], &sequence] {
            assert_refused(
                with_pipeline(json!({ "normalizer": section })),
                ErrorKind::Tokenizer,
                &["tokenizer.json"],
            );
        }
    }
    let words = json!({ "[UNK]": 4, "[CLS]": 5, "[SEP]": 6, "a": 7 });
    let mut model = json!({ "unk_token": "[UNK]", "max_input_chars_per_word": 100, "vocab": words });
    assert_refused(with_pipeline(json!({ "model": model })), ErrorKind::Tokenizer, &["prefix"]);
    model["continuing_subword_prefix"] = json!("####");
    assert!(load(with_pipeline(json!({ "model": model }))).is_ok());
    model["merges"] = json!(["a a"]);
    assert_refused(with_pipeline(json!({ "model": model })), ErrorKind::Unsupported, &["BPE"]);
}

/// Messages quote what came from outside, but not all of it.
#[test]
fn long_values_are_cut_in_messages() {
    let error = load(with_config(json!({ "model_type": "x".repeat(100_000) }))).unwrap_err();
    assert!(error.context().len() < 1100, "{} bytes", error.context().len());
}

/// A token whose id has no row in the model: other texts can be scored, those that hold it cannot.
#[test]
fn ids_beyond_the_vocabulary() {
    let files = good();
    let mut tokenizer: Value = serde_json::from_slice(files.get("tokenizer.json").unwrap()).unwrap();
    let vocabulary = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    vocabulary.insert("zzyzx".to_owned(), json!(4_000_000_000u32));
    let reranker = load(with("tokenizer.json", tokenizer.to_string())).unwrap();
    assert!(reranker.info().warnings.iter().any(|warning| warning.contains("vocabulary")));

    let before = reranker.score_blocking(&[("query", "document")], Scores::Raw).unwrap();
    let error =
        reranker.score_blocking(&[("query", "a"), ("query", "the zzyzx road")], Scores::Raw).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tokenizer);
    for name in ["pair 1", "zzyzx", "4000000000"] {
        assert!(error.context().contains(name), "{error}");
    }
    assert_eq!(reranker.score_blocking(&[("query", "document")], Scores::Raw).unwrap(), before);
}

#[test]
fn token_types_the_model_has_no_rows_for() {
    // The template gives types 0 and 1; this model has one row. The old table stays, under a name nobody asks for.
    let mut weights = RawWeights::of(&good());
    let name = "bert.embeddings.token_type_embeddings.weight";
    let table = weights.header.remove(name).unwrap();
    weights.header.insert("unrelated".to_owned(), table);
    weights.push(name, "F32", &[1, 36], &[0; 144]);
    let mut files = with_config(json!({ "type_vocab_size": 1 }));
    files.insert("model.safetensors", weights.bytes());
    assert_refused(files, ErrorKind::Config, &["type_vocab_size", "model_input_names"]);
}
