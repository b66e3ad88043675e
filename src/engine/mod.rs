//! Engines run a [`Plan`].
//!
//! An engine is three things: `prepare` a Plan with its weights, say how many tokens it likes at once, and `run` a
//! batch to one pooled row a pair. How it does that is its own affair. Engines are an enum and not a trait, because a
//! future that waits for a GPU in a browser is not `Send` and a boxed one would make every caller pay for it.

#[cfg(feature = "candle")]
pub(crate) mod candle;
#[cfg(any(feature = "gpu", target_arch = "wasm32"))]
pub(crate) mod clock;
pub(crate) mod cpu;
#[cfg(feature = "decoder")]
mod decoder;
mod embed;
#[cfg(feature = "gpu")]
pub(crate) mod gpu;
mod lower;
mod magnitude;
mod positions;

use crate::checkpoint::Weights;
#[cfg(feature = "decoder")]
use crate::checkpoint::{Decoder, ModelConfig};
use crate::error::Result;
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
use crate::error::unsupported;
use crate::model::Plan;
use crate::options::Dtype;
use crate::text::Batch;

/// One of the ways to run a Plan.
#[derive(Debug)]
pub(crate) enum Engine {
    /// candle tensors in f32 on the CPU: the reference.
    #[cfg(feature = "candle")]
    Candle(candle::CandleEngine),
    /// Kernels of our own.
    Cpu(cpu::CpuEngine),
    /// WebGPU.
    #[cfg(feature = "gpu")]
    Gpu(Box<gpu::GpuEngine>),
    /// A decoder, which is no Plan.
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

/// A batch on its way.
#[derive(Debug)]
pub(crate) enum Submission {
    /// To be run when it is asked for.
    Sync,
    /// A GPU is at it, or could not take it.
    #[cfg(feature = "gpu")]
    Gpu(Result<gpu::PendingBatch>),
}

impl Submission {
    /// Whether this thread has time for something else.
    pub(crate) fn is_async(&self) -> bool {
        !matches!(self, Submission::Sync)
    }
}

impl Engine {
    /// Prepares a CPU engine. All tensors of the plan must have been validated.
    ///
    /// # Errors
    /// `weights` for numbers that are too large to compute with.
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

    /// Prepares a GPU engine from copies of the weights. It has no embedding tables yet:
    /// [`GpuEngine::share_embedding`](gpu::GpuEngine::share_embedding) gives it those of a CPU engine.
    ///
    /// # Errors
    /// `unsupported` without a suitable adapter; as [`GpuEngine::prepare`](gpu::GpuEngine::prepare).
    #[cfg(feature = "gpu")]
    pub(crate) async fn prepare_gpu(
        adapter: gpu::AdapterKind,
        plan: &Plan,
        weights: &Weights,
        dtype: Dtype,
    ) -> Result<Box<gpu::GpuEngine>> {
        let gpu = gpu::Gpu::open(adapter).await?;
        gpu::GpuEngine::prepare(gpu, plan, weights, dtype).await.map(Box::new)
    }

    /// Prepares the engine of a decoder for pairs of at most `max_length` tokens. All its tensors must have been
    /// validated.
    #[cfg(feature = "decoder")]
    pub(crate) fn prepare_decoder(
        (config, decoder): (&ModelConfig, &Decoder),
        weights: Weights,
        max_length: usize,
    ) -> Result<Self> {
        decoder::DecoderEngine::prepare(config, decoder, weights, max_length).map(Engine::Decoder)
    }

    /// `"cpu"` or `"gpu"`.
    pub(crate) fn device(&self) -> &'static str {
        match self {
            #[cfg(feature = "gpu")]
            Engine::Gpu(_) => "gpu",
            _ => "cpu",
        }
    }

    /// What computes, in a word or two: `"candle"`, or the instructions our own kernels use.
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

    /// Tokens a micro-batch should have.
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

    /// How far raw logits may be from those of exact arithmetic on the same weights.
    pub(crate) fn tolerance(&self) -> f32 {
        match self {
            Engine::Cpu(engine) if engine.quantizes() => 0.1,
            #[cfg(feature = "gpu")]
            Engine::Gpu(engine) => engine.tolerance(),
            _ => 1e-4,
        }
    }

    /// Hands a batch to what computes elsewhere; does nothing where that is this thread.
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

    /// Ends what [`submit`](Self::submit) began: pooled rows `[pairs, hidden_size]`.
    pub(crate) async fn finish(&self, batch: &Batch, submission: Submission) -> Result<Vec<f32>> {
        match (self, submission) {
            #[cfg(feature = "gpu")]
            (Engine::Gpu(engine), Submission::Gpu(submitted)) => engine.receive(submitted?).await,
            _ => self.run(batch).await,
        }
    }

    /// What each kernel takes for a batch, on a GPU.
    ///
    /// # Errors
    /// `unsupported` elsewhere, and where the GPU has no timestamps.
    #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
    pub(crate) async fn profile(&self, batch: &Batch) -> Result<Vec<gpu::KernelTime>> {
        match self {
            Engine::Gpu(engine) => engine.profile(batch).await,
            _ => Err(unsupported("kernels are timed on a GPU only: use the device \"gpu\"")),
        }
    }

    /// Runs a batch: pooled rows `[pairs, hidden_size]`.
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
