//! The steps that recording reads: a lowered Plan whose weights are constants on the GPU.
//!
//! Sizes are in vectors of four elements. A row is padded with zeros to whole vectors.

use crate::engine::gpu::GpuEngine;
use crate::engine::gpu::shader::{AttentionKernel, PositionBias, Queries, Storage};
use crate::engine::lower;

/// Index of a constant buffer.
pub(crate) type Constant = usize;

/// Elements of a vector, `vec4<f32>` in WGSL.
pub(crate) const VEC4: usize = 4;

pub(crate) type Step = lower::Step<GpuEngine>;
pub(crate) type Attention = lower::Attention<GpuEngine>;
pub(crate) type Convolution = lower::Convolution<GpuEngine>;
pub(crate) type FeedForward = lower::FeedForward<GpuEngine>;
pub(crate) type Positions = lower::Positions<GpuEngine>;
pub(crate) type BlockNorm = lower::BlockNorm<Norm>;

/// A layer norm.
#[derive(Debug)]
pub(crate) struct Norm {
    pub(crate) weight: Constant,
    pub(crate) bias: Constant,
    /// Elements of a row, without padding.
    pub(crate) width: usize,
    pub(crate) eps: f32,
    /// Whether the mean counts as zero.
    pub(crate) rms: bool,
}

/// The tables of a layer in q8.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Q8Tables {
    /// The scales of columns.
    pub(crate) scales: Constant,
    /// The factors of input features.
    pub(crate) factors: Constant,
    /// The sum of each column's codes.
    pub(crate) column_sums: Constant,
}

/// One or more linear layers over the same input, with their columns side by side.
#[derive(Debug)]
pub(crate) struct Linear {
    pub(crate) storage: Storage,
    pub(crate) weight: Constant,
    pub(crate) bias: Constant,
    pub(crate) q8: Option<Q8Tables>,
    /// Input features of the packed weights, a multiple of [`DEPTH_ALIGN`](crate::engine::gpu::shader::DEPTH_ALIGN).
    pub(crate) depth: usize,
    /// Vectors of an input row.
    pub(crate) input_vectors: usize,
    /// Vectors of columns; twice as many as a gated layer writes.
    pub(crate) column_vectors: usize,
}

impl Attention {
    /// Returns the vectors of a padded head.
    pub(crate) fn head_vectors(&self) -> usize {
        self.head_dim.div_ceil(VEC4)
    }

    /// Returns the vectors of the keys of all heads, and of the values.
    pub(crate) fn key_vectors(&self) -> usize {
        self.key_value_heads * self.head_vectors()
    }

    /// Returns the factor of logits, `1 / sqrt(head_dim * terms)`.
    pub(crate) fn scale(&self) -> f32 {
        let terms = match &self.positions {
            Positions::Relative(relative) => 1 + relative.terms(),
            _ => 1,
        };
        (1.0 / ((self.head_dim * terms) as f64).sqrt()) as f32
    }

    /// Returns the kernel for these positions and this size of heads.
    pub(crate) fn kernel(&self, queries: Queries) -> AttentionKernel {
        let positions = match &self.positions {
            Positions::Absent | Positions::Rotary(_) => PositionBias::Absent,
            Positions::Alibi(_) => PositionBias::Alibi,
            Positions::Bucketed(_) => PositionBias::Bucketed,
            Positions::Relative(relative) => {
                PositionBias::Relative { keys: relative.keys.is_some(), queries: relative.queries.is_some() }
            }
        };
        AttentionKernel { vectors: self.head_vectors(), positions, queries }
    }
}
