//! Engines run a [`Plan`].
//!
//! An engine is three things: `prepare` a Plan with its weights, say how many tokens it likes at once, and `run` a
//! batch to one pooled row a pair. How it does that is its own affair. Engines are an enum and not a trait, because a
//! future that waits for a GPU in a browser is not `Send` and a boxed one would make every caller pay for it.

#[cfg(feature = "candle")]
pub(crate) mod candle;
pub(crate) mod cpu;
mod embed;
mod positions;

use crate::checkpoint::Weights;
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
}

impl Engine {
    /// The engine a caller asked for, with a Plan whose tensors have all been checked.
    ///
    /// # Errors
    /// `unsupported` where this build has no such engine.
    pub(crate) fn prepare(options: &Options, plan: &Plan, weights: Weights, dtype: Dtype) -> Result<Self> {
        match options.device {
            Device::Auto | Device::Cpu => {
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
            Device::Gpu => {
                Err(unsupported("this build has no GPU engine: use the device \"cpu\" or \"auto\""))
            }
        }
    }

    /// What computes, in a word or two: `"candle"`, or the instructions our own kernels use.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            #[cfg(feature = "candle")]
            Engine::Candle(_) => "candle",
            Engine::Cpu(engine) => engine.instructions(),
        }
    }

    /// Why it is this engine.
    pub(crate) fn reason(&self, asked: Device) -> String {
        match (self, asked) {
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
        }
    }

    /// How far raw logits may be from those of exact arithmetic on the same weights.
    pub(crate) fn tolerance(&self) -> f32 {
        match self {
            Engine::Cpu(engine) if engine.quantises() => 0.1,
            _ => 1e-4,
        }
    }

    /// Runs a batch: pooled rows `[pairs, hidden_size]`.
    pub(crate) async fn run(&self, batch: &Batch) -> Result<Vec<f32>> {
        match self {
            #[cfg(feature = "candle")]
            Engine::Candle(engine) => engine.run(batch),
            Engine::Cpu(engine) => engine.run(batch),
        }
    }
}
