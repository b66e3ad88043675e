//! The attention block.

use std::mem::take;

use super::ForwardPass;
use super::arena::{self, Arena};
use super::linear::Input;
use super::pooling::move_rows_to_front;
use super::rotary::rotate;
use crate::engine::cpu::kernels::{self, AttentionCall, Epilogue, Output, Qkv, RowsView};
use crate::engine::cpu::{BlockNorm, CpuEngine};
use crate::engine::lower::{self, QkvProjections};

type Attention = lower::Attention<CpuEngine>;
type Positions = lower::Positions<CpuEngine>;

impl ForwardPass<'_> {
    pub(crate) fn attention(&mut self, attention: &Attention) {
        self.normalize_input(&attention.norm);
        self.project_qkv(attention);
        self.attend(attention);
        let Arena { x, context, cls_rows, quantized, .. } = &mut self.arena;
        let context = Input { values: context, rows: 0..self.rows, cls_rows };
        attention.output.apply(
            self.engine.kernels,
            &context,
            quantized,
            Output { values: x, epilogue: Epilogue::Add },
        );
        self.is_normalized = false;
        if let BlockNorm::After(norm) = &attention.norm {
            self.norm(norm);
        }
    }

    /// Fills `wide` with the projections, and `query` if only the CLS rows have queries.
    fn project_qkv(&mut self, attention: &Attention) {
        let Attention { qkv, norm, .. } = attention;
        let keys = attention.key_value_heads * attention.head_dim;
        let buffer = take(&mut self.arena.wide);
        match qkv {
            QkvProjections::All(projection) => {
                self.arena.wide = self.project(projection, norm, buffer);
                self.rotate(attention, self.width + keys, projection.columns());
            }
            QkvProjections::Cls { query, key_value } => {
                self.arena.wide = self.project(key_value, norm, buffer);
                self.rotate(attention, keys, key_value.columns());
                // CLS queries are at position 0, where the rotation is the identity.
                if let BlockNorm::Before(_) = norm {
                    move_rows_to_front(&mut self.arena.normed, self.width, self.batch.ranges());
                }
                self.keep_cls_rows();
                let buffer = take(&mut self.arena.query);
                self.arena.query = self.project(query, norm, buffer);
            }
        }
    }

    /// Applies rotary positions to the first `columns` columns of `wide`: queries and keys, or keys alone.
    fn rotate(&mut self, attention: &Attention, columns: usize, stride: usize) {
        let Positions::Rotary(rotary_cache) = &attention.positions else { return };
        let max_length = self.batch.ranges().map(|rows| rows.len()).max().unwrap_or(0);
        let table = rotary_cache.at_least(max_length);
        for rows in self.batch.ranges() {
            let rows = self.arena.wide[rows.start * stride..rows.end * stride].chunks_exact_mut(stride);
            for (position, row) in rows.enumerate() {
                rotate(&mut row[..columns], attention.head_dim, table.at(position));
            }
        }
    }

    /// Computes attention pair by pair, from `wide` and `query` to `context`.
    fn attend(&mut self, attention: &Attention) {
        let (hidden, kernels, quantizes) = (self.width, self.engine.kernels, self.engine.quantizes());
        let positions = match &attention.positions {
            Positions::Absent | Positions::Rotary(_) => kernels::Positions::Absent,
            Positions::Alibi(slopes) => kernels::Positions::Alibi(slopes),
            Positions::Bucketed(biases) => kernels::Positions::Bucketed(biases),
            Positions::Relative(relative) => kernels::Positions::Relative(relative),
        };
        let Arena { wide, query, context, scratch, .. } = &mut self.arena;
        arena::rows(context, self.rows, hidden);
        for (index, rows) in self.batch.ranges().enumerate() {
            let Attention { heads, key_value_heads, head_dim, window, .. } = *attention;
            let keys = key_value_heads * head_dim;
            let part = |column: usize, stride: usize| RowsView {
                values: &wide[column..],
                stride,
                first: rows.start,
                count: rows.len(),
            };
            let (first, [query, key, value]) = match attention.qkv {
                QkvProjections::All(_) => {
                    (rows.start, [0, hidden, hidden + keys].map(|column| part(column, hidden + 2 * keys)))
                }
                QkvProjections::Cls { .. } => {
                    let query = RowsView { values: query, stride: hidden, first: index, count: 1 };
                    (index, [query, part(0, 2 * keys), part(keys, 2 * keys)])
                }
            };
            let qkv = Qkv { query, key, value, heads, key_value_heads, head_dim, window };
            let call = AttentionCall { qkv, positions, context: &mut context[first * hidden..], scratch };
            if quantizes { kernels.attend_i16(call) } else { kernels.attend_f32(call) }
        }
    }
}
