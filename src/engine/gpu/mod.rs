//! The GPU engine: runs a Plan on WebGPU in browsers, and on Vulkan, Metal or DX12 with the same WGSL.
//!
//! - `lower/` packs and uploads the weights of a Plan;
//! - `record/` turns the lowered steps and the shape of a batch into a list of dispatches, as plain data;
//! - `run/` executes that list on the device, as one command buffer and one readback per micro-batch;
//! - `shader/` has the WGSL of each kernel (`attention.wgsl`, `gemm.wgsl`, ...) and its description in Rust.
//!
//! Embedding rows are gathered on the CPU, because a table can be larger than the largest buffer of a GPU.

mod lower;
mod record;
mod run;
mod shader;
#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::Arc;

use self::lower::{Constants, Prepared};
use self::record::{BatchShape, Dispatch, Step, Uploads, VEC4, bytes, record};
#[cfg(not(target_arch = "wasm32"))]
pub use self::run::KernelTime;
pub(crate) use self::run::{AdapterKind, Gpu};
use self::run::{Executor, PendingRows};
pub use self::run::{GpuFeatures, gpu_bytes, gpu_choices, set_gpu_choices};
use self::shader::{Arithmetic, KernelChoice, Storage};
use super::Engine;
use super::embed::Embedding;
use crate::checkpoint::Weights;
use crate::engine::non_finite_activation;
use crate::error::{Result, internal, out_of_memory};
use crate::model::{Disentangled, Plan, Rotary};
use crate::options::Dtype;
use crate::text::Batch;

/// Pooled values above this mark a row that is not finite: a GPU need not propagate infinities and NaN, so `norm.wgsl`
/// writes 3e38 instead.
const MAX_FINITE: f32 = 1e30;

/// Preferred tokens in a micro-batch: enough to keep a GPU busy.
const BATCH_TOKENS: usize = 8192;

/// A Plan with its weights on a GPU.
#[derive(Debug)]
pub(crate) struct GpuEngine {
    gpu: Gpu,
    /// Shared with the CPU engine; set by [`share_embedding`](Self::share_embedding).
    embedding: Option<Arc<Embedding>>,
    steps: Vec<Step>,
    /// Rotary positions and their `head_dim`, by the index in the steps.
    rotations: Vec<(Rotary, usize)>,
    /// Tables of relative positions, by the index in the steps.
    relative_tables: Vec<Disentangled>,
    storage: Storage,
    choice: KernelChoice,
    executor: Executor,
    hidden_size: usize,
    /// Number of pooled rows of each pair.
    poolings: usize,
}

/// A submitted micro-batch.
pub(crate) struct PendingBatch {
    /// The rows of each part, see [`GpuEngine::split`].
    parts: Vec<PendingRows>,
    scope_error: Pin<Box<ScopeError>>,
}

/// The error of the scope around the submission.
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
    /// Uploads the weights of a Plan and compiles its kernels. All tensors must have been validated; they stay in
    /// `weights`.
    ///
    /// # Errors
    /// `unsupported` if a tensor is larger than the GPU can bind, `weights` for values that are too large to compute
    /// with, `out-of-memory`, `device-lost`; `internal` if the GPU rejects the work.
    pub(crate) async fn prepare(gpu: Gpu, plan: &Plan, weights: &Weights, dtype: Dtype) -> Result<Self> {
        let storage = match dtype {
            Dtype::F16 => Storage::F16,
            Dtype::Q8 => Storage::Q8,
            _ => Storage::F32,
        };
        let choice = run::autotune(&gpu, storage).await?;
        let scope = gpu.error_scope();
        let mut constants = Constants::new(&gpu);
        let prepared = lower::prepare(plan, weights, storage, choice.tile, &mut constants);
        let constants = constants.into_buffers();
        let Prepared { steps, rotations, relative_tables, setup_dispatches, setup_only } = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                // An error of the GPU is the more likely cause.
                scope.pop().await?;
                return Err(error);
            }
        };
        let mut executor = Executor::new(constants);
        executor.warm_up(&gpu, setup_dispatches.iter().chain(&smallest_batch(&steps, choice)))?;
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
            choice,
            executor,
            hidden_size: plan.hidden_size,
            poolings: plan.pooled_size() / plan.hidden_size,
        })
    }

    /// Shares the embedding tables of a CPU engine. Without them the engine cannot run.
    pub(crate) fn share_embedding(&mut self, cpu: &Engine) {
        if let Engine::Cpu(cpu) = cpu {
            self.embedding = cpu.embedding();
        }
    }

    /// Returns the name of the adapter.
    pub(crate) fn adapter(&self) -> String {
        self.gpu.name()
    }

    /// Returns true if the adapter is a software rasterizer.
    pub(crate) fn is_software(&self) -> bool {
        self.gpu.is_software()
    }

    /// Returns the largest accepted difference between raw logits and those of exact arithmetic on the checkpoint's
    /// weights.
    pub(super) fn tolerance(&self) -> f32 {
        match (self.storage, self.choice.arithmetic) {
            // As for the CPU engine, which quantizes activations in the same way.
            (_, Arithmetic::I8) => 0.1,
            (Storage::F16, _) => 2e-2,
            _ => 1e-3,
        }
    }

    /// Describes the chosen kernels.
    pub(crate) fn kernels(&self) -> String {
        self.choice.to_string()
    }

    /// Replaces kernels that use optional features with plain ones. Returns true if there were any.
    ///
    /// # Errors
    /// `device-lost`; `internal` if the GPU rejects the kernels.
    pub(crate) async fn drop_features(&mut self) -> Result<bool> {
        let plain = self.choice.without_features();
        if plain == self.choice {
            return Ok(false);
        }
        let scope = self.gpu.error_scope();
        let warmed = self.executor.warm_up(&self.gpu, &smallest_batch(&self.steps, plain));
        scope.pop().await?;
        warmed?;
        self.choice = plain;
        run::remember(&self.gpu, self.storage, plain);
        Ok(true)
    }

    /// Returns the preferred number of tokens in a micro-batch.
    pub(super) fn batch_tokens(&self) -> usize {
        BATCH_TOKENS
    }

    /// Runs a batch and returns the pooled rows, `[pairs, pooled_size]`.
    ///
    /// # Errors
    /// As [`submit`](Self::submit) and [`receive`](Self::receive).
    pub(super) async fn run(&self, batch: &Batch) -> Result<Vec<f32>> {
        let submitted = self.submit(batch)?;
        self.receive(submitted).await
    }

    /// Uploads a batch and submits its dispatches.
    ///
    /// # Errors
    /// `device-lost`; `out-of-memory` for a pair that is longer than the GPU's largest buffer.
    pub(super) fn submit(&self, batch: &Batch) -> Result<PendingBatch> {
        self.gpu.check_alive()?;
        let embedding =
            self.embedding.as_ref().ok_or_else(|| internal("the GPU engine has no embeddings"))?;
        let scope = self.gpu.error_scope();
        let parts = self.split(batch).and_then(|parts| {
            parts
                .iter()
                .map(|part| {
                    let recording = record(&self.steps, record::shape(part), self.choice);
                    let uploads = self.uploads(part, embedding);
                    self.executor.submit(&self.gpu, &recording, uploads)
                })
                .collect::<Result<Vec<_>>>()
        });
        let scope_error = Box::pin(scope.pop());
        Ok(PendingBatch { parts: parts?, scope_error })
    }

    /// Waits for the pooled rows of a submitted batch, `[pairs, pooled_size]`.
    ///
    /// # Errors
    /// `device-lost`, `out-of-memory`; `internal` if an activation is not finite.
    pub(super) async fn receive(&self, submitted: PendingBatch) -> Result<Vec<f32>> {
        let mut pooled = Vec::new();
        let mut failed = Ok(());
        for part in submitted.parts {
            match self.executor.receive(&self.gpu, part).await {
                Ok(rows) => pooled.extend(self.without_padding(&rows)),
                Err(error) => failed = Err(error),
            }
        }
        // The most specific error first: a lost device causes all others, and an error of the scope causes failed reads.
        self.gpu.check_alive()?;
        submitted.scope_error.await?;
        failed?;
        match pooled.iter().all(|value| value.abs() < MAX_FINITE) {
            true => Ok(pooled),
            false => Err(non_finite_activation()),
        }
    }

    /// Runs a batch that fits in one part and returns the time of each kernel.
    ///
    /// # Errors
    /// `unsupported` without timestamp queries; as [`run`](Self::run).
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) async fn profile(&self, batch: &Batch) -> Result<Vec<KernelTime>> {
        let embedding =
            self.embedding.as_ref().ok_or_else(|| internal("the GPU engine has no embeddings"))?;
        let recording = record(&self.steps, record::shape(batch), self.choice);
        let uploads = self.uploads(batch, embedding);
        self.executor.profile(&self.gpu, &recording, uploads).await
    }

    fn uploads(&self, batch: &Batch, embedding: &Embedding) -> Uploads {
        let needs_positions = self.choice.arithmetic == Arithmetic::I8;
        record::uploads(batch, embedding, &self.rotations, &self.relative_tables, needs_positions)
    }

    /// Returns the pooled rows of each pair side by side, without their padding. In `rows`, all pairs of one pooling come
    /// before those of the next.
    fn without_padding(&self, rows: &[f32]) -> impl Iterator<Item = f32> {
        let (width, stride) = (self.hidden_size, self.hidden_size.next_multiple_of(VEC4));
        let (poolings, pairs) = (self.poolings, rows.len() / stride / self.poolings);
        let of_pair = move |pair| (0..poolings).map(move |pooling| (pooling * pairs + pair) * stride);
        (0..pairs).flat_map(of_pair).flat_map(move |start| &rows[start..start + width]).copied()
    }

    /// Splits a batch into parts whose scratch buffers the GPU can bind.
    ///
    /// # Errors
    /// `out-of-memory` for a pair that is too long by itself.
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
                    "a pair of {} tokens needs a buffer of {} bytes, and this GPU allows at most {}: use a smaller \
                     maximum length or the device \"cpu\"",
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

    /// Returns the size of the largest scratch buffer for this many tokens, in bytes.
    fn max_buffer_bytes(&self, tokens: usize) -> u64 {
        let recording = record(
            &self.steps,
            BatchShape { tokens, pairs: tokens, tiles: tokens, max_seqlen: tokens },
            self.choice,
        );
        recording.scratch.into_values().max().unwrap_or(bytes(tokens, 1))
    }
}

/// Returns the dispatches of the smallest batch. Every batch uses the same kernels.
fn smallest_batch(steps: &[Step], choice: KernelChoice) -> Vec<Dispatch> {
    record(steps, BatchShape { tokens: 1, pairs: 1, tiles: 1, max_seqlen: 1 }, choice).dispatches
}
