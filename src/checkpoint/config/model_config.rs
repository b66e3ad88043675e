//! The configuration of a model, in one form for all families.

use serde::Serialize;

use super::families::FamilyConfig;
use super::{Activation, Decoder, labels};
use crate::checkpoint::Purpose;
use crate::checkpoint::json::Object;
use crate::error::{Result, config, unsupported};

/// A family of models. It determines the names of the tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// BERT, with a pooler.
    Bert,
    /// JinaBERT: BERT with ALiBi and gated feed-forward blocks.
    JinaBert,
    /// ELECTRA: embeddings may have another width than the residual stream; the head has two layers.
    Electra,
    /// RoBERTa, XLM-RoBERTa and CamemBERT: positions start after the padding token's id; the head has two layers.
    Roberta,
    /// RoBERTa with a norm before each block.
    RobertaPreLayerNorm,
    /// XLM-RoBERTa-XL: a norm before each block, and none of the embeddings.
    XlmRobertaXl,
    /// Data2Vec for texts: RoBERTa with another prefix.
    Data2Vec,
    /// ERNIE: BERT with another prefix and, if it was trained so, embeddings of tasks.
    Ernie,
    /// ALBERT: all layers, or all of a group, share their weights; embeddings have another width.
    Albert,
    /// DistilBERT: no token types, and different tensor names.
    DistilBert,
    /// ModernBERT: rotary positions, sliding windows, gated feed-forward blocks, and a norm before each block.
    ModernBert,
    /// GTE with the tensor names of its published code: rotary positions, fused projections, gated feed-forward blocks.
    New,
    /// GTE with the tensor names of transformers, or those of its published code.
    Gte,
    /// EuroBERT: rotary positions, fewer heads of keys than of queries, RMSNorm before each block.
    EuroBert,
    /// MPNet: learned biases by distance, positions as in RoBERTa, no token types.
    MpNet,
    /// DeBERTa 2 and 3: disentangled attention with relative positions.
    Deberta,
    /// Qwen2 and Qwen3, decoders. They do not run as a Plan.
    Qwen,
}

/// A checked configuration, in one form for all families.
///
/// Field names are those of BERT. Absent fields have HF's defaults for the family.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The family, which determines names and order of the tensors.
    pub family: Family,
    /// HF's `model_type`.
    pub model_type: &'static str,
    /// The class that HF loads the checkpoint with.
    pub architecture: String,
    /// Rows of the word embedding table.
    pub vocab_size: usize,
    /// Width of the embedding tables.
    pub embedding_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Number of encoder layers.
    pub num_hidden_layers: usize,
    /// How layers share their weights, if they do.
    pub shared_layers: Option<SharedLayers>,
    /// Number of attention heads per layer. It divides `hidden_size`.
    pub num_attention_heads: usize,
    /// Number of heads of keys and values. It divides the number of attention heads.
    pub num_key_value_heads: usize,
    /// Width inside the feed-forward block.
    pub intermediate_size: usize,
    /// Activation inside the feed-forward block.
    pub hidden_act: Activation,
    /// Length of the longest sequence that the model was made for. Learned positions have a table with this many rows.
    pub max_position_embeddings: usize,
    /// How positions index the table of learned positions, if the model has one.
    pub position_table: Option<Numbering>,
    /// How attention uses positions.
    pub attention: AttentionPositions,
    /// Rows of the token type table.
    pub type_vocab_size: usize,
    /// Rows of the table of tasks, whose first row is added to every token. `None` without such a table.
    pub task_vocab_size: Option<usize>,
    /// Whether token types change the scores.
    pub reads_token_types: bool,
    /// Epsilon of every LayerNorm.
    pub layer_norm_eps: f64,
    /// The layers that have a bias.
    pub biases: Biases,
    /// Whether norms are RMSNorms, which do not subtract the mean.
    pub rms_norm: bool,
    /// The convolution after the first layer, if there is one.
    pub convolution: Option<ConvolutionConfig>,
    /// How the rows of a pair are combined into one. Several results are put side by side.
    pub poolings: Vec<Pooling>,
    /// Number of rows at the start of each pair that are not pooled: those of a prompt.
    pub unpooled_rows: usize,
    /// Whether the first layer of the head is applied to every row before the rows are pooled.
    pub head_before_pooling: bool,
    /// Activation inside the head. Only some families read it from the configuration.
    pub head_act: Activation,
    /// Number of logits per pair.
    pub num_labels: usize,
    /// The purpose of the checkpoint, which explains a missing head.
    pub purpose: Purpose,
    /// The fields that only decoders have.
    pub decoder: Option<Decoder>,
}

/// How layers share their weights: each of the encoder's layers is a group of layers, and several of them are the same
/// group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedLayers {
    /// Number of different groups.
    pub groups: usize,
    /// Number of layers in a group.
    pub layers: usize,
}

/// A convolution over the embeddings of neighboring tokens, added to the result of the first layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvolutionConfig {
    /// Number of tokens, odd.
    pub kernel_size: usize,
    /// The activation.
    pub activation: Activation,
}

/// How the tokens of a pair are numbered for a table of positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Numbering {
    /// 0, 1, 2, ...
    FromZero,
    /// RoBERTa's numbering, which starts at `padding + 1`. A token whose id is the padding token's, because the text
    /// spells it, gets the number `padding` and is not counted.
    PastPadding {
        /// The id of the padding token.
        padding: u32,
    },
}

/// How attention uses positions.
#[derive(Debug, Clone, PartialEq)]
pub enum AttentionPositions {
    /// Not at all. Embeddings may still have positions.
    Absent,
    /// ALiBi: logits decrease linearly with the distance, at a different slope in each head.
    Alibi,
    /// Each bucket of distances has a learned bias in each head. All layers share the biases.
    Bucketed {
        /// Rows of the table of biases.
        buckets: usize,
    },
    /// RoPE: queries and keys are rotated. Each layer has its own angles.
    Rotary(Vec<RotaryLayer>),
    /// DeBERTa: logits have terms for content and relative position.
    Disentangled(RelativePositions),
}

/// DeBERTa's relative positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelativePositions {
    /// Number of buckets. Each distance up to half of it has its own row; longer distances share rows on a logarithmic
    /// scale. Without buckets, every distance has its own row.
    pub buckets: Option<usize>,
    /// The distance at which the logarithmic scale reaches the last row; without buckets, the longest distance with its
    /// own row.
    pub max_distance: usize,
    /// Whether the table is normalized.
    pub normalized: bool,
    /// Whether positions share the projections of queries and keys with the content.
    pub shared: bool,
    /// Whether logits have the products of queries with positions (c2p).
    pub content_to_position: bool,
    /// Whether logits have the products of positions with keys (p2c).
    pub position_to_content: bool,
}

/// Rotary positions of one layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RotaryLayer {
    /// The rotation angles.
    pub rotary: Rotary,
    /// Attention reaches this many positions to either side; `None` means the whole pair.
    pub window: Option<usize>,
}

/// Frequencies of rotary positions: `frequency(i) = theta^(-2 i / head_dim) / divisor`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rotary {
    /// The base.
    pub theta: f64,
    /// Scales the frequencies down, for models stretched to longer inputs than they were first trained on; otherwise 1.
    pub divisor: f64,
}

/// The linear layers and norms that have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Biases {
    /// The projections of the attention block.
    pub attention: bool,
    /// The first layer of the feed-forward block.
    pub intermediate: bool,
    /// The last layer of the feed-forward block.
    pub output: bool,
    /// All norms.
    pub norm: bool,
    /// All layers of the head but the last.
    pub head: bool,
}

/// How the rows of a pair are combined into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Pooling {
    /// The first row.
    First,
    /// The mean of all rows.
    Mean,
    /// The sum of all rows, divided by the square root of their number.
    MeanSqrtLen,
    /// The weighted mean of all rows: row `i`, counted from 1, has the weight `i`.
    WeightedMean,
    /// The maximum of each column.
    Max,
    /// The last row.
    Last,
}

// Limits far above any published model. Products of sizes fit 64 bits, and a hostile file cannot cause a plan of four
// billion layers.
pub(super) const MAX_LAYERS: usize = 1 << 10;
pub(super) const MAX_HIDDEN: usize = 1 << 16;
pub(super) const MAX_INTERMEDIATE: usize = 1 << 20;
pub(super) const MAX_ROWS: usize = 1 << 24;
pub(super) const MAX_LABELS: usize = 1 << 16;

impl ModelConfig {
    pub(crate) fn read(json: &Object) -> Result<Self> {
        let family = FamilyConfig::for_model_type(json)?;
        family.reject_variants(json)?;
        let size = |field, min, max| family.size(json, field, min, max);
        let hidden_size = size(family.hidden_size, 1, MAX_HIDDEN)?;
        let num_attention_heads = size(family.num_attention_heads, 1, MAX_HIDDEN)?;
        let mut config = Self {
            family: family.family,
            model_type: family.model_type,
            architecture: architecture(json)?.unwrap_or(family.architecture).to_owned(),
            vocab_size: json.count("vocab_size", family.vocab_size, 1, MAX_ROWS)?,
            embedding_size: hidden_size,
            hidden_size,
            num_hidden_layers: size(family.num_hidden_layers, 1, MAX_LAYERS)?,
            shared_layers: None,
            num_attention_heads,
            num_key_value_heads: num_attention_heads,
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
            task_vocab_size: None,
            reads_token_types: true,
            layer_norm_eps: family.layer_norm_eps(json)?,
            biases: Biases { attention: true, intermediate: true, output: true, norm: true, head: true },
            rms_norm: false,
            convolution: None,
            poolings: vec![Pooling::First],
            unpooled_rows: 0,
            head_before_pooling: false,
            head_act: Activation::Gelu,
            num_labels: labels::count(json)?,
            purpose: Purpose::Classifier,
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
                "config.json: hidden_size {} is not a multiple of the {} attention heads",
                self.hidden_size, self.num_attention_heads
            )));
        }
        let head_dim = self.hidden_size / self.num_attention_heads;
        if matches!(self.attention, AttentionPositions::Rotary(_)) && !head_dim.is_multiple_of(2) {
            return Err(config(format!(
                "config.json: the head width {head_dim} is odd; rotary positions need an even one"
            )));
        }
        if self.max_tokens() == 0 {
            return Err(config(format!(
                "config.json: max_position_embeddings {} leaves no positions after the padding token",
                self.max_position_embeddings
            )));
        }
        Ok(())
    }

    /// Returns the length of the longest pair in tokens, with special tokens.
    pub fn max_tokens(&self) -> usize {
        match self.position_table {
            Some(Numbering::PastPadding { padding }) => {
                self.max_position_embeddings.saturating_sub(padding as usize + 1)
            }
            _ => self.max_position_embeddings,
        }
    }
}

/// Returns the first of `architectures`.
fn architecture(json: &Object) -> Result<Option<&str>> {
    Ok(json.strings("architectures")?.and_then(|names| names.first().copied()))
}

pub(super) fn activation(json: &Object, field: &str, default: &str) -> Result<Activation> {
    Activation::named(field, json.string(field)?.unwrap_or(default))
}

/// Rejects a field whose value differs from `supported`.
pub(super) fn require(json: &Object, field: &str, supported: &str) -> Result<()> {
    match json.string(field)? {
        Some(other) if other != supported => {
            Err(unsupported(format!("config.json: {field} {other:?}; this build supports {supported:?}")))
        }
        _ => Ok(()),
    }
}

/// Rejects a width that differs from `supported`.
pub(super) fn require_width(json: &Object, field: &str, supported: usize) -> Result<()> {
    match json.count(field, supported, 1, usize::MAX)? {
        width if width == supported => Ok(()),
        other => Err(unsupported(format!("config.json: {field} {other}; this build supports {supported}"))),
    }
}
