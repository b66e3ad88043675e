//! One batch on its way through the steps.

mod arena;
mod attention;
mod feed_forward;
mod linear;
mod pooling;
mod rotary;

pub(crate) use arena::Arena;
pub(crate) use attention::{Attention, Positions, QkvProjections};
pub(crate) use feed_forward::{BLOCK_ROWS, FeedForward};
pub(crate) use linear::{Input, Linear};
pub(crate) use rotary::RotaryCache;

use std::mem::{swap, take};

use crate::engine::cpu::kernels::{Epilogue, Norm, Output};
use crate::engine::cpu::{BlockNorm, CpuEngine, Step};
use crate::engine::embed::Embedding;
use crate::text::Batch;

/// The largest magnitude with which a residual stream that no norm has looked at goes into a linear layer.
///
/// Rows behind a norm are within its weights (`lower::LARGEST`) times the root of their length, and one layer more
/// still is far from 1e38; so are rows within this. Two layers more may leave f32 upwards, to infinities, and with them
/// all that integers are scaled back by: the norm behind sees that.
const MAX_UNNORMED: f32 = 1e14;

/// A batch, and how far it is.
pub(crate) struct ForwardPass<'a> {
    pub(crate) engine: &'a CpuEngine,
    pub(crate) batch: &'a Batch,
    /// Rows of the residual stream: all tokens, and at last one a pair.
    pub(crate) rows: usize,
    /// Columns of the residual stream.
    pub(crate) width: usize,
    /// Whether every activation so far was. Asked of whatever goes into a block, for what the integers in it make of NaN
    /// nobody promises, and it must not end as a score.
    ///
    /// Norms look for it. What follows one within a block are sums and products of at most two layers: those of the
    /// first are finite, so what the second reads is no NaN, and infinities come through it as such. The residual stream
    /// between blocks that are normalized before, which may grow, is read by norms alone; and where no norm has looked
    /// at what goes into a layer, its size is checked (`check_magnitude`).
    pub(crate) finite: bool,
    /// Whether the residual stream has just come out of a norm.
    pub(crate) normed: bool,
    pub(crate) arena: Arena,
}

impl<'a> ForwardPass<'a> {
    pub(crate) fn new(engine: &'a CpuEngine, batch: &'a Batch, arena: Arena) -> Self {
        Self { engine, batch, rows: 0, width: 0, finite: true, normed: false, arena }
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Embed(embedding) => self.embed(embedding),
            Step::Norm(norm) => self.norm(norm),
            Step::Project(layer) => self.project_stream(layer),
            Step::Attention(attention) => self.attention(attention),
            Step::FeedForward(block) => self.feed_forward(block),
            Step::Pool(pooling) => self.pool(*pooling),
        }
    }

    /// The rows that are left, if every activation was finite; and the memory for the next run.
    pub(crate) fn finish(self) -> (Option<Vec<f32>>, Arena) {
        let rows = &self.arena.x[..self.rows * self.width];
        let finite = self.finite && rows.iter().all(|value| value.is_finite());
        (finite.then(|| rows.to_vec()), self.arena)
    }

    fn embed(&mut self, embedding: &Embedding) {
        (self.rows, self.width) = (self.batch.tokens(), embedding.width());
        self.arena.cls_rows.clear();
        self.arena.cls_rows.extend(self.batch.ranges().map(|rows| rows.start));
        embedding.gather(self.batch, arena::rows(&mut self.arena.x, self.rows, self.width));
        self.normed = false;
    }

    pub(crate) fn norm(&mut self, norm: &Norm) {
        let x = &mut self.arena.x[..self.rows * self.width];
        self.finite &= self.engine.kernels.norm(x, norm);
        self.normed = true;
    }

    fn project_stream(&mut self, layer: &Linear) {
        self.check_magnitude();
        let buffer = take(&mut self.arena.wide);
        self.arena.wide = self.project(layer, &BlockNorm::Absent, buffer);
        swap(&mut self.arena.x, &mut self.arena.wide);
        (self.width, self.normed) = (layer.columns(), false);
    }

    /// Makes ready what a block reads: see [`BlockNorm::input`].
    pub(crate) fn normalize_input(&mut self, norm: &BlockNorm) {
        let BlockNorm::Before(norm) = norm else { return self.check_magnitude() };
        let Arena { x, normed, .. } = &mut self.arena;
        let normed = arena::rows(normed, self.rows, self.width);
        normed.copy_from_slice(&x[..self.rows * self.width]);
        self.finite &= self.engine.kernels.norm(normed, norm);
    }

    /// Checks rows that no norm has looked at before they go into a layer.
    fn check_magnitude(&mut self) {
        let x = &self.arena.x[..self.rows * self.width];
        self.finite &= self.normed || x.iter().all(|value| value.abs() <= MAX_UNNORMED);
    }

    /// A projection of all rows of a block's input that are left, in the memory of `to`.
    pub(crate) fn project(&mut self, projection: &Linear, norm: &BlockNorm, mut to: Vec<f32>) -> Vec<f32> {
        arena::rows(&mut to, self.rows, projection.columns());
        let output = Output { values: &mut to, epilogue: Epilogue::Store };
        let Arena { x, normed, cls_rows, quantized, .. } = &mut self.arena;
        let input = Input { values: norm.input(x, normed), rows: 0..self.rows, cls_rows };
        projection.apply(self.engine.kernels, &input, quantized, output);
        to
    }
}

impl BlockNorm {
    /// What a block reads, of the residual stream and the rows [`ForwardPass::normalize_input`] has normalized.
    pub(crate) fn input<'a>(&self, x: &'a [f32], normed: &'a [f32]) -> &'a [f32] {
        if matches!(self, BlockNorm::Before(_)) { normed } else { x }
    }
}
