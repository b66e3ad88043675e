//! A forward pass as plain data: which kernels run in which order on which buffers. Tests read it without a GPU.

use std::collections::BTreeMap;

use crate::engine::gpu::shader::{Kernel, Params};

/// What runs for one micro-batch, in one command buffer, and the rows that are read back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recording {
    /// First to last.
    pub(crate) dispatches: Vec<Dispatch>,
    /// Bytes that buffers for intermediate results have to have.
    pub(crate) scratch: BTreeMap<Scratch, u64>,
    /// Where the pooled rows are at the end.
    pub(crate) result: Scratch,
    /// How many there are.
    pub(crate) rows: usize,
    /// Vectors of four numbers in each.
    pub(crate) vectors: usize,
}

/// One run of a kernel.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dispatch {
    pub(crate) kernel: Kernel,
    /// In the order of the kernel's bindings.
    pub(crate) buffers: Vec<Slot>,
    pub(crate) params: Params,
    /// Workgroups.
    pub(crate) grid: [u32; 3],
}

/// A buffer, by what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Slot {
    /// Made at load: weights and tables.
    Constant(usize),
    /// Uploaded with each batch.
    Input(Input),
    /// Written and read within a batch.
    Scratch(Scratch),
}

/// What a batch brings, beside its embeddings, which are uploaded into [`Scratch::ResidualA`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Input {
    /// Where each pair begins, and at last where the last one ends.
    CuSeqlens,
    /// The position of each row in its pair.
    Positions,
    /// Work of attention over all rows.
    Tiles,
    /// Work of attention over first rows.
    ClsTiles,
    /// Cosines and sines, by number of the rotation.
    RotaryTable(usize),
    /// The rows that distances have in a table, by number of the table.
    RelativeRows(usize),
}

/// Intermediate results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Scratch {
    /// The residual stream.
    ResidualA,
    /// Where it goes when its rows become fewer or of another width.
    ResidualB,
    /// Rows normalised in front of a block.
    Normed,
    /// First rows of those.
    ClsNormed,
    /// Queries, keys and values.
    Qkv,
    /// Queries of first rows.
    ClsQuery,
    /// What attention gives.
    Context,
    /// Between the layers of a feed-forward block.
    Intermediate,
}
