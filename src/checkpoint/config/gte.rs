//! The part of a configuration that is GTE's, whose `model_type` is "new".

use super::{AttentionPositions, ModelConfig, Rotary, RotaryLayer, rotary};
use crate::checkpoint::json::Object;
use crate::error::{Result, config, unsupported};

pub(super) fn read(json: &Object, config: &mut ModelConfig) -> Result<()> {
    rotary::refuse_head_dim(json, config)?;
    for (name, refused) in [("pack_qkv", false), ("logn_attention_scale", true)] {
        if json.flag(name)? == Some(refused) {
            return Err(unsupported(format!("config.json: {name} is {refused}")));
        }
    }
    config.position_table = None;
    config.biases.intermediate = false;
    let head_dim = config.hidden_size / config.num_attention_heads;
    let layer = RotaryLayer { rotary: angles(json, head_dim)?, window: None };
    config.attention = AttentionPositions::Rotary(vec![layer; config.num_hidden_layers]);
    Ok(())
}

/// The angles; where a model was stretched "ntk" style by a factor, with a base so many times as large, and
/// `factor^(2 / head_dim)` times as slow.
fn angles(json: &Object, head_dim: usize) -> Result<Rotary> {
    let theta = rotary::theta(json, "rope_theta", 10_000.0)?;
    let Some(scaling) = json.object("rope_scaling")? else { return Ok(Rotary { theta, divisor: 1.0 }) };
    match scaling.text("type")? {
        Some("ntk") if scaling.get("mixed_b").is_none() => {}
        Some("ntk") => return Err(unsupported("config.json: rope_scaling has mixed_b")),
        other => {
            let other = other.unwrap_or("(none)");
            return Err(unsupported(format!(
                "config.json: the rope_scaling type {other:?}; \"ntk\" is read"
            )));
        }
    }
    let factor = scaling.number("factor")?.unwrap_or(f64::NAN);
    if !(1.0..=1e6).contains(&factor) {
        return Err(config(format!("config.json: rope_scaling: factor is {factor}, not from 1 to 1e6")));
    }
    Ok(Rotary { theta: theta * factor, divisor: libm::pow(factor, 2.0 / head_dim as f64) })
}
