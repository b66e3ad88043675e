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
    /// `x * sigmoid(1.702 x)`.
    QuickGelu,
    /// The exact GELU, limited to -10..=10.
    ClippedGelu,
    /// `max(x, 0)^2`.
    ReluSquared,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x` above 0 and `0.01 x` below.
    LeakyRelu,
    /// `x * tanh(ln(1 + e^x))`.
    Mish,
    /// `x * min(max(x + 3, 0), 6) / 6`.
    Hardswish,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// `x`.
    Linear,
}

/// Names in HF's `ACT2FN` that this build does not support.
const UNSUPPORTED: [&str; 4] = ["laplace", "prelu", "sqrtsoftplus", "xielu"];
/// The supported names, for error messages; each of the GELUs has further names.
const SUPPORTED: &str = "gelu, gelu_pytorch_tanh, quick_gelu, gelu_10, relu, relu2, relu6, leaky_relu, silu, mish, \
                         hardswish, tanh, sigmoid, linear";

impl Activation {
    /// Every function.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 14] = [
        Self::Gelu,
        Self::GeluTanh,
        Self::Relu,
        Self::Silu,
        Self::Tanh,
        Self::QuickGelu,
        Self::ClippedGelu,
        Self::ReluSquared,
        Self::Relu6,
        Self::LeakyRelu,
        Self::Mish,
        Self::Hardswish,
        Self::Sigmoid,
        Self::Linear,
    ];

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
            "quick_gelu" => Ok(Activation::QuickGelu),
            "gelu_10" => Ok(Activation::ClippedGelu),
            "relu2" => Ok(Activation::ReluSquared),
            "relu6" => Ok(Activation::Relu6),
            "leaky_relu" => Ok(Activation::LeakyRelu),
            "mish" => Ok(Activation::Mish),
            "hardswish" => Ok(Activation::Hardswish),
            "sigmoid" => Ok(Activation::Sigmoid),
            "linear" => Ok(Activation::Linear),
            other if UNSUPPORTED.contains(&other) => {
                Err(unsupported(format!("config.json: {field} {other:?}; this build supports {SUPPORTED}")))
            }
            _ => Err(config(format!("config.json: {field} {name:?} is not one of {SUPPORTED}"))),
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
        for (name, kind) in
            [("laplace", crate::error::ErrorKind::Unsupported), ("softsign", crate::error::ErrorKind::Config)]
        {
            let error = named(name).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.context().contains(name), "{error}");
        }
    }
}
