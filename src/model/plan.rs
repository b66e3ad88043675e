//! The Plan: a forward pass as a list of steps over packed tokens.
//!
//! The rows of all pairs lie end to end in one matrix `[tokens, hidden]`; a pair's rows are found through
//! `cu_seqlens`. A Plan names tensors and sizes, holds no weights and runs nothing, so it can be printed, compared
//! and rewritten.

use std::fmt;

use serde::Serialize;

use crate::checkpoint::Activation;

/// Everything an engine computes, in order. The result is one pooled row a pair: `[pairs, hidden_size]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// The steps, first to last.
    pub steps: Vec<Step>,
}

/// One step of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Step {
    /// Token ids to rows.
    Embed(Embed),
    /// Multi-head self-attention within each pair, residual and norm.
    Attention(Attention),
    /// The feed-forward block, residual and norm.
    FeedForward(FeedForward),
    /// Keep the first row of each pair.
    PoolFirst,
}

/// `norm(word[input_ids] + position[index in the pair] + token_type[token_type_ids])`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Embed {
    /// Rows by token id.
    pub word: Table,
    /// Rows by position within the pair.
    pub position: Table,
    /// Rows by token type, where the model has them.
    pub token_type: Option<Table>,
    /// The norm over the sum.
    pub norm: LayerNorm,
}

/// `norm(x + output(softmax(query(x) key(x)^T / sqrt(head_dim)) value(x)))`, heads side by side.
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
    /// Which rows come out.
    pub rows: Rows,
    /// The norm after the residual.
    pub norm: LayerNorm,
}

/// `norm(x + output(activation(intermediate(x))))`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeedForward {
    /// `[hidden] -> [intermediate]`.
    pub intermediate: Linear,
    /// The function between.
    pub activation: Activation,
    /// `[intermediate] -> [hidden]`.
    pub output: Linear,
    /// The norm after the residual.
    pub norm: LayerNorm,
}

/// The rows an attention step gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Rows {
    /// One for each token.
    All,
    /// Only the first of each pair: keys and values of all rows, everything else of one.
    First,
}

/// `x W^T + b` with `W` stored `[out_features, in_features]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Linear {
    /// Name of `W`.
    pub weight: String,
    /// Name of `b`, `[out_features]`.
    pub bias: String,
    /// Columns of `W`.
    pub in_features: usize,
    /// Rows of `W`.
    pub out_features: usize,
}

/// An embedding table `[rows, hidden]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// Name of the table.
    pub weight: String,
    /// Number of rows.
    pub rows: usize,
}

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over the last axis, with the biased variance.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerNorm {
    /// Name of the scale, `[hidden]`.
    pub weight: String,
    /// Name of the offset, `[hidden]`.
    pub bias: String,
    /// Added to the variance.
    pub eps: f64,
}

/// What a tensor is to the Plan, which decides how it may be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TensorRole {
    /// A matrix of a [`Linear`].
    Matrix,
    /// A [`Table`].
    Table,
    /// A bias or a norm.
    Vector,
}

impl Plan {
    /// The same Plan with only the rows computed that reach the result: when the last layer is pooled to each
    /// pair's first row, its attention asks for that row alone. Exact; saves most of the last layer.
    #[must_use]
    pub fn collapse_last_layer(mut self) -> Self {
        if let [.., Step::Attention(attention), Step::FeedForward(_), Step::PoolFirst] = &mut self.steps[..] {
            attention.rows = Rows::First;
            self.steps.pop();
        }
        self
    }

    /// Numbers in the tensors the Plan reads.
    pub fn parameters(&self) -> usize {
        self.tensors().iter().map(|(.., shape)| shape.iter().product::<usize>()).sum()
    }

    /// Every tensor the Plan reads: name, role and shape.
    pub fn tensors(&self) -> Vec<(&str, TensorRole, Vec<usize>)> {
        let mut list = Vec::new();
        for step in &self.steps {
            let (tables, linears, norm) = step.parts();
            for table in tables {
                list.push((table.weight.as_str(), TensorRole::Table, vec![table.rows, self.hidden_size]));
            }
            for linear in linears {
                let shape = vec![linear.out_features, linear.in_features];
                list.push((linear.weight.as_str(), TensorRole::Matrix, shape));
                list.push((linear.bias.as_str(), TensorRole::Vector, vec![linear.out_features]));
            }
            if let Some(norm) = norm {
                for name in [&norm.weight, &norm.bias] {
                    list.push((name.as_str(), TensorRole::Vector, vec![self.hidden_size]));
                }
            }
        }
        list
    }
}

impl Step {
    fn parts(&self) -> (Vec<&Table>, Vec<&Linear>, Option<&LayerNorm>) {
        match self {
            Step::Embed(embed) => {
                let tables = [&embed.word, &embed.position].into_iter().chain(&embed.token_type).collect();
                (tables, Vec::new(), Some(&embed.norm))
            }
            Step::Attention(attention) => {
                let linears = vec![&attention.query, &attention.key, &attention.value, &attention.output];
                (Vec::new(), linears, Some(&attention.norm))
            }
            Step::FeedForward(block) => {
                (Vec::new(), vec![&block.intermediate, &block.output], Some(&block.norm))
            }
            Step::PoolFirst => (Vec::new(), Vec::new(), None),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            write!(f, "{index:>3}  ")?;
            match step {
                Step::Embed(embed) => writeln!(
                    f,
                    "embed         {} words, {} positions, {} token types -> {}",
                    embed.word.rows,
                    embed.position.rows,
                    embed.token_type.as_ref().map_or(0, |table| table.rows),
                    self.hidden_size
                )?,
                Step::Attention(attention) => writeln!(
                    f,
                    "attention     {} heads of {}, rows: {:?}",
                    attention.heads,
                    self.hidden_size / attention.heads,
                    attention.rows
                )?,
                Step::FeedForward(block) => {
                    writeln!(f, "feed-forward  {} {:?}", block.intermediate.out_features, block.activation)?;
                }
                Step::PoolFirst => writeln!(f, "pool          first row")?,
            }
        }
        Ok(())
    }
}
