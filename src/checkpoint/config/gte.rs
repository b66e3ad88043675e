//! Configuration of GTE. The `model_type` is "new" in its published code and "gte" in transformers.

use super::{AttentionPositions, ModelConfig, Rotary, RotaryLayer, rotary};
use crate::checkpoint::json::Object;
use crate::error::{Result, unsupported};

/// Reads the fields as GTE's published code does.
pub(super) fn read_new(json: &Object, config: &mut ModelConfig) -> Result<()> {
    for (name, refused) in [("pack_qkv", false), ("logn_attention_scale", true)] {
        if json.bool(name)? == Some(refused) {
            return Err(unsupported(format!("config.json: {name} is {refused}")));
        }
    }
    let head_dim = config.hidden_size / config.num_attention_heads;
    rotate(json, config, ntk_angles(json, head_dim)?)
}

/// Reads the fields as transformers does.
pub(super) fn read(json: &Object, config: &mut ModelConfig) -> Result<()> {
    rotate(json, config, rotary::shared_angles(json, 160_000.0)?)
}

fn rotate(json: &Object, config: &mut ModelConfig, rotary: Rotary) -> Result<()> {
    rotary::reject_other_heads(json, config)?;
    config.position_table = None;
    config.biases.intermediate = false;
    let layer = RotaryLayer { rotary, window: None };
    config.attention = AttentionPositions::Rotary(vec![layer; config.num_hidden_layers]);
    Ok(())
}

/// Returns the angles. "ntk" scaling by a factor multiplies the base by it and divides the frequencies by `factor^(2 /
/// head_dim)`.
fn ntk_angles(json: &Object, head_dim: usize) -> Result<Rotary> {
    let theta = rotary::theta(json, "rope_theta", 10_000.0)?;
    let Some(scaling) = json.object("rope_scaling")? else { return Ok(Rotary { theta, divisor: 1.0 }) };
    match scaling.string("type")? {
        Some("ntk") if scaling.get("mixed_b").is_none() => {}
        Some("ntk") => {
            return Err(unsupported("config.json: rope_scaling has mixed_b, which is not supported"));
        }
        other => {
            let other = other.unwrap_or("(none)");
            return Err(unsupported(format!(
                "config.json: the rope_scaling type {other:?}; this build supports \"ntk\""
            )));
        }
    }
    let factor = rotary::factor(&scaling)?;
    Ok(Rotary { theta: theta * factor, divisor: libm::pow(factor, 2.0 / head_dim as f64) })
}
