//! Engines run a [`Plan`].
//!
//! An engine is three things: `prepare` a Plan with its weights, say how many tokens it likes at once, and `run` a
//! batch to one pooled row a pair. How it does that is its own affair. Engines are an enum and not a trait, because a
//! future that waits for a GPU in a browser is not `Send` and a boxed one would make every caller pay for it.

pub(crate) mod candle;
mod embed;

use crate::checkpoint::Weights;
use crate::error::Result;
use crate::model::Plan;
use crate::text::Batch;

/// One of the ways to run a Plan.
#[derive(Debug)]
pub(crate) enum Engine {
    /// candle tensors in f32 on the CPU: the reference.
    Candle(candle::CandleEngine),
}

impl Engine {
    /// The candle engine for a Plan whose tensors have all been checked.
    pub(crate) fn candle(plan: &Plan, weights: &Weights) -> Result<Self> {
        candle::CandleEngine::prepare(plan, weights).map(Engine::Candle)
    }

    /// Tokens a micro-batch should have.
    pub(crate) fn batch_tokens(&self) -> usize {
        match self {
            Engine::Candle(_) => candle::BATCH_TOKENS,
        }
    }

    /// Runs a batch: pooled rows `[pairs, hidden_size]`.
    pub(crate) async fn run(&self, batch: &Batch) -> Result<Vec<f32>> {
        match self {
            Engine::Candle(engine) => engine.run(batch),
        }
    }
}
