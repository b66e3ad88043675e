//! The kernels: their variants, bindings and grids.

use super::source::GRID_WIDTH;
use crate::checkpoint::Activation;

/// Maximum number of queries of a workgroup of attention.
pub(crate) const QUERY_TILE: usize = 64;
/// Vectors of columns in a panel of packed weights.
pub(crate) const PANEL_VECTORS: usize = 16;
/// Input features of packed weights are padded to a multiple of this.
pub(crate) const DEPTH_ALIGN: usize = 32;

/// A kernel, in the variant that one pipeline computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kernel {
    /// A linear layer and its epilogue.
    Gemm(GemmKernel),
    /// Attention within each pair.
    Attention(AttentionKernel),
    /// Layer norm of every row.
    Norm {
        /// Whether the output overwrites the input.
        in_place: bool,
        /// True to sum within subgroups first.
        subgroups: bool,
    },
    /// Quantizes every row to 8 bits.
    Quantize {
        /// True to take minimum and maximum within subgroups first.
        subgroups: bool,
    },
    /// Copies the first or the last row of each pair.
    Gather,
    /// Reduces the rows of each pair to one.
    Pool(PoolKernel),
    /// Applies rotary positions.
    Rotate,
    /// Copies each row with its neighbors in the pair.
    Unfold,
}

/// See `gemm.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct GemmKernel {
    pub(crate) tile: GemmTile,
    pub(crate) storage: Storage,
    pub(crate) arithmetic: Arithmetic,
    /// Whether the rows may be the first ones of each pair, among others in the buffers.
    pub(crate) first_rows: bool,
    pub(crate) epilogue: Epilogue,
}

/// The arithmetic of a matrix product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Arithmetic {
    /// Products and sums in f32.
    F32,
    /// Products in f16 and their sums over one step of depth; sums of those in f32. Needs weights in f16.
    F16,
    /// Products of 8-bit integers, four at a time, with exact sums. Needs weights in q8; inputs are quantized by
    /// [`Kernel::Quantize`].
    I8,
}

// Browsers have no profiles.
#[cfg(not(target_arch = "wasm32"))]
impl Arithmetic {
    /// The number of input values in a word of 32 bits.
    pub(crate) fn values_per_word(self) -> usize {
        match self {
            Self::F32 | Self::F16 => 1,
            Self::I8 => 4,
        }
    }
}

/// The variants of kernels that an engine uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KernelChoice {
    pub(crate) tile: GemmTile,
    pub(crate) arithmetic: Arithmetic,
    /// Whether kernels with one row per workgroup reduce it within subgroups first.
    pub(crate) subgroups: bool,
}

/// The tiling of a matrix product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct GemmTile {
    /// Rows that an invocation computes, each with 8 columns.
    pub(crate) rows: u32,
    /// Invocations of a workgroup along the rows.
    pub(crate) group_m: u32,
    /// Invocations of a workgroup along the columns.
    pub(crate) group_n: u32,
    /// Vectors of input features per tile in shared memory; `None`: each invocation reads storage buffers directly.
    pub(crate) step: Option<u32>,
}

impl KernelChoice {
    /// Returns the choice without optional features.
    pub(crate) fn without_features(self) -> Self {
        Self { arithmetic: Arithmetic::F32, subgroups: false, ..self }
    }
}

impl std::fmt::Display for KernelChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let GemmTile { rows, group_m, group_n, step } = self.tile;
        let arithmetic = match self.arithmetic {
            Arithmetic::F32 => "f32",
            Arithmetic::F16 => "f16",
            Arithmetic::I8 => "i8",
        };
        let subgroups = if self.subgroups { ", subgroups" } else { "" };
        write!(f, "{arithmetic} products, tile {rows}x{group_m}x{group_n}x{}{subgroups}", step.unwrap_or(0))
    }
}

/// The format of packed weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Storage {
    F32,
    /// Two weights per word.
    F16,
    /// Signed 7-bit codes, with one scale per column and one factor per input feature. A word has four input features of
    /// one column.
    Q8,
}

/// The operation on the result of a linear layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Epilogue {
    /// Writes it.
    Store,
    /// Adds it to the output, which holds the residual.
    Add,
    /// Writes its activation.
    Activate(Activation),
    /// Adds its activation to the output, which holds the residual.
    AddActivated(Activation),
    /// Gated linear unit: writes `activation(even vectors) * odd vectors`.
    Glu(Activation),
}

/// See `attention.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct AttentionKernel {
    /// Vectors of a head.
    pub(crate) vectors: usize,
    pub(crate) positions: PositionBias,
    pub(crate) queries: Queries,
}

/// The queries of a workgroup of attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Queries {
    /// Up to [`QUERY_TILE`], one per invocation.
    Tile,
    /// One, whose keys are shared out to the invocations.
    One {
        /// Whether the parts are combined within subgroups first.
        subgroups: bool,
    },
}

/// The position terms of attention's logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PositionBias {
    Absent,
    Alibi,
    /// A learned bias per head and distance.
    Bucketed,
    /// DeBERTa's terms: whether queries are multiplied with a table (`keys`), and keys with another (`queries`).
    Relative {
        keys: bool,
        queries: bool,
    },
}

/// See `pool.wgsl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum PoolKernel {
    /// Sum of the rows / number of rows.
    Mean,
    /// Sum of the rows / square root of their number.
    MeanSqrtLen,
    /// Sum of the rows weighted by 1, 2, 3, ... / sum of the weights.
    WeightedMean,
    /// Maximum of each column.
    Max,
}

/// A kernel's access to a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    ReadWrite,
}

impl Kernel {
    /// Returns the name, a label of pipelines and profiles.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kernel::Gemm(_) => "gemm",
            Kernel::Attention(_) => "attention",
            Kernel::Norm { .. } => "norm",
            Kernel::Quantize { .. } => "quantize",
            Kernel::Gather => "gather",
            Kernel::Pool(_) => "pool",
            Kernel::Rotate => "rotate",
            Kernel::Unfold => "unfold",
        }
    }

    /// Returns the access to each buffer, from binding 1 on; binding 0 has the parameters.
    pub(crate) fn bindings(self) -> Vec<Access> {
        use Access::{Read, ReadWrite};
        match self {
            Kernel::Gemm(GemmKernel { storage: Storage::Q8, arithmetic, first_rows, .. }) => {
                let row_tables = usize::from(arithmetic == Arithmetic::I8 || first_rows);
                [vec![Read, Read, Read, ReadWrite, Read, Read], vec![Read; row_tables]].concat()
            }
            Kernel::Gemm(_) => vec![Read, Read, Read, ReadWrite],
            Kernel::Attention(AttentionKernel { positions, .. }) => {
                let tables = match positions {
                    PositionBias::Absent => 0,
                    PositionBias::Alibi | PositionBias::Bucketed => 1,
                    PositionBias::Relative { keys, queries } => 1 + usize::from(keys) + usize::from(queries),
                };
                [vec![Read, Read, Read, ReadWrite], vec![Read; tables]].concat()
            }
            Kernel::Norm { in_place: true, .. } => vec![Read, Read, ReadWrite],
            Kernel::Norm { in_place: false, .. } => vec![Read, Read, ReadWrite, Read],
            Kernel::Quantize { .. } => vec![Read, Read, Read, ReadWrite, ReadWrite],
            Kernel::Gather | Kernel::Pool(_) | Kernel::Rotate | Kernel::Unfold => vec![Read, Read, ReadWrite],
        }
    }
}

/// Returns the grid of a kernel with one workgroup per row.
pub(crate) fn row_grid(rows: usize) -> [u32; 3] {
    let rows = rows as u32;
    [rows.min(GRID_WIDTH), rows.div_ceil(GRID_WIDTH), 1]
}

impl GemmKernel {
    /// Returns the grid for `rows` rows and `columns` vectors of columns.
    pub(crate) fn grid(self, rows: usize, columns: usize) -> [u32; 3] {
        let GemmTile { rows: tile, group_m, group_n, .. } = self.tile;
        [(columns as u32).div_ceil(2 * group_n), (rows as u32).div_ceil(tile * group_m), 1]
    }
}

impl AttentionKernel {
    /// Returns the grid for `tiles` tiles of queries.
    pub(crate) fn grid(tiles: usize, heads: usize) -> [u32; 3] {
        [tiles as u32, heads as u32, 1]
    }
}
