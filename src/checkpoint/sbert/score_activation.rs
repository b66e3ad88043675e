//! The function that turns logits into scores.

use serde::Serialize;

use crate::checkpoint::Calibration;
use crate::checkpoint::json::Object;
use crate::error::{Error, Result, unsupported};
use crate::options::Scores;

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
    /// `ln(1 + exp(x))`.
    Softplus,
    /// `ln(sigmoid(x))`.
    LogSigmoid,
    /// `min(max(x + 3, 0), 6) / 6`.
    Hardsigmoid,
    /// `x` above 0 and `exp(x) - 1` below.
    Elu,
    /// `1.0507 x` above 0 and `1.7581 (exp(x) - 1)` below.
    Selu,
    /// `x` above 0 and `0.01 x` below.
    LeakyRelu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `min(max(x, -1), 1)`.
    Hardtanh,
    /// `x * min(max(x + 3, 0), 6) / 6`.
    Hardswish,
    /// `x * tanh(ln(1 + exp(x)))`.
    Mish,
    /// `x / (1 + |x|)`.
    Softsign,
    /// A function that this build does not have. The model gives only raw scores and sigmoids.
    Unsupported,
}

/// The activation of a model's scores, the reason if it is [`ScoreActivation::Unsupported`], and the model's
/// calibration.
#[derive(Debug, Clone)]
pub(crate) struct ModelActivation {
    pub(crate) function: ScoreActivation,
    pub(crate) calibration: Option<Calibration>,
    error: Option<Error>,
}

/// The function from the logits of a pair to the scores of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ScoreFunction {
    Activation(ScoreActivation),
    Probability(Calibration),
}

impl ModelActivation {
    /// Replaces the activation. The calibration is that of the logits and stays.
    #[cfg(feature = "decoder")]
    pub(crate) fn replace(&mut self, function: ScoreActivation) {
        (self.function, self.error) = (function, None);
    }

    /// Returns the function for a kind of scores.
    ///
    /// # Errors
    /// `unsupported` for the model's own scores if their activation is unknown, and for probabilities of a model without a
    /// calibration.
    pub(crate) fn of(&self, scores: Scores) -> Result<ScoreFunction> {
        match (scores, &self.error, self.calibration) {
            (Scores::Raw, ..) => Ok(ScoreFunction::Activation(ScoreActivation::Identity)),
            (Scores::Sigmoid, ..) => Ok(ScoreFunction::Activation(ScoreActivation::Sigmoid)),
            (Scores::Model, None, _) => Ok(ScoreFunction::Activation(self.function)),
            (Scores::Model, Some(error), _) => Err(error.clone()),
            (Scores::Probability, _, Some(calibration)) => Ok(ScoreFunction::Probability(calibration)),
            (Scores::Probability, _, None) => Err(unsupported(
                "this model is not calibrated, so it has no probabilities: calibrate it with ranklet calibrate, or use the \
                 scores \"sigmoid\"",
            )),
        }
    }
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
    /// An unknown activation is no error here, because raw scores do not need it, but a guess would give wrong scores.
    /// (The library warns and uses the default for a class that is not torch's.)
    ///
    /// # Errors
    /// `config` for a malformed field.
    pub(crate) fn resolve(
        sentence_transformers: Option<&Object>,
        config_json: &Object,
        num_labels: usize,
    ) -> Result<ModelActivation> {
        let named = Self::named_path(sentence_transformers, config_json)?;
        let default = if num_labels == 1 { ScoreActivation::Sigmoid } else { ScoreActivation::Identity };
        let (function, error) = match named {
            None => (default, None),
            Some((file, path)) => match Self::from_torch(&path) {
                Some(function) => (function, None),
                None => (ScoreActivation::Unsupported, Some(unknown(&path).at(file))),
            },
        };
        Ok(ModelActivation { function, calibration: None, error })
    }

    /// Returns the path of the activation and the place that names it.
    fn named_path(
        sentence_transformers: Option<&Object>,
        config_json: &Object,
    ) -> Result<Option<(&'static str, String)>> {
        let at = |file, name: Option<&str>| name.map(|name| (file, name.to_owned()));
        if let Some(file) = sentence_transformers
            && let Some(name) = file.string("activation_fn")?
        {
            return Ok(at("config_sentence_transformers.json", Some(name)));
        }
        if let Some(nested) = config_json.object("sentence_transformers")?
            && nested.contains("activation_fn")
        {
            return Ok(at("config.json: sentence_transformers", nested.string("activation_fn")?));
        }
        Ok(at("config.json", config_json.string("sbert_ce_default_activation_function")?))
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
            "Softplus" => Some(ScoreActivation::Softplus),
            "LogSigmoid" => Some(ScoreActivation::LogSigmoid),
            "Hardsigmoid" => Some(ScoreActivation::Hardsigmoid),
            // CELU's default parameter makes it an ELU.
            "ELU" | "CELU" => Some(ScoreActivation::Elu),
            "SELU" => Some(ScoreActivation::Selu),
            "LeakyReLU" => Some(ScoreActivation::LeakyRelu),
            "ReLU6" => Some(ScoreActivation::Relu6),
            "Hardtanh" => Some(ScoreActivation::Hardtanh),
            "Hardswish" => Some(ScoreActivation::Hardswish),
            "Mish" => Some(ScoreActivation::Mish),
            "Softsign" => Some(ScoreActivation::Softsign),
            _ => None,
        }
    }
}

fn unknown(path: &str) -> Error {
    unsupported(format!(
        "the activation {path:?} is not one of torch.nn that this build has (docs/models.md lists them), so only raw \
         scores and sigmoids can be had: request them with `scores`"
    ))
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
        for (st_config, config, labels, expected) in [
            (Some(&st_config), &config, 1, ScoreActivation::Identity),
            (None, &config, 1, ScoreActivation::Tanh),
            (None, &legacy, 1, ScoreActivation::Identity),
            (None, &object("{}"), 1, ScoreActivation::Sigmoid),
            (None, &object("{}"), 3, ScoreActivation::Identity),
        ] {
            let resolved = ScoreActivation::resolve(st_config, config, labels).unwrap();
            assert_eq!(resolved.function, expected);
        }
    }

    #[test]
    fn an_unknown_activation_is_an_error_except_for_raw_scores_and_sigmoids() {
        let st_config = object(r#"{"activation_fn": "torch.nn.modules.activation.Tanhshrink"}"#);
        let resolved = ScoreActivation::resolve(Some(&st_config), &object("{}"), 1).unwrap();
        assert_eq!(resolved.function, ScoreActivation::Unsupported);
        assert_eq!(resolved.of(Scores::Raw), Ok(ScoreFunction::Activation(ScoreActivation::Identity)));
        assert_eq!(resolved.of(Scores::Sigmoid), Ok(ScoreFunction::Activation(ScoreActivation::Sigmoid)));
        let error = resolved.of(Scores::Model).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Unsupported);
        assert!(error.context().contains("Tanhshrink"), "{error}");
    }
}
