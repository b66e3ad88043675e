//! The tensors that a Plan reads.

use std::collections::HashSet;

use super::*;
use crate::checkpoint::QuantGrid;

/// The role of a tensor in a Plan. It decides how the tensor may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TensorRole {
    /// A matrix of a [`Linear`].
    Matrix,
    /// A [`Table`].
    Table,
    /// A bias, of a layer or of attention scores, or a norm.
    Vector,
}

impl TensorRole {
    /// Returns the grid that a tensor of this role is rounded to for `dtype: q8`; `None` keeps it in f32.
    pub(crate) fn grid(self) -> Option<QuantGrid> {
        match self {
            Self::Matrix => Some(QuantGrid::MATRIX),
            Self::Table => Some(QuantGrid::EMBEDDING),
            Self::Vector => None,
        }
    }
}

/// A tensor that a Plan reads: its name, role and shape.
pub(crate) type PlanTensor<'a> = (&'a str, TensorRole, Vec<usize>);

impl Plan {
    /// Returns the number of parameters in the tensors that the Plan reads.
    pub(crate) fn parameters(&self) -> usize {
        self.tensors().iter().map(|(.., shape)| shape.iter().product::<usize>()).sum()
    }

    /// Returns every tensor that the Plan reads, once each.
    #[inline(never)]
    pub(crate) fn tensors(&self) -> Vec<PlanTensor<'_>> {
        let mut list: Vec<PlanTensor> = self.steps.iter().flat_map(Step::tensors).collect();
        // Layers share tables and projections of relative positions, and several layers may be stacked in one tensor.
        let mut seen = HashSet::new();
        list.retain(|(name, ..)| seen.insert(*name));
        list
    }
}

#[cfg(feature = "candle")]
impl Plan {
    /// Returns the linear layers that only project tables of relative positions.
    pub(crate) fn position_projections(&self) -> impl Iterator<Item = &Linear> {
        self.steps.iter().flat_map(|step| match step {
            Step::Attention(attention) => attention.position_projections(),
            _ => Vec::new(),
        })
    }
}

#[cfg(feature = "candle")]
impl Attention {
    fn position_projections(&self) -> Vec<&Linear> {
        let Positions::Disentangled(positions) = &self.positions else { return Vec::new() };
        let linears = [&positions.key, &positions.query].into_iter().flatten();
        linears.filter(|linear| **linear != self.key && **linear != self.query).collect()
    }
}

impl Step {
    /// Returns the tensors of this step, repeated if the step uses them repeatedly.
    fn tensors(&self) -> Vec<PlanTensor<'_>> {
        match self {
            Step::Embed(embed) => {
                let position = embed.position.as_ref().map(|position| &position.table);
                let tables = [Some(&embed.word), position, embed.token_type.as_ref(), embed.task.as_ref()];
                tables.into_iter().flatten().map(Table::tensor).collect()
            }
            Step::Norm(norm) => norm.tensors(),
            Step::Project(projection) => projection.linear.tensors(),
            Step::Unfold(_) => Vec::new(),
            Step::Convolve(Convolution { linear, norm, .. }) => {
                linear.tensors().into_iter().chain(norm.tensors()).collect()
            }
            Step::Attention(Attention { query, key, value, output, positions, norm, .. }) => {
                let linears = [query, key, value, output].into_iter().flat_map(Linear::tensors);
                linears.chain(positions.tensors()).chain(norm.tensors()).collect()
            }
            Step::FeedForward(block) => {
                let linears = [Some(&block.intermediate), block.gate.as_ref(), Some(&block.output)];
                let linears = linears.into_iter().flatten().flat_map(Linear::tensors);
                linears.chain(block.norm.tensors()).collect()
            }
            Step::Pool(_) => Vec::new(),
        }
    }
}

impl Positions {
    fn tensors(&self) -> Vec<PlanTensor<'_>> {
        let positions = match self {
            Positions::Disentangled(positions) => positions,
            // Not a table of embeddings: its few numbers stay in f32.
            Positions::Bucketed(Table { weight, rows, width }) => {
                return vec![(weight, TensorRole::Vector, vec![*rows, *width])];
            }
            Positions::Absent | Positions::Rotary(_) | Positions::Alibi => return Vec::new(),
        };
        let linears = [&positions.key, &positions.query].into_iter().flatten().flat_map(Linear::tensors);
        let norm = positions.norm.iter().flat_map(LayerNorm::tensors);
        [positions.table.tensor()].into_iter().chain(norm).chain(linears).collect()
    }
}

impl BlockNorm {
    fn tensors(&self) -> Vec<PlanTensor<'_>> {
        match self {
            BlockNorm::Before(norm) | BlockNorm::After(norm) => norm.tensors(),
            BlockNorm::Absent => Vec::new(),
        }
    }
}

impl Linear {
    fn tensors(&self) -> Vec<PlanTensor<'_>> {
        let weight = (self.weight.tensor.as_str(), TensorRole::Matrix, self.stored_shape().to_vec());
        let bias =
            self.bias.as_ref().map(|bias| (bias.tensor.as_str(), TensorRole::Vector, vec![bias.total_rows]));
        [Some(weight), bias].into_iter().flatten().collect()
    }
}

impl Table {
    fn tensor(&self) -> PlanTensor<'_> {
        (&self.weight, TensorRole::Table, vec![self.rows, self.width])
    }
}

impl LayerNorm {
    fn tensors(&self) -> Vec<PlanTensor<'_>> {
        let names = [Some(&self.weight), self.bias.as_ref()];
        names
            .into_iter()
            .flatten()
            .map(|name| (name.as_str(), TensorRole::Vector, vec![self.width]))
            .collect()
    }
}
