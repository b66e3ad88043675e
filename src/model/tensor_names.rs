//! What each family calls its tensors, and in what order it uses them.
//!
//! Names are those of linear layers and norms, which have a `.weight` and mostly a `.bias`.

use crate::checkpoint::{Activation, Family};
use crate::error::{Result, unsupported};

/// The names of one family.
pub(super) struct Names {
    /// Before all names but those of the head, in a checkpoint of a whole classifier.
    pub(super) prefix: &'static str,
    pub(super) word: &'static str,
    pub(super) position: &'static str,
    pub(super) token_type: &'static str,
    pub(super) embedding_norm: &'static str,
    /// From the width of the embeddings to that of the layers, where these differ.
    pub(super) projection: Projection,
    /// Of relative positions in the logits, where a family has them.
    pub(super) relative: Relative,
    /// Before the number of a layer.
    pub(super) layers: &'static str,
    /// Into attention.
    pub(super) inputs: Inputs,
    /// Out of attention.
    pub(super) context: &'static str,
    pub(super) attention_norm: &'static str,
    /// Into the feed-forward block.
    pub(super) inner: Inner,
    /// Out of it.
    pub(super) output: &'static str,
    pub(super) output_norm: &'static str,
    pub(super) norms: Norms,
    /// Behind the last layer.
    pub(super) final_norm: Option<&'static str>,
    pub(super) head: &'static [HeadLayer],
}

/// Where embeddings are brought to the width of the layers.
#[derive(Clone, Copy)]
pub(super) enum Projection {
    /// Nowhere.
    Absent,
    /// Behind their norm, with a bias.
    BehindNorm(&'static str),
    /// Before their norm, without a bias.
    BeforeNorm(&'static str),
}

/// The table of relative positions with its norm, and in each layer the projections of its rows.
#[derive(Clone, Copy)]
pub(super) struct Relative {
    pub(super) table: &'static str,
    pub(super) norm: &'static str,
    pub(super) key: &'static str,
    pub(super) query: &'static str,
}

/// The projections of query, key and value.
#[derive(Clone, Copy)]
pub(super) enum Inputs {
    /// Three layers.
    Apart([&'static str; 3]),
    /// One tensor, in the order query, key, value.
    Fused(&'static str),
}

/// The projections into the feed-forward block.
#[derive(Clone, Copy)]
pub(super) enum Inner {
    /// One layer.
    Plain(&'static str),
    /// One tensor: what is activated, and below it what it is multiplied with.
    ActivatedAndGate(&'static str),
    /// The same the other way round.
    GateAndActivated(&'static str),
    /// Two layers.
    Apart {
        /// What is activated.
        activated: &'static str,
        /// What it is multiplied with.
        gate: &'static str,
    },
}

/// Where blocks are normalised.
#[derive(Clone, Copy)]
pub(super) enum Norms {
    /// Behind each block.
    After,
    /// Before each block but the first, whose input the embeddings have normalised.
    BeforeAllButTheFirst,
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
    ActivateAsConfigured,
    /// A norm.
    Norm(&'static str),
    /// To the logits.
    Classifier(&'static str),
}

const BERT: Names = Names {
    prefix: "bert.",
    word: "embeddings.word_embeddings",
    position: "embeddings.position_embeddings",
    token_type: "embeddings.token_type_embeddings",
    embedding_norm: "embeddings.LayerNorm",
    projection: Projection::Absent,
    relative: Relative {
        table: "encoder.rel_embeddings",
        norm: "encoder.LayerNorm",
        key: "attention.self.pos_key_proj",
        query: "attention.self.pos_query_proj",
    },
    layers: "encoder.layer",
    inputs: Inputs::Apart(["attention.self.query", "attention.self.key", "attention.self.value"]),
    context: "attention.output.dense",
    attention_norm: "attention.output.LayerNorm",
    inner: Inner::Plain("intermediate.dense"),
    output: "output.dense",
    output_norm: "output.LayerNorm",
    norms: Norms::After,
    final_norm: None,
    head: &[
        HeadLayer::Pooler("pooler.dense"),
        HeadLayer::Activate(Activation::Tanh),
        HeadLayer::Classifier("classifier"),
    ],
};

const JINA_BERT: Names = Names {
    inner: Inner::ActivatedAndGate("mlp.gated_layers"),
    output: "mlp.wo",
    output_norm: "mlp.layernorm",
    ..BERT
};

const ELECTRA: Names = Names {
    prefix: "electra.",
    projection: Projection::BehindNorm("embeddings_project"),
    head: &[
        HeadLayer::Dense("classifier.dense"),
        HeadLayer::Activate(Activation::Gelu),
        HeadLayer::Classifier("classifier.out_proj"),
    ],
    ..BERT
};

const ROBERTA: Names = Names {
    prefix: "roberta.",
    head: &[
        HeadLayer::Dense("classifier.dense"),
        HeadLayer::Activate(Activation::Tanh),
        HeadLayer::Classifier("classifier.out_proj"),
    ],
    ..BERT
};

const DISTILBERT: Names = Names {
    prefix: "distilbert.",
    layers: "transformer.layer",
    inputs: Inputs::Apart(["attention.q_lin", "attention.k_lin", "attention.v_lin"]),
    context: "attention.out_lin",
    attention_norm: "sa_layer_norm",
    inner: Inner::Plain("ffn.lin1"),
    output: "ffn.lin2",
    output_norm: "output_layer_norm",
    head: &[
        HeadLayer::Dense("pre_classifier"),
        HeadLayer::Activate(Activation::Relu),
        HeadLayer::Classifier("classifier"),
    ],
    ..BERT
};

const MODERNBERT: Names = Names {
    prefix: "model.",
    word: "embeddings.tok_embeddings",
    embedding_norm: "embeddings.norm",
    layers: "layers",
    inputs: Inputs::Fused("attn.Wqkv"),
    context: "attn.Wo",
    attention_norm: "attn_norm",
    inner: Inner::ActivatedAndGate("mlp.Wi"),
    output: "mlp.Wo",
    output_norm: "mlp_norm",
    norms: Norms::BeforeAllButTheFirst,
    final_norm: Some("final_norm"),
    head: &[
        HeadLayer::Dense("head.dense"),
        HeadLayer::ActivateAsConfigured,
        HeadLayer::Norm("head.norm"),
        HeadLayer::Classifier("classifier"),
    ],
    ..BERT
};

const NEW: Names = Names {
    prefix: "new.",
    inputs: Inputs::Fused("attention.qkv_proj"),
    context: "attention.o_proj",
    attention_norm: "attn_ln",
    inner: Inner::GateAndActivated("mlp.up_gate_proj"),
    output: "mlp.down_proj",
    output_norm: "mlp_ln",
    ..BERT
};

/// As transformers saves GTE.
const GTE: Names = Names { prefix: "gte.", ..NEW };

/// As transformers calls GTE's tensors in memory, and saves them on demand.
const GTE_APART: Names = Names {
    layers: "layers",
    inputs: Inputs::Apart(["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"]),
    context: "self_attn.o_proj",
    attention_norm: "post_attention_layernorm",
    inner: Inner::Apart { activated: "mlp.gate_proj", gate: "mlp.up_proj" },
    output_norm: "post_mlp_layernorm",
    ..GTE
};

const DEBERTA: Names = Names {
    prefix: "deberta.",
    projection: Projection::BeforeNorm("embeddings.embed_proj"),
    inputs: Inputs::Apart([
        "attention.self.query_proj",
        "attention.self.key_proj",
        "attention.self.value_proj",
    ]),
    head: &[
        HeadLayer::Dense("pooler.dense"),
        HeadLayer::ActivateAsConfigured,
        HeadLayer::Classifier("classifier"),
    ],
    ..BERT
};

impl Names {
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
            Family::Gte => &[GTE, NEW, GTE_APART],
            Family::Deberta => &[DEBERTA],
            Family::Qwen3 => return Err(unsupported("a decoder is not quantised: its dtype is f32")),
        })
    }
}
