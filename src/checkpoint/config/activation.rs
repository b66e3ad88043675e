//! The names of activation functions, and which one turns logits into scores.

use serde::Serialize;

use crate::checkpoint::json::Object;
use crate::error::{Result, config, unsupported};

/// An element-wise function inside the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x * (1 + erf(x / sqrt(2))) / 2`, exact.
    Gelu,
    /// `x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) / 2`.
    GeluTanh,
    /// `max(x, 0)`.
    Relu,
    /// `x * sigmoid(x)`.
    Silu,
    /// `tanh(x)`.
    Tanh,
}

/// Names of HF's `ACT2FN` for functions that are not read.
const OTHERS: [&str; 13] = [
    "gelu_10",
    "hardswish",
    "laplace",
    "leaky_relu",
    "linear",
    "mish",
    "prelu",
    "quick_gelu",
    "relu2",
    "relu6",
    "sigmoid",
    "sqrtsoftplus",
    "xielu",
];

impl Activation {
    /// The function that `field` of `config.json` names, by the names of HF's `ACT2FN`.
    ///
    /// # Errors
    /// `unsupported` for one of the others that HF has, `config` for a name it has not: guessing would give wrong scores.
    pub fn named(field: &str, name: &str) -> Result<Self> {
        match name {
            "gelu" | "gelu_python" => Ok(Activation::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_python_tanh" | "gelu_fast" | "gelu_accurate" => {
                Ok(Activation::GeluTanh)
            }
            "relu" => Ok(Activation::Relu),
            "silu" | "swish" => Ok(Activation::Silu),
            "tanh" => Ok(Activation::Tanh),
            other if OTHERS.contains(&other) => Err(unsupported(format!(
                "config.json: {field} {other:?}; this build reads gelu, gelu_pytorch_tanh, relu, silu, tanh and \
                 other names of these"
            ))),
            _ => Err(config(format!(
                "config.json: {field} {name:?} is not one of gelu, gelu_new, gelu_pytorch_tanh, relu, silu, tanh"
            ))),
        }
    }
}

/// One of torch's functions of a row: from logits to scores over the labels of one pair, or behind a dense layer of a
/// chain.
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
    /// The activation sentence-transformers' `CrossEncoder` would use: the first of
    /// `config_sentence_transformers.json` `activation_fn` (where that file counts), `config.json`
    /// `sentence_transformers.activation_fn`, `config.json` `sbert_ce_default_activation_function`; else Sigmoid for one
    /// label, Identity for several. A `sentence_transformers.activation_fn` of `null` says that there is none, whatever
    /// the old name says.
    ///
    /// # Errors
    /// `config` for an activation that is not known: guessing would give wrong scores. (The library takes the default for
    /// a class that is not torch's, and warns.)
    pub(crate) fn resolve(
        sentence_transformers: Option<&Object>,
        config_json: &Object,
        num_labels: usize,
    ) -> Result<Self> {
        if let Some(file) = sentence_transformers
            && let Some(name) = file.text("activation_fn")?
        {
            return Self::from_path(name).map_err(|error| error.at("config_sentence_transformers.json"));
        }
        if let Some(nested) = config_json.object("sentence_transformers")?
            && nested.contains("activation_fn")
        {
            if let Some(name) = nested.text("activation_fn")? {
                return Self::from_path(name).map_err(|error| error.at("config.json: sentence_transformers"));
            }
        } else if let Some(name) = config_json.text("sbert_ce_default_activation_function")? {
            return Self::from_path(name).map_err(|error| error.at("config.json"));
        }
        Ok(if num_labels == 1 { ScoreActivation::Sigmoid } else { ScoreActivation::Identity })
    }

    /// The class of torch that a dotted path such as `torch.nn.modules.activation.Sigmoid` names, made without
    /// arguments; `None` for one that is not known.
    pub(in crate::checkpoint) fn of_torch(path: &str) -> Option<Self> {
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
        Self::of_torch(path).ok_or_else(|| {
            config(format!(
                "the activation {path:?} is not torch.nn's Identity, Sigmoid, Tanh, Softmax, GELU, ReLU or SiLU; \
                 ask for raw scores from a copy of the model without it"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(json: &str) -> Object {
        Object::parse("test", json.as_bytes()).unwrap()
    }

    #[test]
    fn names_of_one_function_are_read_and_other_functions_are_named() {
        let named = |name| Activation::named("hidden_act", name);
        for name in ["gelu_new", "gelu_fast", "gelu_accurate", "gelu_python_tanh", "gelu_pytorch_tanh"] {
            assert_eq!(named(name), Ok(Activation::GeluTanh), "{name}");
        }
        assert_eq!(named("gelu_python"), named("gelu"));
        assert_eq!(named("swish"), named("silu"));
        for (name, kind) in
            [("quick_gelu", crate::ErrorKind::Unsupported), ("softsign", crate::ErrorKind::Config)]
        {
            let error = named(name).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.context().contains(name), "{error}");
        }
    }

    #[test]
    fn the_first_place_that_names_an_activation_wins() {
        let own = object(r#"{"activation_fn": "torch.nn.modules.linear.Identity"}"#);
        let config = object(
            r#"{"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Tanh"},
                "sbert_ce_default_activation_function": "torch.nn.modules.activation.Sigmoid"}"#,
        );
        let legacy =
            object(r#"{"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}"#);
        assert_eq!(ScoreActivation::resolve(Some(&own), &config, 1), Ok(ScoreActivation::Identity));
        assert_eq!(ScoreActivation::resolve(None, &config, 1), Ok(ScoreActivation::Tanh));
        assert_eq!(ScoreActivation::resolve(None, &legacy, 1), Ok(ScoreActivation::Identity));
        assert_eq!(ScoreActivation::resolve(None, &object("{}"), 1), Ok(ScoreActivation::Sigmoid));
        assert_eq!(ScoreActivation::resolve(None, &object("{}"), 3), Ok(ScoreActivation::Identity));
    }

    #[test]
    fn an_unknown_activation_is_an_error() {
        let own = object(r#"{"activation_fn": "torch.nn.modules.activation.Hardtanh"}"#);
        let error = ScoreActivation::resolve(Some(&own), &object("{}"), 1).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Config);
        assert!(error.context().contains("Hardtanh"), "{error}");
    }
}
