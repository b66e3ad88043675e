//! The calibration of a model: how its logits become probabilities.

use serde::{Deserialize, Serialize};

use super::json::Object;
use crate::error::{Result, config};

/// Platt scaling: the probability that a document is relevant is `sigmoid(scale * logit + offset)`.
///
/// `ranklet calibrate` writes it into `config.json`, as `"ranklet": { "calibration": { "scale": 1, "offset": 0 } }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// The factor of the logit. It is positive, so that probabilities keep the order of the scores.
    pub scale: f32,
    /// The logit of the probability at a logit of 0.
    pub offset: f32,
}

impl Calibration {
    /// Reads the calibration in `config.json`, if there is one.
    ///
    /// # Errors
    /// `config` for a malformed one, and for a model with several labels; `unsupported` for further parameters.
    pub(super) fn read(config_json: &Object, num_labels: usize) -> Result<Option<Self>> {
        let Some(ranklet) = config_json.object("ranklet")? else { return Ok(None) };
        let Some(fields) = ranklet.object("calibration")? else { return Ok(None) };
        fields.reject_other_fields(&["scale", "offset"])?;
        let number = |name: &str| {
            let number = fields.number(name)?.map(|number| number as f32);
            number.filter(|number| number.is_finite()).ok_or_else(|| {
                config(format!("config.json: ranklet: calibration: {name} is not a number that fits in f32"))
            })
        };
        let calibration = Self { scale: number("scale")?, offset: number("offset")? };
        if calibration.scale <= 0.0 {
            return Err(config("config.json: ranklet: calibration: scale is not above 0"));
        }
        if num_labels != 1 {
            return Err(config(format!(
                "config.json: ranklet: calibration: this model has {num_labels} labels, and only a model with one can be \
                 calibrated"
            )));
        }
        Ok(Some(calibration))
    }
}
