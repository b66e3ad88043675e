//! The GPU engine: the Plan on WebGPU, in the browser or through Vulkan, Metal or DX12, with the same WGSL.
//!
//! A forward pass is first a recording, plain data, and then runs: one command buffer and one read-back for each
//! micro-batch. Embedding rows are gathered on the CPU, for tables may be larger than a GPU binds.

mod lower;
mod record;
mod run;
mod shader;
#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::Arc;

use self::lower::{Constants, Prepared};
use self::record::{BatchShape, Step, VEC4, bytes, record};
#[cfg(not(target_arch = "wasm32"))]
pub use self::run::KernelTime;
pub use self::run::gpu_bytes;
pub(crate) use self::run::{AdapterKind, Gpu};
use self::run::{Executor, PendingRows};
use self::shader::{GemmTile, Storage};
use super::Engine;
use super::embed::Embedding;
use crate::checkpoint::Weights;
use crate::error::{Result, internal, out_of_memory};
use crate::model::{Disentangled, Plan, Rotary};
use crate::options::Dtype;
use crate::text::Batch;

/// Rows with larger numbers are not: norms mark with such what was not finite, for a GPU may lose an infinity or a NaN.
const MAX_FINITE: f32 = 1e30;

/// Tokens that keep a GPU busy.
const BATCH_TOKENS: usize = 8192;

/// A Plan with its weights on a GPU.
#[derive(Debug)]
pub(crate) struct GpuEngine {
    gpu: Gpu,
    /// Shared with the CPU engine.
    embedding: Option<Arc<Embedding>>,
    steps: Vec<Step>,
    rotations: Vec<(Rotary, usize)>,
    relative_tables: Vec<Disentangled>,
    storage: Storage,
    tile: GemmTile,
    executor: Executor,
    hidden_size: usize,
}

/// A micro-batch that the GPU is at.
pub(crate) struct PendingBatch {
    parts: Vec<PendingRows>,
    scope_error: Pin<Box<ScopeError>>,
}

/// What a watch has seen, once it is known.
#[cfg(not(target_arch = "wasm32"))]
type ScopeError = dyn Future<Output = Result<()>> + Send;
#[cfg(target_arch = "wasm32")]
type ScopeError = dyn Future<Output = Result<()>>;

impl std::fmt::Debug for PendingBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PendingBatch").finish_non_exhaustive()
    }
}

impl GpuEngine {
    /// Uploads the weights of a Plan whose tensors have all been checked; they stay where they are.
    ///
    /// # Errors
    /// `unsupported` where there is no GPU or the model does not fit its limits, `out-of-memory`, `device-lost`;
    /// `weights` for numbers that cannot be computed with; `internal` when the GPU refuses its work.
    pub(crate) async fn prepare(gpu: Gpu, plan: &Plan, weights: &Weights, dtype: Dtype) -> Result<Self> {
        let storage = match dtype {
            Dtype::F16 => Storage::F16,
            Dtype::Q8 => Storage::Q8,
            _ => Storage::F32,
        };
        let tile = run::autotune(&gpu, storage).await?;
        let scope = gpu.error_scope();
        let mut constants = Constants::new(&gpu);
        let prepared = lower::prepare(plan, weights, storage, tile, &mut constants);
        let constants = constants.into_buffers();
        let Prepared { steps, rotations, relative_tables, setup_dispatches, setup_only } = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                // What went wrong on the GPU says more.
                scope.pop().await?;
                return Err(error);
            }
        };
        let mut executor = Executor::new(constants);
        let smallest = record(&steps, BatchShape { tokens: 1, pairs: 1, tiles: 1, max_seqlen: 1 }, tile);
        executor.warm_up(&gpu, setup_dispatches.iter().chain(&smallest.dispatches))?;
        if !setup_dispatches.is_empty() {
            executor.run_setup(&gpu, &setup_dispatches)?;
        }
        executor.drop_constants(&setup_only);
        scope.pop().await?;
        gpu.check_alive()?;
        Ok(Self {
            gpu,
            embedding: None,
            steps,
            rotations,
            relative_tables,
            storage,
            tile,
            executor,
            hidden_size: plan.hidden_size,
        })
    }

    /// Takes the tables of embeddings, without which it cannot run, from the engine beside it.
    pub(crate) fn share_embedding(&mut self, cpu: &Engine) {
        if let Engine::Cpu(cpu) = cpu {
            self.embedding = cpu.embedding();
        }
    }

    /// The adapter.
    pub(crate) fn adapter(&self) -> String {
        self.gpu.name()
    }

    /// How far raw logits may be from those of exact arithmetic on the weights of the checkpoint.
    pub(super) fn tolerance(&self) -> f32 {
        if self.storage == Storage::F16 { 2e-2 } else { 1e-3 }
    }

    /// Tokens a micro-batch should have.
    pub(super) fn batch_tokens(&self) -> usize {
        BATCH_TOKENS
    }

    /// Pooled rows `[pairs, hidden_size]`.
    ///
    /// # Errors
    /// `device-lost`, `out-of-memory`; `internal` for activations that are not finite.
    pub(super) async fn run(&self, batch: &Batch) -> Result<Vec<f32>> {
        let submitted = self.submit(batch)?;
        self.receive(submitted).await
    }

    /// Hands a batch to the GPU.
    pub(super) fn submit(&self, batch: &Batch) -> Result<PendingBatch> {
        self.gpu.check_alive()?;
        let embedding =
            self.embedding.as_ref().ok_or_else(|| internal("the GPU engine has no embeddings"))?;
        let scope = self.gpu.error_scope();
        let parts = self.split(batch).and_then(|parts| {
            parts
                .iter()
                .map(|part| {
                    let recording = record(&self.steps, record::shape(part), self.tile);
                    let uploads = record::uploads(part, embedding, &self.rotations, &self.relative_tables);
                    self.executor.submit(&self.gpu, &recording, uploads)
                })
                .collect::<Result<Vec<_>>>()
        });
        let scope_error = Box::pin(scope.pop());
        Ok(PendingBatch { parts: parts?, scope_error })
    }

    /// Waits for a batch.
    pub(super) async fn receive(&self, submitted: PendingBatch) -> Result<Vec<f32>> {
        let mut pooled = Vec::new();
        let mut failed = Ok(());
        for part in submitted.parts {
            match self.executor.receive(&self.gpu, part).await {
                Ok(rows) => pooled.extend(self.without_padding(&rows)),
                Err(error) => failed = Err(error),
            }
        }
        // A device that is gone explains every other error, and what a watch has seen explains what could not be read.
        self.gpu.check_alive()?;
        submitted.scope_error.await?;
        failed?;
        match pooled.iter().all(|value| value.abs() < MAX_FINITE) {
            true => Ok(pooled),
            false => {
                Err(internal("an activation is not finite; this model cannot be trusted with this input"))
            }
        }
    }

    /// What each kernel takes for a batch that is not too large for one part.
    ///
    /// # Errors
    /// `unsupported` where the GPU has no timestamps; as [`run`](Self::run).
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) async fn profile(&self, batch: &Batch) -> Result<Vec<KernelTime>> {
        let embedding =
            self.embedding.as_ref().ok_or_else(|| internal("the GPU engine has no embeddings"))?;
        let recording = record(&self.steps, record::shape(batch), self.tile);
        let uploads = record::uploads(batch, embedding, &self.rotations, &self.relative_tables);
        self.executor.profile(&self.gpu, &recording, uploads).await
    }

    fn without_padding(&self, rows: &[f32]) -> impl Iterator<Item = f32> {
        let (width, stride) = (self.hidden_size, self.hidden_size.next_multiple_of(VEC4));
        rows.chunks_exact(stride).flat_map(move |row| &row[..width]).copied()
    }

    /// The batch, in parts whose intermediate results this GPU can bind.
    fn split(&self, batch: &Batch) -> Result<Vec<Batch>> {
        let fits = |tokens: usize| self.max_buffer_bytes(tokens) <= self.gpu.max_binding_bytes();
        if fits(batch.tokens()) {
            return Ok(vec![batch.clone()]);
        }
        let mut parts = Vec::new();
        let mut first = 0;
        for (pair, rows) in batch.ranges().enumerate() {
            if !fits(rows.len()) {
                return Err(out_of_memory(format!(
                    "a pair of {} tokens needs a buffer of {} bytes, and one of this GPU has at most {}: use a \
                     smaller maximum length or the device \"cpu\"",
                    rows.len(),
                    self.max_buffer_bytes(rows.len()),
                    self.gpu.max_binding_bytes()
                )));
            }
            if !fits(rows.end - batch.cu_seqlens[first]) {
                parts.push(batch.slice(first..pair));
                first = pair;
            }
        }
        parts.push(batch.slice(first..batch.pairs()));
        Ok(parts)
    }

    /// Bytes of the largest buffer for intermediate results of so many tokens.
    fn max_buffer_bytes(&self, tokens: usize) -> u64 {
        let recording = record(
            &self.steps,
            BatchShape { tokens, pairs: tokens, tiles: tokens, max_seqlen: tokens },
            self.tile,
        );
        recording.scratch.into_values().max().unwrap_or(bytes(tokens, 1))
    }
}
