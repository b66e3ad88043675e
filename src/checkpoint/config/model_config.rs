//! The configuration of a model, the same for every family.

use serde::Serialize;

use super::families::FamilyConfig;
use super::{Activation, Decoder, Family, labels};
use crate::checkpoint::json::Object;
use crate::error::{Result, config, unsupported};

/// The facts of a configuration, checked for sense, the same for every family.
///
/// Names are BERT's; fields that are absent take what HF takes for the family.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// Which names the tensors have, and in what order they are used.
    pub family: Family,
    /// HF's `model_type`.
    pub model_type: &'static str,
    /// The class HF would load the checkpoint with.
    pub architecture: String,
    /// Rows of the word embedding table.
    pub vocab_size: usize,
    /// Width of the embedding tables.
    pub embedding_size: usize,
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
    /// The longest sequence the model was made for; where positions are learned, the rows of their table.
    pub max_position_embeddings: usize,
    /// The table of positions, where there is one.
    pub position_table: Option<Numbering>,
    /// What attention knows of positions.
    pub attention: AttentionPositions,
    /// Rows of the token type table.
    pub type_vocab_size: usize,
    /// Whether the model takes token types.
    pub reads_token_types: bool,
    /// Epsilon of every LayerNorm.
    pub layer_norm_eps: f64,
    /// Which layers have one.
    pub biases: Biases,
    /// How the rows of a pair become one.
    pub pooling: Pooling,
    /// Activation inside the head, where the configuration says.
    pub head_act: Activation,
    /// Logits for each pair.
    pub num_labels: usize,
    /// What a decoder has and an encoder has not.
    pub decoder: Option<Decoder>,
}

/// How the tokens of a pair are numbered for a table of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Numbering {
    /// 0, 1, 2, ...
    FromZero,
    /// RoBERTa's: from `padding + 1` on; a token that is the padding token itself, as a text may spell it, has the
    /// number `padding` and is not counted.
    PastPadding {
        /// The id of the padding token.
        padding: u32,
    },
}

/// What attention knows of positions.
#[derive(Debug, Clone, PartialEq)]
pub enum AttentionPositions {
    /// Nothing; the embeddings may.
    Absent,
    /// Logits fall with the distance.
    Alibi,
    /// Queries and keys are rotated, in each layer by angles of its own.
    Rotary(Vec<RotaryLayer>),
    /// Logits have terms for content and relative position.
    Disentangled(RelativePositions),
}

/// DeBERTa's relative positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelativePositions {
    /// Distances up to half of it have a row each, longer ones share rows by their logarithm; `None`: a row each.
    pub buckets: Option<usize>,
    /// Where the logarithms come to the last rows; without buckets, the longest distance that has a row of its own.
    pub max_distance: usize,
    /// Whether the table has a norm.
    pub normalized: bool,
    /// Whether positions are projected as contents are.
    pub shared: bool,
    /// Whether there are products of queries with positions.
    pub content_to_position: bool,
    /// Whether there are products of positions with keys.
    pub position_to_content: bool,
}

/// What a layer with rotary positions does with them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RotaryLayer {
    /// The angles.
    pub rotary: Rotary,
    /// A row sees those at most so many places away; all of its pair where there is none.
    pub window: Option<usize>,
}

/// `frequency(i) = theta^(-2 i / head_dim) / divisor`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rotary {
    /// The base.
    pub theta: f64,
    /// 1, unless the model was stretched to longer inputs than it was first trained on.
    pub divisor: f64,
}

/// Which linear layers and norms have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Biases {
    /// The projections of attention.
    pub attention: bool,
    /// Into the feed-forward block.
    pub intermediate: bool,
    /// Out of it.
    pub output: bool,
    /// Norms.
    pub norm: bool,
    /// The layers of the head before the last.
    pub head: bool,
}

/// How the rows of a pair become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Pooling {
    /// The first is kept.
    First,
    /// Their mean.
    Mean,
    /// Their sum, divided by the root of their number.
    MeanSqrtLen,
    /// Their mean, where the first counts once, the second twice, and so on.
    WeightedMean,
    /// The largest of each column.
    Max,
    /// The last is kept.
    Last,
}

// Bounds far beyond any published model, so that products of sizes fit 64 bits and a hostile file cannot make us
// build a plan of four billion layers.
pub(super) const MAX_LAYERS: usize = 1 << 10;
pub(super) const MAX_HIDDEN: usize = 1 << 16;
pub(super) const MAX_INTERMEDIATE: usize = 1 << 20;
pub(super) const MAX_ROWS: usize = 1 << 24;
pub(super) const MAX_LABELS: usize = 1 << 16;

impl ModelConfig {
    pub(crate) fn read(json: &Object) -> Result<Self> {
        let family = FamilyConfig::for_model_type(json)?;
        family.refuse_variants(json)?;
        let size = |field, min, max| family.size(json, field, min, max);
        let hidden_size = size(family.hidden_size, 1, MAX_HIDDEN)?;
        let mut config = Self {
            family: family.family,
            model_type: family.model_type,
            architecture: architecture(json)?.unwrap_or(family.architecture).to_owned(),
            vocab_size: json.count("vocab_size", family.vocab_size, 1, MAX_ROWS)?,
            embedding_size: hidden_size,
            hidden_size,
            num_hidden_layers: size(family.num_hidden_layers, 1, MAX_LAYERS)?,
            num_attention_heads: size(family.num_attention_heads, 1, MAX_HIDDEN)?,
            intermediate_size: size(family.intermediate_size, 1, MAX_INTERMEDIATE)?,
            hidden_act: activation(json, family.hidden_act, "gelu")?,
            max_position_embeddings: json.count(
                "max_position_embeddings",
                family.max_position_embeddings,
                1,
                MAX_ROWS,
            )?,
            position_table: Some(Numbering::FromZero),
            attention: AttentionPositions::Absent,
            type_vocab_size: json.count("type_vocab_size", family.type_vocab_size, 0, MAX_HIDDEN)?,
            reads_token_types: true,
            layer_norm_eps: family.layer_norm_eps(json)?,
            biases: Biases { attention: true, intermediate: true, output: true, norm: true, head: true },
            pooling: Pooling::First,
            head_act: Activation::Gelu,
            num_labels: labels::count(json)?,
            decoder: None,
        };
        (family.read_family_fields)(json, &mut config)?;
        config.reads_token_types = config.type_vocab_size >= family.min_token_types;
        config.check_consistency()?;
        Ok(config)
    }

    #[cfg(test)]
    pub(crate) fn parse(json: &[u8]) -> Result<Self> {
        Self::read(&Object::parse(crate::ErrorKind::Config, "config.json", json)?)
    }

    fn check_consistency(&self) -> Result<()> {
        if self.decoder.is_none() && !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(config(format!(
                "config.json: hidden_size {} does not divide into {} attention heads",
                self.hidden_size, self.num_attention_heads
            )));
        }
        let head_dim = self.hidden_size / self.num_attention_heads;
        if matches!(self.attention, AttentionPositions::Rotary(_)) && !head_dim.is_multiple_of(2) {
            return Err(config(format!("config.json: heads of {head_dim} numbers have no halves to rotate")));
        }
        if self.max_tokens() == 0 {
            return Err(config(format!(
                "config.json: max_position_embeddings {} leaves no position past the padding token",
                self.max_position_embeddings
            )));
        }
        Ok(())
    }

    /// The longest pair in tokens, special ones included.
    pub fn max_tokens(&self) -> usize {
        match self.position_table {
            Some(Numbering::PastPadding { padding }) => {
                self.max_position_embeddings.saturating_sub(padding as usize + 1)
            }
            _ => self.max_position_embeddings,
        }
    }
}

/// The first of `architectures`.
fn architecture(json: &Object) -> Result<Option<&str>> {
    Ok(json.strings("architectures")?.and_then(|names| names.first().copied()))
}

pub(super) fn activation(json: &Object, field: &str, default: &str) -> Result<Activation> {
    Activation::named(field, json.string(field)?.unwrap_or(default))
}

/// Refuses a field that has another value than the one that is read.
pub(super) fn require(json: &Object, field: &str, read: &str) -> Result<()> {
    match json.string(field)? {
        Some(other) if other != read => {
            Err(unsupported(format!("config.json: {field} {other:?}; this build reads {read:?}")))
        }
        _ => Ok(()),
    }
}

/// Refuses a width that could be another, and is not.
pub(super) fn require_width(json: &Object, field: &str, read: usize) -> Result<()> {
    match json.count(field, read, 1, usize::MAX)? {
        width if width == read => Ok(()),
        other => Err(unsupported(format!("config.json: {field} {other}; this build reads {read}"))),
    }
}
