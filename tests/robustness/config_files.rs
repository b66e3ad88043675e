//! Malformed config.json, and files that do not fit each other.

use super::broken::*;
use crate::common::load;
use ranklet::{ErrorKind, ModelFiles, ModelSource, Options, Reranker, Scores};
use serde_json::{Value, json};

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

/// The package gives the same codes, which are in `model_files.json`.
#[test]
fn unreadable_files_are_errors_of_their_own_kind() {
    for (unreadable, kind) in [
        ("config.json", ErrorKind::Config),
        ("modules.json", ErrorKind::Config),
        ("tokenizer.json", ErrorKind::Tokenizer),
        ("chat_template.jinja", ErrorKind::Tokenizer),
        ("model.safetensors", ErrorKind::Weights),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in good().iter().filter(|(name, _)| *name != unreadable) {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        // A folder can be opened like a file, but not read.
        std::fs::create_dir(folder.path().join(unreadable)).unwrap();
        let source = ModelSource::Directory(folder.path().into());
        let Err(error) = Reranker::load_blocking(source, Options::default()) else {
            panic!("{unreadable} cannot be read");
        };
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.context().contains(&format!("{unreadable} cannot be read")), "{error}");
    }
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
fn impossible_sizes() {
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
        (json!({ "hidden_act": null }), "hidden_act"),
    ] {
        assert_refused(with_config(fields), ErrorKind::Config, &[name]);
    }
    let query = json!({ "default_prompt_name": "query" });
    assert_refused(saved(query, &["Transformer"]), ErrorKind::Config, &["prompts", "query"]);
    assert_refused(saved(json!({}), &["Transformer", "Dense"]), ErrorKind::Unsupported, &["Dense"]);
}

/// Returns files that sentence-transformers has saved with these modules.
fn saved(fields: Value, modules: &[&str]) -> ModelFiles {
    let mut files = with_fields("config_sentence_transformers.json", fields);
    let name = "config_sentence_transformers.json";
    let mut config: Value = serde_json::from_slice(files.get(name).unwrap()).unwrap();
    config["model_type"] = json!("CrossEncoder");
    files.insert(name, config.to_string().into_bytes());
    let entry =
        |module: &&str| json!({ "type": format!("sentence_transformers.models.{module}"), "path": "" });
    let list = Value::Array(modules.iter().map(entry).collect());
    files.insert("modules.json", list.to_string().into_bytes());
    files
}

#[test]
fn unknown_activations_of_scores_are_named_when_they_are_needed() {
    for (files, name) in [
        (
            with_config(json!({ "sbert_ce_default_activation_function": "torch.nn.modules.activation.GLU" })),
            "GLU",
        ),
        (
            with_config(json!({ "sentence_transformers": { "activation_fn": "my.own.Activation" } })),
            "my.own.Activation",
        ),
        (saved(json!({ "activation_fn": "torch.nn.GLU" }), &["Transformer"]), "GLU"),
    ] {
        let reranker = load(files).unwrap();
        let error = reranker.score_blocking(&[("a", "b")], Scores::Model).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.context().contains(name), "{error}");
        assert!(reranker.score_blocking(&[("a", "b")], Scores::Raw).is_ok());
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

/// A message quotes only a part of a long value.
#[test]
fn long_values_are_cut_in_messages() {
    let error = load(with_config(json!({ "model_type": "x".repeat(100_000) }))).unwrap_err();
    assert!(error.context().len() < 1100, "{} bytes", error.context().len());
}

#[test]
fn token_types_the_model_has_no_rows_for() {
    // The template produces the types 0 and 1, but this model has one row. The old table stays under another name.
    let mut weights = RawWeights::of(&good());
    let name = "bert.embeddings.token_type_embeddings.weight";
    let table = weights.header.remove(name).unwrap();
    weights.header.insert("unrelated".to_owned(), table);
    weights.push(name, "F32", &[1, 36], &[0; 144]);
    let mut files = with_config(json!({ "type_vocab_size": 1 }));
    files.insert("model.safetensors", weights.bytes());
    assert_refused(files, ErrorKind::Config, &["type_vocab_size", "model_input_names"]);
}
