//! The WGSL of every kernel, one `.wgsl` file each (linear layers: `gemm.wgsl`), and its description in Rust.

mod kernel;
mod params;
mod source;
mod template;

pub(super) use kernel::{
    Access, Arithmetic, AttentionKernel, DEPTH_ALIGN, Epilogue, GemmKernel, GemmTile, Kernel, KernelChoice,
    PANEL_VECTORS, PoolKernel, PositionBias, QUERY_TILE, Queries, Storage, row_grid,
};
#[cfg(test)]
pub(super) use params::ParamField;
pub(super) use params::{
    AttentionParams, GatherParams, GemmParams, MAX_PARAMS_BYTES, NormParams, Params, PoolParams,
    QuantizeParams, RotateParams, UnfoldParams,
};
