//! The supported families of models, and how each one writes its configuration.

use super::{
    Family, MAX_HIDDEN, MAX_LAYERS, MAX_ROWS, ModelConfig, Numbering, SharedLayers, activation, auto_map,
    deberta, eurobert, gte, jina_bert, modernbert, mpnet, other_families, qwen, require,
};
use crate::checkpoint::json::Object;
use crate::error::{Result, config, unsupported};

/// The names of a size in `config.json`, the preferred one first, and the default of HF.
type Size = (&'static [&'static str], usize);

/// How a family writes its configuration.
#[derive(Clone, Copy)]
pub(super) struct FamilyConfig {
    pub(super) model_type: &'static str,
    pub(super) family: Family,
    pub(super) architecture: &'static str,
    pub(super) vocab_size: usize,
    pub(super) hidden_size: Size,
    pub(super) num_hidden_layers: Size,
    pub(super) num_attention_heads: Size,
    pub(super) intermediate_size: Size,
    pub(super) hidden_act: &'static str,
    pub(super) max_position_embeddings: usize,
    pub(super) type_vocab_size: usize,
    /// A model with fewer token types than this ignores token type ids.
    pub(super) min_token_types: usize,
    /// The field and its default. Without a field, the value is always the default.
    pub(super) layer_norm_eps: (Option<&'static str>, f64),
    /// Fields that change the scores, each with the only supported value.
    pub(super) required: &'static [(&'static str, &'static str)],
    /// Reads the fields that only this family has.
    pub(super) read_family_fields: fn(&Object, &mut ModelConfig) -> Result<()>,
}

const BERT: FamilyConfig = FamilyConfig {
    model_type: "bert",
    family: Family::Bert,
    architecture: "BertForSequenceClassification",
    vocab_size: 30522,
    hidden_size: (&["hidden_size"], 768),
    num_hidden_layers: (&["num_hidden_layers"], 12),
    num_attention_heads: (&["num_attention_heads"], 12),
    intermediate_size: (&["intermediate_size"], 3072),
    hidden_act: "hidden_act",
    max_position_embeddings: 512,
    type_vocab_size: 2,
    min_token_types: 0,
    layer_norm_eps: (Some("layer_norm_eps"), 1e-12),
    required: &[("position_embedding_type", "absolute"), ("feed_forward_type", "original")],
    read_family_fields: |_, _| Ok(()),
};

const ELECTRA: FamilyConfig = FamilyConfig {
    model_type: "electra",
    family: Family::Electra,
    architecture: "ElectraForSequenceClassification",
    hidden_size: (&["hidden_size"], 256),
    num_attention_heads: (&["num_attention_heads"], 4),
    intermediate_size: (&["intermediate_size"], 1024),
    read_family_fields: |json, config| {
        json.reject_nulls(&["embedding_size"])?;
        config.embedding_size = json.count("embedding_size", 128, 1, MAX_HIDDEN)?;
        Ok(())
    },
    ..BERT
};

const ROBERTA: FamilyConfig = FamilyConfig {
    model_type: "roberta",
    family: Family::Roberta,
    architecture: "RobertaForSequenceClassification",
    vocab_size: 50265,
    read_family_fields: |json, config| {
        json.reject_nulls(&["pad_token_id"])?;
        let padding = json.count("pad_token_id", 1, 0, MAX_ROWS)? as u32;
        config.position_table = Some(Numbering::PastPadding { padding });
        Ok(())
    },
    ..BERT
};

const XLM_ROBERTA: FamilyConfig = FamilyConfig {
    model_type: "xlm-roberta",
    architecture: "XLMRobertaForSequenceClassification",
    vocab_size: 30522,
    ..ROBERTA
};

const CAMEMBERT: FamilyConfig = FamilyConfig {
    model_type: "camembert",
    architecture: "CamembertForSequenceClassification",
    vocab_size: 30522,
    ..ROBERTA
};

const ROBERTA_PRE_LAYER_NORM: FamilyConfig = FamilyConfig {
    model_type: "roberta-prelayernorm",
    family: Family::RobertaPreLayerNorm,
    architecture: "RobertaPreLayerNormForSequenceClassification",
    ..ROBERTA
};

const XLM_ROBERTA_XL: FamilyConfig = FamilyConfig {
    model_type: "xlm-roberta-xl",
    family: Family::XlmRobertaXl,
    architecture: "XLMRobertaXLForSequenceClassification",
    vocab_size: 250_880,
    hidden_size: (&["hidden_size"], 2560),
    num_hidden_layers: (&["num_hidden_layers"], 36),
    num_attention_heads: (&["num_attention_heads"], 32),
    intermediate_size: (&["intermediate_size"], 10240),
    max_position_embeddings: 514,
    type_vocab_size: 1,
    layer_norm_eps: (Some("layer_norm_eps"), 1e-5),
    ..ROBERTA
};

const DATA2VEC: FamilyConfig = FamilyConfig {
    model_type: "data2vec-text",
    family: Family::Data2Vec,
    architecture: "Data2VecTextForSequenceClassification",
    vocab_size: 30522,
    ..ROBERTA
};

const ERNIE: FamilyConfig = FamilyConfig {
    model_type: "ernie",
    family: Family::Ernie,
    architecture: "ErnieForSequenceClassification",
    read_family_fields: |json, config| {
        json.reject_nulls(&["use_task_id", "task_type_vocab_size"])?;
        if json.bool("use_task_id")? == Some(true) {
            config.task_vocab_size = Some(json.count("task_type_vocab_size", 3, 1, MAX_HIDDEN)?);
        }
        Ok(())
    },
    ..BERT
};

const ALBERT: FamilyConfig = FamilyConfig {
    model_type: "albert",
    family: Family::Albert,
    architecture: "AlbertForSequenceClassification",
    vocab_size: 30000,
    hidden_size: (&["hidden_size"], 4096),
    num_attention_heads: (&["num_attention_heads"], 64),
    intermediate_size: (&["intermediate_size"], 16384),
    read_family_fields: |json, config| {
        json.reject_nulls(&["embedding_size", "num_hidden_groups", "inner_group_num"])?;
        config.embedding_size = json.count("embedding_size", 128, 1, MAX_HIDDEN)?;
        config.hidden_act = activation(json, "hidden_act", "gelu_new")?;
        let groups = json.count("num_hidden_groups", 1, 1, config.num_hidden_layers)?;
        let layers = json.count("inner_group_num", 1, 1, MAX_LAYERS / config.num_hidden_layers)?;
        config.shared_layers = Some(SharedLayers { groups, layers });
        Ok(())
    },
    ..BERT
};

const DISTILBERT: FamilyConfig = FamilyConfig {
    model_type: "distilbert",
    family: Family::DistilBert,
    architecture: "DistilBertForSequenceClassification",
    hidden_size: (&["hidden_size", "dim"], 768),
    num_hidden_layers: (&["num_hidden_layers", "n_layers"], 6),
    num_attention_heads: (&["num_attention_heads", "n_heads"], 12),
    intermediate_size: (&["hidden_dim"], 3072),
    hidden_act: "activation",
    min_token_types: 1,
    layer_norm_eps: (None, 1e-12),
    required: &[],
    read_family_fields: |_, config| {
        config.type_vocab_size = 0;
        Ok(())
    },
    ..BERT
};

const MODERNBERT: FamilyConfig = FamilyConfig {
    model_type: "modernbert",
    family: Family::ModernBert,
    architecture: "ModernBertForSequenceClassification",
    vocab_size: 50368,
    num_hidden_layers: (&["num_hidden_layers"], 22),
    intermediate_size: (&["intermediate_size"], 1152),
    hidden_act: "hidden_activation",
    max_position_embeddings: 8192,
    min_token_types: 1,
    layer_norm_eps: (Some("norm_eps"), 1e-5),
    required: &[],
    read_family_fields: modernbert::read,
    ..BERT
};

const NEW: FamilyConfig = FamilyConfig {
    model_type: "new",
    family: Family::New,
    architecture: "NewForSequenceClassification",
    vocab_size: 30528,
    max_position_embeddings: 2048,
    type_vocab_size: 1,
    // A single type has id 0 everywhere and is ignored.
    min_token_types: 2,
    required: &[("position_embedding_type", "rope"), ("layer_norm_type", "layer_norm")],
    read_family_fields: gte::read_new,
    ..BERT
};

const GTE: FamilyConfig = FamilyConfig {
    model_type: "gte",
    family: Family::Gte,
    architecture: "GteForSequenceClassification",
    vocab_size: 250_048,
    max_position_embeddings: 8192,
    min_token_types: 1,
    read_family_fields: gte::read,
    ..NEW
};

const EUROBERT: FamilyConfig = FamilyConfig {
    model_type: "eurobert",
    family: Family::EuroBert,
    architecture: "EuroBertForSequenceClassification",
    vocab_size: 128_256,
    max_position_embeddings: 8192,
    type_vocab_size: 0,
    min_token_types: 1,
    layer_norm_eps: (Some("rms_norm_eps"), 1e-5),
    required: &[],
    read_family_fields: eurobert::read,
    ..BERT
};

const MPNET: FamilyConfig = FamilyConfig {
    model_type: "mpnet",
    family: Family::MpNet,
    architecture: "MPNetForSequenceClassification",
    vocab_size: 30527,
    type_vocab_size: 0,
    min_token_types: 1,
    required: &[],
    read_family_fields: mpnet::read,
    ..BERT
};

const DEBERTA: FamilyConfig = FamilyConfig {
    model_type: "deberta-v2",
    family: Family::Deberta,
    architecture: "DebertaV2ForSequenceClassification",
    vocab_size: 128_100,
    hidden_size: (&["hidden_size"], 1536),
    num_hidden_layers: (&["num_hidden_layers"], 24),
    num_attention_heads: (&["num_attention_heads"], 24),
    intermediate_size: (&["intermediate_size"], 6144),
    type_vocab_size: 0,
    min_token_types: 1,
    layer_norm_eps: (Some("layer_norm_eps"), 1e-7),
    required: &[],
    read_family_fields: deberta::read,
    ..BERT
};

const QWEN3: FamilyConfig = FamilyConfig {
    model_type: "qwen3",
    family: Family::Qwen,
    architecture: "Qwen3ForCausalLM",
    vocab_size: 151_936,
    hidden_size: (&["hidden_size"], 4096),
    num_hidden_layers: (&["num_hidden_layers"], 32),
    num_attention_heads: (&["num_attention_heads"], 32),
    intermediate_size: (&["intermediate_size"], 22016),
    max_position_embeddings: 32768,
    min_token_types: 1,
    layer_norm_eps: (Some("rms_norm_eps"), 1e-6),
    required: &[],
    read_family_fields: qwen::read_qwen3,
    ..BERT
};

const QWEN2: FamilyConfig = FamilyConfig {
    model_type: "qwen2",
    architecture: "Qwen2ForCausalLM",
    read_family_fields: qwen::read_qwen2,
    ..QWEN3
};

/// BERT and JinaBERT, which have the same `model_type`.
const BERT_OR_JINA_BERT: FamilyConfig =
    FamilyConfig { required: &[], read_family_fields: jina_bert::read, ..BERT };

/// The fields that transformers 5.24 does not allow to be `null`, besides those that only one family has.
const NOT_NULL: [&str; 17] = [
    "vocab_size",
    "hidden_size",
    "dim",
    "num_hidden_layers",
    "n_layers",
    "num_attention_heads",
    "n_heads",
    "intermediate_size",
    "hidden_dim",
    "hidden_act",
    "activation",
    "max_position_embeddings",
    "type_vocab_size",
    "layer_norm_eps",
    "rms_norm_eps",
    "is_decoder",
    "add_cross_attention",
];

/// All families. Defaults are those of transformers 5.24.
const FAMILIES: [FamilyConfig; 19] = [
    BERT_OR_JINA_BERT,
    ELECTRA,
    ROBERTA,
    XLM_ROBERTA,
    CAMEMBERT,
    ROBERTA_PRE_LAYER_NORM,
    XLM_ROBERTA_XL,
    DATA2VEC,
    ERNIE,
    ALBERT,
    DISTILBERT,
    MODERNBERT,
    NEW,
    GTE,
    EUROBERT,
    MPNET,
    DEBERTA,
    QWEN2,
    QWEN3,
];

impl FamilyConfig {
    /// Returns the family with the `model_type` of this configuration.
    pub(super) fn for_model_type(json: &Object) -> Result<&'static Self> {
        other_families::check_architectures(json)?;
        let name = match json.string("model_type")? {
            Some(name) => name,
            None => auto_map::model_type(json)?.ok_or_else(|| {
                config(
                    "config.json has no model_type: add the one of the model's family, such as \"bert\" or \
                     \"xlm-roberta\", to a copy",
                )
            })?,
        };
        FAMILIES.iter().find(|family| family.model_type == name).ok_or_else(|| {
            let known: Vec<&str> = FAMILIES.iter().map(|family| family.model_type).collect();
            other_families::unsupported_family(name, &known)
        })
    }

    /// Rejects options that would change the scores and that [`crate::model`] does not implement.
    pub(super) fn reject_variants(&self, json: &Object) -> Result<()> {
        json.reject_nulls(&NOT_NULL)?;
        auto_map::check(json, self.model_type)?;
        for name in ["is_decoder", "add_cross_attention"] {
            if json.bool(name)? == Some(true) {
                return Err(unsupported(format!("config.json: {name} is true")));
            }
        }
        self.required.iter().try_for_each(|(field, read)| require(json, field, read))
    }

    pub(super) fn size(&self, json: &Object, field: Size, min: usize, max: usize) -> Result<usize> {
        let (names, default) = field;
        let name = names.iter().find(|name| json.get(name).is_some()).unwrap_or(&names[0]);
        json.count(name, default, min, max)
    }

    pub(super) fn layer_norm_eps(&self, json: &Object) -> Result<f64> {
        let (name, default) = self.layer_norm_eps;
        let Some(name) = name else { return Ok(default) };
        let eps = json.number(name)?.unwrap_or(default);
        if eps.is_finite() && (0.0..1.0).contains(&eps) {
            Ok(eps)
        } else {
            Err(config(format!("config.json: {name} is {eps}, not a number from 0 to 1")))
        }
    }
}
