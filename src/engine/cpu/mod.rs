//! The CPU engine: runs a Plan with SIMD kernels over packed weights and reused buffers.
//!
//! In q8, the input of each linear layer and of attention's products is quantized; everything else is f32. Every
//! operation of that path rounds the same way, in the same order, on every processor, so scores are bit-identical.

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

#[cfg(feature = "gpu")]
use std::sync::Arc;
use std::sync::Mutex;

pub(crate) use exec::{Arena, ArenaSizes, RotaryCache};
pub(crate) use kernels::{AttentionScratch, AttentionSizes, PackedPositions};
pub(crate) use packed_weights::{PackedF32, PackedQ8};

use exec::ForwardPass;
use kernels::{Kernels, Norm};

#[cfg(feature = "gpu")]
use super::embed::Embedding;
use crate::checkpoint::Weights;
use crate::engine::non_finite_activation;
use crate::error::Result;
use crate::model::Plan;
use crate::options::Dtype;
use crate::text::Batch;

/// Tokens in a micro-batch of one thread: their activations fit a core's L2 cache.
pub(crate) const BATCH_TOKENS: usize = 512;

/// A Plan with packed weights.
#[derive(Debug)]
pub(crate) struct CpuEngine {
    kernels: &'static dyn Kernels,
    dtype: Dtype,
    steps: Vec<Step>,
    threads: usize,
    /// Buffers that no call is using.
    arenas: Mutex<Vec<Arena>>,
}

type Step = super::lower::Step<CpuEngine>;
type BlockNorm = super::lower::BlockNorm<Norm>;

impl CpuEngine {
    /// Packs the weights of a Plan for the fastest kernels of this processor. All tensors must have been validated.
    pub(crate) fn prepare(plan: &Plan, weights: Weights, dtype: Dtype, threads: usize) -> Result<Self> {
        Self::with_kernels(select_kernels(), plan, weights, dtype, threads)
    }

    fn with_kernels(
        kernels: &'static dyn Kernels,
        plan: &Plan,
        weights: Weights,
        dtype: Dtype,
        threads: usize,
    ) -> Result<Self> {
        let steps = lower::steps(kernels, plan, weights, dtype)?;
        Ok(Self { kernels, dtype, steps, threads, arenas: Mutex::default() })
    }

    /// Name of the instruction set of the kernels, such as `"avx2"`.
    pub(super) fn instruction_set(&self) -> &'static str {
        self.kernels.name()
    }

    /// Whether activations are quantized before linear layers.
    pub(super) fn quantizes(&self) -> bool {
        self.dtype == Dtype::Q8
    }

    /// The embedding tables, for a GPU engine to share.
    #[cfg(feature = "gpu")]
    pub(super) fn embedding(&self) -> Option<Arc<Embedding>> {
        self.steps.iter().find_map(|step| match step {
            Step::Embed(embedding) => Some(Arc::clone(embedding)),
            _ => None,
        })
    }

    /// Preferred number of tokens in a micro-batch.
    pub(super) fn batch_tokens(&self) -> usize {
        // With several threads, enough shards per thread that none is idle for long at the end.
        if self.threads == 1 { BATCH_TOKENS } else { 4 * BATCH_TOKENS * self.threads }
    }

    /// Runs a batch and returns the pooled rows, `[pairs, pooled_size]`.
    ///
    /// # Errors
    /// `internal` if an activation is not finite.
    pub(super) fn run(&self, batch: &Batch) -> Result<Vec<f32>> {
        #[cfg(not(target_arch = "wasm32"))]
        if self.threads > 1 {
            return threads::run(self, batch);
        }
        self.run_on_this_thread(batch)
    }

    /// Runs a batch as [`run`](Self::run) does, on the calling thread only.
    fn run_on_this_thread(&self, batch: &Batch) -> Result<Vec<f32>> {
        self.forward(batch, None)
    }

    /// Runs a batch on the calling thread. A stage of a Plan after the first begins with the hidden states of the stage
    /// before it, `[tokens, hidden_size]`, and does not read token ids.
    #[inline(never)]
    pub(super) fn forward(&self, batch: &Batch, hidden_states: Option<&[f32]>) -> Result<Vec<f32>> {
        // A poisoned lock means that another call panicked; its arena was not in this list, so the list is intact.
        let arena = self.arenas.lock().unwrap_or_else(|poison| poison.into_inner()).pop();
        let mut run = ForwardPass::new(self, batch, arena.unwrap_or_default());
        if let Some(hidden_states) = hidden_states {
            run.resume(hidden_states);
        }
        for step in &self.steps {
            run.step(step);
        }
        let (pooled, arena) = run.finish();
        self.arenas.lock().unwrap_or_else(|poison| poison.into_inner()).push(arena);
        pooled.ok_or_else(non_finite_activation)
    }
}

/// Returns the fastest kernels that this processor supports.
#[cfg(not(target_arch = "wasm32"))]
fn select_kernels() -> &'static dyn Kernels {
    #[cfg(test)]
    if let Some(kernels) = tests::SELECTED.get() {
        return kernels;
    }
    kernels::available()[0]
}

/// Returns the faster of the build's kernels in this browser; measured once per instance.
#[cfg(target_arch = "wasm32")]
fn select_kernels() -> &'static dyn Kernels {
    static SELECTED: std::sync::OnceLock<&dyn Kernels> = std::sync::OnceLock::new();
    let [first, second] = kernels::candidates();
    // Called even if both are the same kernels, so that both wasm files have the same imports.
    *SELECTED.get_or_init(|| select_kernel::select(first, second))
}
