//! A Plan whose weights have gone up: what recording reads. Sizes are counted in vectors of four numbers; a row that is
//! not a whole number of them is filled up with zeros.

use crate::checkpoint::Activation;
use crate::engine::gpu::shader::{AttentionKernel, PositionBias, Storage};
use crate::model::Pooling;

/// Number of a buffer made at load.
pub(crate) type Constant = usize;

/// Numbers in a vector.
pub(crate) const VEC4: usize = 4;

#[derive(Debug)]
pub(crate) enum Step {
    /// The uploaded embeddings, of so many vectors.
    Embed {
        vectors: usize,
    },
    Norm(Norm),
    Project(Linear),
    Attention(Box<Attention>),
    FeedForward(FeedForward),
    Pool(Pooling),
}

#[derive(Debug)]
pub(crate) struct Norm {
    pub(crate) weight: Constant,
    pub(crate) bias: Constant,
    /// Numbers in a row.
    pub(crate) width: usize,
    pub(crate) eps: f32,
}

#[derive(Debug)]
pub(crate) enum BlockNorm {
    Before(Norm),
    After(Norm),
    Absent,
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

#[derive(Debug)]
pub(crate) struct Attention {
    pub(crate) qkv: Qkv,
    pub(crate) output: Linear,
    pub(crate) heads: usize,
    /// Numbers in a head.
    pub(crate) head_dim: usize,
    pub(crate) positions: Positions,
    pub(crate) window: Option<usize>,
    pub(crate) norm: BlockNorm,
}

#[derive(Debug)]
pub(crate) enum Qkv {
    /// Queries, keys and values of all rows, side by side.
    All(Linear),
    /// Queries of first rows; keys and values of all.
    Cls { query: Linear, key_value: Linear },
}

#[derive(Debug)]
pub(crate) enum Positions {
    Absent,
    /// Number of the rotation.
    Rotary(usize),
    /// Slopes of the heads.
    Alibi(Constant),
    Relative(Relative),
}

/// DeBERTa's tables, as a layer projects them.
#[derive(Debug)]
pub(crate) struct Relative {
    pub(crate) key: Option<Constant>,
    pub(crate) query: Option<Constant>,
    /// Number of the table, for the rows that distances have.
    pub(crate) relative_table: usize,
}

#[derive(Debug)]
pub(crate) struct FeedForward {
    /// With a gate: its vectors between those of the other.
    pub(crate) intermediate: Linear,
    pub(crate) gated: bool,
    pub(crate) activation: Activation,
    pub(crate) output: Linear,
    pub(crate) norm: BlockNorm,
}

impl Attention {
    /// Vectors of a head.
    pub(crate) fn head_vectors(&self) -> usize {
        self.head_dim.div_ceil(VEC4)
    }

    /// What logits are multiplied with.
    pub(crate) fn scale(&self) -> f32 {
        let terms = match &self.positions {
            Positions::Relative(Relative { key, query, .. }) => {
                1 + usize::from(key.is_some()) + usize::from(query.is_some())
            }
            _ => 1,
        };
        (1.0 / ((self.head_dim * terms) as f64).sqrt()) as f32
    }

    /// The kernel it needs.
    pub(crate) fn kernel(&self) -> AttentionKernel {
        let positions = match &self.positions {
            Positions::Absent | Positions::Rotary(_) => PositionBias::Absent,
            Positions::Alibi(_) => PositionBias::Alibi,
            Positions::Relative(Relative { key, query, .. }) => {
                PositionBias::Relative { keys: key.is_some(), queries: query.is_some() }
            }
        };
        AttentionKernel { vectors: self.head_vectors(), positions }
    }
}
