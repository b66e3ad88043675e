//! What families with rotary positions share.

use super::{ModelConfig, require_width};
use crate::checkpoint::json::Object;
use crate::error::{Result, config, unsupported};

/// The base of the angles.
pub(super) fn theta(json: &Object, field: &str, default: f64) -> Result<f64> {
    let theta = json.number(field)?.unwrap_or(default);
    // Below 1, frequencies would grow without bound.
    if theta.is_finite() && theta >= 1.0 {
        Ok(theta)
    } else {
        Err(config(format!("config.json: {field} is {theta}, not a number of at least 1")))
    }
}

/// Refuses angles that are stretched.
pub(super) fn refuse_scaling(json: &Object, field: &str) -> Result<()> {
    json.object(field)?.map_or(Ok(()), |_| Err(unsupported(format!("config.json: {field} is given"))))
}

/// Refuses angles of another kind than the first.
pub(super) fn refuse_type(parameters: &Object) -> Result<()> {
    match parameters.text("rope_type")?.or(parameters.text("type")?) {
        None | Some("default") => Ok(()),
        Some(other) => Err(unsupported(format!("config.json: the rope_type {other:?}"))),
    }
}

/// Refuses heads of another width than an even part of the residual stream.
pub(super) fn refuse_head_dim(json: &Object, model: &ModelConfig) -> Result<()> {
    require_width(json, "head_dim", model.hidden_size / model.num_attention_heads)
}
