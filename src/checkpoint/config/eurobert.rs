//! Configuration of EuroBERT, as transformers 5 writes it and as its published code did.

use super::{AttentionPositions, Biases, ModelConfig, Pooling, RotaryLayer, activation, qwen, rotary};
use crate::checkpoint::json::Object;
use crate::error::{Result, config, unsupported};

/// Fields that transformers 5.24 does not allow to be `null`.
const NOT_NULL: [&str; 5] =
    ["attention_bias", "mlp_bias", "classifier_pooling", "initializer_range", "pretraining_tp"];

pub(super) fn read(json: &Object, config: &mut ModelConfig) -> Result<()> {
    json.reject_nulls(&NOT_NULL)?;
    rotary::reject_other_heads(json, config)?;
    let flag = |name| Ok(json.bool(name)?.unwrap_or(false));
    let feed_forward = flag("mlp_bias")?;
    config.biases = Biases {
        attention: flag("attention_bias")?,
        intermediate: feed_forward,
        output: feed_forward,
        norm: false,
        head: true,
    };
    config.hidden_act = activation(json, "hidden_act", "silu")?;
    config.num_key_value_heads = qwen::key_value_heads(json, config.num_attention_heads)?;
    config.position_table = None;
    config.type_vocab_size = 0;
    config.rms_norm = true;
    let layer = RotaryLayer { rotary: rotary::shared_angles(json, 10_000.0)?, window: None };
    config.attention = AttentionPositions::Rotary(vec![layer; config.num_hidden_layers]);
    read_pooling(json, config)
}

/// Reads the pooling. "late" applies the head to every row and takes the mean of the results.
fn read_pooling(json: &Object, config: &mut ModelConfig) -> Result<()> {
    let name = json.string("classifier_pooling")?.unwrap_or("late");
    // The name of the field in the published code, which transformers ignores.
    if let Some(older) = json.string("clf_pooling")?
        && older != name
    {
        return Err(unsupported(format!(
            "config.json: clf_pooling is {older:?}, which only the model's own code reads; transformers computes \
             {name:?}: set classifier_pooling to the right one in a copy, and remove clf_pooling"
        )));
    }
    let (pooling, head_before_pooling) = match name {
        "bos" => (Pooling::First, false),
        "mean" => (Pooling::Mean, false),
        "late" => (Pooling::Mean, true),
        other => {
            return Err(self::config(format!(
                "config.json: classifier_pooling {other:?} is not bos, mean or late"
            )));
        }
    };
    (config.poolings, config.head_before_pooling) = (vec![pooling], head_before_pooling);
    Ok(())
}
