//! The tensors that a Plan reads.

use std::collections::HashSet;

use super::*;
use crate::checkpoint::{ExpectedRole, QuantGrid};

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

/// A tensor that a Plan reads.
#[derive(Debug, Clone)]
pub(crate) struct PlanTensor<'a> {
    pub(crate) name: &'a str,
    pub(crate) role: TensorRole,
    /// What the model does with it: evidence for its place in a graph.
    pub(crate) purpose: ExpectedRole,
    pub(crate) shape: Vec<usize>,
}

/// Returns the number of elements of a tensor, which may exceed 32 bits.
pub(crate) fn elements(shape: &[usize]) -> u64 {
    shape.iter().map(|size| *size as u64).product()
}

impl Plan {
    /// Returns the number of parameters in the tensors that the Plan reads.
    pub(crate) fn parameters(&self) -> u64 {
        self.tensors().iter().map(|tensor| elements(&tensor.shape)).sum()
    }

    /// Returns every tensor that the Plan reads, once each, in the order in which the model uses them.
    #[inline(never)]
    pub(crate) fn tensors(&self) -> Vec<PlanTensor<'_>> {
        let mut list = TensorList::default();
        self.steps.iter().for_each(|step| list.step(step));
        // Layers share tables and projections of relative positions, and several layers may be stacked in one tensor.
        let mut seen = HashSet::new();
        list.0.retain(|tensor| seen.insert(tensor.name));
        list.0
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

/// Tensors in the order of use, repeated if they are used repeatedly.
#[derive(Default)]
struct TensorList<'a>(Vec<PlanTensor<'a>>);

impl<'a> TensorList<'a> {
    #[inline(never)]
    fn step(&mut self, step: &'a Step) {
        match step {
            Step::Embed(embed) => {
                let position = embed.position.as_ref().map(|position| &position.table);
                let tables = [Some(&embed.word), position, embed.token_type.as_ref(), embed.task.as_ref()];
                tables.into_iter().flatten().for_each(|table| self.table(table, ExpectedRole::Table));
            }
            Step::Norm(norm) => self.norm(norm, ExpectedRole::Norm),
            Step::Project(projection) => self.linear(&projection.linear, ExpectedRole::Matrix),
            Step::Convolve(Convolution { linear, norm, .. }) => {
                self.linear(linear, ExpectedRole::Matrix);
                self.norm(norm, ExpectedRole::Norm);
            }
            Step::Attention(attention) => self.attention(attention),
            Step::FeedForward(FeedForward { intermediate, gate, output, norm, .. }) => {
                self.norm_before(norm);
                let linears = [Some(intermediate), gate.as_ref(), Some(output)];
                linears.into_iter().flatten().for_each(|linear| self.linear(linear, ExpectedRole::Matrix));
                self.norm_after(norm);
            }
            Step::Unfold(_) | Step::Pool(_) => {}
        }
    }

    fn attention(&mut self, attention: &'a Attention) {
        let Attention { query, key, value, output, positions, norm, .. } = attention;
        self.norm_before(norm);
        let is_separate = query.weight.tensor != key.weight.tensor;
        for (linear, purpose) in
            [(query, ExpectedRole::Query), (key, ExpectedRole::Key), (value, ExpectedRole::Value)]
        {
            self.linear(linear, if is_separate { purpose } else { ExpectedRole::Matrix });
        }
        match positions {
            Positions::Disentangled(positions) => {
                self.table(&positions.table, ExpectedRole::Position);
                positions.norm.iter().for_each(|norm| self.norm(norm, ExpectedRole::Position));
                let projections = [&positions.key, &positions.query].into_iter().flatten();
                projections.for_each(|linear| self.linear(linear, ExpectedRole::Position));
            }
            // Not a table of embeddings: its few numbers stay in f32.
            Positions::Bucketed(Table { weight, rows, width }) => {
                self.add(weight, TensorRole::Vector, ExpectedRole::Position, vec![*rows, *width]);
            }
            Positions::Absent | Positions::Rotary(_) | Positions::Alibi => {}
        }
        self.linear(output, ExpectedRole::Matrix);
        self.norm_after(norm);
    }

    fn norm_before(&mut self, norm: &'a BlockNorm) {
        if let BlockNorm::Before(norm) = norm {
            self.norm(norm, ExpectedRole::Norm);
        }
    }

    fn norm_after(&mut self, norm: &'a BlockNorm) {
        if let BlockNorm::After(norm) = norm {
            self.norm(norm, ExpectedRole::Norm);
        }
    }

    #[inline(never)]
    fn linear(&mut self, linear: &'a Linear, purpose: ExpectedRole) {
        self.add(&linear.weight.tensor, TensorRole::Matrix, purpose, linear.stored_shape().to_vec());
        if let Some(bias) = &linear.bias {
            self.add(&bias.tensor, TensorRole::Vector, ExpectedRole::Bias, vec![bias.total_rows]);
        }
    }

    fn table(&mut self, table: &'a Table, purpose: ExpectedRole) {
        self.add(&table.weight, TensorRole::Table, purpose, vec![table.rows, table.width]);
    }

    #[inline(never)]
    fn norm(&mut self, norm: &'a LayerNorm, purpose: ExpectedRole) {
        self.add(&norm.weight, TensorRole::Vector, purpose, vec![norm.width]);
        if let Some(bias) = &norm.bias {
            self.add(bias, TensorRole::Vector, ExpectedRole::Bias, vec![norm.width]);
        }
    }

    fn add(&mut self, name: &'a str, role: TensorRole, purpose: ExpectedRole, shape: Vec<usize>) {
        self.0.push(PlanTensor { name, role, purpose, shape });
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
