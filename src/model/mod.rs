//! Turns the facts of a checkpoint into a [`Plan`], which describes what an engine computes as plain data, and a
//! [`Head`], which turns the engine's result into logits.

mod activation;
mod build;
#[cfg(feature = "decoder")]
mod decoder;
mod head;
mod plan;
mod tensor_names;

pub(crate) use activation::apply_score_function;
#[cfg(feature = "candle")]
pub(crate) use build::check_purpose;
#[cfg(any(test, target_arch = "wasm32"))]
pub(crate) use build::stage_tensors;
pub(crate) use build::{build, expected_tensors, head_parameters, likely_plan};
#[cfg(feature = "decoder")]
pub(crate) use decoder::{TokenLogits, decoder_head, tensors as decoder_tensors};
pub(crate) use head::Head;
pub use plan::Plan;
#[cfg(any(test, feature = "candle"))]
pub(crate) use plan::PlanTensor;
#[cfg(test)]
pub(crate) use plan::PositionTable;
pub(crate) use plan::{
    Attention, BlockNorm, Convolution, Disentangled, Embed, FeedForward, LayerNorm, Linear, Numbering, Pool,
    Pooling, Positions, Projection, Rotary, Rows, Step, Table, TensorRole, TensorRows, Unfold, elements,
};
