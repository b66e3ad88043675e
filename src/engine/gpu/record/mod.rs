//! Records a forward pass for the shape of one batch, as plain data: dispatches, buffers and their sizes.

mod inputs;
mod recorder;
mod recording;
mod steps;

pub(super) use inputs::{Uploads, shape, uploads};
pub(super) use recorder::{Shape, bytes, gemm, record};
pub(super) use recording::{Dispatch, Input, Recording, Scratch, Slot};
pub(super) use steps::{
    Attention, BlockNorm, Constant, FeedForward, Inputs, Linear, Norm, Positions, Relative, Step, VECTOR,
};
