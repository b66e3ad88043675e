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
pub(super) use autotune::{autotune, remember};
pub use autotune::{gpu_choices, set_gpu_choices};
pub(super) use device::Buffer;
pub(crate) use device::{AdapterKind, Gpu};
pub use device::{GpuFeatures, gpu_bytes};
pub(super) use executor::{Executor, PendingRows};
#[cfg(not(target_arch = "wasm32"))]
pub use profile::KernelTime;
#[cfg(test)]
pub(super) use profile::label;
