//! Runs recordings on a device: the device itself, pipelines, buffers, timing and autotuning.

mod autotune;
mod buffer_pool;
mod device;
mod executor;
mod pipeline;
#[cfg(not(target_arch = "wasm32"))]
mod profile;

#[cfg(test)]
pub(super) use autotune::GEMM_TILES;
pub(super) use autotune::autotune;
pub(super) use device::Buffer;
pub use device::gpu_bytes;
pub(crate) use device::{AdapterKind, Gpu};
pub(super) use executor::{Executor, PendingRows};
#[cfg(not(target_arch = "wasm32"))]
pub use profile::KernelTime;
