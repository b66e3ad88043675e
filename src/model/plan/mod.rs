//! The Plan: a forward pass as a list of steps over packed tokens.
//!
//! The rows of all pairs are concatenated in one matrix `[tokens, hidden]`, and `cu_seqlens` gives the rows of each
//! pair. A Plan names tensors and sizes. It holds no weights and runs nothing, so it can be printed, compared and
//! rewritten.

mod display;
#[cfg(any(test, target_arch = "wasm32"))]
mod stages;
mod tensors;

use std::ops::Range;

use serde::Serialize;

pub(crate) use tensors::{PlanTensor, TensorRole, elements};

use crate::checkpoint::Activation;
pub(crate) use crate::checkpoint::{Numbering, Pooling, Rotary};

/// All steps that an engine computes, in order. The result is one pooled row per pair: `[pairs, pooled_size]`.
#[cfg_attr(
    target_arch = "wasm32",
    allow(unreachable_pub, reason = "only `describe` returns a Plan, and WebAssembly has no `describe`")
)]
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Width of the residual stream.
    pub(crate) hidden_size: usize,
    /// The steps, first to last.
    pub(crate) steps: Vec<Step>,
}

/// One step of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) enum Step {
    /// Looks up a row per token.
    Embed(Embed),
    /// Normalizes every row, after the embeddings or after the last layer.
    Norm(LayerNorm),
    /// Projects every row: embeddings to the width of the layers, or rows before they are pooled.
    Project(Projection),
    /// Saves each row with its neighbors for [`Step::Convolve`].
    Unfold(Unfold),
    /// Multi-head self-attention within each pair, with its residual connection.
    Attention(Attention),
    /// A feed-forward block with its residual connection.
    FeedForward(FeedForward),
    /// Adds a convolution of the rows that [`Step::Unfold`] saved.
    Convolve(Convolution),
    /// Reduces the rows of each pair to one.
    Pool(Pool),
}

/// `word[input_ids] + position[number of the token in the pair] + token_type[token_type_ids]`, all of the same width.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Embed {
    /// Rows by token id.
    pub(crate) word: Table,
    /// Rows by position within the pair, if positions are learned.
    pub(crate) position: Option<PositionTable>,
    /// Rows by token type, if the model has them.
    pub(crate) token_type: Option<Table>,
    /// Rows by task. The first row is added to every token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) task: Option<Table>,
}

/// `activation(x W^T + b)`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Projection {
    /// `W` and `b`.
    #[serde(flatten)]
    pub(crate) linear: Linear,
    /// The activation, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) activation: Option<Activation>,
}

/// The rows around each row of a pair, itself included: `u[i][c * kernel_size + k] = x[i + k - kernel_size / 2][c]`.
/// Rows outside the pair are zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Unfold {
    /// Number of rows, odd.
    pub(crate) kernel_size: usize,
    /// Columns of a row.
    pub(crate) width: usize,
}

/// `norm(x + activation(u W^T + b))` with the rows `u` of [`Unfold`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Convolution {
    /// `W` and `b`. The stored tensor is `[hidden, hidden, kernel_size]`.
    pub(crate) linear: Linear,
    /// The activation.
    pub(crate) activation: Activation,
    /// The norm of the sum.
    pub(crate) norm: LayerNorm,
}

/// Learned positions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct PositionTable {
    /// Rows by position number.
    pub(crate) table: Table,
    /// How the tokens of a pair are numbered.
    pub(crate) numbering: Numbering,
}

/// `x + output(softmax(query(x) key(x)^T / sqrt(head_dim)) value(x))` with concatenated heads and a norm before or
/// after.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Attention {
    /// Projection to the queries of all heads, `[hidden, hidden]`.
    pub(crate) query: Linear,
    /// Projection to the keys, of the same shape, or of fewer heads. Then several heads of queries, one after the other,
    /// share a head of keys and values.
    pub(crate) key: Linear,
    /// Projection to the values, of the shape of the keys.
    pub(crate) value: Linear,
    /// Projection of the concatenated heads, `[hidden, hidden]`.
    pub(crate) output: Linear,
    /// Number of heads of queries; `head_dim = hidden / heads`.
    pub(crate) heads: usize,
    /// How attention depends on positions.
    pub(crate) positions: Positions,
    /// Maximum distance, on either side, between a query and a key that it attends to; `None` for all keys of the pair.
    pub(crate) window: Option<usize>,
    /// The rows that the step returns.
    pub(crate) rows: Rows,
    /// The norm of the block.
    pub(crate) norm: BlockNorm,
}

/// How attention depends on the positions of tokens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) enum Positions {
    /// Not at all. Embeddings may contain positions.
    Absent,
    /// Rotates queries and keys by their position (Su et al., 2021, arXiv:2104.09864): `(x[i], x[i + head_dim / 2])`
    /// by the angle `position * frequency(i)`.
    Rotary(Rotary),
    /// Adds `-slope(head) * |i - j|` to each attention score (Press et al., 2022, arXiv:2108.12409; symmetric).
    Alibi,
    /// Adds a learned bias to each attention score: `table[bucket(i - j)][head]` (Raffel et al., 2020,
    /// arXiv:1910.10683). The table is shared by all layers: `[buckets, heads]`.
    Bucketed(Table),
    /// Adds terms for content and relative position to each attention score (He et al., 2021, arXiv:2006.03654).
    Disentangled(Box<Disentangled>),
}

/// DeBERTa's relative positions. If `r(i, j)` is the row of `table` for the distance `i - j`, then
/// `score(i, j) = (q_i k_j + q_i key(r(i, j)) + query(r(i, j)) k_j) / sqrt(head_dim * terms)`, where `terms` is the
/// number of products in the sum.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Disentangled {
    /// Rows by relative position, shared by all layers: `[2 * span, hidden]`.
    pub(crate) table: Table,
    /// Norm of the table's rows, if there is one.
    pub(crate) norm: Option<LayerNorm>,
    /// Projection of relative positions in the term "content to position"; `None` without the term.
    pub(crate) key: Option<Linear>,
    /// Projection of relative positions in the term "position to content"; `None` without the term.
    pub(crate) query: Option<Linear>,
    /// Number of log buckets. Distances up to half of it have a row each; larger ones share rows by their logarithm.
    /// `None` if every distance has its own row.
    pub(crate) buckets: Option<usize>,
    /// The distance whose logarithm is in the last bucket; without buckets, the maximum distance that has its own row.
    pub(crate) max_distance: usize,
}

/// `x + output(activation(intermediate(x)) * gate(x))` with a norm before or after. Without a gate, there is no
/// product.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct FeedForward {
    /// The activated projection, `[hidden] -> [intermediate]`.
    pub(crate) intermediate: Linear,
    /// The projection it is multiplied by, of the same shape.
    pub(crate) gate: Option<Linear>,
    /// The activation.
    pub(crate) activation: Activation,
    /// The projection back, `[intermediate] -> [hidden]`.
    pub(crate) output: Linear,
    /// The norm of the block.
    pub(crate) norm: BlockNorm,
}

/// The norm of a block `x + f(x)` and its position.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) enum BlockNorm {
    /// `x + f(norm(x))`.
    Before(LayerNorm),
    /// `norm(x + f(x))`.
    After(LayerNorm),
    /// Nowhere: `x + f(x)`.
    Absent,
}

/// The rows that an attention step returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Rows {
    /// The row of every token.
    All,
    /// The first row of each pair. Keys and values are computed for all rows, everything else for one.
    #[serde(rename = "First")]
    Cls,
}

/// `x W^T + b` with `W` stored `[out_features, in_features]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Linear {
    /// `W`.
    pub(crate) weight: TensorRows,
    /// `b`, `[out_features]`.
    pub(crate) bias: Option<TensorRows>,
    /// Columns of `W`.
    pub(crate) in_features: usize,
}

/// Rows of a stored tensor: all of them, or one layer's share if several layers are stacked in one tensor.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct TensorRows {
    /// Name of the tensor.
    pub(crate) tensor: String,
    /// The range of rows.
    pub(crate) rows: Range<usize>,
    /// Number of rows of the whole tensor. Called `of` in the JSON of `ranklet info`.
    #[serde(rename = "of")]
    pub(crate) total_rows: usize,
}

/// An embedding table `[rows, width]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Table {
    /// Name of the tensor.
    pub(crate) weight: String,
    /// Number of rows.
    pub(crate) rows: usize,
    /// Elements per row.
    pub(crate) width: usize,
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over the last axis, with the biased variance; with `rms`, the mean
/// counts as zero (RMSNorm, Zhang and Sennrich, 2019, arXiv:1910.07467).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LayerNorm {
    /// Name of the scale, `[width]`.
    pub(crate) weight: String,
    /// Name of the bias, `[width]`.
    pub(crate) bias: Option<String>,
    /// Elements per row.
    pub(crate) width: usize,
    /// Added to the variance.
    pub(crate) eps: f64,
    /// Whether the mean counts as zero.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) rms: bool,
}

/// Reduces the rows of each pair to one, in each of several ways, and puts the results side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pool {
    /// The ways.
    pub(crate) poolings: Vec<Pooling>,
    /// Number of rows at the start of each pair that are left out.
    pub(crate) skipped: usize,
}

impl Serialize for Pool {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (&self.poolings[..], self.skipped) {
            ([one], 0) => one.serialize(serializer),
            (several, 0) => several.serialize(serializer),
            (several, skipped) => (several, skipped).serialize(serializer),
        }
    }
}

impl Plan {
    /// Returns a Plan that computes only the rows that reach the result. If pooling keeps the first row of each pair,
    /// the attention of the last layer returns only that row. Exact, and saves most of the last layer.
    #[must_use]
    #[inline(never)]
    pub(crate) fn collapse_last_layer(mut self) -> Self {
        if !self.pools_first_row() {
            return self;
        }
        let last = self.steps.iter().rposition(|step| matches!(step, Step::Attention(_)));
        // Other layers may share the weights, which then would be packed twice.
        if last.is_some_and(|last| self.steps[..last].contains(&self.steps[last])) {
            return self;
        }
        // A convolution needs all rows of the layer before it.
        if last.is_some_and(|last| self.steps[last..].iter().any(|step| matches!(step, Step::Convolve(_)))) {
            return self;
        }
        if let Some(Step::Attention(attention)) = last.and_then(|index| self.steps.get_mut(index)) {
            attention.rows = Rows::Cls;
            self.steps.pop();
        }
        self
    }
}

impl Plan {
    /// Keeps only the steps in a range.
    #[must_use]
    pub(crate) fn stage(mut self, steps: Range<usize>) -> Self {
        self.steps.truncate(steps.end);
        self.steps.drain(..steps.start);
        self
    }

    /// Returns whether the result is only the first row of each pair.
    pub(crate) fn pools_first_row(&self) -> bool {
        matches!(self.steps.last(), Some(Step::Pool(Pool { poolings, skipped: 0 })) if poolings[..] == [Pooling::First])
    }

    /// Returns the width of the result.
    #[cfg(feature = "gpu")]
    pub(crate) fn pooled_size(&self) -> usize {
        match self.steps.last() {
            Some(Step::Pool(pool)) => pool.poolings.len() * self.hidden_size,
            _ => self.hidden_size,
        }
    }
}

impl Linear {
    /// Returns the number of rows of `W`.
    pub(crate) fn out_features(&self) -> usize {
        self.weight.rows.len()
    }

    /// Returns `W`, and `b` if there is one.
    pub(crate) fn tensor_rows(&self) -> impl Iterator<Item = &TensorRows> {
        [Some(&self.weight), self.bias.as_ref()].into_iter().flatten()
    }

    /// Returns the shape of the stored tensor, which may contain other layers too.
    pub(crate) fn stored_shape(&self) -> [usize; 2] {
        [self.weight.total_rows, self.in_features]
    }
}

impl TensorRows {
    /// Returns all rows of a tensor.
    pub(crate) fn all(tensor: String, rows: usize) -> Self {
        Self { tensor, rows: 0..rows, total_rows: rows }
    }
}
