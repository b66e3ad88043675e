//! Files of sentence-transformers: read as its `CrossEncoder` reads them, or rejected by name.

use std::collections::{BTreeMap, HashMap};

use crate::common::{fixture, fixtures_directory, largest_difference};
use ranklet::{Device, ErrorKind, ModelFiles, ModelSource, Options, Reranker, Scores};
use safetensors::SafeTensors;
use serde::Deserialize;
use serde_json::{Value, json};

/// `chain_forms.json`, written by `make_chain_forms.py`.
#[derive(Deserialize)]
struct Forms {
    pairs: Vec<(String, String)>,
    forms: Vec<Form>,
}

/// A fixture, its changes, and its scores with them.
#[derive(Deserialize)]
struct Form {
    name: String,
    fixture: String,
    /// JSON by file name; `None` removes the file.
    files: BTreeMap<String, Option<Value>>,
    /// Tensors by file, each with an additional name.
    tensors: BTreeMap<String, BTreeMap<String, String>>,
    scores: Vec<Vec<f32>>,
}

impl Form {
    fn files(&self) -> ModelFiles {
        let mut files = fixture(&self.fixture).files();
        for (name, content) in &self.files {
            match content {
                Some(content) => files.insert(name, content.to_string().into_bytes()),
                None => drop(files.take(name)),
            }
        }
        for (name, copies) in &self.tensors {
            let bytes = files.take(name).unwrap();
            let tensors = SafeTensors::deserialize(&bytes).unwrap();
            let mut views: HashMap<&str, _> = tensors.iter().collect();
            for (new, old) in copies {
                views.insert(new, tensors.tensor(old).unwrap());
            }
            files.insert(name, safetensors::serialize(views, None).unwrap());
        }
        files
    }
}

fn load(files: ModelFiles, device: Device) -> ranklet::Result<Reranker> {
    Reranker::load_blocking(ModelSource::Files(files), Options { device, ..Options::default() })
}

#[test]
fn every_form_scores_as_sentence_transformers_scores_it() {
    let json = std::fs::read(fixtures_directory().join("chain_forms.json")).unwrap();
    let Forms { pairs, forms } = serde_json::from_slice(&json).unwrap();
    assert!(forms.len() > 20, "only {} forms", forms.len());
    for form in forms {
        for device in [Device::Cpu, Device::Candle] {
            let reranker =
                load(form.files(), device).unwrap_or_else(|error| panic!("{}: {error}", form.name));
            let scores = reranker.score_blocking(&pairs, Scores::Model).unwrap();
            let (at, difference) = largest_difference(&scores, &form.scores.concat());
            assert!(difference <= 1e-4, "{}, {device:?}: {difference} at {at}", form.name);
            assert_eq!(reranker.info().warnings, Vec::<String>::new(), "{}", form.name);
        }
    }
}

/// Returns a fixture with some fields of a file replaced.
fn with(name: &str, file: &str, fields: &Value) -> ModelFiles {
    let mut files = fixture(name).files();
    let mut json: Value = serde_json::from_slice(files.get(file).unwrap_or(b"{}")).unwrap();
    for (name, value) in fields.as_object().unwrap() {
        json[name] = value.clone();
    }
    files.insert(file, json.to_string().into_bytes());
    files
}

fn assert_refused(files: ModelFiles, kind: ErrorKind, named: &[&str], what: &str) {
    let error = load(files, Device::Cpu).expect_err(what);
    assert_eq!(error.kind(), kind, "{what}: {error}");
    for name in named {
        assert!(error.context().contains(name), "{what}: {error}");
    }
}

const CHAIN: &str = "families/chain-mean-sigmoid-h36";
const PLAIN: &str = "bert-gelu-tanh-h44";
const MODULE: &str = "sentence_bert_config.json";

#[test]
fn unsupported_options_are_rejected_by_name() {
    let text = |options: Value| json!({ "processing_kwargs": { "text": options } });
    for (fields, named) in [
        (text(json!({ "truncation": "only_second" })), "truncation"),
        (text(json!({ "truncation": false })), "truncation"),
        (text(json!({ "add_special_tokens": false })), "add_special_tokens"),
        (json!({ "processing_kwargs": { "common": { "stride": 3 } } }), "stride"),
        (json!({ "processor_kwargs": { "truncation_side": "left" } }), "truncation_side"),
        (json!({ "tokenizer_args": { "do_lower_case": true } }), "do_lower_case"),
        (json!({ "model_args": { "num_hidden_layers": 1 } }), "num_hidden_layers"),
        (json!({ "config_kwargs": { "num_labels": 3 } }), "num_labels"),
        (json!({ "tokenizer_name_or_path": "some/other" }), "tokenizer_name_or_path"),
        (json!({ "transformer_task": "fill-mask" }), "fill-mask"),
        (json!({ "module_output_name": "sentence_embedding" }), "sentence_embedding"),
    ] {
        for name in [CHAIN, PLAIN] {
            assert_refused(
                with(name, MODULE, &fields),
                ErrorKind::Unsupported,
                &[MODULE, named],
                &fields.to_string(),
            );
        }
    }
}

#[test]
fn outputs_of_other_tasks_are_rejected() {
    let modality = |name: &str, method: &str, output: Value| json!({ "modality_config": { name: { "method": method, "method_output_name": output } } });
    for (fields, named) in [
        (modality("text", "get_text_features", json!("last_hidden_state")), "get_text_features"),
        (modality("text", "forward", json!("pooler_output")), "pooler_output"),
        (modality("text", "forward", json!(["hidden_states", "last_hidden_state"])), "method_output_name"),
        (modality("text", "forward", json!("logits")), "logits"),
        (modality("image", "forward", json!("last_hidden_state")), "text"),
    ] {
        let files = with(CHAIN, MODULE, &fields);
        assert_refused(files, ErrorKind::Unsupported, &[MODULE, named], &fields.to_string());
    }
    let fields = modality("text", "forward", json!("last_hidden_state"));
    assert_refused(with(PLAIN, MODULE, &fields), ErrorKind::Unsupported, &["last_hidden_state"], "no logits");
    assert!(
        load(with(CHAIN, MODULE, &modality("text", "forward", json!(["last_hidden_state"]))), Device::Cpu)
            .is_ok()
    );

    let text = json!({ "method": "forward", "method_output_name": "last_hidden_state" });
    let fields = json!({ "modality_config": { "text": text, "message": text } });
    assert_refused(with(CHAIN, MODULE, &fields), ErrorKind::Unsupported, &["message"], "a chat");
}

/// sentence-transformers pools nothing then, and the score is that of no text.
#[test]
fn a_pair_without_tokens_besides_the_prompt_is_an_error() {
    let files = || {
        let mut files = with(CHAIN, "1_Pooling/config.json", &json!({ "include_prompt": false }));
        let prompts = json!({ "prompts": { "q": "Find the answer: " }, "default_prompt_name": "q" });
        let name = "config_sentence_transformers.json";
        files.insert(name, with(CHAIN, name, &prompts).take(name).unwrap());
        files
    };
    let load = |max_length| {
        let options = Options { max_length: Some(max_length), device: Device::Cpu, ..Options::default() };
        Reranker::load_blocking(ModelSource::Files(files()), options).unwrap()
    };
    let pairs = [(String::new(), "a document of some length, which is longer than the prompt".to_owned())];
    let error = load(12).score_blocking(&pairs, Scores::Raw).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input, "{error}");
    assert!(error.context().contains("prompt"), "{error}");
    assert!(load(13).score_blocking(&pairs, Scores::Raw).is_ok());
}

#[test]
fn an_encoder_with_a_chat_template_is_rejected() {
    let template = json!({ "chat_template": "{{ messages }}" });
    let mut files = with(PLAIN, "tokenizer_config.json", &template);
    files.take("modules.json");
    assert_refused(files, ErrorKind::Unsupported, &["chat template"], "in tokenizer_config.json");
    let mut files = fixture(PLAIN).files();
    files.take("modules.json");
    files.insert("chat_template.jinja", b"{{ messages }}".to_vec());
    assert_refused(files, ErrorKind::Unsupported, &["chat template"], "in a file of its own");
}

#[test]
fn an_adapter_is_rejected() {
    let files = with(PLAIN, "adapter_config.json", &json!({ "peft_type": "LORA" }));
    assert_refused(files, ErrorKind::Unsupported, &["adapter_config.json", "merge"], "an adapter");
}

/// Without its modules, a chain is only an encoder, and the files declare it an embedding model.
#[test]
fn the_modules_of_other_models_are_ignored() {
    let name = "config_sentence_transformers.json";
    let files = with(CHAIN, name, &json!({ "model_type": "SentenceTransformer" }));
    assert_refused(files, ErrorKind::Unsupported, &["embedding model"], "another class");
}
