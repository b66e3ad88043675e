//! Runs recordings on a device: the device itself, pipelines and buffers, timing, and the choice of a tile.

mod autotune;
mod device;
mod executor;
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
