//! Facts become a [`Plan`]: what an engine has to compute, as plain data, and the [`Head`] that follows it.

mod activation;
mod bert;
mod head;
mod plan;

pub use head::Head;
pub use plan::{
    Attention, BlockNorm, Disentangled, Embed, FeedForward, LayerNorm, Linear, Numbering, Part, Plan,
    PlanTensor, Pooling, PositionTable, Positions, Rotary, Rows, Step, Table, TensorRole,
};

pub(crate) use activation::score;
pub(crate) use bert::{build, plan};
