//! Lowers a [`Plan`] to the steps of an engine: the walk over the Plan, which all engines share.
//!
//! Each engine has its own form of a tensor, listed in [`StepTypes`], and makes it in its implementation of [`Lower`].
//! An engine that takes tensors out of the weights frees each one once it is packed, so the order of the walk is part
//! of the contract: embeddings first, then step by step, and in attention the position tables before the projections.

use std::fmt::Debug;
use std::sync::Arc;

use crate::checkpoint::Activation;
use crate::error::Result;
use crate::model::{self, Plan, Pool, Unfold};

/// The forms that the parts of a [`Step`] have in one engine.
pub(super) trait StepTypes {
    /// The embedding tables.
    type Embedding: Debug;
    /// Linear layers over the same input, with their outputs side by side.
    type Linear: Debug;
    /// A layer norm.
    type Norm: Debug;
    /// Rotary positions, shared by the layers with the same angles.
    type Rotary: Debug + Clone;
    /// Numbers for the biases of attention scores: ALiBi's slopes, one per head, or learned biases by distance.
    type Biases: Debug;
    /// A table of relative positions after the key or query projection of one layer.
    type PositionTable: Debug;
    /// The map from a distance to a row of such a table.
    type DistanceRows: Debug;
}

/// A step of a Plan with its weights.
#[derive(Debug)]
pub(super) enum Step<E: StepTypes> {
    Embed(E::Embedding),
    Norm(E::Norm),
    Project(E::Linear, Option<Activation>),
    Unfold(Unfold),
    Convolve(Box<Convolution<E>>),
    Attention(Arc<Attention<E>>),
    FeedForward(Arc<FeedForward<E>>),
    Pool(Pool),
}

impl<E: StepTypes> Step<E> {
    /// Returns the same layer again.
    fn shared(&self) -> Option<Self> {
        match self {
            Step::Attention(attention) => Some(Step::Attention(Arc::clone(attention))),
            Step::FeedForward(block) => Some(Step::FeedForward(Arc::clone(block))),
            _ => None,
        }
    }
}

/// The convolution after the first layer.
#[derive(Debug)]
pub(super) struct Convolution<E: StepTypes> {
    pub(super) linear: E::Linear,
    pub(super) activation: Activation,
    pub(super) norm: E::Norm,
}

/// The attention block.
#[derive(Debug)]
pub(super) struct Attention<E: StepTypes> {
    pub(super) qkv: QkvProjections<E::Linear>,
    pub(super) output: E::Linear,
    pub(super) heads: usize,
    /// Heads of keys and values, each for `heads / key_value_heads` heads of queries.
    pub(super) key_value_heads: usize,
    pub(super) head_dim: usize,
    pub(super) positions: Positions<E>,
    /// Maximum distance between a row and the rows it attends to; `None`: no limit.
    pub(super) window: Option<usize>,
    pub(super) norm: BlockNorm<E::Norm>,
}

/// The query, key and value projections.
#[derive(Debug)]
pub(super) enum QkvProjections<L> {
    /// One layer for query, key and value of all rows.
    All(L),
    /// The query of the CLS rows only, and one layer for key and value of all rows.
    Cls { query: L, key_value: L },
}

/// The position encoding of attention.
#[derive(Debug)]
pub(super) enum Positions<E: StepTypes> {
    Absent,
    Rotary(E::Rotary),
    Alibi(E::Biases),
    /// Learned biases, `[heads, BIAS_COLUMNS]`.
    Bucketed(E::Biases),
    Relative(Box<RelativePositions<E::PositionTable, E::DistanceRows>>),
}

/// DeBERTa's relative positions, projected for one layer.
#[derive(Debug)]
pub(crate) struct RelativePositions<T, D> {
    /// The table that queries are multiplied with.
    pub(crate) keys: Option<T>,
    /// The table that keys are multiplied with.
    pub(crate) queries: Option<T>,
    /// Finds the row of a distance in either table.
    pub(crate) distance_rows: D,
}

/// The feed-forward block.
#[derive(Debug)]
pub(super) struct FeedForward<E: StepTypes> {
    /// The layer into the block, together with its gate if it has one: both read the same input.
    pub(super) intermediate: E::Linear,
    pub(super) gated: bool,
    pub(super) activation: Activation,
    pub(super) output: E::Linear,
    pub(super) norm: BlockNorm<E::Norm>,
}

/// The position of a block's norm.
#[derive(Debug)]
pub(super) enum BlockNorm<N> {
    /// `x + f(norm(x))`.
    Before(N),
    /// `norm(x + f(x))`.
    After(N),
    /// `x + f(x)`.
    Absent,
}

impl<T, D> RelativePositions<T, D> {
    /// Number of terms that relative positions add to a logit.
    pub(crate) fn terms(&self) -> usize {
        usize::from(self.keys.is_some()) + usize::from(self.queries.is_some())
    }
}

/// Makes an engine's forms of the tensors that a Plan names. All tensors must have been validated.
pub(super) trait Lower<E: StepTypes> {
    /// A table of relative positions before it is projected.
    type Table: Clone;

    /// Loads the embedding tables.
    fn embedding(&mut self, embed: &model::Embed) -> Result<E::Embedding>;

    /// Loads a norm.
    fn norm(&mut self, norm: &model::LayerNorm) -> Result<E::Norm>;

    /// Loads layers over the same input as one, with their outputs side by side.
    fn linear(&mut self, layers: &[&model::Linear]) -> Result<E::Linear>;

    /// Loads layers whose outputs are heads, for engines that pad each head.
    fn head_projections(&mut self, layers: &[&model::Linear], _head_dim: usize) -> Result<E::Linear> {
        self.linear(layers)
    }

    /// Loads the layer that reads the heads' contexts, for engines that pad each head.
    fn attention_output(&mut self, layer: &model::Linear, _heads: usize) -> Result<E::Linear> {
        self.linear(&[layer])
    }

    /// Loads a layer and the gate that its activation is multiplied with, for engines that interleave the two.
    fn gated(&mut self, layer: &model::Linear, gate: &model::Linear) -> Result<E::Linear> {
        self.linear(&[layer, gate])
    }

    /// Makes rotary positions for heads of `head_dim`. Called once per combination.
    fn rotary(&mut self, rotary: model::Rotary, head_dim: usize) -> E::Rotary;

    /// Makes the slopes of ALiBi.
    fn slopes(&mut self, heads: usize) -> Result<E::Biases>;

    /// Makes the biases of all distances from a table of biases by bucket. Other layers read the table later.
    fn distance_biases(&mut self, table: &model::Table) -> Result<E::Biases>;

    /// Loads and normalizes a table of relative positions. Called once per table.
    fn table(&mut self, positions: &model::Disentangled) -> Result<Self::Table>;

    /// Projects a table for one layer. Other layers may read the tensors of `layer` later.
    fn project_table(
        &mut self,
        table: &Self::Table,
        layer: &model::Linear,
        heads: usize,
    ) -> Result<E::PositionTable>;

    /// Makes the map from distances to rows of a table.
    fn distance_rows(&mut self, positions: &model::Disentangled) -> E::DistanceRows;
}

/// Lowers all steps of a Plan.
///
/// # Errors
/// The errors of the methods of [`Lower`].
pub(super) fn lower<E: StepTypes>(plan: &Plan, lower: &mut impl Lower<E>) -> Result<Vec<Step<E>>> {
    let mut walk = Walk { lower, rotary: Vec::new(), tables: Vec::new() };
    let mut steps: Vec<Step<E>> = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        // Layers with the same tensors are lowered once.
        let same = plan.steps[..index].iter().position(|other| is_same_layer(other, step));
        let shared = same.and_then(|same| steps[same].shared());
        steps.push(shared.map_or_else(|| walk.step(step), Ok)?);
    }
    Ok(steps)
}

/// Compares two layers. They are compared as a whole only if their first matrix is the same.
fn is_same_layer(a: &model::Step, b: &model::Step) -> bool {
    let is_likely = match (a, b) {
        (model::Step::Attention(a), model::Step::Attention(b)) => a.query.weight == b.query.weight,
        (model::Step::FeedForward(a), model::Step::FeedForward(b)) => {
            a.intermediate.weight == b.intermediate.weight
        }
        _ => false,
    };
    is_likely && a == b
}

struct Walk<'a, E: StepTypes, L: Lower<E>> {
    lower: &'a mut L,
    /// Rotary positions made so far, by their angles and `head_dim`.
    rotary: Vec<((model::Rotary, usize), E::Rotary)>,
    /// Tables of relative positions made so far.
    tables: Vec<(model::Disentangled, L::Table)>,
}

impl<E: StepTypes, L: Lower<E>> Walk<'_, E, L> {
    fn step(&mut self, step: &model::Step) -> Result<Step<E>> {
        Ok(match step {
            model::Step::Embed(embed) => Step::Embed(self.lower.embedding(embed)?),
            model::Step::Norm(norm) => Step::Norm(self.lower.norm(norm)?),
            model::Step::Project(model::Projection { linear, activation }) => {
                Step::Project(self.lower.linear(&[linear])?, *activation)
            }
            model::Step::Unfold(unfold) => Step::Unfold(*unfold),
            model::Step::Convolve(model::Convolution { linear, activation, norm }) => {
                Step::Convolve(Box::new(Convolution {
                    linear: self.lower.linear(&[linear])?,
                    activation: *activation,
                    norm: self.lower.norm(norm)?,
                }))
            }
            model::Step::Attention(attention) => Step::Attention(Arc::new(self.attention(attention)?)),
            model::Step::FeedForward(block) => Step::FeedForward(Arc::new(self.feed_forward(block)?)),
            model::Step::Pool(pool) => Step::Pool(pool.clone()),
        })
    }

    fn attention(&mut self, attention: &model::Attention) -> Result<Attention<E>> {
        let model::Attention { query, key, value, output, heads, positions, window, rows, norm } = attention;
        let heads = *heads;
        let head_dim = query.out_features() / heads;
        // Positions first: they may read the query and key projections, which some engines take out of the weights.
        let positions = self.positions(positions, heads, head_dim)?;
        let qkv = match rows {
            model::Rows::All => {
                QkvProjections::All(self.lower.head_projections(&[query, key, value], head_dim)?)
            }
            model::Rows::Cls => QkvProjections::Cls {
                query: self.lower.head_projections(&[query], head_dim)?,
                key_value: self.lower.head_projections(&[key, value], head_dim)?,
            },
        };
        Ok(Attention {
            qkv,
            output: self.lower.attention_output(output, heads)?,
            heads,
            key_value_heads: key.out_features() / head_dim,
            head_dim,
            positions,
            window: *window,
            norm: self.block_norm(norm)?,
        })
    }

    fn positions(
        &mut self,
        positions: &model::Positions,
        heads: usize,
        head_dim: usize,
    ) -> Result<Positions<E>> {
        Ok(match positions {
            model::Positions::Absent => Positions::Absent,
            model::Positions::Rotary(rotary) => Positions::Rotary(self.rotary(*rotary, head_dim)),
            model::Positions::Alibi => Positions::Alibi(self.lower.slopes(heads)?),
            model::Positions::Bucketed(table) => Positions::Bucketed(self.lower.distance_biases(table)?),
            model::Positions::Disentangled(positions) => {
                let table = self.table(positions)?;
                let mut project = |layer: &Option<model::Linear>| {
                    layer.as_ref().map(|layer| self.lower.project_table(&table, layer, heads)).transpose()
                };
                Positions::Relative(Box::new(RelativePositions {
                    keys: project(&positions.key)?,
                    queries: project(&positions.query)?,
                    distance_rows: self.lower.distance_rows(positions),
                }))
            }
        })
    }

    fn rotary(&mut self, rotary: model::Rotary, head_dim: usize) -> E::Rotary {
        let key = (rotary, head_dim);
        if let Some((_, made)) = self.rotary.iter().find(|(known, _)| *known == key) {
            return made.clone();
        }
        let made = self.lower.rotary(rotary, head_dim);
        self.rotary.push((key, made.clone()));
        made
    }

    fn table(&mut self, positions: &model::Disentangled) -> Result<L::Table> {
        let same =
            |other: &model::Disentangled| (&other.table, &other.norm) == (&positions.table, &positions.norm);
        if let Some((_, table)) = self.tables.iter().find(|(known, _)| same(known)) {
            return Ok(table.clone());
        }
        let table = self.lower.table(positions)?;
        self.tables.push((positions.clone(), table.clone()));
        Ok(table)
    }

    fn feed_forward(&mut self, block: &model::FeedForward) -> Result<FeedForward<E>> {
        Ok(FeedForward {
            intermediate: match &block.gate {
                None => self.lower.linear(&[&block.intermediate])?,
                Some(gate) => self.lower.gated(&block.intermediate, gate)?,
            },
            gated: block.gate.is_some(),
            activation: block.activation,
            output: self.lower.linear(&[&block.output])?,
            norm: self.block_norm(&block.norm)?,
        })
    }

    fn block_norm(&mut self, norm: &model::BlockNorm) -> Result<BlockNorm<E::Norm>> {
        Ok(match norm {
            model::BlockNorm::Before(norm) => BlockNorm::Before(self.lower.norm(norm)?),
            model::BlockNorm::After(norm) => BlockNorm::After(self.lower.norm(norm)?),
            model::BlockNorm::Absent => BlockNorm::Absent,
        })
    }
}
