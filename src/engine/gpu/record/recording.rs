//! A forward pass as plain data: the kernels in order, with their buffers. Tests inspect it without a GPU.

use std::collections::BTreeMap;

use crate::engine::gpu::shader::{Kernel, Params};

/// The dispatches of one micro-batch, which run in one command buffer, and the rows to read back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recording {
    /// The dispatches, in order.
    pub(crate) dispatches: Vec<Dispatch>,
    /// Required size of each scratch buffer, in bytes.
    pub(crate) scratch: BTreeMap<Scratch, u64>,
    /// The buffer with the pooled rows.
    pub(crate) result: Scratch,
    /// Number of pooled rows.
    pub(crate) rows: usize,
    /// Vectors of a pooled row.
    pub(crate) vectors: usize,
}

/// One run of a kernel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dispatch {
    pub(crate) kernel: Kernel,
    /// The buffers, in the order of the kernel's bindings.
    pub(crate) buffers: Vec<Slot>,
    pub(crate) params: Params,
    /// Workgroups along x, y and z.
    pub(crate) grid: [u32; 3],
}

/// A buffer, named by its use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Slot {
    /// Uploaded at load: weights and tables.
    Constant(usize),
    /// Uploaded with each batch.
    Input(Input),
    /// Written and read within a batch.
    Scratch(Scratch),
}

/// The inputs of a batch. Its embeddings are uploaded to [`Scratch::ResidualA`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Input {
    /// The first row of each pair, and the number of rows.
    CuSeqlens,
    /// The position of each row in its pair.
    Positions,
    /// The tiles of attention over all rows.
    Tiles,
    /// The tiles of attention over CLS rows.
    ClsTiles,
    /// Cosines and sines, by the index of the rotary positions.
    RotaryTable(usize),
    /// The row of each distance in a table of relative positions, by the index of the table.
    RelativeRows(usize),
}

/// Buffers for intermediate results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Scratch {
    /// The residual stream, in turns with `ResidualB`.
    ResidualA,
    /// The residual stream after a step that changes its rows or their width.
    ResidualB,
    /// The normalized input of a block.
    Normed,
    /// The CLS rows of `Normed`.
    ClsNormed,
    /// Queries, keys and values, or keys and values only.
    Qkv,
    /// Queries of CLS rows.
    ClsQuery,
    /// The weighted sums of values, heads side by side.
    Context,
    /// The activations inside a feed-forward block.
    Intermediate,
    /// The rows with their neighbors, for a convolution.
    Unfolded,
    /// The quantized input of a linear layer.
    Codes,
    /// The scale and the middle of each of its rows.
    RowScales,
}
