//! `config.json` as transformers 5.24 reads it: fields of `null`, positions of ModernBERT, and code of a model's own.

use crate::common::{fixture, largest_difference, load};
use ranklet::{ErrorKind, ModelFiles, Scores};
use serde_json::{Value, json};

/// Returns a fixture of a family with some fields of `config.json` replaced, and without those that are `REMOVED`.
fn with(name: &str, fields: &Value) -> ModelFiles {
    let mut files = fixture(&format!("families/{name}")).files();
    let mut json: Value = serde_json::from_slice(files.get("config.json").unwrap()).unwrap();
    for (field, value) in fields.as_object().unwrap() {
        match value == REMOVED {
            true => drop(json.as_object_mut().unwrap().remove(field)),
            false => json[field] = value.clone(),
        }
    }
    files.insert("config.json", json.to_string().into_bytes());
    files
}

const REMOVED: &str = "(removed)";
const MODERNBERT: &str = "modernbert-cls-h48";
const OLD_MODERNBERT: &str = "modernbert-old-config-mean-h40";

fn assert_refused(name: &str, fields: Value, kind: ErrorKind, mentions: &[&str]) {
    let error = load(with(name, &fields)).expect_err(&fields.to_string());
    assert_eq!(error.kind(), kind, "{fields}: {error}");
    for mention in mentions {
        assert!(error.context().contains(mention), "{fields}: {error}");
    }
}

/// transformers 5.24 rejects each of these with a validation error, or with a TypeError while it makes the model.
#[test]
fn a_null_is_rejected_where_transformers_rejects_it() {
    for (name, fields) in [
        ("roberta-plain-h40", &["hidden_act", "layer_norm_eps", "vocab_size", "type_vocab_size"][..]),
        ("electra-projected-h40", &["embedding_size", "num_hidden_layers", "intermediate_size"]),
        ("distilbert-plain-h36", &["dim", "n_heads", "activation", "max_position_embeddings"]),
        ("deberta-v3-h48", &["relative_attention", "position_biased_input", "max_relative_positions"]),
        (
            MODERNBERT,
            &["classifier_pooling", "classifier_activation", "norm_bias", "local_attention", "norm_eps"],
        ),
        (OLD_MODERNBERT, &["global_rope_theta", "local_rope_theta", "global_attn_every_n_layers"]),
    ] {
        for field in fields {
            assert_refused(name, json!({ *field: null }), ErrorKind::Config, &[field, "null"]);
        }
    }
}

#[test]
fn a_null_is_the_default_where_transformers_reads_it_so() {
    for (name, fields) in [
        (MODERNBERT, json!({ "rope_scaling": null, "head_dim": null })),
        (MODERNBERT, json!({ "global_rope_theta": null, "local_rope_theta": null })),
        ("roberta-plain-h40", json!({ "position_embedding_type": null })),
        ("deberta-v3-h48", json!({ "conv_kernel_size": null, "embedding_size": null })),
    ] {
        let loaded = load(with(name, &fields));
        assert!(loaded.is_ok(), "{fields}: {:?}", loaded.err());
    }
}

/// transformers 5.24 allows only the two kinds of layers in `rope_parameters`.
#[test]
fn rope_parameters_without_kinds_of_layers_are_rejected() {
    let angles = json!({ "rope_type": "default", "rope_theta": 777.0 });
    for (value, mention) in [
        (angles.clone(), "rope_parameters has"),
        (json!({ "full_attention": angles, "other_attention": angles }), "other_attention"),
        (json!({ "full_attention": null }), "full_attention"),
        (json!({ "full_attention": { "rope_theta": null } }), "rope_theta"),
    ] {
        assert_refused(MODERNBERT, json!({ "rope_parameters": value }), ErrorKind::Config, &[mention]);
    }
}

#[test]
fn a_models_own_code_is_rejected_unless_its_classes_are_known() {
    let own = |class: &str| json!({ "auto_map": { "AutoModelForSequenceClassification": class } });
    for (name, fields) in [
        ("roberta-plain-h40", own("modeling_x.XForSequenceClassification")),
        (
            "roberta-plain-h40",
            json!({ "auto_map": { "AutoConfig": "org/x--configuration_x.RobertaConfig" } }),
        ),
        ("xlm-roberta-plain-h44", own("modeling_xlm_roberta.XLMRobertaForSequenceClassification")),
        (MODERNBERT, json!({ "auto_map": { "AutoModel": "modeling_x.ModernBertModel" } })),
        ("jina-bert-heads4-h36", own("modeling_x.NewForSequenceClassification")),
    ] {
        let mentions = ["auto_map", "modeling_x", "BAAI/bge-reranker-v2-m3"];
        let mentions =
            if fields.to_string().contains("modeling_x.") { &mentions[..] } else { &mentions[..1] };
        assert_refused(name, fields, ErrorKind::Unsupported, mentions);
    }
    // A tokenizer or another head does not take part in scoring.
    let other = json!({ "auto_map": { "AutoModelForMaskedLM": "modeling_x.XForMaskedLM" } });
    assert!(load(with("roberta-plain-h40", &other)).is_ok());
}

/// The form without `model_type` is a fixture, and the parity tests compare its scores.
#[test]
fn the_code_for_flash_attention_is_read_with_and_without_a_model_type() {
    let flash = "xlm-roberta-flash-h40";
    let reranker = load(with(flash, &json!({ "model_type": "xlm-roberta" }))).unwrap();
    assert_eq!(reranker.info().warnings, Vec::<String>::new());
    assert_refused(flash, json!({ "hidden_act": "relu" }), ErrorKind::Unsupported, &["hidden_act", "relu"]);
    assert_refused(
        flash,
        json!({ "auto_map": REMOVED }),
        ErrorKind::Config,
        &["no model_type", "xlm-roberta"],
    );
    assert_refused(
        flash,
        json!({ "position_embedding_type": "rotary" }),
        ErrorKind::Unsupported,
        &["position_embedding_type"],
    );
}

/// sentence-transformers computes this function; a guess would give other scores.
#[test]
fn an_unknown_activation_stops_only_the_models_own_scores() {
    let name = "families/roberta-plain-h40";
    let expected = fixture(name).expected;
    let activation = json!({ "sentence_transformers": { "activation_fn": "torch.nn.Tanhshrink" } });
    let reranker = load(with("roberta-plain-h40", &activation)).unwrap();
    assert_eq!(reranker.info().activation, ranklet::ScoreActivation::Unsupported);
    let raw = reranker.score_blocking(&expected.pairs, Scores::Raw).unwrap();
    let (_, difference) = largest_difference(&raw, &expected.logits.concat());
    assert!(difference <= 1e-4, "{difference}");
    let sigmoids = reranker.score_blocking(&expected.pairs, Scores::Sigmoid).unwrap();
    assert!(sigmoids.iter().all(|score| (0.0..=1.0).contains(score)));
    let error = reranker.score_blocking(&expected.pairs, Scores::Model).unwrap_err();
    assert_eq!((error.kind(), error.item()), (ErrorKind::Unsupported, None), "{error}");
    for mention in ["Tanhshrink", "config.json", "raw"] {
        assert!(error.context().contains(mention), "{error}");
    }
}
