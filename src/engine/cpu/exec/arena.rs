//! The buffers of a forward pass. They grow to the largest batch and are reused.

use super::feed_forward::BLOCK_ROWS;
use crate::engine::cpu::arch::MAX_TILE_ROWS;
use crate::engine::cpu::kernels::{AttentionScratch, QuantizedRows};

/// The buffers that one batch needs at a time.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    /// The residual stream, `[tokens, hidden]`.
    pub(crate) x: Vec<f32>,
    /// The normalized residual stream, if blocks read that, `[tokens, hidden]`.
    pub(crate) normed: Vec<f32>,
    /// Rows of `x` that are the first (CLS) of their pair, ascending.
    pub(crate) cls_rows: Vec<usize>,
    /// The rows of the residual stream with their neighbors, for a convolution.
    pub(crate) unfolded: Vec<f32>,
    /// Query, key and value projections, or the inner activations of a feed-forward block.
    pub(crate) wide: Vec<f32>,
    /// Queries of the CLS rows, if keys and values have other rows.
    pub(crate) query: Vec<f32>,
    /// The output of attention, `[tokens, hidden]`.
    pub(crate) context: Vec<f32>,
    /// Sums over a pair's rows, `[hidden]`.
    pub(crate) pooling_sums: Vec<f64>,
    /// The quantized input of a linear layer.
    pub(crate) quantized: QuantizedRows,
    pub(crate) scratch: AttentionScratch,
}

/// The sizes that decide how large an [`Arena`] grows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArenaSizes {
    /// Tokens of the largest batch.
    pub(crate) tokens: u64,
    /// Columns of the residual stream.
    pub(crate) hidden: u64,
    /// Columns of the widest projection into attention, or of the residual stream.
    pub(crate) qkv: u64,
    /// Columns of the rows that a convolution reads.
    pub(crate) unfolded: u64,
    /// Columns of the widest inner activations of a feed-forward block, gate included.
    pub(crate) inner: u64,
    /// Whether blocks read a normalized copy of the residual stream.
    pub(crate) normed: bool,
    /// Whether the inputs of linear layers are quantized.
    pub(crate) q8: bool,
}

impl Arena {
    /// Bytes of the buffers that grow with the batch, except those of attention.
    pub(crate) fn bytes_for(sizes: ArenaSizes) -> u64 {
        let ArenaSizes { tokens, hidden, qkv, unfolded, inner, normed, q8 } = sizes;
        let block_rows = BLOCK_ROWS as u64;
        // The residual stream, the output of attention and, if blocks read that, the normalized stream.
        let streams = tokens * hidden * if normed { 3 } else { 2 };
        let wide = (tokens * qkv).max(block_rows * inner);
        let quantized = QuantizedRows::bytes_for(tokens, hidden.max(unfolded))
            .max(QuantizedRows::bytes_for(block_rows, inner));
        size_of::<f32>() as u64 * (streams + wide + tokens * unfolded) + if q8 { quantized } else { 0 }
    }
}

/// Grows a buffer to `rows` rows and the padding rows that tiles read, and returns the rows without padding.
pub(crate) fn rows(values: &mut Vec<f32>, rows: usize, columns: usize) -> &mut [f32] {
    let needed = (rows + MAX_TILE_ROWS) * columns;
    if values.len() < needed {
        values.resize(needed, 0.0);
    }
    &mut values[..rows * columns]
}

#[cfg(test)]
impl Arena {
    /// Bytes of the buffers that grow with the input.
    pub(crate) fn bytes(&self) -> usize {
        let rows = [&self.x, &self.normed, &self.unfolded, &self.wide, &self.query, &self.context];
        let floats: usize = rows.into_iter().map(|rows| 4 * rows.capacity()).sum();
        floats + size_of_val(&*self.quantized.values) + self.scratch.bytes()
    }
}
