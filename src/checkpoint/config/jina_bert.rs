//! Configuration of BERT and of JinaBERT, which have the same `model_type`.

use super::{AttentionPositions, Family, ModelConfig};
use crate::checkpoint::Activation;
use crate::checkpoint::json::Object;
use crate::error::{Error, Result, unsupported};

pub(super) fn read(json: &Object, config: &mut ModelConfig) -> Result<()> {
    match json.string("position_embedding_type")? {
        None | Some("absolute") => {}
        Some("alibi") => {
            config.position_table = None;
            config.attention = AttentionPositions::Alibi;
        }
        Some(other) => return Err(unsupported_value("position_embedding_type", other, "absolute, alibi")),
    }
    match json.string("feed_forward_type")? {
        None | Some("original") => {}
        Some("geglu") => use_gated_block(config, Activation::Gelu),
        Some("reglu") => use_gated_block(config, Activation::Relu),
        Some(other) => return Err(unsupported_value("feed_forward_type", other, "original, geglu, reglu")),
    }
    Ok(())
}

/// Selects JinaBERT's gated feed-forward block. Its activation replaces `hidden_act`.
fn use_gated_block(config: &mut ModelConfig, activation: Activation) {
    config.family = Family::JinaBert;
    config.hidden_act = activation;
    config.biases.intermediate = false;
}

fn unsupported_value(field: &str, value: &str, supported: &str) -> Error {
    unsupported(format!("config.json: {field} {value:?}; this build supports {supported}"))
}
