//! `config.json`: what the model is.

use super::Activation;
use super::json::Object;
use crate::error::{Result, config, unsupported};
use crate::text::Limits;

/// The facts of a BERT configuration, checked for sense.
///
/// Names are HF's. Fields that are absent take HF's defaults for `BertConfig`.
#[derive(Debug, Clone, PartialEq)]
pub struct BertConfig {
    /// Rows of the word embedding table.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Number of encoder layers.
    pub num_hidden_layers: usize,
    /// Attention heads a layer; divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Width inside the feed-forward block.
    pub intermediate_size: usize,
    /// Activation inside the feed-forward block.
    pub hidden_act: Activation,
    /// Rows of the position table: the longest sequence the model can read, in tokens.
    pub max_position_embeddings: usize,
    /// Rows of the token type table.
    pub type_vocab_size: usize,
    /// Epsilon of every LayerNorm.
    pub layer_norm_eps: f64,
    /// Logits for each pair.
    pub num_labels: usize,
}

// Bounds far beyond any published model, so that products of sizes fit 64 bits and a hostile file cannot make us
// build a plan of four billion layers.
const MOST_LAYERS: usize = 1 << 10;
const MOST_HIDDEN: usize = 1 << 16;
const MOST_INTERMEDIATE: usize = 1 << 20;
const MOST_ROWS: usize = 1 << 24;
const MOST_LABELS: usize = 1 << 16;

impl BertConfig {
    pub(crate) fn read(json: &Object) -> Result<Self> {
        match json.text("model_type")? {
            Some("bert") => {}
            Some(other) => {
                return Err(unsupported(format!(
                    "config.json: model_type {other:?}; this build reads \"bert\""
                )));
            }
            None => return Err(config("config.json names no model_type")),
        }
        reject_variants(json)?;
        let config = Self {
            vocab_size: json.count("vocab_size", 30522, 1, MOST_ROWS)?,
            hidden_size: json.count("hidden_size", 768, 1, MOST_HIDDEN)?,
            num_hidden_layers: json.count("num_hidden_layers", 12, 1, MOST_LAYERS)?,
            num_attention_heads: json.count("num_attention_heads", 12, 1, MOST_HIDDEN)?,
            intermediate_size: json.count("intermediate_size", 3072, 1, MOST_INTERMEDIATE)?,
            hidden_act: Activation::from_hidden_act(json.text("hidden_act")?.unwrap_or("gelu"))?,
            max_position_embeddings: json.count("max_position_embeddings", 512, 1, MOST_ROWS)?,
            type_vocab_size: json.count("type_vocab_size", 2, 0, MOST_HIDDEN)?,
            layer_norm_eps: layer_norm_eps(json)?,
            num_labels: num_labels(json)?,
        };
        if !config.hidden_size.is_multiple_of(config.num_attention_heads) {
            return Err(self::config(format!(
                "config.json: hidden_size {} does not divide into {} attention heads",
                config.hidden_size, config.num_attention_heads
            )));
        }
        Ok(config)
    }
}

impl From<&BertConfig> for Limits {
    fn from(config: &BertConfig) -> Self {
        Self {
            vocab_size: config.vocab_size,
            max_tokens: Some(config.max_position_embeddings),
            token_types: config.type_vocab_size,
        }
    }
}

/// What would change the scores and is not BERT as [`crate::model`] builds it.
fn reject_variants(json: &Object) -> Result<()> {
    for name in ["is_decoder", "add_cross_attention"] {
        if json.flag(name)? == Some(true) {
            return Err(unsupported(format!("config.json: {name} is true")));
        }
    }
    for (name, plain) in [("position_embedding_type", "absolute"), ("feed_forward_type", "original")] {
        if let Some(other) = json.text(name)?.filter(|value| *value != plain) {
            return Err(unsupported(format!("config.json: {name} {other:?}; this build reads {plain:?}")));
        }
    }
    Ok(())
}

fn layer_norm_eps(json: &Object) -> Result<f64> {
    let eps = json.number("layer_norm_eps")?.unwrap_or(1e-12);
    if eps.is_finite() && (0.0..1.0).contains(&eps) {
        Ok(eps)
    } else {
        Err(config(format!("config.json: layer_norm_eps is {eps}, not a number from 0 to 1")))
    }
}

/// HF counts labels by `id2label`, or by `num_labels` when that is written; two when neither is.
fn num_labels(json: &Object) -> Result<usize> {
    let listed = json.object("id2label")?.map(|labels| labels.len());
    let written = json.get("num_labels").map(|_| json.count("num_labels", 0, 1, MOST_LABELS)).transpose()?;
    match (written, listed) {
        (Some(written), Some(listed)) if written != listed => {
            Err(config(format!("config.json: num_labels is {written}, but id2label lists {listed}")))
        }
        (Some(count), _) => Ok(count),
        (None, Some(listed)) if (1..=MOST_LABELS).contains(&listed) => Ok(listed),
        (None, Some(listed)) => Err(config(format!("config.json: id2label lists {listed} labels"))),
        (None, None) => Ok(2),
    }
}
