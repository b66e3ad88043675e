//! A Plan whose weights have gone up: what recording reads. Sizes are counted in vectors of four numbers; a row that is
//! not a whole number of them is filled up with zeros.

use super::kernel::{self, Storage};
use crate::checkpoint::Activation;
use crate::model::Pooling;

/// Number of a buffer made at load.
pub(super) type Constant = usize;

/// Numbers in a vector.
pub(super) const VECTOR: usize = 4;

#[derive(Debug)]
pub(super) enum Step {
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
pub(super) struct Norm {
    pub(super) weight: Constant,
    pub(super) bias: Constant,
    /// Numbers in a row.
    pub(super) width: usize,
    pub(super) eps: f32,
}

#[derive(Debug)]
pub(super) enum BlockNorm {
    Before(Norm),
    After(Norm),
    Absent,
}

/// One or more linear layers over the same input, side by side.
#[derive(Debug)]
pub(super) struct Linear {
    pub(super) storage: Storage,
    pub(super) weight: Constant,
    pub(super) bias: Constant,
    /// For q8: scales of columns and factors of inputs.
    pub(super) scales: Option<[Constant; 2]>,
    /// Input features, filled up to whole steps.
    pub(super) depth: usize,
    /// Vectors of input features in a row.
    pub(super) inputs: usize,
    /// Vectors of columns.
    pub(super) columns: usize,
}

#[derive(Debug)]
pub(super) struct Attention {
    pub(super) inputs: Inputs,
    pub(super) output: Linear,
    pub(super) heads: usize,
    /// Numbers in a head.
    pub(super) head_dim: usize,
    pub(super) positions: Positions,
    pub(super) window: Option<usize>,
    pub(super) norm: BlockNorm,
}

#[derive(Debug)]
pub(super) enum Inputs {
    /// Queries, keys and values of all rows, side by side.
    All(Linear),
    /// Queries of first rows; keys and values of all.
    First { query: Linear, key_value: Linear },
}

#[derive(Debug)]
pub(super) enum Positions {
    Absent,
    /// Number of the rotation.
    Rotary(usize),
    /// Slopes of the heads.
    Alibi(Constant),
    Relative(Relative),
}

/// DeBERTa's tables, as a layer projects them.
#[derive(Debug)]
pub(super) struct Relative {
    pub(super) key: Option<Constant>,
    pub(super) query: Option<Constant>,
    /// Number of the table, for the rows that distances have.
    pub(super) distances: usize,
}

#[derive(Debug)]
pub(super) struct FeedForward {
    /// With a gate: its vectors between those of the other.
    pub(super) intermediate: Linear,
    pub(super) gated: bool,
    pub(super) activation: Activation,
    pub(super) output: Linear,
    pub(super) norm: BlockNorm,
}

impl Attention {
    /// Vectors of a head.
    pub(super) fn head_vectors(&self) -> usize {
        self.head_dim.div_ceil(VECTOR)
    }

    /// What logits are multiplied with.
    pub(super) fn scale(&self) -> f32 {
        let terms = match &self.positions {
            Positions::Relative(Relative { key, query, .. }) => {
                1 + usize::from(key.is_some()) + usize::from(query.is_some())
            }
            _ => 1,
        };
        (1.0 / ((self.head_dim * terms) as f64).sqrt()) as f32
    }

    /// The kernel it needs.
    pub(super) fn kernel(&self) -> kernel::Attention {
        let positions = match &self.positions {
            Positions::Absent | Positions::Rotary(_) => kernel::Positions::Absent,
            Positions::Alibi(_) => kernel::Positions::Alibi,
            Positions::Relative(Relative { key, query, .. }) => {
                kernel::Positions::Relative { keys: key.is_some(), queries: query.is_some() }
            }
        };
        kernel::Attention { vectors: self.head_vectors(), positions }
    }
}
