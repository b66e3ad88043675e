//! The WGSL of every kernel, one `.wgsl` file each, and its description in Rust.

mod kernel;
mod template;

pub(super) use kernel::{
    Access, AttentionKernel, DEPTH_ALIGN, Epilogue, GemmKernel, GemmTile, Kernel, PANEL_VECTORS, PoolKernel,
    PositionBias, QUERY_TILE, Storage, row_grid,
};
