//! Records a forward pass for the shape of one batch, as plain data: dispatches, buffers and their sizes.

mod dispatches;
mod inputs;
mod recorder;
mod recording;
mod steps;

pub(super) use dispatches::{Product, bytes, gemm, norm_in_place, quantize};
pub(super) use inputs::{Uploads, shape, uploads};
pub(super) use recorder::{BatchShape, record};
pub(super) use recording::{Dispatch, Input, Recording, Scratch, Slot};
pub(super) use steps::{Constant, Linear, Norm, Q8Tables, Step, VEC4};
