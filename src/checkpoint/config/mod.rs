//! `config.json`: the architecture and sizes of a model.

mod activation;
mod auto_map;
mod deberta;
mod families;
mod gte;
mod jina_bert;
mod labels;
mod limits;
mod model_config;
mod modernbert;
mod mpnet;
mod qwen3;
mod rotary;

pub(crate) use activation::Activation;
pub(crate) use families::Family;
pub(super) use labels::is_classifier;
pub use limits::ModelLimits;
pub(crate) use model_config::{
    AttentionPositions, Biases, ModelConfig, Numbering, Pooling, RelativePositions, Rotary, RotaryLayer,
};
pub(crate) use qwen3::{Decoder, LogitHead};

use model_config::{MAX_HIDDEN, MAX_LABELS, MAX_LAYERS, MAX_ROWS, activation, require, require_width};
