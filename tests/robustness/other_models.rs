//! Models of other kinds: embedding models, language models, and weights in formats that are not read.

use crate::broken::{RawWeights, assert_refused, good};
use crate::common::{all_fixtures, fixture};
use ranklet::{ErrorKind, ModelFiles, ModelSource, Options, describe};
use serde_json::{Value, json};
use std::path::Path;

/// Gives the tensors of the head other names.
fn without_head(files: &ModelFiles) -> ModelFiles {
    let mut weights = RawWeights::of(files);
    let names: Vec<String> = weights.header.keys().cloned().collect();
    for name in names.iter().filter(|name| name.contains("classifier")) {
        let tensor = weights.header.remove(name).unwrap();
        weights.header.insert(format!("other.{name}"), tensor);
    }
    let mut files = files.clone();
    files.insert("model.safetensors", weights.bytes());
    files
}

fn with_architecture(mut files: ModelFiles, name: &str) -> ModelFiles {
    let mut config: Value = serde_json::from_slice(files.get("config.json").unwrap()).unwrap();
    config["architectures"] = json!([name]);
    files.insert("config.json", config.to_string().into_bytes());
    files
}

/// Adds the modules of an embedding model.
fn with_embedding_modules(mut files: ModelFiles) -> ModelFiles {
    let module = |name: &str, path: &str| json!({ "type": format!("sentence_transformers.models.{name}"), "path": path });
    let modules = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")];
    let modules: Vec<Value> = modules.map(|(name, path)| module(name, path)).into();
    files.insert("modules.json", json!(modules).to_string().into_bytes());
    files.insert("config_sentence_transformers.json", b"{\"similarity_fn_name\": \"cosine\"}".to_vec());
    files
}

#[test]
fn an_embedding_model_is_refused_by_its_kind() {
    for fixture in all_fixtures() {
        let files = fixture.files();
        let config: Value = serde_json::from_slice(files.get("config.json").unwrap()).unwrap();
        // A chain has its own head, and so has a decoder; without a model_type, `architectures` names the family.
        if files.get("modules.json").is_some()
            || matches!(config["model_type"].as_str(), None | Some("qwen2" | "qwen3"))
        {
            continue;
        }
        let encoder = with_architecture(without_head(&files), "SomeModel");
        let names =
            ["encoder without a classifier (SomeModel)", "not a cross-encoder", "cross-encoder/ms-marco"];
        assert_refused(encoder.clone(), ErrorKind::Unsupported, &names);
        let names = ["embedding model, not a cross-encoder", "cross-encoder/ms-marco"];
        assert_refused(with_embedding_modules(encoder), ErrorKind::Unsupported, &names);
    }
}

#[test]
fn a_colbert_is_refused_by_its_kind() {
    let mut files = with_architecture(without_head(&good()), "BertModel");
    let module = |name: &str, path: &str| json!({ "type": name, "path": path });
    let modules = [
        module("sentence_transformers.models.Transformer", ""),
        module("pylate.models.Dense.Dense", "1_Dense"),
    ];
    files.insert("modules.json", json!(modules).to_string().into_bytes());
    let names = ["a ColBERT, not a cross-encoder", "cross-encoder/ms-marco"];
    assert_refused(files, ErrorKind::Unsupported, &names);
}

/// Its vocabulary could serve as a head, but its scores would mean nothing.
#[test]
fn a_decoder_for_embeddings_is_refused() {
    let mut files = fixture("families/qwen3-tied-h40").files();
    for name in ["sentence_bert_config.json", "1_LogitScore/config.json", "chat_template.jinja"] {
        files.take(name);
    }
    assert_refused(
        with_embedding_modules(files),
        ErrorKind::Unsupported,
        &["embedding model, not a cross-encoder"],
    );
}

#[test]
fn an_embedding_model_of_an_unsupported_family_is_refused_by_its_kind() {
    let mut files = with_embedding_modules(good());
    let config = json!({ "model_type": "t5", "architectures": ["T5EncoderModel"] });
    files.insert("config.json", config.to_string().into_bytes());
    assert_refused(files, ErrorKind::Unsupported, &["embedding model, not a cross-encoder"]);
}

#[test]
fn architectures_explain_a_missing_head() {
    let model = |name: &str| with_architecture(without_head(&good()), name);
    let masked = ["masked language model (BertForMaskedLM)", "classifier.weight", "fine-tune"];
    assert_refused(model("BertForMaskedLM"), ErrorKind::Unsupported, &masked);
    let other = ["another task (BertForQuestionAnswering)", "classifier.weight"];
    assert_refused(model("BertForQuestionAnswering"), ErrorKind::Unsupported, &other);
    // A classifier whose weights are incomplete.
    let missing = ["the tensor classifier.weight is missing"];
    assert_refused(model("BertForSequenceClassification"), ErrorKind::Weights, &missing);
    // Leftover modules of the embedding model that a cross-encoder was trained from.
    let reranker = with_embedding_modules(good());
    assert!(crate::common::load(reranker).is_ok());
    // `architectures` of the encoder that a cross-encoder was trained from.
    assert!(crate::common::load(with_architecture(good(), "BertModel")).is_ok());
}

#[test]
fn refusals_of_published_families_name_a_model_that_is_read() {
    let decoder = "Qwen/Qwen3-Reranker-0.6B";
    let encoder = "BAAI/bge-reranker-v2-m3";
    let cases = [
        ("gemma", "GemmaForCausalLM", "BAAI/bge-reranker-v2-gemma", decoder),
        ("gemma2", "CostWiseGemmaForCausalLM", "a decoder", decoder),
        ("minicpm", "LayerWiseMiniCPMForCausalLM", "minicpm-layerwise", decoder),
        ("llama", "LlamaForCausalLM", "a decoder", decoder),
        ("mistral", "MistralForCausalLM", "castorini/rank_zephyr", decoder),
        ("t5", "T5ForConditionalGeneration", "monoT5", encoder),
        ("mt5", "MT5ForConditionalGeneration", "RankT5", encoder),
        ("qwen2_vl", "JinaVLForRanking", "jina-reranker-m0", encoder),
        ("qwen3_vl", "Qwen3VLForConditionalGeneration", "images and texts", decoder),
        ("qwen3", "JinaForRanking", "listwise", decoder),
        ("bert", "HF_ColBERT", "a ColBERT", encoder),
        ("longformer", "LongformerForSequenceClassification", "another family", encoder),
        ("brand_new", "BrandNewForSequenceClassification", "brand_new", encoder),
    ];
    for (model_type, architecture, named, instead) in cases {
        let mut files = good();
        let config = json!({ "model_type": model_type, "architectures": [architecture] });
        files.insert("config.json", config.to_string().into_bytes());
        assert_refused(files, ErrorKind::Unsupported, &["config.json", named, instead]);
    }
}

#[test]
fn architectures_explain_a_decoder_without_a_head() {
    for name in ["families/qwen2-window-h24", "families/qwen3-tied-h40"] {
        let family = if name.contains("qwen2") { "Qwen2" } else { "Qwen3" };
        for head in ["Model", "ForTokenClassification"] {
            let architecture = format!("{family}{head}");
            let names = [architecture.as_str(), "no layer for the scores", "Qwen/Qwen3-Reranker-0.6B"];
            let mut files = with_architecture(fixture(name).files(), &architecture);
            assert_refused(files.clone(), ErrorKind::Unsupported, &names);
            for name in ["modules.json", "sentence_bert_config.json", "1_LogitScore/config.json"] {
                files.take(name);
            }
            assert_refused(files.clone(), ErrorKind::Unsupported, &names);
            // Without the field, the head is unknown.
            let config: Value = serde_json::from_slice(files.get("config.json").unwrap()).unwrap();
            let mut config = config.as_object().unwrap().clone();
            config.remove("architectures");
            files.insert("config.json", json!(config).to_string().into_bytes());
            assert_refused(files, ErrorKind::Unsupported, &["has no architectures", "ForCausalLM"]);
        }
    }
}

/// Writes the valid files into a folder, except weights, and adds others.
fn folder_with(others: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    for (name, bytes) in good().iter().filter(|(name, _)| *name != "model.safetensors") {
        write(name, bytes);
    }
    others.iter().for_each(|(name, text)| write(name, text.as_bytes()));
    folder
}

#[track_caller]
fn assert_folder_refused(folder: &Path, kind: ErrorKind, names: &[&str]) {
    let error = describe(ModelSource::Directory(folder.to_owned()), &Options::default()).unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    for name in names {
        assert!(error.context().contains(name), "{error} does not name {name}");
    }
}

#[test]
fn weights_in_other_formats_are_named_with_the_model_they_were_made_from() {
    let card = ("README.md", "---\nbase_model: org/original\n---\n# A model\n");
    for (file, format) in [
        ("onnx/model_q4f16.onnx", "ONNX"),
        ("model.Q4_K_M.gguf", "GGUF"),
        ("tf_model.h5", "TensorFlow"),
        ("flax_model.msgpack", "Flax"),
        ("openvino/openvino_model.bin", "OpenVINO"),
    ] {
        let folder = folder_with(&[(file, ""), card]);
        assert_folder_refused(
            folder.path(),
            ErrorKind::Weights,
            &[file, format, "org/original", "model.safetensors"],
        );
        // Repositories of GGUF often have nothing else.
        std::fs::remove_file(folder.path().join("config.json")).unwrap();
        assert_folder_refused(folder.path(), ErrorKind::Weights, &[file, format, "org/original"]);
    }
    let folder = folder_with(&[("onnx/model_q4f16.onnx", "")]);
    assert_folder_refused(
        folder.path(),
        ErrorKind::Weights,
        &["ONNX weights under another name", "README.md"],
    );
    let config = r#"{"model_type": "bert", "_name_or_path": "org/trained"}"#;
    let folder = folder_with(&[("onnx/model_q4f16.onnx", ""), ("config.json", config)]);
    assert_folder_refused(folder.path(), ErrorKind::Weights, &["org/trained"]);

    let mut files = good();
    files.take("model.safetensors");
    files.insert("tf_model.h5", b"".to_vec());
    assert_refused(files, ErrorKind::Weights, &["tf_model.h5", "TensorFlow"]);
}

#[test]
fn a_folder_of_the_cache_is_read_at_the_revision_of_its_main_branch() {
    let cache = tempfile::tempdir().unwrap();
    let model = cache.path().join("models--org--name");
    let snapshots = model.join("snapshots");
    std::fs::create_dir_all(&snapshots).unwrap();
    let names = ["Hugging Face's cache", "download the model again"];
    assert_folder_refused(&model, ErrorKind::Input, &names);
    for commit in ["0a1b", "2c3d"] {
        std::fs::create_dir_all(snapshots.join(commit)).unwrap();
        for (name, bytes) in good().iter().filter(|_| commit == "2c3d") {
            std::fs::write(snapshots.join(commit).join(name), bytes).unwrap();
        }
    }
    let names = ["Hugging Face's cache", "snapshots/0a1b", "snapshots/2c3d"];
    assert_folder_refused(&model, ErrorKind::Input, &names);
    std::fs::create_dir_all(model.join("refs")).unwrap();
    for (main, is_right) in [("2c3d", true), ("2c3d\n", true), ("../2c3d", false), ("ffff", false)] {
        std::fs::write(model.join("refs/main"), main).unwrap();
        let loaded = describe(ModelSource::Directory(model.clone()), &Options::default());
        assert_eq!(loaded.is_ok(), is_right, "{main:?}");
    }
    std::fs::write(model.join("refs/main"), "2c3d").unwrap();
    assert!(describe(ModelSource::Directory(snapshots), &Options::default()).is_ok());
    let names = ["cache of several models", "models--org--name"];
    assert_folder_refused(cache.path(), ErrorKind::Input, &names);
    assert_eq!(ModelFiles::from_directory(&model).unwrap().iter().count(), good().iter().count());
}
