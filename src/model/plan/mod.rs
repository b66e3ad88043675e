//! The Plan: a forward pass as a list of steps over packed tokens.
//!
//! The rows of all pairs lie end to end in one matrix `[tokens, hidden]`; a pair's rows are found through
//! `cu_seqlens`. A Plan names tensors and sizes, holds no weights and runs nothing, so it can be printed, compared
//! and rewritten.

mod display;
mod tensors;

use std::ops::Range;

use serde::Serialize;

pub(crate) use tensors::{PlanTensor, TensorRole};

use crate::checkpoint::Activation;
pub(crate) use crate::checkpoint::{Numbering, Pooling, Rotary};

/// Everything an engine computes, in order. The result is one pooled row a pair: `[pairs, hidden_size]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Width of the residual stream, and of what comes out.
    pub hidden_size: usize,
    /// The steps, first to last.
    pub steps: Vec<Step>,
}

/// One step of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Step {
    /// Token ids to rows.
    Embed(Embed),
    /// A norm of every row by itself: behind the embeddings, or behind the last layer.
    Norm(LayerNorm),
    /// Rows of one width to rows of another: embeddings that are narrower than the layers.
    Project(Linear),
    /// Multi-head self-attention within each pair, and its residual.
    Attention(Attention),
    /// The feed-forward block, and its residual.
    FeedForward(FeedForward),
    /// Rows of a pair to one.
    Pool(Pooling),
}

/// `word[input_ids] + position[number of the token in the pair] + token_type[token_type_ids]`, all of one width.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Embed {
    /// Rows by token id.
    pub word: Table,
    /// Rows by position within the pair, where positions are learned.
    pub position: Option<PositionTable>,
    /// Rows by token type, where the model has them.
    pub token_type: Option<Table>,
}

/// Learned positions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PositionTable {
    /// Rows by number.
    pub table: Table,
    /// How the tokens of a pair are numbered.
    pub numbering: Numbering,
}

/// `x + output(softmax(query(x) key(x)^T / sqrt(head_dim)) value(x))`, heads side by side, normalised before or after.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attention {
    /// Projections to heads, `[hidden, hidden]` each.
    pub query: Linear,
    /// See `query`.
    pub key: Linear,
    /// See `query`.
    pub value: Linear,
    /// The projection back.
    pub output: Linear,
    /// Number of heads; `head_dim = hidden / heads`.
    pub heads: usize,
    /// What tells one place from another, beyond what the embeddings say.
    pub positions: Positions,
    /// A row sees those at most so many places away, on either side; all of its pair where there is none.
    pub window: Option<usize>,
    /// Which rows come out.
    pub rows: Rows,
    /// Where the block is normalised.
    pub norm: BlockNorm,
}

/// How attention knows where a token stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Positions {
    /// It does not; the embeddings may.
    Absent,
    /// Queries and keys are rotated by their position (Su et al., 2021, arXiv:2104.09864), halves of a head paired:
    /// `(x[i], x[i + d/2])` by the angle `position * frequency(i)`.
    Rotary(Rotary),
    /// `-slope(head) * |i - j|` is added to each logit (Press et al., 2022, arXiv:2108.12409; symmetric).
    Alibi,
    /// Logits have terms for content and relative position (He et al., 2021, arXiv:2006.03654).
    Disentangled(Box<Disentangled>),
}

/// DeBERTa's relative positions. With `r(i, j)` the row of `table` for the distance `i - j`:
/// `logit(i, j) = (q_i k_j + q_i key(r(i, j)) + query(r(i, j)) k_j) / sqrt(head_dim * terms)`, where `terms` counts
/// the products that are there.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Disentangled {
    /// Rows by relative position, shared by all layers: `[2 * span, hidden]`.
    pub table: Table,
    /// The norm over the table's rows, where there is one.
    pub norm: Option<LayerNorm>,
    /// The projection of relative positions in the term "content to position"; `None` without the term.
    pub key: Option<Linear>,
    /// The projection of relative positions in the term "position to content"; `None` without the term.
    pub query: Option<Linear>,
    /// Distances up to half of it have a row each, longer ones share rows by their logarithm; `None`: a row each.
    pub buckets: Option<usize>,
    /// Where the logarithms come to the last rows; without buckets, the longest distance that has a row of its own.
    pub max_distance: usize,
}

/// `x + output(activation(intermediate(x)) * gate(x))`, normalised before or after; without a gate, no product.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeedForward {
    /// `[hidden] -> [intermediate]`.
    pub intermediate: Linear,
    /// Of the same shape.
    pub gate: Option<Linear>,
    /// The function between.
    pub activation: Activation,
    /// `[intermediate] -> [hidden]`.
    pub output: Linear,
    /// Where the block is normalised.
    pub norm: BlockNorm,
}

/// Where a block `x + f(x)` is normalised.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum BlockNorm {
    /// `x + f(norm(x))`.
    Before(LayerNorm),
    /// `norm(x + f(x))`.
    After(LayerNorm),
    /// Nowhere: `x + f(x)`.
    Absent,
}

/// The rows an attention step gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Rows {
    /// One for each token.
    All,
    /// Only the first of each pair: keys and values of all rows, everything else of one.
    #[serde(rename = "First")]
    Cls,
}

/// `x W^T + b` with `W` stored `[out_features, in_features]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Linear {
    /// `W`.
    pub weight: TensorRows,
    /// `b`, `[out_features]`.
    pub bias: Option<TensorRows>,
    /// Columns of `W`.
    pub in_features: usize,
}

/// Rows of a stored tensor: all of them, or those of one layer where a checkpoint keeps several in one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct TensorRows {
    /// Name of the tensor.
    pub tensor: String,
    /// Which of its rows.
    pub rows: Range<usize>,
    /// How many it has.
    #[serde(rename = "of")]
    pub total_rows: usize,
}

/// An embedding table `[rows, width]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Name of the table.
    pub weight: String,
    /// Number of rows.
    pub rows: usize,
    /// Numbers in a row.
    pub width: usize,
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over the last axis, with the biased variance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerNorm {
    /// Name of the scale, `[width]`.
    pub weight: String,
    /// Name of the offset, `[width]`.
    pub bias: Option<String>,
    /// Numbers in a row.
    pub width: usize,
    /// Added to the variance.
    pub eps: f64,
}

impl Plan {
    /// The same Plan with only the rows computed that reach the result: when the last layer is pooled to each
    /// pair's first row, its attention asks for that row alone. Exact; saves most of the last layer.
    #[must_use]
    pub fn collapse_last_layer(mut self) -> Self {
        let Some(Step::Pool(Pooling::First)) = self.steps.last() else { return self };
        let last = self.steps.iter().rposition(|step| matches!(step, Step::Attention(_)));
        if let Some(Step::Attention(attention)) = last.and_then(|index| self.steps.get_mut(index)) {
            attention.rows = Rows::Cls;
            self.steps.pop();
        }
        self
    }
}

impl Linear {
    /// Rows of `W`.
    pub fn out_features(&self) -> usize {
        self.weight.rows.len()
    }

    /// `W`, and `b` where there is one.
    pub fn tensor_rows(&self) -> impl Iterator<Item = &TensorRows> {
        [Some(&self.weight), self.bias.as_ref()].into_iter().flatten()
    }

    /// The shape of the stored matrix, which may hold other layers too.
    pub fn stored_shape(&self) -> [usize; 2] {
        [self.weight.total_rows, self.in_features]
    }
}

impl TensorRows {
    /// All rows of a tensor.
    pub fn all(tensor: String, rows: usize) -> Self {
        Self { tensor, rows: 0..rows, total_rows: rows }
    }
}
