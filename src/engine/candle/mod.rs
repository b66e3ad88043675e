//! The reference engine: runs a Plan on candle tensors in f32. Tests compare every other engine with it.
//!
//! It is written to be read: one function per step, attention pair by pair, no fused operations.

mod attention;
mod convolution;
mod linear;
mod lower;
mod norm;

use candle_core::{DType, Device, Tensor};

pub(crate) use linear::{ApplyLinear, Linear};

use crate::checkpoint::{Activation, Weights};
use crate::error::{Error, Result, internal};
use crate::model::{Plan, Pool, Pooling};
use crate::text::Batch;
use attention::Rotations;
use linear::split_columns;

/// Preferred tokens in a micro-batch. Few, because progress and abort wait for the batch: about 0.3 s in WebAssembly.
pub(super) const BATCH_TOKENS: usize = 256;

/// A lowered Plan whose weights are candle tensors.
#[derive(Debug)]
pub(crate) struct CandleEngine {
    hidden_size: usize,
    steps: Vec<Step>,
}

type Step = super::lower::Step<CandleEngine>;
type FeedForward = super::lower::FeedForward<CandleEngine>;

impl CandleEngine {
    /// Prepares the engine. All tensors of the plan must have been validated.
    pub(crate) fn prepare(plan: &Plan, weights: Weights) -> Result<Self> {
        Ok(Self { hidden_size: plan.hidden_size, steps: lower::steps(plan, weights)? })
    }

    /// Runs a batch and returns the pooled rows, `[pairs, pooled_size]`.
    pub(super) fn run(&self, batch: &Batch) -> Result<Vec<f32>> {
        self.run_with(batch, &mut Linear::forward)
    }

    /// Runs a batch with linear layers applied by `apply`. The quantizer observes the inputs of every layer this way.
    pub(crate) fn run_with(&self, batch: &Batch, apply: ApplyLinear) -> Result<Vec<f32>> {
        self.forward(batch, apply).map_err(candle_error)
    }

    fn forward(&self, batch: &Batch, apply: ApplyLinear) -> candle_core::Result<Vec<f32>> {
        let mut rotations = Rotations::for_batch(batch);
        let mut unfolded = None;
        let mut x = Tensor::zeros((0, self.hidden_size), DType::F32, &Device::Cpu)?;
        for step in &self.steps {
            x = match step {
                Step::Embed(embedding) => {
                    let shape = (batch.tokens(), embedding.width());
                    let mut rows = vec![0.0; shape.0 * shape.1];
                    embedding.gather(batch, &mut rows);
                    Tensor::from_vec(rows, shape, &Device::Cpu)?
                }
                Step::Norm(norm) => norm.forward(&x)?,
                Step::Project(layer, activation) => {
                    let projected = layer.apply(&x, apply)?;
                    activation.map_or(Ok(projected.clone()), |activation| activate(activation, &projected))?
                }
                Step::Unfold(unfold) => {
                    unfolded = Some(convolution::unfold(*unfold, &x, batch)?);
                    x
                }
                Step::Convolve(convolution) => convolution.forward(&x, unfolded.take(), apply)?,
                Step::Attention(attention) => attention.forward(&x, batch, &mut rotations, apply)?,
                Step::FeedForward(block) => block.forward(&x, apply)?,
                Step::Pool(pooling) => pool(pooling, &x, batch)?,
            };
        }
        x.flatten_all()?.to_vec1()
    }
}

impl FeedForward {
    fn forward(&self, x: &Tensor, apply: ApplyLinear) -> candle_core::Result<Tensor> {
        let inputs = self.norm.pre(x)?;
        let projected = self.intermediate.apply(&inputs, apply)?;
        let inner = if self.gated {
            let half = projected.dim(1)? / 2;
            let [activated, gate] = split_columns(&projected, [half; 2])?;
            (activate(self.activation, &activated)? * gate)?
        } else {
            activate(self.activation, &projected)?
        };
        self.norm.post(&(x + self.output.apply(&inner, apply)?)?)
    }
}

/// Reduces the rows of each pair to one, `[pairs, hidden]` for each pooling side by side.
fn pool(Pool { poolings, skipped }: &Pool, x: &Tensor, batch: &Batch) -> candle_core::Result<Tensor> {
    let pooled = batch.ranges().map(|range| {
        let count = range.len() - skipped;
        let rows = x.narrow(0, range.start + skipped, count)?;
        let pool = |pooling: &Pooling| match pooling {
            Pooling::First => rows.narrow(0, 0, 1),
            Pooling::Last => rows.narrow(0, count - 1, 1),
            Pooling::Mean => rows.mean_keepdim(0),
            Pooling::MeanSqrtLen => rows.sum_keepdim(0)? / (count as f64).sqrt(),
            Pooling::WeightedMean => {
                let positions = (skipped + 1) as f32..(range.len() + 1) as f32;
                let weights = Tensor::arange(positions.start, positions.end, &Device::Cpu)?.unsqueeze(1)?;
                rows.broadcast_mul(&weights)?.sum_keepdim(0)?.broadcast_div(&weights.sum_keepdim(0)?)
            }
            Pooling::Max => rows.max_keepdim(0),
        };
        Tensor::cat(&poolings.iter().map(pool).collect::<candle_core::Result<Vec<_>>>()?, 1)
    });
    Tensor::cat(&pooled.collect::<candle_core::Result<Vec<_>>>()?, 0)
}

/// Returns the first row of each pair, `[pairs, hidden]`.
fn first_rows(x: &Tensor, batch: &Batch) -> candle_core::Result<Tensor> {
    pool(&Pool { poolings: vec![Pooling::First], skipped: 0 }, x, batch)
}

fn activate(activation: Activation, x: &Tensor) -> candle_core::Result<Tensor> {
    match activation {
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
        Activation::Relu => x.relu(),
        Activation::Silu => x.silu(),
        Activation::Tanh => x.tanh(),
        Activation::QuickGelu => x * sigmoid(&(x * 1.702)?)?,
        Activation::ClippedGelu => x.gelu_erf()?.clamp(-10f32, 10f32),
        Activation::ReluSquared => x.relu()?.sqr(),
        Activation::Relu6 => x.clamp(0f32, 6f32),
        Activation::LeakyRelu => x.maximum(&(x * 0.01)?),
        // The softplus of large numbers is the number itself, and e^x would overflow.
        Activation::Mish => x * (x.minimum(20f32)?.exp()? + 1.0)?.log()?.tanh()?,
        Activation::Hardswish => (x * (x + 3.0)?.clamp(0f32, 6f32)?)? / 6.0,
        Activation::Sigmoid => sigmoid(x),
        Activation::Linear => Ok(x.clone()),
    }
}

fn sigmoid(x: &Tensor) -> candle_core::Result<Tensor> {
    (x.neg()?.exp()? + 1.0)?.recip()
}

pub(super) fn candle_error(error: candle_core::Error) -> Error {
    internal(format!("candle: {error}")).with_source(error)
}
