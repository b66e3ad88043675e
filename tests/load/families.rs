//! All families: tensor names with and without a prefix, invalid and unsupported configurations, and q8.

use std::collections::HashMap;

use crate::common::{Fixture, all_fixtures, fixture, largest_difference};
use ranklet::{Device, Dtype, ErrorKind, ModelFiles, ModelSource, Options, Reranker, Scores, quantize};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

fn load(files: ModelFiles) -> ranklet::Result<Reranker> {
    let options = Options { device: Device::Candle, ..Options::default() };
    Reranker::load_blocking(ModelSource::Files(files), options)
}

fn logits(reranker: &Reranker, fixture: &Fixture) -> Vec<f32> {
    reranker.score_blocking(&fixture.expected.pairs, Scores::Raw).unwrap()
}

/// Returns one fixture of each family.
fn one_of_each() -> [Fixture; 19] {
    [
        "electra-projected-h40",
        "roberta-plain-h40",
        "distilbert-plain-h36",
        "modernbert-biases-labels2-h36",
        "chain-mean-sigmoid-h36",
        "jina-bert-heads12-h48",
        "gte-ntk-h40",
        "gte-transformers-h32",
        "gte-transformers-apart-linear-h36",
        "deberta-v3-h48",
        "deberta-own-projections-absolute-types-h36",
        "deberta-convolution-h36",
        "mpnet-plain-h48",
        "albert-groups-same-width-labels2-h40",
        "ernie-tasks-h44",
        "data2vec-plain-h36",
        "roberta-prelayernorm-plain-h40",
        "xlm-roberta-xl-plain-h36",
        "eurobert-late-h40",
    ]
    .map(|name| fixture(&format!("families/{name}")))
}

/// Returns the files with renamed tensors, without those that get no new name.
fn renamed(fixture: &Fixture, rename: impl Fn(&str) -> Option<String>) -> ModelFiles {
    let mut files = fixture.files();
    let bytes = files.take("model.safetensors").unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let views: HashMap<String, TensorView> =
        tensors.iter().filter_map(|(name, view)| Some((rename(name)?, view))).collect();
    files.insert("model.safetensors", safetensors::serialize(views, None).unwrap());
    files
}

const PREFIXES: [&str; 13] = [
    "bert.",
    "electra.",
    "roberta.",
    "distilbert.",
    "model.",
    "new.",
    "gte.",
    "deberta.",
    "mpnet.",
    "albert.",
    "ernie.",
    "data2vec_text.",
    "roberta_prelayernorm.",
];

#[test]
fn tensor_names_may_have_the_prefix_of_their_family_or_none() {
    for fixture in one_of_each() {
        let chain = fixture.name.contains("chain");
        let files = renamed(&fixture, |name| {
            Some(if chain { format!("model.{name}") } else { without_prefix(name).to_owned() })
        });
        let before: Vec<String> = names(&fixture.files());
        assert_ne!(names(&files), before, "{}: nothing was renamed", fixture.name);
        let reranker = load(files).unwrap_or_else(|error| panic!("{}: {error}", fixture.name));
        let (_, difference) =
            largest_difference(&logits(&reranker, &fixture), &fixture.expected.logits.concat());
        assert!(difference <= 1e-4, "{}: {difference}", fixture.name);
        assert_eq!(reranker.info().warnings, Vec::<String>::new(), "{}", fixture.name);
    }
}

fn without_prefix(name: &str) -> &str {
    PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

fn names(files: &ModelFiles) -> Vec<String> {
    let tensors = SafeTensors::deserialize(files.get("model.safetensors").unwrap()).unwrap();
    let mut names: Vec<String> = tensors.names().into_iter().map(str::to_owned).collect();
    names.sort();
    names
}

#[test]
fn a_model_without_a_classifier_is_rejected_and_the_tensor_is_named() {
    for fixture in one_of_each() {
        if fixture.name.contains("chain") {
            continue;
        }
        let files = renamed(&fixture, |name| (!name.starts_with("classifier")).then(|| name.to_owned()));
        let error = load(files).expect_err(&fixture.name);
        assert_eq!(error.kind(), ErrorKind::Weights, "{}: {error}", fixture.name);
        assert!(error.context().contains("the tensor classifier"), "{}: {error}", fixture.name);
    }
}

/// transformers also loads checkpoints of GTE's own code.
#[test]
fn gte_may_have_the_tensor_names_of_its_own_code() {
    let fixture = fixture("families/gte-transformers-h32");
    let files = renamed(&fixture, |name| Some(name.replace("gte.", "new.")));
    let (_, difference) =
        largest_difference(&logits(&load(files).unwrap(), &fixture), &fixture.expected.logits.concat());
    assert!(difference <= 1e-4, "{difference}");
}

/// A fixture keeps its scores if its `config.json` says the same in other fields.
#[test]
fn equivalent_configurations_give_the_same_scores() {
    let rope = |kind| json!({ "rope_type": kind, "rope_theta": 160_000.0, "factor": 3.0 });
    for (name, fields) in [
        // No text is longer than the original positions.
        ("gte-transformers-h32", json!({ "rope_parameters": rope("dynamic") })),
        ("gte-transformers-h32", json!({ "rope_parameters": null, "rope_scaling": rope("dynamic") })),
        ("gte-transformers-h32", json!({ "rope_parameters": null, "rope_theta": 160_000 })),
        ("gte-transformers-h32", json!({ "rope_parameters": { "type": "default" } })),
        ("gte-transformers-apart-linear-h36", json!({ "hidden_act": "gelu_accurate" })),
        ("modernbert-alone-linear-h32", json!({ "local_attention": 100, "sliding_window": 0 })),
        // transformers' alternative names take precedence.
        (
            "distilbert-plain-h36",
            json!({ "dim": 99, "hidden_size": 36, "n_layers": 9, "num_hidden_layers": 2, "n_heads": 4,
                    "num_attention_heads": 6 }),
        ),
        // `num_labels` takes precedence over the list, and sentence-transformers gives one label to a model that is no
        // classifier.
        ("distilbert-plain-h36", json!({ "num_labels": 1, "id2label": { "0": "a", "1": "b" } })),
        ("distilbert-plain-h36", json!({ "architectures": null, "id2label": null })),
        ("distilbert-plain-h36", json!({ "architectures": ["DistilBertModel"], "num_labels": 3 })),
    ] {
        let fixture = fixture(&format!("families/{name}"));
        let mut files = fixture.files();
        with(&mut files, "config.json", &fields);
        let reranker = load(files).unwrap_or_else(|error| panic!("{fields}: {error}"));
        let (_, difference) =
            largest_difference(&logits(&reranker, &fixture), &fixture.expected.logits.concat());
        assert!(difference <= 1e-4, "{fields}: {difference}");
    }
}

#[test]
fn info_describes_the_loaded_model() {
    for (name, model_type, architecture, layers) in [
        ("camembert-plain-h48", "camembert", "CamembertForSequenceClassification", 2),
        ("distilbert-sinusoidal-cased-labels2-h44", "distilbert", "DistilBertForSequenceClassification", 3),
        ("chain-cls-h40", "modernbert", "ModernBertModel", 3),
        ("jina-bert-heads4-h36", "bert", "JinaBertForSequenceClassification", 3),
        ("deberta-v3-h48", "deberta-v2", "DebertaV2ForSequenceClassification", 2),
    ] {
        let info = load(fixture(&format!("families/{name}")).files()).unwrap().info().clone();
        assert_eq!(info.model_type, model_type);
        assert_eq!(info.architecture, architecture);
        assert_eq!(info.layers, layers);
    }
}

fn with(files: &mut ModelFiles, file: &str, fields: &Value) {
    let mut json: Value = serde_json::from_slice(files.get(file).unwrap()).unwrap();
    for (name, value) in fields.as_object().unwrap() {
        json[name] = value.clone();
    }
    files.insert(file, json.to_string().into_bytes());
}

fn assert_refused(name: &str, file: &str, fields: Value, kind: ErrorKind, named: &str) {
    let mut files = fixture(&format!("families/{name}")).files();
    with(&mut files, file, &fields);
    let error = load(files).expect_err(&fields.to_string());
    assert_eq!(error.kind(), kind, "{fields}: {error}");
    assert!(error.context().contains(named), "{fields}: {error}");
}

#[test]
fn invalid_configurations_are_rejected_and_the_field_is_named() {
    let modernbert = "modernbert-cls-h48";
    let rope = |theta| json!({ "full_attention": { "rope_theta": theta, "rope_type": "default" } });
    for (name, fields, named) in [
        (modernbert, json!({ "local_attention": -1 }), "local_attention"),
        (modernbert, json!({ "sliding_window": -1 }), "sliding_window"),
        (modernbert, json!({ "rope_parameters": rope(0.0) }), "rope_theta"),
        (modernbert, json!({ "rope_parameters": rope(-5.0) }), "rope_theta"),
        (modernbert, json!({ "layer_types": ["full_attention"] }), "layer_types"),
        (modernbert, json!({ "layer_types": 3 }), "layer_types"),
        (modernbert, json!({ "global_attn_every_n_layers": 0 }), "global_attn_every_n_layers"),
        (modernbert, json!({ "classifier_pooling": "last" }), "classifier_pooling"),
        (modernbert, json!({ "classifier_activation": "gelu9" }), "classifier_activation"),
        (modernbert, json!({ "hidden_activation": "gelu9" }), "hidden_activation"),
        (modernbert, json!({ "norm_eps": 2.0 }), "norm_eps"),
        (modernbert, json!({ "num_attention_heads": 16 }), "head width 3"),
        ("modernbert-old-config-mean-h40", json!({ "global_rope_theta": 0.5 }), "global_rope_theta"),
        ("roberta-plain-h40", json!({ "pad_token_id": 1000 }), "max_position_embeddings"),
        ("roberta-plain-h40", json!({ "pad_token_id": -1 }), "pad_token_id"),
        ("distilbert-plain-h36", json!({ "dim": 0 }), "dim"),
        ("distilbert-plain-h36", json!({ "activation": "swish9" }), "activation"),
        ("electra-projected-h40", json!({ "embedding_size": 0 }), "embedding_size"),
        ("gte-ntk-h40", json!({ "rope_scaling": { "type": "ntk", "factor": 0.5 } }), "factor"),
        ("gte-ntk-h40", json!({ "rope_scaling": { "type": "ntk" } }), "factor"),
        ("gte-ntk-h40", json!({ "rope_theta": "large" }), "rope_theta"),
        ("gte-transformers-h32", json!({ "rope_parameters": { "rope_type": "linear" } }), "factor"),
        ("gte-transformers-h32", json!({ "rope_parameters": { "rope_theta": 0.0 } }), "rope_theta"),
        ("deberta-v3-h48", json!({ "position_buckets": 1 }), "position_buckets"),
        ("deberta-convolution-h36", json!({ "conv_kernel_size": 4 }), "conv_kernel_size"),
        ("deberta-convolution-h36", json!({ "conv_kernel_size": 1 << 20 }), "conv_kernel_size"),
        (
            "mpnet-plain-h48",
            json!({ "relative_attention_num_buckets": 31 }),
            "relative_attention_num_buckets",
        ),
        ("eurobert-mean-one-key-head-h32", json!({ "classifier_pooling": "cls" }), "classifier_pooling"),
        ("eurobert-late-h40", json!({ "num_key_value_heads": 3 }), "num_key_value_heads"),
        ("albert-plain-h48", json!({ "num_hidden_groups": 5 }), "num_hidden_groups"),
        ("albert-plain-h48", json!({ "inner_group_num": 1000 }), "inner_group_num"),
        ("deberta-v3-h48", json!({ "max_relative_positions": 9 }), "max_relative_positions"),
        ("deberta-v3-h48", json!({ "position_buckets": 1u64 << 40 }), "position_buckets"),
        ("deberta-v3-h48", json!({ "pooler_hidden_act": "softsign" }), "pooler_hidden_act"),
    ] {
        assert_refused(name, "config.json", fields, ErrorKind::Config, named);
    }
}

#[test]
fn unsupported_configurations_are_rejected_and_the_field_is_named() {
    let scaled = json!({ "full_attention": { "rope_theta": 8000.0, "rope_type": "yarn", "factor": 4.0 } });
    for (name, fields, named) in [
        ("modernbert-cls-h48", json!({ "rope_parameters": scaled }), "yarn"),
        (
            "modernbert-cls-h48",
            json!({ "rope_scaling": { "type": "linear", "factor": 2.0 } }),
            "rope_scaling",
        ),
        (
            "modernbert-cls-h48",
            json!({ "layer_types": ["full_attention", "chunked_attention", "full_attention"] }),
            "chunked",
        ),
        ("modernbert-cls-h48", json!({ "head_dim": 16 }), "head_dim"),
        ("modernbert-cls-h48", json!({ "partial_rotary_factor": 0.5 }), "partial_rotary_factor"),
        ("modernbert-cls-h48", json!({ "hidden_activation": "laplace" }), "laplace"),
        ("gte-transformers-h32", json!({ "rope_parameters": { "rope_type": "longrope" } }), "longrope"),
        // The older name takes precedence.
        ("gte-transformers-h32", json!({ "rope_scaling": { "type": "yarn", "factor": 2.0 } }), "yarn"),
        ("jina-bert-heads4-h36", json!({ "position_embedding_type": "rope" }), "position_embedding_type"),
        ("jina-bert-heads4-h36", json!({ "feed_forward_type": "swiglu" }), "feed_forward_type"),
        ("gte-ntk-h40", json!({ "rope_scaling": { "type": "dynamic", "factor": 2.0 } }), "dynamic"),
        (
            "gte-ntk-h40",
            json!({ "rope_scaling": { "type": "ntk", "factor": 2.0, "mixed_b": 0.6 } }),
            "mixed_b",
        ),
        ("gte-ntk-h40", json!({ "position_embedding_type": "absolute" }), "position_embedding_type"),
        ("gte-ntk-h40", json!({ "layer_norm_type": "rms_norm" }), "layer_norm_type"),
        ("gte-ntk-h40", json!({ "logn_attention_scale": true }), "logn_attention_scale"),
        ("gte-ntk-h40", json!({ "pack_qkv": false }), "pack_qkv"),
        ("deberta-v3-h48", json!({ "pos_att_type": "p2p|c2p" }), "pos_att_type"),
        ("deberta-v3-h48", json!({ "relative_attention": false }), "pos_att_type"),
        ("deberta-v3-h48", json!({ "norm_rel_ebd": "rms_norm" }), "norm_rel_ebd"),
        ("deberta-convolution-h36", json!({ "conv_groups": 3 }), "conv_groups"),
        ("eurobert-late-h40", json!({ "clf_pooling": "mean" }), "clf_pooling"),
        ("eurobert-late-h40", json!({ "head_dim": 16 }), "head_dim"),
        ("eurobert-late-h40", json!({ "rope_scaling": { "type": "yarn", "factor": 2.0 } }), "yarn"),
        ("electra-plain-h44", json!({ "model_type": "longformer" }), "BAAI/bge-reranker-v2-m3"),
        ("deberta-v3-h48", json!({ "attention_head_size": 12 }), "attention_head_size"),
        ("deberta-v3-h48", json!({ "pooler_hidden_size": 24 }), "pooler_hidden_size"),
    ] {
        assert_refused(name, "config.json", fields, ErrorKind::Unsupported, named);
    }
}

#[test]
fn unsupported_module_chains_are_rejected_and_the_reason_is_named() {
    let chain = "chain-mean-sigmoid-h36";
    for (file, fields, kind, named) in [
        ("1_Pooling/config.json", json!({ "pooling_mode": "other" }), ErrorKind::Unsupported, "other"),
        // Two poolings give rows of twice the width.
        ("1_Pooling/config.json", json!({ "pooling_mode": ["cls", "mean"] }), ErrorKind::Config, "72"),
        ("1_Pooling/config.json", json!({ "pooling_mode": [] }), ErrorKind::Config, "pooling_mode"),
        ("1_Pooling/config.json", json!({ "pooling_mode": vec!["max"; 9] }), ErrorKind::Config, "9 modes"),
        // The layer changes the width, so the residual has weights too.
        ("2_Dense/config.json", json!({ "use_residual": true }), ErrorKind::Weights, "residual.weight"),
        (
            "2_Dense/config.json",
            json!({ "activation_function": "torch.nn.Softshrink" }),
            ErrorKind::Unsupported,
            "Softshrink",
        ),
        ("2_Dense/config.json", json!({ "module_output_name": "other" }), ErrorKind::Unsupported, "other"),
        ("2_Dense/config.json", json!({ "in_features": 35 }), ErrorKind::Config, "35"),
        ("2_Dense/config.json", json!({ "out_features": 1u64 << 40 }), ErrorKind::Config, "out_features"),
        ("3_LayerNorm/config.json", json!({ "dimension": 5 }), ErrorKind::Config, "3_LayerNorm"),
        (
            "4_Dense/config.json",
            json!({ "module_output_name": "sentence_embedding" }),
            ErrorKind::Unsupported,
            "4_Dense",
        ),
        (
            "sentence_bert_config.json",
            json!({ "transformer_task": "text-generation" }),
            ErrorKind::Unsupported,
            "transformer_task",
        ),
    ] {
        assert_refused(chain, file, fields, kind, named);
    }
    let modules = |edit: &dyn Fn(&mut Vec<Value>)| {
        let mut files = fixture(&format!("families/{chain}")).files();
        let mut modules: Vec<Value> = serde_json::from_slice(files.get("modules.json").unwrap()).unwrap();
        edit(&mut modules);
        files.insert("modules.json", json!(modules).to_string().into_bytes());
        load(files).expect_err("a chain that is not one")
    };
    assert_eq!(modules(&|list| list[2]["path"] = json!("../2_Dense")).kind(), ErrorKind::Config);
    assert_eq!(
        modules(&|list| list[2]["type"] = json!("x.WeightedLayerPooling")).kind(),
        ErrorKind::Unsupported
    );
    assert_eq!(modules(&|list| list[0]["path"] = json!("0_Transformer")).kind(), ErrorKind::Unsupported);
    assert_eq!(modules(&|list| list.truncate(4)).kind(), ErrorKind::Unsupported);
    assert_eq!(modules(&|list| list.swap(1, 2)).kind(), ErrorKind::Unsupported);
    assert_eq!(modules(&Vec::clear).kind(), ErrorKind::Config);

    let mut files = fixture(&format!("families/{chain}")).files();
    files.take("2_Dense/model.safetensors");
    let error = load(files).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Weights);
    assert!(error.context().contains("2_Dense/model.safetensors"), "{error}");
}

#[test]
fn a_quantized_model_of_any_family_scores_almost_like_its_source() {
    for fixture in one_of_each() {
        let quantized = pollster::block_on(quantize(fixture.files(), &fixture.name, Dtype::Q8)).unwrap();
        let on = |device, dtype, files: &ModelFiles| {
            let options = Options { device, dtype, ..Options::default() };
            Reranker::load_blocking(ModelSource::Files(files.clone()), options)
                .unwrap_or_else(|error| panic!("{}: {error}", fixture.name))
        };
        // The reference engine multiplies the stored weights. The CPU engine also quantizes activations, which loses
        // more than the golden pairs allow for random weights, so it loads the plain file and rounds its weights to
        // nearest.
        for (what, reranker, max_error) in [
            ("q8 file, candle", on(Device::Candle, Dtype::Auto, &quantized), 0.15),
            ("plain file, cpu", on(Device::Cpu, Dtype::Q8, &fixture.files()), 0.3),
        ] {
            let (error, spread) = error_and_spread(&logits(&reranker, &fixture), &fixture);
            println!("{}, {what}: {error:.4} against a spread of {spread:.3}", fixture.name);
            assert!(error < max_error * spread, "{}, {what}: {error} against {spread}", fixture.name);
            assert!(error > 1e-3, "{}, {what}: nothing was quantized", fixture.name);
        }
    }
}

/// Returns two root mean squares: of the difference from the expected logits, and of their distance from their mean.
fn error_and_spread(got: &[f32], fixture: &Fixture) -> (f32, f32) {
    let exact = fixture.expected.logits.concat();
    let mean = exact.iter().sum::<f32>() / exact.len() as f32;
    let error = root_mean_square(got.iter().zip(&exact).map(|(got, exact)| got - exact));
    (error, root_mean_square(exact.iter().map(|logit| logit - mean)))
}

fn root_mean_square(values: impl Iterator<Item = f32>) -> f32 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value * value, count + 1));
    (sum / count as f32).sqrt()
}

/// The score of a document depends only on its pair, with the reference engine too.
#[test]
fn a_pair_has_one_score_alone_and_among_others() {
    for fixture in all_fixtures() {
        let reranker = fixture.load_on(Device::Candle);
        let together = logits(&reranker, &fixture);
        let alone: Vec<f32> = fixture
            .expected
            .pairs
            .iter()
            .flat_map(|pair| reranker.score_blocking(std::slice::from_ref(pair), Scores::Raw).unwrap())
            .collect();
        let (_, difference) = largest_difference(&alone, &together);
        // Some random weights give logits of 10 and more, where f32 has steps of 1e-6.
        let size = together.iter().fold(1.0, |max: f32, logit| max.max(logit.abs()));
        assert!(difference <= 1e-6 * size, "{}: {difference}", fixture.name);
    }
}
