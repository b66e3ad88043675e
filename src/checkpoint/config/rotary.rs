//! Fields that families with rotary positions share.

use super::{ModelConfig, Rotary, require_width};
use crate::checkpoint::json::Object;
use crate::error::{Result, config, unsupported};

/// Reads the base of the frequencies.
pub(super) fn theta(json: &Object, field: &str, default: f64) -> Result<f64> {
    json.reject_nulls(&[field])?;
    let theta = json.number(field)?.unwrap_or(default);
    // Below 1, frequencies would grow without bound.
    if theta.is_finite() && theta >= 1.0 {
        Ok(theta)
    } else {
        Err(config(format!("config.json: {field} is {theta}, not a number of at least 1")))
    }
}

/// Reads the angles from `rope_parameters` of transformers 5. "linear" divides the frequencies by a factor. "dynamic"
/// changes them only for inputs longer than the model's positions, and no pair is that long.
pub(super) fn angles(parameters: &Object, default: f64) -> Result<Rotary> {
    let theta = theta(parameters, "rope_theta", default)?;
    match parameters.string("rope_type")?.or(parameters.string("type")?) {
        None | Some("default" | "dynamic") => Ok(Rotary { theta, divisor: 1.0 }),
        Some("linear") => Ok(Rotary { theta, divisor: factor(parameters)? }),
        Some(other) => Err(unsupported(format!(
            "config.json: the rope_type {other:?}; this build supports default, dynamic and linear"
        ))),
    }
}

/// Reads the angles as transformers 5 does where all layers have the same: from `rope_scaling` or `rope_parameters`.
/// `default` is the base if no field has it.
pub(super) fn shared_angles(json: &Object, default: f64) -> Result<Rotary> {
    let theta = theta(json, "rope_theta", default)?;
    // If both fields exist, transformers uses the older one.
    match json.object("rope_scaling")?.or(json.object("rope_parameters")?) {
        Some(parameters) => angles(&parameters, theta),
        None => Ok(Rotary { theta, divisor: 1.0 }),
    }
}

/// Reads the factor that divides the frequencies.
pub(super) fn factor(parameters: &Object) -> Result<f64> {
    let factor = parameters.number("factor")?.unwrap_or(f64::NAN);
    if (1.0..=1e6).contains(&factor) {
        Ok(factor)
    } else {
        Err(config(format!(
            "config.json: the factor of rotary positions is {factor}, not a number from 1 to 1e6"
        )))
    }
}

/// Rejects scaled frequencies.
pub(super) fn reject_scaling(json: &Object, field: &str) -> Result<()> {
    json.object(field)?.map_or(Ok(()), |_| Err(unsupported(format!("config.json: {field} is not supported"))))
}

/// Rejects every type of angles but the default.
pub(super) fn reject_type(parameters: &Object) -> Result<()> {
    match parameters.string("rope_type")?.or(parameters.string("type")?) {
        None | Some("default") => Ok(()),
        Some(other) => Err(unsupported(format!("config.json: the rope_type {other:?}"))),
    }
}

/// Rejects a head width other than `hidden_size / heads`, and heads that are only partly rotated.
pub(super) fn reject_other_heads(json: &Object, model: &ModelConfig) -> Result<()> {
    if json.number("partial_rotary_factor")?.is_some_and(|part| part != 1.0) {
        return Err(unsupported("config.json: partial_rotary_factor is not supported"));
    }
    require_width(json, "head_dim", model.hidden_size / model.num_attention_heads)
}
