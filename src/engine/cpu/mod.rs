//! The CPU engine: the Plan on kernels of our own, over packed weights and reused memory.
//!
//! In q8, activations are quantized row by row in front of each linear layer and everything else is f32. Every
//! operation of that path rounds alike on every processor, in one order, so a score is the same bits everywhere.

mod arch;
mod exec;
mod kernels;
mod lower;
mod packed_weights;
#[cfg(target_arch = "wasm32")]
mod select_kernel;
#[cfg(test)]
pub(super) mod tests;
#[cfg(not(target_arch = "wasm32"))]
mod threads;

use std::sync::{Arc, Mutex};

pub(crate) use arch::MAX_TILE_ROWS;
pub(crate) use exec::BLOCK_ROWS;

use exec::{Arena, Attention, FeedForward, ForwardPass, Linear};
use kernels::{Kernels, Norm};

use super::embed::Embedding;
use crate::checkpoint::Weights;
use crate::error::{Result, internal};
use crate::model::{Plan, Pooling};
use crate::options::Dtype;
use crate::text::Batch;

/// Activations of so many tokens stay in a core's second-level cache.
pub(crate) const BATCH_TOKENS: usize = 512;

/// A Plan with its weights packed.
#[derive(Debug)]
pub(crate) struct CpuEngine {
    kernels: &'static Kernels,
    dtype: Dtype,
    steps: Vec<Step>,
    threads: usize,
    /// Memory that no call is using.
    arenas: Mutex<Vec<Arena>>,
}

#[derive(Debug)]
enum Step {
    Embed(Arc<Embedding>),
    Norm(Norm),
    Project(Linear),
    Attention(Box<Attention>),
    FeedForward(Box<FeedForward>),
    Pool(Pooling),
}

/// Where a block is normalized.
#[derive(Debug)]
enum BlockNorm {
    Before(Norm),
    After(Norm),
    Absent,
}

impl CpuEngine {
    /// Packs the weights of a Plan whose tensors have all been checked, for the fastest kernels of this processor.
    pub(crate) fn prepare(plan: &Plan, weights: Weights, dtype: Dtype, threads: usize) -> Result<Self> {
        Self::with_kernels(select_kernels(), plan, weights, dtype, threads)
    }

    fn with_kernels(
        kernels: &'static Kernels,
        plan: &Plan,
        weights: Weights,
        dtype: Dtype,
        threads: usize,
    ) -> Result<Self> {
        let steps = lower::steps(kernels, plan, weights, dtype)?;
        Ok(Self { kernels, dtype, steps, threads, arenas: Mutex::default() })
    }

    /// What the kernels are made of, such as `"avx2"`.
    pub(super) fn instruction_set(&self) -> &'static str {
        self.kernels.name
    }

    /// Whether activations are quantized in front of linear layers.
    pub(super) fn quantizes(&self) -> bool {
        self.dtype == Dtype::Q8
    }

    /// The tables of embeddings, for an engine that is to share them.
    #[cfg(feature = "gpu")]
    pub(super) fn embedding(&self) -> Option<Arc<Embedding>> {
        self.steps.iter().find_map(|step| match step {
            Step::Embed(embedding) => Some(Arc::clone(embedding)),
            _ => None,
        })
    }

    /// Tokens a micro-batch should have.
    pub(super) fn batch_tokens(&self) -> usize {
        // For several threads as many as keep them all busy to the end.
        if self.threads == 1 { BATCH_TOKENS } else { 4 * BATCH_TOKENS * self.threads }
    }

    /// Pooled rows `[pairs, hidden_size]`.
    ///
    /// # Errors
    /// `internal` for activations that are not finite.
    pub(super) fn run(&self, batch: &Batch) -> Result<Vec<f32>> {
        #[cfg(not(target_arch = "wasm32"))]
        if self.threads > 1 {
            return threads::run(self, batch);
        }
        self.run_on_this_thread(batch)
    }

    /// As [`run`](Self::run), on this thread.
    fn run_on_this_thread(&self, batch: &Batch) -> Result<Vec<f32>> {
        // A poisoned lock only means that another call panicked; what it held is not here.
        let arena = self.arenas.lock().unwrap_or_else(|poison| poison.into_inner()).pop();
        let mut run = ForwardPass::new(self, batch, arena.unwrap_or_default());
        for step in &self.steps {
            run.step(step);
        }
        let (pooled, arena) = run.finish();
        self.arenas.lock().unwrap_or_else(|poison| poison.into_inner()).push(arena);
        pooled.ok_or_else(|| {
            internal("an activation is not finite; this model cannot be trusted with this input")
        })
    }
}

/// The kernels to use on this processor.
#[cfg(not(target_arch = "wasm32"))]
fn select_kernels() -> &'static Kernels {
    kernels::available()[0]
}

/// The kernels to use in this browser, found out once.
#[cfg(target_arch = "wasm32")]
fn select_kernels() -> &'static Kernels {
    static SELECTED: std::sync::OnceLock<&Kernels> = std::sync::OnceLock::new();
    let [first, second] = kernels::candidates();
    // Also where both are one: the two files are to have the same imports.
    SELECTED.get_or_init(|| select_kernel::select(first, second))
}
