//! The attention block.

use std::mem::take;
use std::sync::Arc;

use super::Run;
use super::arena::{self, Arena};
use super::linear::{Input, Linear};
use super::pooling::first_rows;
use super::rotary::{Rotations, rotate};
use crate::engine::cpu::BlockNorm;
use crate::engine::cpu::kernels::{self, Attend, Output, Pair, Relative, Rows, Then};

#[derive(Debug)]
pub(crate) struct Attention {
    pub(crate) inputs: Inputs,
    pub(crate) output: Linear,
    pub(crate) heads: usize,
    pub(crate) positions: Positions,
    pub(crate) window: Option<usize>,
    pub(crate) norm: BlockNorm,
}

/// The projections into attention.
#[derive(Debug)]
pub(crate) enum Inputs {
    /// Query, key and value side by side, of all rows.
    All(Linear),
    /// The query of each pair's first row; key and value side by side, of all rows.
    First { query: Linear, key_value: Linear },
}

/// How attention knows where a token stands.
#[derive(Debug)]
pub(crate) enum Positions {
    Absent,
    /// Shared by the layers with the same angles.
    Rotary(Arc<Rotations>),
    /// Slopes, head by head.
    Alibi(Vec<f32>),
    Relative(Box<Relative>),
}

impl Run<'_> {
    pub(crate) fn attention(&mut self, attention: &Attention) {
        self.enter(&attention.norm);
        self.project_inputs(attention);
        self.attend(attention);
        let Arena { x, context, firsts, quantised, .. } = &mut self.arena;
        let context = Input { values: context, rows: 0..self.rows, firsts };
        attention.output.apply(
            self.engine.kernels,
            &context,
            quantised,
            Output { values: x, then: Then::Add },
        );
        self.normed = false;
        if let BlockNorm::After(norm) = &attention.norm {
            self.norm(norm);
        }
    }

    /// Fills `wide`, and `query` where only first rows ask.
    fn project_inputs(&mut self, attention: &Attention) {
        let Attention { inputs, positions, norm, .. } = attention;
        let room = take(&mut self.arena.wide);
        match inputs {
            Inputs::All(projection) => {
                self.arena.wide = self.project(projection, norm, room);
                self.rotate(positions, attention.heads, 2 * self.width, projection.columns());
            }
            Inputs::First { query, key_value } => {
                self.arena.wide = self.project(key_value, norm, room);
                self.rotate(positions, attention.heads, self.width, key_value.columns());
                // Queries stand at position 0, where nothing is rotated.
                if let BlockNorm::Before(_) = norm {
                    first_rows(&mut self.arena.normed, self.width, self.batch.ranges());
                }
                self.keep_first_rows();
                let room = take(&mut self.arena.query);
                self.arena.query = self.project(query, norm, room);
            }
        }
    }

    /// Rotates the first `columns` columns of `wide`, which are queries and keys.
    fn rotate(&mut self, positions: &Positions, heads: usize, columns: usize, stride: usize) {
        let Positions::Rotary(rotations) = positions else { return };
        let longest = self.batch.ranges().map(|rows| rows.len()).max().unwrap_or(0);
        let table = rotations.up_to(longest);
        for rows in self.batch.ranges() {
            let rows = self.arena.wide[rows.start * stride..rows.end * stride].chunks_exact_mut(stride);
            for (position, row) in rows.enumerate() {
                rotate(&mut row[..columns], self.width / heads, table.at(position));
            }
        }
    }

    /// Attention pair by pair, from `wide` and `query` to `context`.
    fn attend(&mut self, attention: &Attention) {
        let (hidden, kernels) = (self.width, self.engine.kernels);
        let attend = if self.engine.quantises() { kernels.attend_i16 } else { kernels.attend_f32 };
        let positions = match &attention.positions {
            Positions::Absent | Positions::Rotary(_) => kernels::Positions::Absent,
            Positions::Alibi(slopes) => kernels::Positions::Alibi(slopes),
            Positions::Relative(relative) => kernels::Positions::Relative(relative),
        };
        let Arena { wide, query, context, scratch, .. } = &mut self.arena;
        arena::rows(context, self.rows, hidden);
        for (index, rows) in self.batch.ranges().enumerate() {
            let part = |index: usize, of: usize| Rows {
                values: &wide[index * hidden..],
                stride: of * hidden,
                first: rows.start,
                count: rows.len(),
            };
            let (first, [query, key, value]) = match attention.inputs {
                Inputs::All(_) => (rows.start, [part(0, 3), part(1, 3), part(2, 3)]),
                Inputs::First { .. } => {
                    let query = Rows { values: query, stride: hidden, first: index, count: 1 };
                    (index, [query, part(0, 2), part(1, 2)])
                }
            };
            let Attention { heads, window, .. } = *attention;
            let pair = Pair { query, key, value, heads, head_dim: hidden / heads, window };
            attend(Attend { pair, positions, context: &mut context[first * hidden..], scratch });
        }
    }
}
