//! The activation functions of models.

use serde::Serialize;

use crate::error::{Result, config, unsupported};

/// An element-wise function inside a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Hash)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x * (1 + erf(x / sqrt(2))) / 2`, the exact GELU.
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

/// Names in HF's `ACT2FN` that this build does not support.
const UNSUPPORTED: [&str; 13] = [
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
    /// Returns the function with this name in HF's `ACT2FN`. `field` is the field of `config.json` that has the name.
    ///
    /// # Errors
    /// `unsupported` for a function that HF has and Ranklet does not; `config` for any other name. A guess would give
    /// wrong scores.
    pub fn named(field: &str, name: &str) -> Result<Self> {
        match name {
            "gelu" | "gelu_python" => Ok(Activation::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" | "gelu_python_tanh" | "gelu_fast" | "gelu_accurate" => {
                Ok(Activation::GeluTanh)
            }
            "relu" => Ok(Activation::Relu),
            "silu" | "swish" => Ok(Activation::Silu),
            "tanh" => Ok(Activation::Tanh),
            other if UNSUPPORTED.contains(&other) => Err(unsupported(format!(
                "config.json: {field} {other:?}; this build supports gelu, gelu_pytorch_tanh, relu, silu, tanh and \
                 their other names"
            ))),
            _ => Err(config(format!(
                "config.json: {field} {name:?} is not one of gelu, gelu_new, gelu_pytorch_tanh, relu, silu, tanh"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_function_are_read_and_other_functions_are_named() {
        let named = |name| Activation::named("hidden_act", name);
        for name in ["gelu_new", "gelu_fast", "gelu_accurate", "gelu_python_tanh", "gelu_pytorch_tanh"] {
            assert_eq!(named(name), Ok(Activation::GeluTanh), "{name}");
        }
        assert_eq!(named("gelu_python"), named("gelu"));
        assert_eq!(named("swish"), named("silu"));
        for (name, kind) in [
            ("quick_gelu", crate::error::ErrorKind::Unsupported),
            ("softsign", crate::error::ErrorKind::Config),
        ] {
            let error = named(name).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.context().contains(name), "{error}");
        }
    }
}
