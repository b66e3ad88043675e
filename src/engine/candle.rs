//! The Plan on candle tensors, in f32: the reference that every other engine is held against.
//!
//! Written for reading: one function a step, attention pair by pair, no fusion.

use candle_core::{D, DType, Device, Tensor};

use super::embed::Embedding;
use crate::checkpoint::{Activation, Weights};
use crate::error::{Result, internal, unsupported};
use crate::model::{self, BlockNorm, Plan, Pooling, Positions, Rows};
use crate::text::Batch;

/// Few, for in WebAssembly these take about 0.3 s, and nothing is shown or cancelled before they are done.
pub(super) const BATCH_TOKENS: usize = 256;

/// A Plan with its weights as candle tensors.
#[derive(Debug)]
pub(crate) struct CandleEngine {
    hidden_size: usize,
    steps: Vec<Step>,
}

#[derive(Debug)]
enum Step {
    Embed { embedding: Embedding, width: usize },
    Norm(LayerNorm),
    Attention(Attention),
    FeedForward { intermediate: Linear, activation: Activation, output: Linear, norm: LayerNorm },
    Pool(Pooling),
}

#[derive(Debug)]
struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    heads: usize,
    rows: Rows,
    norm: LayerNorm,
}

/// A linear layer as candle tensors.
#[derive(Debug)]
pub(crate) struct Linear {
    /// What the Plan calls it.
    pub(crate) name: model::Linear,
    /// `[in_features, out_features]`, a transposed view of the stored matrix.
    weight: Tensor,
    /// `[out_features]`, where the layer has one.
    bias: Option<Tensor>,
}

/// Applies a linear layer to rows; the one place a caller can look at what flows, or change it.
pub(crate) type ApplyLinear<'a> = &'a mut dyn FnMut(&Linear, &Tensor) -> candle_core::Result<Tensor>;

#[derive(Debug)]
struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f64,
}

impl CandleEngine {
    pub(crate) fn prepare(plan: &Plan, weights: Weights) -> Result<Self> {
        let mut loader = Loader { weights };
        let steps = plan.steps.iter().map(|step| loader.step(step)).collect::<Result<_>>()?;
        Ok(Self { hidden_size: plan.hidden_size, steps })
    }

    pub(super) fn run(&self, batch: &Batch) -> Result<Vec<f32>> {
        self.run_with(batch, &mut Linear::forward)
    }

    /// Runs a batch with linear layers applied by `apply`: how the quantiser sees every layer's inputs.
    pub(crate) fn run_with(&self, batch: &Batch, apply: ApplyLinear) -> Result<Vec<f32>> {
        self.forward(batch, apply).map_err(failed)
    }

    fn forward(&self, batch: &Batch, apply: ApplyLinear) -> candle_core::Result<Vec<f32>> {
        let mut x = Tensor::zeros((0, self.hidden_size), DType::F32, &Device::Cpu)?;
        for step in &self.steps {
            x = match step {
                Step::Embed { embedding, width } => {
                    let mut rows = vec![0.0; batch.tokens() * width];
                    embedding.gather(batch, &mut rows);
                    Tensor::from_vec(rows, (batch.tokens(), *width), &Device::Cpu)?
                }
                Step::Norm(norm) => norm.forward(&x)?,
                Step::Attention(attention) => attention.forward(&x, batch, apply)?,
                Step::FeedForward { intermediate, activation, output, norm } => {
                    let inner = activate(*activation, &apply(intermediate, &x)?)?;
                    norm.forward(&(&x + apply(output, &inner)?)?)?
                }
                Step::Pool(Pooling::First) => first_rows(&x, batch)?,
                Step::Pool(Pooling::Mean) => mean_rows(&x, batch)?,
            };
        }
        x.flatten_all()?.to_vec1()
    }
}

impl Attention {
    /// `x` is `[tokens, hidden]`; comes back as `[tokens, hidden]`, or `[pairs, hidden]` for [`Rows::First`].
    fn forward(&self, x: &Tensor, batch: &Batch, apply: ApplyLinear) -> candle_core::Result<Tensor> {
        let (queried, query_ranges) = match self.rows {
            Rows::All => (x.clone(), batch.ranges().collect::<Vec<_>>()),
            Rows::First => (first_rows(x, batch)?, (0..batch.pairs()).map(|pair| pair..pair + 1).collect()),
        };
        let query = apply(&self.query, &queried)?;
        let (key, value) = (apply(&self.key, x)?, apply(&self.value, x)?);
        let contexts = query_ranges
            .into_iter()
            .zip(batch.ranges())
            .map(|(rows, keys)| self.attend(&query, rows, &key, &value, keys))
            .collect::<candle_core::Result<Vec<_>>>()?;
        let context = apply(&self.output, &Tensor::cat(&contexts, 0)?)?;
        self.norm.forward(&(queried + context)?)
    }

    /// One pair: `softmax(q k^T / sqrt(head_dim)) v` for each head, heads side by side again at the end.
    fn attend(
        &self,
        query: &Tensor,
        query_rows: std::ops::Range<usize>,
        key: &Tensor,
        value: &Tensor,
        key_rows: std::ops::Range<usize>,
    ) -> candle_core::Result<Tensor> {
        let query = self.split_heads(query, &query_rows)?;
        let key = self.split_heads(key, &key_rows)?;
        let value = self.split_heads(value, &key_rows)?;
        let head_dim = query.dim(D::Minus1)?;
        let logits = (query.matmul(&key.transpose(1, 2)?)? * (head_dim as f64).sqrt().recip())?;
        let context = softmax(&logits)?.matmul(&value)?;
        context.transpose(0, 1)?.flatten_from(1)
    }

    /// Rows of `[tokens, hidden]` as `[heads, rows, head_dim]`.
    fn split_heads(&self, x: &Tensor, rows: &std::ops::Range<usize>) -> candle_core::Result<Tensor> {
        x.narrow(0, rows.start, rows.len())?
            .reshape((rows.len(), self.heads, ()))?
            .transpose(0, 1)?
            .contiguous()
    }
}

impl Linear {
    /// `x W^T + b`.
    ///
    /// Few rows would take another path through the matrix product, which adds in another order: they are padded, so
    /// that a row's result does not depend on how many others there are.
    pub(crate) fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        const FEWEST_ROWS: usize = 16;
        let rows = x.dim(0)?;
        let padded = x.pad_with_zeros(0, 0, FEWEST_ROWS.saturating_sub(rows))?;
        let product = padded.matmul(&self.weight)?.narrow(0, 0, rows)?;
        self.bias.as_ref().map_or(Ok(product.clone()), |bias| product.broadcast_add(bias))
    }

    /// The same layer with other numbers: `weight` `[out_features, in_features]`, `bias` `[out_features]`.
    pub(crate) fn with(&self, weight: &[f32], bias: Option<&[f32]>) -> candle_core::Result<Self> {
        let shape = (self.name.out_features(), self.name.in_features);
        let weight = Tensor::from_slice(weight, shape, &Device::Cpu)?.t()?;
        let bias = bias.map(|bias| Tensor::new(bias, &Device::Cpu)).transpose()?;
        Ok(Self { name: self.name.clone(), weight, bias })
    }
}

impl LayerNorm {
    /// Over plain rows, with sums in f64: mean and variance are taken from every element of a row, and what f32 loses
    /// there all later layers amplify.
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let mut rows: Vec<f32> = x.flatten_all()?.to_vec1()?;
        rows.chunks_exact_mut(self.weight.len()).for_each(|row| self.normalise(row));
        Tensor::from_vec(rows, x.shape(), &Device::Cpu)
    }

    fn normalise(&self, row: &mut [f32]) {
        let size = row.len() as f64;
        let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / size;
        let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / size;
        let scale = (variance + self.eps).sqrt().recip();
        for ((x, weight), bias) in row.iter_mut().zip(&self.weight).zip(&self.bias) {
            *x = ((f64::from(*x) - mean) * scale) as f32 * weight + bias;
        }
    }
}

fn first_rows(x: &Tensor, batch: &Batch) -> candle_core::Result<Tensor> {
    let starts: Vec<u32> = batch.ranges().map(|range| range.start as u32).collect();
    x.index_select(&Tensor::new(starts, &Device::Cpu)?, 0)
}

fn mean_rows(x: &Tensor, batch: &Batch) -> candle_core::Result<Tensor> {
    let means = batch.ranges().map(|range| x.narrow(0, range.start, range.len())?.mean_keepdim(0));
    Tensor::cat(&means.collect::<candle_core::Result<Vec<_>>>()?, 0)
}

fn softmax(x: &Tensor) -> candle_core::Result<Tensor> {
    let exponentials = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?.exp()?;
    exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)
}

fn activate(activation: Activation, x: &Tensor) -> candle_core::Result<Tensor> {
    match activation {
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
        Activation::Relu => x.relu(),
        Activation::Silu => x.silu(),
        Activation::Tanh => x.tanh(),
    }
}

/// Turns named tensors into candle tensors.
struct Loader {
    weights: Weights,
}

impl Loader {
    fn step(&mut self, step: &model::Step) -> Result<Step> {
        Ok(match step {
            model::Step::Embed(embed) => Step::Embed {
                embedding: Embedding::prepare(embed, &mut self.weights)?,
                width: embed.word.width,
            },
            model::Step::Norm(norm) => Step::Norm(self.norm(norm)?),
            model::Step::Project(_) => return Err(unsupported("projections")),
            model::Step::Attention(attention) => Step::Attention(Attention {
                query: self.linear(&attention.query)?,
                key: self.linear(&attention.key)?,
                value: self.linear(&attention.value)?,
                output: self.linear(&attention.output)?,
                heads: attention.heads,
                rows: attention.rows,
                norm: match (&attention.norm, &attention.positions) {
                    (BlockNorm::After(norm), Positions::Absent) => self.norm(norm)?,
                    _ => return Err(unsupported("this attention")),
                },
            }),
            model::Step::FeedForward(block) => Step::FeedForward {
                intermediate: self.linear(&block.intermediate)?,
                activation: block.activation,
                output: self.linear(&block.output)?,
                norm: match (&block.norm, &block.gate) {
                    (BlockNorm::After(norm), None) => self.norm(norm)?,
                    _ => return Err(unsupported("this feed-forward block")),
                },
            },
            model::Step::Pool(pooling) => Step::Pool(*pooling),
        })
    }

    fn linear(&mut self, linear: &model::Linear) -> Result<Linear> {
        let weight = self.part(&linear.weight)?.t().map_err(failed)?;
        let bias = linear.bias.as_ref().map(|bias| self.part(bias)).transpose()?;
        Ok(Linear { name: linear.clone(), weight, bias })
    }

    fn norm(&mut self, norm: &model::LayerNorm) -> Result<LayerNorm> {
        let mut values = |name: &str| self.weights.take(name).map(|tensor| tensor.to_f32());
        let bias = norm.bias.as_deref().map_or_else(|| Ok(vec![0.0; norm.width]), &mut values)?;
        Ok(LayerNorm { weight: values(&norm.weight)?, bias, eps: norm.eps })
    }

    fn part(&mut self, part: &model::Part) -> Result<Tensor> {
        let tensor = self.weights.take_rows(&part.tensor, part.rows.clone())?;
        Tensor::from_vec(tensor.to_f32(), tensor.shape(), &Device::Cpu).map_err(failed)
    }
}

fn failed(error: candle_core::Error) -> crate::Error {
    internal(format!("candle: {error}"))
}
