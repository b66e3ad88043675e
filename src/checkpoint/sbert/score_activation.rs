//! The function that turns logits into scores.

use serde::Serialize;

use crate::checkpoint::json::Object;
use crate::error::{Result, config};

/// A function of torch on a row: it turns the logits of a pair into scores, or follows a dense layer of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreActivation {
    /// The raw logits.
    Identity,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `tanh(x)`.
    Tanh,
    /// `exp(x_i) / sum_j exp(x_j)` over the labels.
    Softmax,
    /// `x * (1 + erf(x / sqrt(2))) / 2`.
    Gelu,
    /// `max(x, 0)`.
    Relu,
    /// `x * sigmoid(x)`.
    Silu,
}

impl ScoreActivation {
    /// Returns the activation that sentence-transformers' `CrossEncoder` would use. The first of these that exists
    /// counts:
    ///
    /// - `activation_fn` in `config_sentence_transformers.json`, if that file counts,
    /// - `sentence_transformers.activation_fn` in `config.json`; `null` means the default,
    /// - `sbert_ce_default_activation_function` in `config.json`,
    /// - the default: Sigmoid for one label, Identity for several.
    ///
    /// # Errors
    /// `config` for an unknown activation, because a guess would give wrong scores. (The library warns and uses the
    /// default for a class that is not torch's.)
    pub(crate) fn resolve(
        sentence_transformers: Option<&Object>,
        config_json: &Object,
        num_labels: usize,
    ) -> Result<Self> {
        if let Some(file) = sentence_transformers
            && let Some(name) = file.string("activation_fn")?
        {
            return Self::from_path(name).map_err(|error| error.at("config_sentence_transformers.json"));
        }
        if let Some(nested) = config_json.object("sentence_transformers")?
            && nested.contains("activation_fn")
        {
            if let Some(name) = nested.string("activation_fn")? {
                return Self::from_path(name).map_err(|error| error.at("config.json: sentence_transformers"));
            }
        } else if let Some(name) = config_json.string("sbert_ce_default_activation_function")? {
            return Self::from_path(name).map_err(|error| error.at("config.json"));
        }
        Ok(if num_labels == 1 { ScoreActivation::Sigmoid } else { ScoreActivation::Identity })
    }

    /// Returns the function for the path of a torch class, such as `torch.nn.modules.activation.Sigmoid`, constructed
    /// without arguments. `None` if it is unknown.
    pub(crate) fn from_torch(path: &str) -> Option<Self> {
        match path.strip_prefix("torch.nn.")?.rsplit('.').next()? {
            "Identity" => Some(ScoreActivation::Identity),
            "Sigmoid" => Some(ScoreActivation::Sigmoid),
            "Tanh" => Some(ScoreActivation::Tanh),
            "Softmax" => Some(ScoreActivation::Softmax),
            "GELU" => Some(ScoreActivation::Gelu),
            "ReLU" => Some(ScoreActivation::Relu),
            "SiLU" => Some(ScoreActivation::Silu),
            _ => None,
        }
    }

    fn from_path(path: &str) -> Result<Self> {
        Self::from_torch(path).ok_or_else(|| {
            config(format!(
                "the activation {path:?} is not torch.nn's Identity, Sigmoid, Tanh, Softmax, GELU, ReLU or SiLU; \
                 remove it from a copy of the model and request raw scores"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(json: &str) -> Object {
        Object::parse(crate::ErrorKind::Config, "test", json.as_bytes()).unwrap()
    }

    #[test]
    fn the_first_place_that_names_an_activation_wins() {
        let st_config = object(r#"{"activation_fn": "torch.nn.modules.linear.Identity"}"#);
        let config = object(
            r#"{"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Tanh"},
                "sbert_ce_default_activation_function": "torch.nn.modules.activation.Sigmoid"}"#,
        );
        let legacy =
            object(r#"{"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}"#);
        assert_eq!(ScoreActivation::resolve(Some(&st_config), &config, 1), Ok(ScoreActivation::Identity));
        assert_eq!(ScoreActivation::resolve(None, &config, 1), Ok(ScoreActivation::Tanh));
        assert_eq!(ScoreActivation::resolve(None, &legacy, 1), Ok(ScoreActivation::Identity));
        assert_eq!(ScoreActivation::resolve(None, &object("{}"), 1), Ok(ScoreActivation::Sigmoid));
        assert_eq!(ScoreActivation::resolve(None, &object("{}"), 3), Ok(ScoreActivation::Identity));
    }

    #[test]
    fn an_unknown_activation_is_an_error() {
        let st_config = object(r#"{"activation_fn": "torch.nn.modules.activation.Hardtanh"}"#);
        let error = ScoreActivation::resolve(Some(&st_config), &object("{}"), 1).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Config);
        assert!(error.context().contains("Hardtanh"), "{error}");
    }
}
