//! The forward pass of one batch through the steps.

mod arena;
mod attention;
mod convolution;
mod feed_forward;
mod linear;
mod pooling;
mod rotary;

pub(crate) use arena::{Arena, ArenaSizes};
pub(crate) use linear::{Input, Linear};
pub(crate) use rotary::RotaryCache;

use std::mem::{swap, take};

use crate::checkpoint::Activation;
use crate::engine::cpu::kernels::{Epilogue, Norm, Output};
use crate::engine::cpu::{BlockNorm, CpuEngine, Step};
use crate::engine::embed::Embedding;
use crate::text::Batch;

/// Largest magnitude of a residual stream that enters a linear layer without a norm before it.
///
/// After a norm, values are at most the largest weight (1e12, see `weight_checks.rs`) times the root of the row's
/// length. The first layer after it, or after rows within this bound, stays far below 1e38. The second layer may
/// overflow, but only to infinity: its quantization scales become infinite too, so the next norm detects it. Between the two,
/// softmax could hide an overflow, so attention checks queries and keys.
const MAX_UNNORMED: f32 = 1e14;

/// The state of a batch between two steps.
pub(crate) struct ForwardPass<'a> {
    pub(crate) engine: &'a CpuEngine,
    pub(crate) batch: &'a Batch,
    /// Rows of the residual stream: one per token, and one per pair after pooling or a CLS-only layer.
    pub(crate) rows: usize,
    /// Columns of the residual stream.
    pub(crate) width: usize,
    /// True while all activations are finite. Each block checks it first, because softmax and the integers of attention turn
    /// NaN into arbitrary finite values, which must not become a score.
    ///
    /// Norms detect values that are not finite. A block has at most two layers after its norm: the first gives finite
    /// values, so the second reads no NaN, and it passes infinities on. With a norm before each block, the residual
    /// stream between blocks may grow, but only norms read it. If no norm comes before a layer, `check_magnitude`
    /// bounds the values instead.
    pub(crate) finite: bool,
    /// Whether the residual stream is the output of a norm.
    pub(crate) is_normalized: bool,
    pub(crate) arena: Arena,
}

impl<'a> ForwardPass<'a> {
    pub(crate) fn new(engine: &'a CpuEngine, batch: &'a Batch, arena: Arena) -> Self {
        Self { engine, batch, rows: 0, width: 0, finite: true, is_normalized: false, arena }
    }

    pub(crate) fn step(&mut self, step: &Step) {
        match step {
            Step::Embed(embedding) => self.embed(embedding),
            Step::Norm(norm) => self.norm(norm),
            Step::Project(layer, activation) => self.project_stream(layer, *activation),
            Step::Unfold(unfold) => self.unfold(*unfold),
            Step::Convolve(convolution) => self.convolve(convolution),
            Step::Attention(attention) => self.attention(attention),
            Step::FeedForward(block) => self.feed_forward(block),
            Step::Pool(pool) => self.pool(pool),
        }
    }

    /// Returns the remaining rows, or `None` if an activation was not finite, and the buffers for the next batch.
    pub(crate) fn finish(self) -> (Option<Vec<f32>>, Arena) {
        let rows = &self.arena.x[..self.rows * self.width];
        let finite = self.finite && rows.iter().all(|value| value.is_finite());
        (finite.then(|| rows.to_vec()), self.arena)
    }

    fn embed(&mut self, embedding: &Embedding) {
        embedding.gather(self.batch, self.begin(embedding.width()));
    }

    /// Begins with the hidden states of an earlier stage of the Plan, `[tokens, width]`.
    pub(crate) fn resume(&mut self, hidden_states: &[f32]) {
        let width = hidden_states.len() / self.batch.tokens();
        self.begin(width).copy_from_slice(hidden_states);
    }

    /// Returns the residual stream, with a row per token, to be filled.
    fn begin(&mut self, width: usize) -> &mut [f32] {
        (self.rows, self.width) = (self.batch.tokens(), width);
        self.arena.cls_rows.clear();
        self.arena.cls_rows.extend(self.batch.ranges().map(|rows| rows.start));
        self.is_normalized = false;
        arena::rows(&mut self.arena.x, self.rows, self.width)
    }

    pub(crate) fn norm(&mut self, norm: &Norm) {
        let x = &mut self.arena.x[..self.rows * self.width];
        self.finite &= self.engine.kernels.norm(x, norm);
        self.is_normalized = true;
    }

    fn project_stream(&mut self, layer: &Linear, activation: Option<Activation>) {
        self.check_magnitude();
        let buffer = take(&mut self.arena.wide);
        self.arena.wide = self.project(layer, &BlockNorm::Absent, buffer);
        if let Some(activation) = activation {
            self.engine.kernels.activate(&mut self.arena.wide[..self.rows * layer.columns()], activation);
        }
        swap(&mut self.arena.x, &mut self.arena.wide);
        (self.width, self.is_normalized) = (layer.columns(), false);
    }

    /// Prepares the input of a block, which [`BlockNorm::input`] returns: normalizes it or checks its magnitude.
    pub(crate) fn normalize_input(&mut self, norm: &BlockNorm) {
        let BlockNorm::Before(norm) = norm else { return self.check_magnitude() };
        let Arena { x, normed, .. } = &mut self.arena;
        let normed = arena::rows(normed, self.rows, self.width);
        normed.copy_from_slice(&x[..self.rows * self.width]);
        self.finite &= self.engine.kernels.norm(normed, norm);
    }

    /// Checks that rows which no norm has checked are within [`MAX_UNNORMED`].
    pub(crate) fn check_magnitude(&mut self) {
        let x = &self.arena.x[..self.rows * self.width];
        self.finite &= self.is_normalized || x.iter().all(|value| value.abs() <= MAX_UNNORMED);
    }

    /// Projects all rows of a block's input into the buffer `to`, and returns it.
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
    /// Returns the input of a block: the rows that [`ForwardPass::normalize_input`] wrote, or the residual stream.
    pub(crate) fn input<'a>(&self, x: &'a [f32], normed: &'a [f32]) -> &'a [f32] {
        if matches!(self, BlockNorm::Before(_)) { normed } else { x }
    }
}
