//! A Plan whose weights have gone up: what recording reads. Sizes are counted in vectors of four numbers; a row that is
//! not a whole number of them is filled up with zeros.

use crate::engine::gpu::GpuEngine;
use crate::engine::gpu::shader::{AttentionKernel, PositionBias, Storage};
use crate::engine::lower;

/// Number of a buffer made at load.
pub(crate) type Constant = usize;

/// Numbers in a vector.
pub(crate) const VEC4: usize = 4;

pub(crate) type Step = lower::Step<GpuEngine>;
pub(crate) type Attention = lower::Attention<GpuEngine>;
pub(crate) type FeedForward = lower::FeedForward<GpuEngine>;
pub(crate) type Positions = lower::Positions<GpuEngine>;
pub(crate) type BlockNorm = lower::BlockNorm<Norm>;

#[derive(Debug)]
pub(crate) struct Norm {
    pub(crate) weight: Constant,
    pub(crate) bias: Constant,
    /// Numbers in a row.
    pub(crate) width: usize,
    pub(crate) eps: f32,
}

/// One or more linear layers over the same input, side by side.
#[derive(Debug)]
pub(crate) struct Linear {
    pub(crate) storage: Storage,
    pub(crate) weight: Constant,
    pub(crate) bias: Constant,
    /// For q8: scales of columns and factors of inputs.
    pub(crate) scales: Option<[Constant; 2]>,
    /// Input features, filled up to whole steps.
    pub(crate) depth: usize,
    /// Vectors of input features in a row.
    pub(crate) inputs: usize,
    /// Vectors of columns.
    pub(crate) columns: usize,
}

impl Attention {
    /// Vectors of a head.
    pub(crate) fn head_vectors(&self) -> usize {
        self.head_dim.div_ceil(VEC4)
    }

    /// What logits are multiplied with.
    pub(crate) fn scale(&self) -> f32 {
        let terms = match &self.positions {
            Positions::Relative(relative) => 1 + relative.terms(),
            _ => 1,
        };
        (1.0 / ((self.head_dim * terms) as f64).sqrt()) as f32
    }

    /// The kernel it needs.
    pub(crate) fn kernel(&self) -> AttentionKernel {
        let positions = match &self.positions {
            Positions::Absent | Positions::Rotary(_) => PositionBias::Absent,
            Positions::Alibi(_) => PositionBias::Alibi,
            Positions::Relative(relative) => {
                PositionBias::Relative { keys: relative.keys.is_some(), queries: relative.queries.is_some() }
            }
        };
        AttentionKernel { vectors: self.head_vectors(), positions }
    }
}
