//! The kernels: what each is called, what it binds, how it is written, and how many workgroups it takes.

use super::source::GRID_WIDTH;
use crate::checkpoint::Activation;

/// Queries of a workgroup of attention.
pub(crate) const QUERY_TILE: usize = 64;
/// Vectors of output columns in a panel of weights.
pub(crate) const PANEL_VECTORS: usize = 16;
/// Input features are filled up to a multiple of so many.
pub(crate) const DEPTH_ALIGN: usize = 32;

/// One pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kernel {
    /// A linear layer, with what follows it.
    Gemm(GemmKernel),
    /// Attention of each head within each pair.
    Attention(AttentionKernel),
    /// A norm of every row.
    Norm {
        /// Whether it takes the place of its input.
        in_place: bool,
    },
    /// The first or the last row of each pair.
    Gather,
    /// All rows of each pair in one.
    Pool(PoolKernel),
    /// Rotary positions.
    Rotate,
}

/// See `shader/gemm.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct GemmKernel {
    pub(crate) tile: GemmTile,
    pub(crate) storage: Storage,
    pub(crate) epilogue: Epilogue,
}

/// How the work of a matrix product is cut up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct GemmTile {
    /// Rows of an invocation, which has 8 columns.
    pub(crate) rows: u32,
    /// Invocations of a workgroup along rows.
    pub(crate) group_m: u32,
    /// Along columns.
    pub(crate) group_n: u32,
    /// Vectors of depth that the workgroup holds at a time in memory it shares; `None`: each invocation reads for itself.
    pub(crate) step: Option<u32>,
}

/// How weights lie in the GPU's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Storage {
    F32,
    /// Two in a word.
    F16,
    /// 7-bit codes, four in a word, with a scale for each column and a factor for each input.
    Q8,
}

/// What becomes of a product and its bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Epilogue {
    Store,
    /// Added to what is there: the residual.
    Add,
    Activate(Activation),
    /// `activation(even vectors) * odd vectors`.
    Gate(Activation),
}

/// See `shader/attention.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AttentionKernel {
    /// Vectors of a head.
    pub(crate) vectors: usize,
    pub(crate) positions: PositionBias,
}

/// What attention adds to logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PositionBias {
    Absent,
    Alibi,
    /// Which of the two tables there are.
    Relative {
        keys: bool,
        queries: bool,
    },
}

/// See `shader/pool.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PoolKernel {
    /// The sum over the number of rows.
    Mean,
    /// The sum over the root of that.
    MeanSqrtLen,
    /// The sum of rows times 1, 2, 3 ... over the sum of these.
    WeightedMean,
    /// The largest of each column.
    Max,
}

/// What a kernel does with a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadWrite,
}

impl Kernel {
    /// What it is called in a recording and in a profile.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kernel::Gemm(_) => "gemm",
            Kernel::Attention(_) => "attention",
            Kernel::Norm { .. } => "norm",
            Kernel::Gather => "gather",
            Kernel::Pool(_) => "pool",
            Kernel::Rotate => "rotate",
        }
    }

    /// The buffers behind the parameters, which are binding 0.
    pub(crate) fn bindings(self) -> Vec<Access> {
        use Access::{Read, ReadWrite};
        match self {
            Kernel::Gemm(GemmKernel { storage: Storage::Q8, .. }) => {
                vec![Read, Read, Read, ReadWrite, Read, Read]
            }
            Kernel::Gemm(_) => vec![Read, Read, Read, ReadWrite],
            Kernel::Attention(AttentionKernel { positions, .. }) => {
                let tables = match positions {
                    PositionBias::Absent => 0,
                    PositionBias::Alibi => 1,
                    PositionBias::Relative { keys, queries } => 1 + usize::from(keys) + usize::from(queries),
                };
                [vec![Read, Read, Read, ReadWrite], vec![Read; tables]].concat()
            }
            Kernel::Norm { in_place: true } => vec![Read, Read, ReadWrite],
            Kernel::Norm { in_place: false } => vec![Read, Read, ReadWrite, Read],
            Kernel::Gather | Kernel::Pool(_) | Kernel::Rotate => vec![Read, Read, ReadWrite],
        }
    }
}

/// The grid of a kernel that gives each row a workgroup.
pub(crate) fn row_grid(rows: usize) -> [u32; 3] {
    let rows = rows as u32;
    [rows.min(GRID_WIDTH), rows.div_ceil(GRID_WIDTH), 1]
}

impl GemmKernel {
    /// The grid for so many rows, and so many vectors of columns.
    pub(crate) fn grid(self, rows: usize, columns: usize) -> [u32; 3] {
        let GemmTile { rows: tile, group_m, group_n, .. } = self.tile;
        [(columns as u32).div_ceil(2 * group_n), (rows as u32).div_ceil(tile * group_m), 1]
    }
}

impl AttentionKernel {
    /// The grid for so many tiles of rows.
    pub(crate) fn grid(tiles: usize, heads: usize) -> [u32; 3] {
        [tiles as u32, heads as u32, 1]
    }
}
