//! What each family calls its tensors, and in what order it uses them.
//!
//! Names are those of linear layers and norms, which have a `.weight` and mostly a `.bias`.

use crate::checkpoint::{Activation, Family};
use crate::error::{Result, unsupported};

/// The names of one family.
pub(super) struct TensorNames {
    /// Before all names but those of the head, in a checkpoint of a whole classifier.
    pub(super) prefix: &'static str,
    pub(super) word_embeddings: &'static str,
    pub(super) position_embeddings: &'static str,
    pub(super) token_type_embeddings: &'static str,
    pub(super) embedding_norm: &'static str,
    /// From the width of the embeddings to that of the layers, where these differ.
    pub(super) embedding_projection: EmbeddingProjection,
    /// Of relative positions in the logits, where a family has them.
    pub(super) relative_positions: RelativePositionNames,
    /// Before the number of a layer.
    pub(super) layers: &'static str,
    /// Into attention.
    pub(super) qkv: Qkv,
    /// Out of attention.
    pub(super) attn_output: &'static str,
    pub(super) attention_norm: &'static str,
    /// Into the feed-forward block.
    pub(super) feed_forward_in: FeedForwardIn,
    /// Out of it.
    pub(super) feed_forward_out: &'static str,
    pub(super) feed_forward_norm: &'static str,
    pub(super) norm_placement: NormPlacement,
    /// Behind the last layer.
    pub(super) final_norm: Option<&'static str>,
    pub(super) head: &'static [HeadLayer],
}

/// Where embeddings are brought to the width of the layers.
#[derive(Clone, Copy)]
pub(super) enum EmbeddingProjection {
    /// Nowhere.
    Absent,
    /// Behind their norm, with a bias.
    AfterNorm(&'static str),
    /// Before their norm, without a bias.
    BeforeNorm(&'static str),
}

/// The table of relative positions with its norm, and in each layer the projections of its rows.
#[derive(Clone, Copy)]
pub(super) struct RelativePositionNames {
    pub(super) table: &'static str,
    pub(super) norm: &'static str,
    pub(super) key: &'static str,
    pub(super) query: &'static str,
}

/// The projections of query, key and value.
#[derive(Clone, Copy)]
pub(super) enum Qkv {
    /// Three layers.
    Separate([&'static str; 3]),
    /// One tensor, in the order query, key, value.
    Fused(&'static str),
}

/// The projections into the feed-forward block.
#[derive(Clone, Copy)]
pub(super) enum FeedForwardIn {
    /// One layer.
    Plain(&'static str),
    /// One tensor: what is activated, and below it what it is multiplied with.
    ActivatedThenGate(&'static str),
    /// The same the other way round.
    GateThenActivated(&'static str),
    /// Two layers.
    Separate {
        /// What is activated.
        activated: &'static str,
        /// What it is multiplied with.
        gate: &'static str,
    },
}

/// Where blocks are normalised.
#[derive(Clone, Copy)]
pub(super) enum NormPlacement {
    /// Behind each block.
    After,
    /// Before each block but the first, whose input the embeddings have normalised.
    BeforeAllButFirst,
}

/// A layer of a head.
#[derive(Clone, Copy)]
pub(super) enum HeadLayer {
    /// As wide as the residual stream, with the encoder's prefix.
    Pooler(&'static str),
    /// As wide as the residual stream.
    Dense(&'static str),
    /// A function that the family fixes.
    Activate(Activation),
    /// The function that the configuration names.
    ActivateWithHeadAct,
    /// A norm.
    Norm(&'static str),
    /// To the logits.
    Classifier(&'static str),
}

const BERT: TensorNames = TensorNames {
    prefix: "bert.",
    word_embeddings: "embeddings.word_embeddings",
    position_embeddings: "embeddings.position_embeddings",
    token_type_embeddings: "embeddings.token_type_embeddings",
    embedding_norm: "embeddings.LayerNorm",
    embedding_projection: EmbeddingProjection::Absent,
    relative_positions: RelativePositionNames {
        table: "encoder.rel_embeddings",
        norm: "encoder.LayerNorm",
        key: "attention.self.pos_key_proj",
        query: "attention.self.pos_query_proj",
    },
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

const MODERNBERT: TensorNames = TensorNames {
    prefix: "model.",
    word_embeddings: "embeddings.tok_embeddings",
    embedding_norm: "embeddings.norm",
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

/// As transformers saves GTE.
const GTE: TensorNames = TensorNames { prefix: "gte.", ..NEW };

/// As transformers calls GTE's tensors in memory, and saves them on demand.
const GTE_SEPARATE: TensorNames = TensorNames {
    layers: "layers",
    qkv: Qkv::Separate(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
    attn_output: "self_attn.o_proj",
    attention_norm: "post_attention_layernorm",
    feed_forward_in: FeedForwardIn::Separate { activated: "mlp.gate_proj", gate: "mlp.up_proj" },
    feed_forward_norm: "post_mlp_layernorm",
    ..GTE
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
    /// What tensors' names may begin with.
    pub(super) fn prefixes(&self) -> [&'static str; 2] {
        [self.prefix, ""]
    }

    /// The ways in which a family's tensors may be called, the usual one first.
    ///
    /// # Errors
    /// `unsupported` for a decoder, which has no Plan.
    pub(super) fn of(family: Family) -> Result<&'static [Self]> {
        Ok(match family {
            Family::Bert => &[BERT],
            Family::JinaBert => &[JINA_BERT],
            Family::Electra => &[ELECTRA],
            Family::Roberta => &[ROBERTA],
            Family::DistilBert => &[DISTILBERT],
            Family::ModernBert => &[MODERNBERT],
            Family::New => &[NEW],
            Family::Gte => &[GTE, NEW, GTE_SEPARATE],
            Family::Deberta => &[DEBERTA],
            Family::Qwen3 => return Err(unsupported("a decoder is not quantised: its dtype is f32")),
        })
    }
}
