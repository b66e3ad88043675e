//! Heads: the layers after pooling, from the files of the encoder or of a chain of modules.

use super::PlanBuilder;
use super::linear::linear;
use crate::checkpoint::{LogitHead, ModelConfig, Module, ModuleChain, Weights};
use crate::error::Result;
use crate::model::head::{Dense, Head, Layer, Norm};
use crate::model::plan::{LayerNorm, Projection};
use crate::model::tensor_names::{HeadLayer, TensorNames};

/// The layers of a head that [`PlanBuilder::projected_head`] moves to the Plan.
const PROJECTED_LAYERS: usize = 2;

impl PlanBuilder<'_> {
    pub(super) fn head(&self, weights: &Weights) -> Result<Head> {
        let skipped = if self.config.head_before_pooling { PROJECTED_LAYERS } else { 0 };
        let layers = self.names.head.iter().skip(skipped).map(|layer| self.head_layer(*layer, weights));
        Ok(Head::new(layers.collect::<Result<_>>()?))
    }

    /// Returns the first layer of the head with its activation, for a model that applies them before pooling.
    pub(super) fn projected_head(&self) -> Option<Projection> {
        match self.names.head {
            [HeadLayer::Dense(name), HeadLayer::Activate(activation), ..] => Some(Projection {
                linear: self.square(name, self.config.biases.head),
                activation: Some(*activation),
            }),
            _ => None,
        }
    }

    /// Checks that the weights have a head, unless the checkpoint claims to be a classifier: then [`head`](Self::head)
    /// names the missing tensor.
    ///
    /// # Errors
    /// `unsupported` for a checkpoint that was made for something else.
    pub(super) fn check_purpose(&self, weights: &Weights) -> Result<()> {
        let tensor = |layer: &HeadLayer| match layer {
            HeadLayer::Pooler(name) => Some(format!("{}{name}.weight", self.prefix)),
            HeadLayer::Dense(name) | HeadLayer::Norm(name) | HeadLayer::Classifier(name) => {
                Some(format!("{name}.weight"))
            }
            HeadLayer::Activate(_) | HeadLayer::ActivateWithHeadAct => None,
        };
        // The last layer first: pretrained encoders have poolers, too.
        let missing = self.names.head.iter().rev().filter_map(tensor).find(|name| !weights.contains(name));
        match missing.and_then(|name| self.config.purpose.explain_missing_head(&name)) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn head_layer(&self, layer: HeadLayer, weights: &Weights) -> Result<Layer> {
        let config = self.config;
        let dense = |linear| Dense::read(weights, linear).map(Layer::Dense);
        match layer {
            HeadLayer::Pooler(name) => {
                dense(self.square(&format!("{}{name}", self.prefix), config.biases.head))
            }
            HeadLayer::Dense(name) => dense(self.square(name, config.biases.head)),
            HeadLayer::Activate(activation) => Ok(Layer::Activate(activation)),
            HeadLayer::ActivateWithHeadAct => Ok(Layer::Activate(config.head_act)),
            HeadLayer::Norm(name) => Norm::read(weights, self.norm_at(name.to_owned(), config.hidden_size)),
            HeadLayer::Classifier(name) => dense(linear(name, config.hidden_size, config.num_labels, true)),
        }
    }
}

/// Returns the number of parameters in the head of a model whose weights are not read yet.
///
/// # Errors
/// None for a configuration that has been checked.
pub(crate) fn head_parameters(config: &ModelConfig, chain: Option<&ModuleChain>) -> Result<u64> {
    let (hidden, labels) = (config.hidden_size as u64, config.num_labels as u64);
    if let Some(decoder) = &config.decoder {
        return Ok(match decoder.logit_head {
            LogitHead::Vocabulary { .. } => hidden,
            LogitHead::Score => labels * hidden,
        });
    }
    if let Some(chain) = chain {
        return Ok(chain.modules.iter().map(Module::parameters).sum());
    }
    let layer = |layer: &HeadLayer| match layer {
        HeadLayer::Pooler(_) | HeadLayer::Dense(_) => (hidden + 1) * hidden,
        HeadLayer::Norm(_) => 2 * hidden,
        HeadLayer::Classifier(_) => (hidden + 1) * labels,
        HeadLayer::Activate(_) | HeadLayer::ActivateWithHeadAct => 0,
    };
    let skipped = if config.head_before_pooling { PROJECTED_LAYERS } else { 0 };
    Ok(TensorNames::of(config.family)?[0].head.iter().skip(skipped).map(layer).sum())
}

/// Builds the head of a chain of modules, each of which has its own weights file.
pub(super) fn module_chain_head(chain: &ModuleChain) -> Result<Head> {
    let mut layers = Vec::new();
    for module in &chain.modules {
        match module {
            Module::Dense { in_features, out_features, bias, activation, residual, weights } => {
                let dense =
                    |name, bias| Dense::read(weights, linear(name, *in_features, *out_features, bias));
                if *residual {
                    layers.push(Layer::SaveResidual);
                }
                layers.push(Layer::Dense(dense("linear", *bias)?));
                layers.push(Layer::ActivateRow(*activation));
                if *residual {
                    let projected = in_features != out_features;
                    layers.push(Layer::AddResidual(projected.then(|| dense("residual", false)).transpose()?));
                }
            }
            Module::Normalize => layers.push(Layer::Normalize),
            Module::LayerNorm { width, weights } => {
                let norm = LayerNorm {
                    weight: "norm.weight".to_owned(),
                    bias: Some("norm.bias".to_owned()),
                    width: *width,
                    // torch's default; the module's files do not store it.
                    eps: 1e-5,
                    rms: false,
                };
                layers.push(Norm::read(weights, norm)?);
            }
        }
    }
    Ok(Head::of_module_chain(layers))
}
