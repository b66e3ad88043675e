//! Decoders: the forms of published checkpoints, instructions, and rejected files.

#![cfg(feature = "decoder")]

use crate::common::{fixture, fixtures_directory, largest_difference, load};
use crate::decoder_forms::with_score_layer;
use ranklet::{
    Device, Dtype, ErrorKind, LongDocuments, ModelFiles, ModelSource, Options, Pairs, RankOptions, Reranker,
    ScoreOptions,
};
use ranklet::{Scores, ScoringRun};
use serde::Deserialize;
use serde_json::{Value, json};

const TOLERANCE: f32 = 1e-4;

/// `qwen3_forms.json`, written by `make_qwen3_forms.py`.
#[derive(Deserialize)]
struct Forms {
    template: String,
    instruction: String,
    pairs: Vec<(String, String)>,
    chain: Vec<f32>,
    chain_instructed: Vec<f32>,
    plain: Vec<f32>,
    plain_instructed: Vec<f32>,
    scoring: Vec<f32>,
    scoring_instructed: Vec<f32>,
    card: Vec<f32>,
    card_instructed: Vec<f32>,
}

fn forms() -> Forms {
    let json = std::fs::read(fixtures_directory().join("qwen3_forms.json")).unwrap();
    serde_json::from_slice(&json).unwrap()
}

fn source() -> ModelFiles {
    fixture("families/qwen3-tied-h40").files()
}

/// Edits a JSON file of a model.
fn edited(mut files: ModelFiles, name: &str, edit: impl FnOnce(&mut Value)) -> ModelFiles {
    let mut json: Value = serde_json::from_slice(files.get(name).unwrap()).unwrap();
    edit(&mut json);
    files.insert(name, json.to_string().into_bytes());
    files
}

fn with_template(mut files: ModelFiles, template: &str) -> ModelFiles {
    files.insert("chat_template.jinja", template.as_bytes().to_vec());
    files
}

/// Sets `add_generation_prompt` in `sentence_bert_config.json`, so that the template ends with the start of an answer.
fn answering(files: ModelFiles, task: &str, output: &str) -> ModelFiles {
    edited(files, "sentence_bert_config.json", |json| {
        json["transformer_task"] = json!(task);
        json["module_output_name"] = json!(output);
        json["processing_kwargs"] = json!({ "chat_template": { "add_generation_prompt": true } });
    })
}

/// Removes the files of sentence-transformers.
fn plain(mut files: ModelFiles) -> ModelFiles {
    for name in ["modules.json", "sentence_bert_config.json", "1_LogitScore/config.json"] {
        files.take(name);
    }
    files
}

/// Gives the model a `score` layer: the row of "yes" minus the row of "no".
fn scoring(files: ModelFiles) -> ModelFiles {
    let files = edited(with_score_layer(files, "families/qwen3-tied-h40"), "config.json", |json| {
        json["architectures"] = json!(["Qwen3ForSequenceClassification"]);
        json["num_labels"] = json!(1);
    });
    let files = edited(files, "modules.json", |json| json.as_array_mut().unwrap().truncate(1));
    answering(files, "sequence-classification", "scores")
}

fn check(name: &str, files: ModelFiles, forms: &Forms, bare: &[f32], instructed: &[f32]) {
    let reranker = load(files).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(reranker.info().warnings, Vec::<String>::new(), "{name}");
    for (instruction, wanted) in [(None, bare), (Some(forms.instruction.as_str()), instructed)] {
        let pairs = forms.pairs.iter().map(|(query, document)| (query.into(), document.into())).collect();
        let mut scoring = ScoringRun::new(Pairs::truncated(pairs), Scores::Raw).instruction(instruction);
        let mut got = Vec::new();
        while let Some(part) = pollster::block_on(scoring.step(&reranker)).unwrap() {
            got.extend(part.scores);
        }
        let (place, difference) = largest_difference(&got, wanted);
        println!("{name}, {instruction:?}: {difference:.1e}");
        assert!(difference <= TOLERANCE, "{name}, {instruction:?}: {difference} at {place}: {got:?}");
    }
}

#[test]
fn every_published_form_scores_as_the_python_libraries_do() {
    let forms = forms();
    let templated = || with_template(source(), &forms.template);
    let chain = answering(templated(), "text-generation", "causal_logits");
    check("chain", chain, &forms, &forms.chain, &forms.chain_instructed);
    check("plain", plain(templated()), &forms, &forms.plain, &forms.plain_instructed);
    check("scoring", scoring(templated()), &forms, &forms.scoring, &forms.scoring_instructed);
    // The published model has a template for chats, which takes no pairs.
    let chat = "{% for message in messages %}{% if message.role == 'user' %}{{ message.content }}{% endif %}{% endfor %}";
    let chat = with_template(plain(source()), chat);
    check("card", chat, &forms, &forms.card, &forms.card_instructed);
}

/// A classifier without a chat template joins the two texts without special tokens.
#[test]
fn a_pair_without_tokens_is_an_error_that_names_it() {
    let mut files = plain(scoring(source()));
    files.take("chat_template.jinja");
    let reranker = load(files).unwrap();
    let others = [("a river", ""), ("", "an old city")];
    let scores = reranker.score_blocking(&others, Scores::Raw).unwrap();
    let error = reranker.score_blocking(&[others[0], ("", ""), others[1]], Scores::Raw).unwrap_err();
    assert!(error.to_string().starts_with("input error: pair 1: this pair has no tokens"), "{error}");
    assert_eq!(reranker.score_blocking(&others, Scores::Raw).unwrap(), scores);
}

/// The default prompt is the instruction, as in sentence-transformers.
#[test]
fn the_default_prompt_is_the_instruction() {
    let forms = forms();
    let chain = answering(with_template(source(), &forms.template), "text-generation", "causal_logits");
    let chain = edited(chain, "config_sentence_transformers.json", |json| {
        json["prompts"] = json!({ "own": forms.instruction });
        json["default_prompt_name"] = json!("own");
    });
    check("default prompt", chain, &forms, &forms.chain_instructed, &forms.chain_instructed);
}

#[test]
fn a_pair_has_one_score_whatever_else_is_in_the_call() {
    for name in ["families/qwen3-tied-h40", "families/qwen3-untied-h32"] {
        let fixture = fixture(name);
        let reranker = fixture.load();
        let pairs = &fixture.expected.pairs;
        let together = reranker.score_blocking(pairs, Scores::Raw).unwrap();
        let alone = |pair| reranker.score_blocking(std::slice::from_ref(pair), Scores::Raw).unwrap();
        assert_eq!(pairs.iter().rev().flat_map(alone).rev().collect::<Vec<_>>(), together, "{name}");
        // A prepared collection gives the same scores.
        let documents: Vec<&str> = pairs.iter().map(|(_, document)| document.as_str()).collect();
        let ranked = reranker.rank_blocking("a query", &documents, RankOptions::default()).unwrap();
        let collection = std::sync::Arc::new(reranker.prepare(&documents).unwrap());
        let prepared = Pairs::Prepared { query: "a query".into(), collection, candidates: None };
        let mut scoring = ScoringRun::new(prepared, Scores::Model);
        let mut scores = Vec::new();
        while let Some(part) = pollster::block_on(scoring.step(&reranker)).unwrap() {
            scores.extend(part.scores);
        }
        assert!(ranked.iter().all(|ranked| scores[ranked.index] == ranked.score), "{name}");
    }
}

#[test]
fn an_instruction_that_a_model_cannot_take_is_an_error() {
    let options = RankOptions { instruction: Some("Find it."), ..RankOptions::default() };
    // An encoder, and a decoder whose template has a fixed instruction.
    let embedded = Reranker::load_blocking(ModelSource::Embedded, Options::default()).unwrap();
    for reranker in [embedded, load(source()).unwrap()] {
        let error = reranker.rank_blocking("a query", &["a document"], options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.context().contains("put it into the query"), "{error}");
    }
}

#[test]
fn a_document_is_cut_after_its_first_tokens() {
    let reranker = load(source()).unwrap();
    let document = "Bees, which make höney, live in 雪国.";
    let score = |document: &str, max_tokens_per_document| {
        let options = RankOptions { max_tokens_per_document, ..RankOptions::default() };
        let pairs = Pairs::OneQuery {
            query: "honey".into(),
            documents: vec![document.into()],
            options: options.into(),
        };
        let scored = reranker.score_pairs_blocking(pairs, ScoreOptions::default()).unwrap();
        (scored.pairs[0].as_ref().unwrap().scores[0], scored.tokens())
    };
    let ends: Vec<usize> = document.char_indices().map(|(end, _)| end).chain([document.len()]).collect();
    let (_, empty_tokens) = score("", None);
    let (mut last_end, mut max_tokens) = (0, 0);
    while last_end < document.len() {
        let (cut, tokens) = score(document, Some(max_tokens));
        let is_cut = |end: &usize| score(&document[..*end], None).0 == cut;
        last_end = ends.iter().copied().filter(|end| *end >= last_end).find(is_cut).expect("is a beginning");
        assert!(tokens <= empty_tokens + max_tokens, "{tokens}, {max_tokens}");
        assert_eq!(last_end == 0, max_tokens == 0);
        max_tokens += 1;
    }
    assert!(max_tokens > 8, "{max_tokens}");
    assert_eq!(score(document, Some(usize::MAX)), score(document, None));
}

#[test]
fn options_that_decoders_do_not_support_are_rejected() {
    let reranker = load(source()).unwrap();
    let options = RankOptions { long_documents: LongDocuments::Chunk, ..RankOptions::default() };
    let error = reranker.rank_blocking("a query", &["a document"], options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    // Before the weights, which are not even there, are read.
    let mut files = source();
    files.insert("model.safetensors", Vec::new());
    let refused = [Dtype::Q8, Dtype::Q4, Dtype::F16].map(|dtype| Options { dtype, ..Options::default() });
    let on_gpu = Options { device: Device::Gpu, ..Options::default() };
    for (options, named) in refused.into_iter().chain([on_gpu]).zip(["quantized", "quantized", "f16", "gpu"])
    {
        let error = Reranker::load_blocking(ModelSource::Files(files.clone()), options).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        assert!(error.context().contains(named), "{error}");
    }
    // The same options as those of an encoder.
    for device in [Device::Auto, Device::Cpu, Device::Candle] {
        let (max_length, threads) = (Some(120), std::num::NonZeroUsize::new(2));
        let options = Options { device, dtype: Dtype::F32, max_length, threads, ..Options::default() };
        let reranker = Reranker::load_blocking(ModelSource::Files(source()), options).unwrap();
        assert_eq!(reranker.info().max_length, 120);
        let limit = Options { max_memory_bytes: Some(1000), ..Options::default() };
        let error = Reranker::load_blocking(ModelSource::Files(source()), limit).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
    }
    let error = pollster::block_on(ranklet::quantize(source(), "a model", Dtype::Q8)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

#[test]
fn invalid_configurations_are_rejected_and_the_field_is_named() {
    let cases: [(&str, Value, ErrorKind, &str); 11] = [
        ("num_key_value_heads", json!(3), ErrorKind::Config, "num_key_value_heads"),
        ("num_key_value_heads", json!(0), ErrorKind::Config, "num_key_value_heads"),
        ("head_dim", json!(15), ErrorKind::Config, "15"),
        ("head_dim", json!(1 << 30), ErrorKind::Config, "head_dim"),
        ("num_hidden_layers", json!(1_u64 << 40), ErrorKind::Config, "num_hidden_layers"),
        ("vocab_size", json!(524), ErrorKind::Weights, "model.embed_tokens.weight"),
        ("num_hidden_layers", json!(3), ErrorKind::Config, "layer_types"),
        ("layer_types", json!(["full_attention", "linear_attention"]), ErrorKind::Unsupported, "linear"),
        ("rope_scaling", json!({ "type": "yarn", "factor": 4.0 }), ErrorKind::Unsupported, "rope_scaling"),
        ("layer_types", json!(["full_attention", "sliding_attention"]), ErrorKind::Config, "sliding"),
        ("architectures", json!(["Qwen3Model"]), ErrorKind::Unsupported, "Qwen3Model"),
    ];
    for (field, value, kind, named) in cases {
        let error = load(edited(source(), "config.json", |json| json[field] = value.clone())).unwrap_err();
        assert_eq!(error.kind(), kind, "{field} {value}: {error}");
        assert!(error.context().contains(named), "{field} {value}: {error}");
    }
    let outside = edited(source(), "1_LogitScore/config.json", |json| json["true_token_id"] = json!(523));
    let error = load(outside).unwrap_err();
    assert!(error.context().contains("true_token_id"), "{error}");
    let wordless = edited(plain(source()), "tokenizer.json", |json| {
        let words = json["model"]["vocab"].as_object_mut().unwrap();
        let id = words.remove("yes").unwrap();
        words.insert("yess".into(), id);
        json["model"]["merges"].as_array_mut().unwrap().retain(|merge| {
            !matches!(merge.as_array().map(|pair| pair[1].as_str()), Some(Some("s")))
                && merge.as_str() != Some("ye s")
        });
    });
    let error = load(wordless).unwrap_err();
    assert!(error.context().contains("\"yes\""), "{error}");
}

#[test]
fn unsupported_templates_are_rejected() {
    let query = "{{ (messages | selectattr('role', 'eq', 'query') | first).content }}";
    let document = "{{ (messages | selectattr('role', 'eq', 'document') | first).content }}";
    let doubling = "{% set a = 'aaaaaaaa' %}".to_owned() + &"{% set a = a ~ a %}".repeat(60);
    for template in [
        query.to_owned(),
        format!("{document}{query}"),
        format!("{query}{document}{document}"),
        format!("{query}{{% for m in messages %}}{document}{{% endfor %}}"),
        format!("{query}{document}{{{{ strftime_now('%Y') }}}}"),
        format!("{query}{document}{{{{ messages[1].content | length }}}}"),
        format!("{query}{document}{{{{ messages }}}}"),
        format!("{query}{document}{{{{ 'a"),
        format!("{query}{document}{{% if add_generation_prompt %}}"),
        format!("{query}{document}{{% endif %}}{{% else %}}"),
        format!("{query}{document}{{{{ {} }}}}", "(".repeat(10_000)),
        format!("{query}{document}{}", "x".repeat(1 << 17)),
        format!("{doubling}{query}{document}"),
    ] {
        let error = load(with_template(source(), &template)).unwrap_err();
        let shown: String = template.chars().take(200).collect();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{shown}: {error}");
        assert!(error.context().contains("the chat template"), "{shown}: {error}");
    }
}

/// Such code may read pairs in another way, as that of zerank does.
#[test]
fn a_decoder_with_code_of_its_own_is_rejected_with_one_that_is_read() {
    let mut files = source();
    let mut config: Value = serde_json::from_slice(files.get("config.json").unwrap()).unwrap();
    config["auto_map"] = json!({ "AutoConfig": "modeling_other.OtherConfig" });
    files.insert("config.json", config.to_string().into_bytes());
    let error = load(files).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    for name in ["auto_map", "modeling_other.OtherConfig", "Qwen/Qwen3-Reranker-0.6B"] {
        assert!(error.context().contains(name), "{error}");
    }
}
