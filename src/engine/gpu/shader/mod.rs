//! The WGSL of every kernel, one `.wgsl` file each, and its description in Rust.

mod kernel;
mod template;

pub(super) use kernel::{
    Access, Attention, DEPTH_STEP, Epilogue, Gemm, Kernel, PANEL, Pool, Positions, QUERIES, Storage, Tile,
    row_grid,
};
