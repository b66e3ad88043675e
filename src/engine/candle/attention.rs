//! The attention block, pair by pair and in blocks of query rows.

use std::ops::Range;

use candle_core::{D, Device, Tensor};

use super::linear::split_columns;
use super::{ApplyLinear, CandleEngine, first_rows};
use crate::engine::lower::{self, QkvProjections};
use crate::engine::positions::{BIAS_COLUMNS, RotaryTable, bias_column};
use crate::model::{Disentangled, Rotary};
use crate::text::Batch;

/// Query rows per block. The logits of a block of a pair of 8,192 tokens take 2 MB per head, those of all rows 268 MB.
const BLOCK_ROWS: usize = 64;

type Attention = lower::Attention<CandleEngine>;
type Positions = lower::Positions<CandleEngine>;
type RelativePositions = lower::RelativePositions<Tensor, Disentangled>;

/// Query, key and value, `[rows, hidden]` each.
struct Projected {
    query: Tensor,
    key: Tensor,
    value: Tensor,
}

/// The rows of one pair, among all queries and among all keys.
struct Pair {
    queries: Range<usize>,
    keys: Range<usize>,
}

impl Attention {
    /// Applies the block to `x`, `[tokens, hidden]`. Returns `[tokens, hidden]`, or `[pairs, hidden]` if only the CLS rows
    /// have queries.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        batch: &Batch,
        rotations: &mut Rotations,
        apply: ApplyLinear,
    ) -> candle_core::Result<Tensor> {
        let inputs = self.norm.pre(x)?;
        let (residual, projected) = match &self.qkv {
            QkvProjections::All(layers) => {
                let widths = [self.heads, self.key_value_heads, self.key_value_heads];
                let widths = widths.map(|heads| heads * self.head_dim);
                let [query, key, value] = split_columns(&layers.apply(&inputs, apply)?, widths)?;
                (x.clone(), Projected { query, key, value })
            }
            QkvProjections::Cls { query, key_value } => {
                let query = query.apply(&first_rows(&inputs, batch)?, apply)?;
                let widths = [self.key_value_heads * self.head_dim; 2];
                let [key, value] = split_columns(&key_value.apply(&inputs, apply)?, widths)?;
                (first_rows(x, batch)?, Projected { query, key, value })
            }
        };
        let contexts = batch
            .ranges()
            .enumerate()
            .map(|(pair, keys)| match self.qkv {
                QkvProjections::All(_) => Pair { queries: keys.clone(), keys },
                QkvProjections::Cls { .. } => Pair { queries: pair..pair + 1, keys },
            })
            .map(|pair| self.pair(&projected, &pair, rotations))
            .collect::<candle_core::Result<Vec<_>>>()?;
        let context = self.output.apply(&Tensor::cat(&contexts, 0)?, apply)?;
        self.norm.post(&(residual + context)?)
    }

    /// Returns the context of one pair, `[queries, hidden]`.
    fn pair(
        &self,
        projected: &Projected,
        pair: &Pair,
        rotations: &mut Rotations,
    ) -> candle_core::Result<Tensor> {
        let mut query = self.split_heads(&projected.query, &pair.queries)?;
        let mut key = self.split_heads(&projected.key, &pair.keys)?;
        let value = self.repeat_heads(&self.split_heads(&projected.value, &pair.keys)?)?;
        if let Positions::Rotary(rotary) = &self.positions {
            query = rotations.rotate(rotary, &query)?;
            key = rotations.rotate(rotary, &key)?;
        }
        let key = self.repeat_heads(&key)?;
        let count = pair.queries.len();
        let blocks = (0..count)
            .step_by(BLOCK_ROWS)
            .map(|first| self.block(&query, &key, &value, first..count.min(first + BLOCK_ROWS)))
            .collect::<candle_core::Result<Vec<_>>>()?;
        Tensor::cat(&blocks, 0)
    }

    /// Returns `softmax(logits) value` for some query rows of a pair, with heads side by side: `[rows, hidden]`.
    fn block(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        rows: Range<usize>,
    ) -> candle_core::Result<Tensor> {
        let keys = self.visible_keys(&rows, key.dim(1)?);
        let query = query.narrow(1, rows.start, rows.len())?.contiguous()?;
        let key = key.narrow(1, keys.start, keys.len())?.contiguous()?;
        let value = value.narrow(1, keys.start, keys.len())?.contiguous()?;
        let mut logits = self.logits(&query, &key, &rows, &keys)?;
        if let Some(window) = self.window {
            logits = logits.broadcast_add(&by_distance(&rows, &keys, |distance| {
                if distance.unsigned_abs() <= window { 0.0 } else { f32::NEG_INFINITY }
            })?)?;
        }
        softmax(&logits)?.matmul(&value)?.transpose(0, 1)?.flatten_from(1)
    }

    /// Returns the keys, of `count`, that are within the window of any row of a block.
    fn visible_keys(&self, rows: &Range<usize>, count: usize) -> Range<usize> {
        let Some(window) = self.window else { return 0..count };
        rows.start.saturating_sub(window)..count.min(rows.end.saturating_add(window))
    }

    /// Returns the scaled logits with their position terms, `[heads, rows, keys]`.
    fn logits(
        &self,
        query: &Tensor,
        key: &Tensor,
        rows: &Range<usize>,
        keys: &Range<usize>,
    ) -> candle_core::Result<Tensor> {
        let products = query.matmul(&key.t()?)?;
        let scale = |terms: usize| ((query.dims()[2] * terms) as f64).sqrt().recip();
        match &self.positions {
            Positions::Absent | Positions::Rotary(_) => products * scale(1),
            Positions::Alibi(slopes) => {
                let distances = by_distance(rows, keys, |distance| -(distance.unsigned_abs() as f32))?;
                let slopes = Tensor::new(&slopes[..], &Device::Cpu)?.reshape((slopes.len(), 1, 1))?;
                (products * scale(1))? + slopes.broadcast_mul(&distances.unsqueeze(0)?)?
            }
            Positions::Bucketed(biases) => {
                let biases: Vec<f32> = biases
                    .chunks_exact(BIAS_COLUMNS)
                    .flat_map(|head| {
                        let row = move |row| keys.clone().map(move |key| head[bias_column(row, key)]);
                        rows.clone().flat_map(row)
                    })
                    .collect();
                (products * scale(1))?
                    + Tensor::from_vec(biases, (self.heads, rows.len(), keys.len()), &Device::Cpu)?
            }
            Positions::Relative(relative) => {
                let table_rows = relative.table_rows(rows, keys)?;
                let terms = [
                    relative.keys.as_ref().map(|table| self.content_to_position(query, table, &table_rows)),
                    relative
                        .queries
                        .as_ref()
                        .map(|table| self.content_to_position(key, table, &table_rows.t()?)?.t()),
                ];
                let sum = terms.into_iter().flatten().try_fold(products, |sum, term| sum + term?)?;
                sum * scale(1 + relative.terms())
            }
        }
    }

    /// Returns the products of `rows`, `[heads, rows, head_dim]`, with the rows of `table` at `table_rows`, `[rows, others]`.
    fn content_to_position(
        &self,
        rows: &Tensor,
        table: &Tensor,
        table_rows: &Tensor,
    ) -> candle_core::Result<Tensor> {
        let table = self.split_heads(table, &(0..table.dim(0)?))?;
        let products = rows.matmul(&table.t()?)?;
        let shape = (self.heads, table_rows.dim(0)?, table_rows.dim(1)?);
        products.gather(&table_rows.broadcast_as(shape)?.contiguous()?, D::Minus1)
    }

    /// Reshapes some rows of `[tokens, hidden]` to `[heads, rows, head_dim]`.
    fn split_heads(&self, x: &Tensor, rows: &Range<usize>) -> candle_core::Result<Tensor> {
        x.narrow(0, rows.start, rows.len())?
            .reshape((rows.len(), (), self.head_dim))?
            .transpose(0, 1)?
            .contiguous()
    }

    /// Repeats heads of keys or values, `[key_value_heads, rows, head_dim]`, for the heads of queries that share them.
    fn repeat_heads(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let (heads, rows, head_dim) = x.dims3()?;
        let group = self.heads / self.key_value_heads;
        x.unsqueeze(1)?.expand((heads, group, rows, head_dim))?.contiguous()?.flatten(0, 1)
    }
}

impl RelativePositions {
    /// Returns the row of the table for every query row and key, `[rows, keys]`.
    fn table_rows(&self, rows: &Range<usize>, keys: &Range<usize>) -> candle_core::Result<Tensor> {
        let table_rows: Vec<u32> =
            distances(rows, keys).map(|distance| self.distance_rows.row(distance) as u32).collect();
        Tensor::from_vec(table_rows, (rows.len(), keys.len()), &Device::Cpu)
    }
}

/// Returns `i - j` for every row `i` and key `j`.
fn distances(rows: &Range<usize>, keys: &Range<usize>) -> impl Iterator<Item = isize> {
    rows.clone().flat_map(move |row| keys.clone().map(move |key| row as isize - key as isize))
}

/// Returns a tensor `[rows, keys]` with `value` of each distance.
fn by_distance(
    rows: &Range<usize>,
    keys: &Range<usize>,
    value: impl Fn(isize) -> f32,
) -> candle_core::Result<Tensor> {
    let values: Vec<f32> = distances(rows, keys).map(value).collect();
    Tensor::from_vec(values, (rows.len(), keys.len()), &Device::Cpu)
}

fn softmax(x: &Tensor) -> candle_core::Result<Tensor> {
    let exponentials = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?.exp()?;
    exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)
}

/// Rotary tables of a batch, each made for the first layer that uses it.
pub(super) struct Rotations {
    /// Length of the longest pair, in tokens.
    positions: usize,
    /// Cosines and sines by angles and `head_dim`.
    cached: Vec<((Rotary, usize), [Tensor; 2])>,
}

impl Rotations {
    pub(super) fn for_batch(batch: &Batch) -> Self {
        Self { positions: batch.ranges().map(|pair| pair.len()).max().unwrap_or(0), cached: Vec::new() }
    }

    /// Rotates `[heads, rows, head_dim]`, whose rows are the first of their pair.
    fn rotate(&mut self, rotary: &Rotary, x: &Tensor) -> candle_core::Result<Tensor> {
        let (_, rows, head_dim) = x.dims3()?;
        let [cos, sin] = self.tables(rotary, head_dim)?.each_ref().map(|table| table.narrow(0, 0, rows));
        let (cos, sin) = (cos?.unsqueeze(0)?, sin?.unsqueeze(0)?);
        let half = head_dim / 2;
        let (first, second) = (x.narrow(2, 0, half)?, x.narrow(2, half, half)?);
        let rotated = [
            (first.broadcast_mul(&cos)? - second.broadcast_mul(&sin)?)?,
            (second.broadcast_mul(&cos)? + first.broadcast_mul(&sin)?)?,
        ];
        Tensor::cat(&rotated, 2)
    }

    /// Cosines and sines, `[positions, head_dim / 2]` each.
    fn tables(&mut self, rotary: &Rotary, head_dim: usize) -> candle_core::Result<&[Tensor; 2]> {
        let wanted = (*rotary, head_dim);
        let index = match self.cached.iter().position(|(cached, _)| *cached == wanted) {
            Some(index) => index,
            None => {
                let table = RotaryTable::new(rotary, head_dim, self.positions);
                let shape = (self.positions, head_dim / 2);
                let (cos, sin): (Vec<_>, Vec<_>) =
                    (0..self.positions).map(|position| table.at(position)).unzip();
                let cos = Tensor::from_vec(cos.concat(), shape, &Device::Cpu)?;
                let sin = Tensor::from_vec(sin.concat(), shape, &Device::Cpu)?;
                self.cached.push((wanted, [cos, sin]));
                self.cached.len() - 1
            }
        };
        Ok(&self.cached[index].1)
    }
}
