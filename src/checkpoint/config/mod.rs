//! `config.json`: the architecture and sizes of a model.

mod activation;
mod auto_map;
mod deberta;
mod eurobert;
mod families;
mod gte;
mod jina_bert;
mod labels;
mod limits;
mod model_config;
mod modernbert;
mod mpnet;
mod other_families;
mod qwen;
mod rotary;

pub(crate) use activation::Activation;
#[cfg(feature = "decoder")]
pub(super) use auto_map::is_zerank;
pub(super) use labels::is_classifier;
pub use limits::ModelLimits;
pub(crate) use model_config::{
    AttentionPositions, Biases, ConvolutionConfig, Family, ModelConfig, Numbering, Pooling,
    RelativePositions, Rotary, RotaryLayer, SharedLayers,
};
pub(crate) use qwen::{Decoder, LogitHead};

use model_config::{
    MAX_HIDDEN, MAX_INTERMEDIATE, MAX_LABELS, MAX_LAYERS, MAX_ROWS, activation, require, require_width,
};
