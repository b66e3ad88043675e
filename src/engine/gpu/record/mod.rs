//! Records a forward pass for the shape of one batch, as plain data: dispatches, buffers and their sizes.

mod inputs;
mod recorder;
mod recording;
mod steps;

pub(super) use inputs::{Uploads, shape, uploads};
pub(super) use recorder::{BatchShape, bytes, gemm, norm_in_place, record};
#[cfg(test)]
pub(super) use recording::Input;
pub(super) use recording::{Dispatch, Recording, Scratch, Slot};
pub(super) use steps::{Constant, Linear, Norm, Step, VEC4};
