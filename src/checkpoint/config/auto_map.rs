//! `auto_map`: classes in a model's own code, which transformers runs with `trust_remote_code`.
//!
//! Ranklet runs no code from a repository. It reads a model with such code only if the classes are known to compute
//! what one of the families here computes; any other class might give other scores.

use serde_json::Value;

use crate::checkpoint::json::Object;
use crate::error::{Result, unsupported};

/// The entries of `auto_map` that take part in scoring a pair.
const USED: [&str; 4] =
    ["AutoConfig", "AutoModel", "AutoModelForSequenceClassification", "AutoModelForCausalLM"];

/// Published classes that Ranklet computes, by the `model_type` of their family.
const KNOWN: [(&str, &[&str]); 5] = [
    ("bert", &["JinaBertConfig", "JinaBertModel", "JinaBertForSequenceClassification"]),
    ("eurobert", &["EuroBertConfig", "EuroBertModel", "EuroBertForSequenceClassification"]),
    ("new", &["NewConfig", "NewModel", "NewForSequenceClassification"]),
    ("qwen3", &[ZERANK_CONFIG]),
    ("xlm-roberta", &[FLASH_CONFIG, "XLMRobertaModel", "XLMRobertaForSequenceClassification"]),
];

/// The configuration class of XLM-RoBERTa in the code for flash attention, as jinaai/jina-reranker-v2 has it. Its
/// `config.json` has no `model_type`.
const FLASH_CONFIG: &str = "XLMRobertaFlashConfig";
/// The configuration class of zeroentropy/zerank-1 and zerank-1-small. It is transformers' own; the code next to it
/// replaces the prompt and the score.
const ZERANK_CONFIG: &str = "ZEConfig";
/// The values of `hidden_act` that the code for flash attention accepts.
const FLASH_ACTIVATIONS: [&str; 4] = ["gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh"];

/// Returns the `model_type` of a configuration that has none, if `auto_map` names a known configuration class that does
/// without it.
pub(super) fn model_type(json: &Object) -> Result<Option<&'static str>> {
    Ok(is_flash(json)?.then_some("xlm-roberta"))
}

/// Returns whether the model's own code is that of zerank, which writes another prompt and scales the logit.
#[cfg(feature = "decoder")]
pub(crate) fn is_zerank(json: &Object) -> Result<bool> {
    Ok(classes(json)?.iter().any(|class| class.ends_with(&format!(".{ZERANK_CONFIG}"))))
}

/// Checks that the model's own code, if there is any, is known.
///
/// # Errors
/// `unsupported`, naming the class and a model that can be used instead; `config` for a malformed `auto_map`.
pub(super) fn check(json: &Object, model_type: &str) -> Result<()> {
    let known =
        KNOWN.iter().find(|(family, _)| *family == model_type).map_or(&[][..], |(_, classes)| *classes);
    // Other classes of the code for flash attention have the names of transformers' own.
    let known = if model_type == "xlm-roberta" && !is_flash(json)? { &[] } else { known };
    let example = if matches!(model_type, "qwen2" | "qwen3") {
        "Qwen/Qwen3-Reranker-0.6B"
    } else {
        "BAAI/bge-reranker-v2-m3"
    };
    for class in classes(json)? {
        if !known.contains(&class.rsplit('.').next().unwrap_or_default()) {
            return Err(unsupported(format!(
                "config.json: auto_map names the model's own code, {class:?}, which Ranklet does not run and whose \
                 scores may differ from those of model_type {model_type:?}; use a model without such code, for example \
                 {example}, or remove auto_map from a copy if its scores are correct without \
                 trust_remote_code"
            )));
        }
    }
    match json.string("hidden_act")? {
        Some(other) if is_flash(json)? && !FLASH_ACTIVATIONS.contains(&other) => Err(unsupported(format!(
            "config.json: hidden_act {other:?}; the code of {FLASH_CONFIG} has only {}",
            FLASH_ACTIVATIONS.join(", ")
        ))),
        _ => Ok(()),
    }
}

fn is_flash(json: &Object) -> Result<bool> {
    Ok(classes(json)?.iter().any(|class| class.ends_with(FLASH_CONFIG)))
}

/// Returns the classes that `auto_map` names for scoring.
fn classes(json: &Object) -> Result<Vec<String>> {
    let Some(map) = json.object("auto_map")? else { return Ok(Vec::new()) };
    let used = USED.iter().filter_map(|name| map.get(name));
    Ok(used.map(|class| class.as_str().map_or_else(|| Value::to_string(class), str::to_owned)).collect())
}
