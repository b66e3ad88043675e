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
mod magnitude;
mod positions;

use crate::checkpoint::Weights;
#[cfg(feature = "decoder")]
use crate::checkpoint::{Decoder, ModelConfig};
use crate::error::{Result, unsupported};
use crate::model::Plan;
use crate::options::{Device, Dtype, Options};
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
    /// The engine on the CPU that a caller asked for, or that is to stand beside one on a GPU, with a Plan whose tensors
    /// have all been checked.
    ///
    /// # Errors
    /// `unsupported` where this build has no such engine.
    pub(crate) fn prepare(options: &Options, plan: &Plan, weights: Weights, dtype: Dtype) -> Result<Self> {
        match options.device {
            Device::Auto | Device::Cpu | Device::Gpu => {
                // What f16 is a shorter form of.
                let dtype = if dtype == Dtype::F16 { Dtype::F32 } else { dtype };
                cpu::CpuEngine::prepare(plan, weights, dtype, options.threads()).map(Engine::Cpu)
            }
            #[cfg(all(feature = "candle", not(target_arch = "wasm32")))]
            Device::Candle if options.threads.is_some() => Err(unsupported(
                "candle chooses its threads by itself: leave the option out, or use the device \"cpu\"",
            )),
            #[cfg(feature = "candle")]
            Device::Candle => candle::CandleEngine::prepare(plan, weights).map(Engine::Candle),
            #[cfg(not(feature = "candle"))]
            Device::Candle => {
                Err(unsupported("this build has no candle: use the device \"cpu\" or \"auto\""))
            }
        }
    }

    /// The engine on a GPU, without its embeddings, for callers that want one or leave the choice; it takes copies of
    /// the weights.
    ///
    /// # Errors
    /// Why there is none.
    #[cfg(feature = "gpu")]
    pub(crate) async fn prepare_gpu(
        options: &Options,
        plan: &Plan,
        weights: &Weights,
        dtype: Dtype,
    ) -> Option<Result<Box<gpu::GpuEngine>>> {
        if !matches!(options.device, Device::Auto | Device::Gpu) {
            return None;
        }
        let opened = async {
            let gpu = match options.device {
                Device::Auto => gpu::Gpu::open_hardware().await?,
                _ => gpu::Gpu::open().await?,
            };
            gpu::GpuEngine::prepare(gpu, plan, weights, dtype).await
        };
        Some(opened.await.map(Box::new))
    }

    /// `"cpu"` or `"gpu"`.
    pub(crate) fn device(&self) -> &'static str {
        match self {
            #[cfg(feature = "gpu")]
            Engine::Gpu(_) => "gpu",
            _ => "cpu",
        }
    }

    /// The engine for a decoder whose tensors have all been checked, for pairs of at most `max_length` tokens.
    ///
    /// # Errors
    /// `unsupported` for another device, dtype or number of threads than there is.
    #[cfg(feature = "decoder")]
    pub(crate) fn prepare_decoder(
        options: &Options,
        (config, decoder): (&ModelConfig, &Decoder),
        weights: Weights,
        dtype: Dtype,
        max_length: usize,
    ) -> Result<Self> {
        if options.device == Device::Gpu {
            return Err(unsupported("a decoder does not run on a GPU: use the device \"cpu\" or \"auto\""));
        }
        if dtype != Dtype::F32 {
            return Err(unsupported("a decoder is not quantised: its dtype is f32"));
        }
        #[cfg(not(target_arch = "wasm32"))]
        if options.threads.is_some() {
            return Err(unsupported(
                "candle, which runs decoders, chooses its threads by itself: leave the option out",
            ));
        }
        decoder::DecoderEngine::prepare(config, decoder, weights, max_length).map(Engine::Decoder)
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

    /// Why it is this engine.
    pub(crate) fn reason(&self, asked: Device) -> String {
        match (self, asked) {
            #[cfg(feature = "decoder")]
            (Engine::Decoder(_), _) => "the model is a decoder".to_owned(),
            (_, Device::Auto) => "this build has no GPU engine".to_owned(),
            _ => "asked for".to_owned(),
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
