//! The tensor names of each family, and the few places where families compute in a different order.
//!
//! A name stands for a linear layer or a norm: its tensors are `<name>.weight` and mostly `<name>.bias`.

use crate::checkpoint::{Activation, Family};
use crate::error::{Result, unsupported};

/// The names of one family.
pub(super) struct TensorNames {
    /// Prefix of all names except those of the head, in the checkpoint of a classifier.
    pub(super) prefix: &'static str,
    pub(super) word_embeddings: &'static str,
    pub(super) position_embeddings: &'static str,
    pub(super) token_type_embeddings: &'static str,
    /// `None` if embeddings are not normalized.
    pub(super) embedding_norm: Option<&'static str>,
    /// Projection of embeddings to the width of the layers, if these differ.
    pub(super) embedding_projection: EmbeddingProjection,
    /// Relative positions in the attention scores, for families that have them.
    pub(super) relative_positions: RelativePositionNames,
    /// The convolution after the first layer, for families that have it.
    pub(super) convolution: ConvolutionNames,
    /// Prefix of the number of a layer.
    pub(super) layers: &'static str,
    /// Projections to queries, keys and values.
    pub(super) qkv: Qkv,
    /// Projection out of attention.
    pub(super) attn_output: &'static str,
    pub(super) attention_norm: &'static str,
    /// Projections into the feed-forward block.
    pub(super) feed_forward_in: FeedForwardIn,
    /// Projection out of the feed-forward block.
    pub(super) feed_forward_out: &'static str,
    pub(super) feed_forward_norm: &'static str,
    pub(super) norm_placement: NormPlacement,
    /// Norm after the last layer.
    pub(super) final_norm: Option<&'static str>,
    pub(super) head: &'static [HeadLayer],
}

/// The projection of embeddings to the width of the layers, and its position.
#[derive(Clone, Copy)]
pub(super) enum EmbeddingProjection {
    /// No projection.
    Absent,
    /// After their norm, with a bias, even if the widths are equal.
    Always(&'static str),
    /// After their norm, with a bias.
    AfterNorm(&'static str),
    /// Before their norm, without a bias.
    BeforeNorm(&'static str),
}

/// The table of relative positions or of biases, its norm, and the projections of its rows in each layer.
#[derive(Clone, Copy)]
pub(super) struct RelativePositionNames {
    pub(super) table: &'static str,
    pub(super) norm: &'static str,
    pub(super) key: &'static str,
    pub(super) query: &'static str,
}

/// A convolution and its norm.
#[derive(Clone, Copy)]
pub(super) struct ConvolutionNames {
    pub(super) layer: &'static str,
    pub(super) norm: &'static str,
}

/// The projections to queries, keys and values.
#[derive(Clone, Copy)]
pub(super) enum Qkv {
    /// Three tensors.
    Separate([&'static str; 3]),
    /// One tensor, in the order query, key, value.
    Fused(&'static str),
}

/// The projections into the feed-forward block.
#[derive(Clone, Copy)]
pub(super) enum FeedForwardIn {
    /// One tensor, without a gate.
    Plain(&'static str),
    /// One tensor: first the rows that are activated, then the rows of the gate they are multiplied by.
    ActivatedThenGate(&'static str),
    /// One tensor: first the rows of the gate, then the rows that are activated.
    GateThenActivated(&'static str),
    /// Two tensors.
    Separate {
        /// The activated projection.
        activated: &'static str,
        /// The projection it is multiplied by.
        gate: &'static str,
    },
}

/// The position of the norm of a block.
#[derive(Clone, Copy)]
pub(super) enum NormPlacement {
    /// After each block.
    After,
    /// Before each block.
    Before,
    /// Before each block except the first, whose input is the normalized embeddings.
    BeforeAllButFirst,
}

/// A layer of a head.
#[derive(Clone, Copy)]
pub(super) enum HeadLayer {
    /// A square layer whose name has the encoder's prefix.
    Pooler(&'static str),
    /// A square layer.
    Dense(&'static str),
    /// The activation of the family.
    Activate(Activation),
    /// The activation in the configuration ([`ModelConfig::head_act`](crate::checkpoint::ModelConfig)).
    ActivateWithHeadAct,
    /// A norm.
    Norm(&'static str),
    /// The layer that gives the logits.
    Classifier(&'static str),
}

const BERT: TensorNames = TensorNames {
    prefix: "bert.",
    word_embeddings: "embeddings.word_embeddings",
    position_embeddings: "embeddings.position_embeddings",
    token_type_embeddings: "embeddings.token_type_embeddings",
    embedding_norm: Some("embeddings.LayerNorm"),
    embedding_projection: EmbeddingProjection::Absent,
    relative_positions: RelativePositionNames {
        table: "encoder.rel_embeddings",
        norm: "encoder.LayerNorm",
        key: "attention.self.pos_key_proj",
        query: "attention.self.pos_query_proj",
    },
    convolution: ConvolutionNames { layer: "encoder.conv.conv", norm: "encoder.conv.LayerNorm" },
    layers: "encoder.layer",
    qkv: Qkv::Separate(["attention.self.query", "attention.self.key", "attention.self.value"]),
    attn_output: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    feed_forward_in: FeedForwardIn::Plain("intermediate.dense"),
    feed_forward_out: "output.dense",
    feed_forward_norm: "output.LayerNorm",
    norm_placement: NormPlacement::After,
    final_norm: None,
    head: &[
        HeadLayer::Pooler("pooler.dense"),
        HeadLayer::Activate(Activation::Tanh),
        HeadLayer::Classifier("classifier"),
    ],
};

const JINA_BERT: TensorNames = TensorNames {
    feed_forward_in: FeedForwardIn::ActivatedThenGate("mlp.gated_layers"),
    feed_forward_out: "mlp.wo",
    feed_forward_norm: "mlp.layernorm",
    ..BERT
};

const ELECTRA: TensorNames = TensorNames {
    prefix: "electra.",
    embedding_projection: EmbeddingProjection::AfterNorm("embeddings_project"),
    head: &[
        HeadLayer::Dense("classifier.dense"),
        HeadLayer::Activate(Activation::Gelu),
        HeadLayer::Classifier("classifier.out_proj"),
    ],
    ..BERT
};

const ROBERTA: TensorNames = TensorNames {
    prefix: "roberta.",
    head: &[
        HeadLayer::Dense("classifier.dense"),
        HeadLayer::Activate(Activation::Tanh),
        HeadLayer::Classifier("classifier.out_proj"),
    ],
    ..BERT
};

const ROBERTA_PRE_LAYER_NORM: TensorNames = TensorNames {
    prefix: "roberta_prelayernorm.",
    attention_norm: "attention.LayerNorm",
    feed_forward_norm: "intermediate.LayerNorm",
    norm_placement: NormPlacement::Before,
    final_norm: Some("LayerNorm"),
    ..ROBERTA
};

const XLM_ROBERTA_XL: TensorNames = TensorNames {
    embedding_norm: None,
    attention_norm: "attention.self_attn_layer_norm",
    feed_forward_norm: "LayerNorm",
    norm_placement: NormPlacement::Before,
    final_norm: Some("encoder.LayerNorm"),
    ..ROBERTA
};

const DATA2VEC: TensorNames = TensorNames { prefix: "data2vec_text.", ..ROBERTA };

const ERNIE: TensorNames = TensorNames { prefix: "ernie.", ..BERT };

/// ALBERT. Layers have a number in their group, too.
const ALBERT: TensorNames = TensorNames {
    prefix: "albert.",
    embedding_projection: EmbeddingProjection::Always("encoder.embedding_hidden_mapping_in"),
    layers: "encoder.albert_layer_groups",
    qkv: Qkv::Separate(["attention.query", "attention.key", "attention.value"]),
    attn_output: "attention.dense",
    attention_norm: "attention.LayerNorm",
    feed_forward_in: FeedForwardIn::Plain("ffn"),
    feed_forward_out: "ffn_output",
    feed_forward_norm: "full_layer_layer_norm",
    head: &[
        HeadLayer::Pooler("pooler"),
        HeadLayer::Activate(Activation::Tanh),
        HeadLayer::Classifier("classifier"),
    ],
    ..BERT
};

/// XLM-RoBERTa as code for flash attention names it.
const ROBERTA_FLASH: TensorNames = TensorNames {
    embedding_norm: Some("emb_ln"),
    layers: "encoder.layers",
    qkv: Qkv::Fused("mixer.Wqkv"),
    attn_output: "mixer.out_proj",
    attention_norm: "norm1",
    feed_forward_in: FeedForwardIn::Plain("mlp.fc1"),
    feed_forward_out: "mlp.fc2",
    feed_forward_norm: "norm2",
    ..ROBERTA
};

const DISTILBERT: TensorNames = TensorNames {
    prefix: "distilbert.",
    layers: "transformer.layer",
    qkv: Qkv::Separate(["attention.q_lin", "attention.k_lin", "attention.v_lin"]),
    attn_output: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    feed_forward_in: FeedForwardIn::Plain("ffn.lin1"),
    feed_forward_out: "ffn.lin2",
    feed_forward_norm: "output_layer_norm",
    head: &[
        HeadLayer::Dense("pre_classifier"),
        HeadLayer::Activate(Activation::Relu),
        HeadLayer::Classifier("classifier"),
    ],
    ..BERT
};

const MPNET: TensorNames = TensorNames {
    prefix: "mpnet.",
    relative_positions: RelativePositionNames {
        table: "encoder.relative_attention_bias",
        ..BERT.relative_positions
    },
    qkv: Qkv::Separate(["attention.attn.q", "attention.attn.k", "attention.attn.v"]),
    attn_output: "attention.attn.o",
    attention_norm: "attention.LayerNorm",
    ..ROBERTA
};

const MODERNBERT: TensorNames = TensorNames {
    prefix: "model.",
    word_embeddings: "embeddings.tok_embeddings",
    embedding_norm: Some("embeddings.norm"),
    layers: "layers",
    qkv: Qkv::Fused("attn.Wqkv"),
    attn_output: "attn.Wo",
    attention_norm: "attn_norm",
    feed_forward_in: FeedForwardIn::ActivatedThenGate("mlp.Wi"),
    feed_forward_out: "mlp.Wo",
    feed_forward_norm: "mlp_norm",
    norm_placement: NormPlacement::BeforeAllButFirst,
    final_norm: Some("final_norm"),
    head: &[
        HeadLayer::Dense("head.dense"),
        HeadLayer::ActivateWithHeadAct,
        HeadLayer::Norm("head.norm"),
        HeadLayer::Classifier("classifier"),
    ],
    ..BERT
};

/// GTE as its own code names it, with `model_type` "new". Its words are the other way round: its `gate` is activated,
/// and its `up` is the gate of [`FeedForwardIn`].
const NEW: TensorNames = TensorNames {
    prefix: "new.",
    qkv: Qkv::Fused("attention.qkv_proj"),
    attn_output: "attention.o_proj",
    attention_norm: "attn_ln",
    feed_forward_in: FeedForwardIn::GateThenActivated("mlp.up_gate_proj"),
    feed_forward_out: "mlp.down_proj",
    feed_forward_norm: "mlp_ln",
    ..BERT
};

/// GTE as transformers saves it.
const GTE: TensorNames = TensorNames { prefix: "gte.", ..NEW };

/// GTE as transformers names it in memory, and saves it on demand.
const GTE_SEPARATE: TensorNames = TensorNames {
    layers: "layers",
    qkv: Qkv::Separate(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
    attn_output: "self_attn.o_proj",
    attention_norm: "post_attention_layernorm",
    feed_forward_in: FeedForwardIn::Separate { activated: "mlp.gate_proj", gate: "mlp.up_proj" },
    feed_forward_norm: "post_mlp_layernorm",
    ..GTE
};

const EUROBERT: TensorNames = TensorNames {
    prefix: "model.",
    word_embeddings: "embed_tokens",
    embedding_norm: None,
    layers: "layers",
    qkv: Qkv::Separate(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
    attn_output: "self_attn.o_proj",
    attention_norm: "input_layernorm",
    feed_forward_in: FeedForwardIn::Separate { activated: "mlp.gate_proj", gate: "mlp.up_proj" },
    feed_forward_out: "mlp.down_proj",
    feed_forward_norm: "post_attention_layernorm",
    norm_placement: NormPlacement::Before,
    final_norm: Some("norm"),
    head: &[
        HeadLayer::Dense("dense"),
        HeadLayer::Activate(Activation::Gelu),
        HeadLayer::Classifier("classifier"),
    ],
    ..BERT
};

const DEBERTA: TensorNames = TensorNames {
    prefix: "deberta.",
    embedding_projection: EmbeddingProjection::BeforeNorm("embeddings.embed_proj"),
    qkv: Qkv::Separate(["attention.self.query_proj", "attention.self.key_proj", "attention.self.value_proj"]),
    head: &[
        HeadLayer::Dense("pooler.dense"),
        HeadLayer::ActivateWithHeadAct,
        HeadLayer::Classifier("classifier"),
    ],
    ..BERT
};

impl TensorNames {
    /// Returns the prefixes that tensor names may have.
    pub(super) fn prefixes(&self) -> [&'static str; 2] {
        [self.prefix, ""]
    }

    /// Returns the ways to name the tensors of a family, the usual one first.
    ///
    /// # Errors
    /// `unsupported` for a decoder, which has no Plan.
    pub(super) fn of(family: Family) -> Result<&'static [Self]> {
        Ok(match family {
            Family::Bert => &[BERT],
            Family::JinaBert => &[JINA_BERT],
            Family::Electra => &[ELECTRA],
            Family::Roberta => &[ROBERTA, ROBERTA_FLASH],
            Family::RobertaPreLayerNorm => &[ROBERTA_PRE_LAYER_NORM],
            Family::XlmRobertaXl => &[XLM_ROBERTA_XL],
            Family::Data2Vec => &[DATA2VEC],
            Family::Ernie => &[ERNIE],
            Family::Albert => &[ALBERT],
            Family::DistilBert => &[DISTILBERT],
            Family::ModernBert => &[MODERNBERT],
            Family::New => &[NEW],
            Family::Gte => &[GTE, NEW, GTE_SEPARATE],
            Family::MpNet => &[MPNET],
            Family::EuroBert => &[EUROBERT],
            Family::Deberta => &[DEBERTA],
            Family::Qwen => return Err(unsupported("decoders cannot be quantized: use the dtype f32")),
        })
    }
}
