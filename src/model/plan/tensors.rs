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

/// Returns the number of elements of a tensor, which may exceed 32 bits.
pub(crate) fn elements(shape: &[usize]) -> u64 {
    shape.iter().map(|size| *size as u64).product()
}

impl Plan {
    /// Returns the number of parameters in the tensors that the Plan reads.
    pub(crate) fn parameters(&self) -> u64 {
        self.tensors().iter().map(|(.., shape)| elements(shape)).sum()
    }

    /// Returns every tensor that the Plan reads, once each.
    #[inline(never)]
    pub(crate) fn tensors(&self) -> Vec<PlanTensor<'_>> {
        let mut list = Vec::new();
        self.steps.iter().for_each(|step| step.list_tensors(&mut list));
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

type TensorList<'a> = Vec<PlanTensor<'a>>;

impl Step {
    /// Adds the tensors of this step, repeated if the step uses them repeatedly.
    #[inline(never)]
    fn list_tensors<'a>(&'a self, list: &mut TensorList<'a>) {
        match self {
            Step::Embed(embed) => {
                let position = embed.position.as_ref().map(|position| &position.table);
                let tables = [Some(&embed.word), position, embed.token_type.as_ref(), embed.task.as_ref()];
                list.extend(tables.into_iter().flatten().map(Table::tensor));
            }
            Step::Norm(norm) => norm.list_tensors(list),
            Step::Project(projection) => projection.linear.list_tensors(list),
            Step::Convolve(Convolution { linear, norm, .. }) => {
                linear.list_tensors(list);
                norm.list_tensors(list);
            }
            Step::Attention(Attention { query, key, value, output, positions, norm, .. }) => {
                for linear in [query, key, value, output] {
                    linear.list_tensors(list);
                }
                positions.list_tensors(list);
                norm.list_tensors(list);
            }
            Step::FeedForward(block) => {
                let linears = [Some(&block.intermediate), block.gate.as_ref(), Some(&block.output)];
                linears.into_iter().flatten().for_each(|linear| linear.list_tensors(list));
                block.norm.list_tensors(list);
            }
            Step::Unfold(_) | Step::Pool(_) => {}
        }
    }
}

impl Positions {
    fn list_tensors<'a>(&'a self, list: &mut TensorList<'a>) {
        match self {
            Positions::Disentangled(positions) => {
                list.push(positions.table.tensor());
                positions.norm.iter().for_each(|norm| norm.list_tensors(list));
                let linears = [&positions.key, &positions.query].into_iter().flatten();
                linears.for_each(|linear| linear.list_tensors(list));
            }
            // Not a table of embeddings: its few numbers stay in f32.
            Positions::Bucketed(Table { weight, rows, width }) => {
                list.push((weight, TensorRole::Vector, vec![*rows, *width]));
            }
            Positions::Absent | Positions::Rotary(_) | Positions::Alibi => {}
        }
    }
}

impl BlockNorm {
    fn list_tensors<'a>(&'a self, list: &mut TensorList<'a>) {
        match self {
            BlockNorm::Before(norm) | BlockNorm::After(norm) => norm.list_tensors(list),
            BlockNorm::Absent => {}
        }
    }
}

impl Linear {
    #[inline(never)]
    fn list_tensors<'a>(&'a self, list: &mut TensorList<'a>) {
        list.push((&self.weight.tensor, TensorRole::Matrix, self.stored_shape().to_vec()));
        if let Some(bias) = &self.bias {
            list.push((&bias.tensor, TensorRole::Vector, vec![bias.total_rows]));
        }
    }
}

impl Table {
    fn tensor(&self) -> PlanTensor<'_> {
        (&self.weight, TensorRole::Table, vec![self.rows, self.width])
    }
}

impl LayerNorm {
    #[inline(never)]
    fn list_tensors<'a>(&'a self, list: &mut TensorList<'a>) {
        for name in [Some(&self.weight), self.bias.as_ref()].into_iter().flatten() {
            list.push((name, TensorRole::Vector, vec![self.width]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_counted_beyond_32_bits() {
        assert_eq!(elements(&[1 << 24, 1 << 16]), 1 << 40);
        assert_eq!((elements(&[3, 0]), elements(&[])), (0, 1));
    }
}
