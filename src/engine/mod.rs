//! Engines run a [`Plan`].
//!
//! Every engine is used in the same three calls:
//!
//! - *prepare*: [`lower`] walks over the Plan once, and the engine packs or uploads each tensor it meets;
//! - *submit*: a [`Batch`] goes to the engine. A GPU starts to compute; other engines do nothing yet;
//! - *finish*: the engine returns one pooled row per pair, `[pairs, pooled_size]`. A GPU's rows are awaited; other
//!   engines compute now, on this thread.
//!
//! Between submit and finish the caller can tokenize the next batch while a GPU works.
//!
//! [`Engine`] is an enum, not a trait: in a browser, a future that waits for a GPU is not `Send`, and a boxed future
//! would make every caller pay for that.
//!
//! # When a GPU fails
//!
//! If a model was loaded with the device `auto`, its CPU engine stays beside the GPU engine. A failure of the GPU is
//! handled in three steps, so that no result mixes scores of two engines:
//!
//! 1. `Session::fall_back` (src/reranker/session.rs) makes the CPU engine the active one, once per model.
//! 2. Every `ScoringRun` that began on the GPU begins again, and its next `PartialScores` has `restarted` set.
//! 3. In WebAssembly, src/wasm/mod.rs throws that as the error `device-lost`, because one call in JavaScript can consist
//!    of several runs; `withRestart` in pkg/src/scoring/fallback.ts then begins the whole call again.

#[cfg(feature = "candle")]
pub(crate) mod candle;
pub(crate) mod clock;
pub(crate) mod cpu;
#[cfg(feature = "decoder")]
mod decoder;
mod embed;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
mod lower;
mod positions;
mod weight_checks;

use crate::checkpoint::Weights;
#[cfg(feature = "decoder")]
use crate::checkpoint::{Decoder, ModelConfig};
#[cfg(feature = "gpu")]
use crate::error::ErrorKind;
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
use crate::error::unsupported;
use crate::error::{Error, Result, internal};
use crate::model::Plan;
use crate::options::Dtype;
use crate::text::Batch;

/// An engine with a prepared model.
#[derive(Debug)]
pub(crate) enum Engine {
    /// The reference: candle tensors in f32 on the CPU.
    #[cfg(feature = "candle")]
    Candle(candle::CandleEngine),
    /// SIMD kernels in f32 or q8.
    Cpu(cpu::CpuEngine),
    /// WebGPU, or Vulkan, Metal or DX12 through the same shaders.
    #[cfg(feature = "gpu")]
    Gpu(Box<gpu::GpuEngine>),
    /// A decoder in candle; it has no Plan.
    #[cfg(feature = "decoder")]
    Decoder(decoder::DecoderEngine),
}

/// How a CPU engine computes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineConfig {
    /// Threads that one batch is spread over, at least 1.
    pub(crate) threads: usize,
    /// How weights are stored.
    pub(crate) dtype: Dtype,
}

/// A batch between [`Engine::submit`] and [`Engine::finish`].
#[derive(Debug)]
pub(crate) enum Submission {
    /// The batch is computed by `finish`.
    Sync,
    /// The GPU computes the batch, or the submission failed with an error that `finish` returns.
    #[cfg(feature = "gpu")]
    Gpu(Result<gpu::PendingBatch>),
}

impl Submission {
    /// Whether the batch is computed elsewhere while this thread goes on.
    pub(crate) fn is_async(&self) -> bool {
        !matches!(self, Submission::Sync)
    }
}

impl Engine {
    /// Prepares a CPU engine. All tensors of the plan must have been validated.
    ///
    /// # Errors
    /// `weights` for values that are too large to compute with; in q8 also for a matrix that is not stored in codes, and
    /// `unsupported` for one with too many input features.
    #[inline(never)]
    pub(crate) fn prepare_cpu(plan: &Plan, weights: Weights, config: EngineConfig) -> Result<Self> {
        let EngineConfig { threads, dtype } = config;
        // f16 is a storage format of GPUs; on a CPU such a model runs in f32.
        let dtype = if dtype == Dtype::F16 { Dtype::F32 } else { dtype };
        cpu::CpuEngine::prepare(plan, weights, dtype, threads).map(Engine::Cpu)
    }

    /// Prepares the reference engine. All tensors of the plan must have been validated.
    #[cfg(feature = "candle")]
    pub(crate) fn prepare_candle(plan: &Plan, weights: Weights) -> Result<Self> {
        candle::CandleEngine::prepare(plan, weights).map(Engine::Candle)
    }

    /// Prepares a GPU engine from copies of the weights, with these features of the adapter, or with none if the driver
    /// rejects their kernels. It has no embedding tables yet:
    /// [`GpuEngine::share_embedding`](gpu::GpuEngine::share_embedding) gives it those of a CPU engine.
    ///
    /// # Errors
    /// `unsupported` without a suitable adapter; as [`GpuEngine::prepare`](gpu::GpuEngine::prepare).
    #[cfg(feature = "gpu")]
    pub(crate) async fn prepare_gpu(
        (adapter, mut features): (gpu::AdapterKind, gpu::GpuFeatures),
        plan: &Plan,
        weights: &Weights,
        dtype: Dtype,
    ) -> Result<Box<gpu::GpuEngine>> {
        loop {
            let mut gpu = gpu::Gpu::open(adapter).await?;
            gpu.features = gpu.features.and(features);
            let uses_features = gpu.features != gpu::GpuFeatures::NONE;
            match gpu::GpuEngine::prepare(gpu, plan, weights, dtype).await {
                Err(error) if uses_features && error.kind() == ErrorKind::Internal => {
                    features = gpu::GpuFeatures::NONE;
                }
                engine => return engine.map(Box::new),
            }
        }
    }

    /// Prepares the engine of a decoder for pairs of at most `max_length` tokens, on this number of threads if it is
    /// given. All its tensors must have been validated.
    #[cfg(feature = "decoder")]
    pub(crate) fn prepare_decoder(
        (config, decoder): (&ModelConfig, &Decoder),
        weights: Weights,
        max_length: usize,
        threads: Option<std::num::NonZeroUsize>,
    ) -> Result<Self> {
        decoder::DecoderEngine::prepare(config, decoder, weights, max_length, threads).map(Engine::Decoder)
    }

    /// Returns the device, `"cpu"` or `"gpu"`.
    pub(crate) fn device(&self) -> &'static str {
        match self {
            #[cfg(feature = "gpu")]
            Engine::Gpu(_) => "gpu",
            _ => "cpu",
        }
    }

    /// Returns the name of the implementation: `"candle"`, `"webgpu"`, or the instruction set of the CPU kernels.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            #[cfg(feature = "candle")]
            Engine::Candle(_) => "candle",
            Engine::Cpu(engine) => engine.instruction_set(),
            #[cfg(feature = "gpu")]
            Engine::Gpu(_) => "webgpu",
            #[cfg(feature = "decoder")]
            Engine::Decoder(_) => "candle",
        }
    }

    /// Describes the kernels that were chosen for a GPU.
    #[cfg(feature = "gpu")]
    pub(crate) fn kernels(&self) -> Option<String> {
        match self {
            Engine::Gpu(engine) => Some(engine.kernels()),
            _ => None,
        }
    }

    /// Returns the preferred number of tokens in a micro-batch.
    pub(crate) fn batch_tokens(&self) -> usize {
        match self {
            #[cfg(feature = "candle")]
            Engine::Candle(_) => candle::BATCH_TOKENS,
            Engine::Cpu(engine) => engine.batch_tokens(),
            #[cfg(feature = "gpu")]
            Engine::Gpu(engine) => engine.batch_tokens(),
            #[cfg(feature = "decoder")]
            Engine::Decoder(_) => decoder::BATCH_TOKENS,
        }
    }

    /// Returns the largest accepted difference between raw logits and those of exact arithmetic on the same weights,
    /// relative to logits above 1.
    pub(crate) fn tolerance(&self) -> f32 {
        match self {
            Engine::Cpu(engine) if engine.quantizes() => 0.1,
            #[cfg(feature = "gpu")]
            Engine::Gpu(engine) => engine.tolerance(),
            _ => 1e-4,
        }
    }

    /// Submits a batch. Only a GPU starts to compute.
    pub(crate) fn submit(&self, batch: &Batch) -> Submission {
        match self {
            #[cfg(feature = "gpu")]
            Engine::Gpu(engine) => Submission::Gpu(engine.submit(batch)),
            _ => {
                let _ = batch;
                Submission::Sync
            }
        }
    }

    /// Returns the pooled rows of a submitted batch, `[pairs, pooled_size]`.
    ///
    /// # Errors
    /// `internal` if an activation is not finite; on a GPU also `device-lost` and `out-of-memory`.
    pub(crate) async fn finish(&self, batch: &Batch, submission: Submission) -> Result<Vec<f32>> {
        match (self, submission) {
            #[cfg(feature = "gpu")]
            (Engine::Gpu(engine), Submission::Gpu(submitted)) => engine.receive(submitted?).await,
            _ => self.run(batch).await,
        }
    }

    /// Runs a batch and returns the time of each GPU kernel.
    ///
    /// # Errors
    /// `unsupported` for other engines, and for a GPU without timestamp queries.
    #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
    pub(crate) async fn profile(&self, batch: &Batch) -> Result<Vec<gpu::KernelTime>> {
        match self {
            Engine::Gpu(engine) => engine.profile(batch).await,
            _ => Err(unsupported("kernels are timed on a GPU only: use the device \"gpu\"")),
        }
    }

    /// Runs a batch on a stage of a Plan: the first stage, or a later one with the hidden states of the stage before it.
    /// Returns the hidden states, `[tokens, hidden_size]`, or pooled rows after the last stage.
    ///
    /// # Errors
    /// `internal` if an activation is not finite, or if this is not the CPU engine.
    #[cfg(any(test, target_arch = "wasm32"))]
    pub(crate) fn run_stage(&self, batch: &Batch, hidden_states: Option<&[f32]>) -> Result<Vec<f32>> {
        match self {
            Engine::Cpu(engine) => engine.forward(batch, hidden_states),
            #[cfg_attr(
                not(any(feature = "gpu", feature = "candle")),
                expect(unreachable_patterns, reason = "there are other engines")
            )]
            _ => Err(internal("only the CPU engine runs stages of a Plan")),
        }
    }

    /// Submits a batch and returns its pooled rows, `[pairs, pooled_size]`.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub(crate) async fn run(&self, batch: &Batch) -> Result<Vec<f32>> {
        match self {
            #[cfg(feature = "candle")]
            Engine::Candle(engine) => engine.run(batch),
            Engine::Cpu(engine) => engine.run(batch),
            #[cfg(feature = "gpu")]
            Engine::Gpu(engine) => engine.run(batch).await,
            #[cfg(feature = "decoder")]
            Engine::Decoder(engine) => engine.run(batch),
        }
    }
}

/// Returns the error for a batch with an activation that is not finite.
pub(crate) fn non_finite_activation() -> Error {
    internal("an activation is not finite, so this model cannot score this input")
}
