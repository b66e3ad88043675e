//! The CPU engine: the Plan on kernels of our own, over packed weights and reused memory.
//!
//! In q8, activations are quantised row by row in front of each linear layer and everything else is f32. Every
//! operation of that path rounds alike on every processor, in one order, so a score is the same bits everywhere.

mod arch;
mod arena;
mod kernels;
mod pack;
#[cfg(target_arch = "wasm32")]
mod probe;
#[cfg(not(target_arch = "wasm32"))]
mod threads;

use std::mem::take;
use std::ops::Range;
use std::sync::Mutex;

use arena::Arena;
use kernels::{Attend, Kernels, Norm, Output, Rows, Then};
use pack::{PackedF32, PackedQ8};

use super::embed::Embedding;
use crate::checkpoint::{Activation, Tensor, Weights};
use crate::error::{Result, internal, unsupported, weights};
use crate::model::{self, BlockNorm, Part, Plan, Pooling, Positions};
use crate::options::Dtype;
use crate::text::Batch;

/// Activations of so many tokens stay in a core's second-level cache.
const BATCH_TOKENS: usize = 512;

/// Rows of a feed-forward block that are computed together, with their remainders, so that what lies between its layers
/// stays in the cache: whole tiles, whichever they are.
const BLOCK_ROWS: usize = 96;

/// A Plan with its weights packed.
#[derive(Debug)]
pub(crate) struct CpuEngine {
    kernels: &'static Kernels,
    dtype: Dtype,
    hidden_size: usize,
    steps: Vec<Step>,
    threads: usize,
    /// Memory that no call is using.
    arenas: Mutex<Vec<Arena>>,
}

#[derive(Debug)]
enum Step {
    Embed(Embedding),
    Norm(Norm),
    Attention(Attention),
    FeedForward { intermediate: Linear, activation: Activation, output: Linear, norm: Norm },
    PoolFirst,
}

#[derive(Debug)]
struct Attention {
    inputs: Inputs,
    output: Linear,
    heads: usize,
    norm: Norm,
}

/// The projections into attention.
#[derive(Debug)]
enum Inputs {
    /// Query, key and value side by side, of all rows.
    All(Linear),
    /// The query of each pair's first row; key and value side by side, of all rows.
    First { query: Linear, key_value: Linear },
}

#[derive(Debug)]
enum Linear {
    Q8(PackedQ8),
    F32(PackedF32),
}

impl Linear {
    fn columns(&self) -> usize {
        match self {
            Linear::Q8(packed) => packed.columns,
            Linear::F32(packed) => packed.columns,
        }
    }
}

impl CpuEngine {
    /// Packs the weights of a Plan whose tensors have all been checked, for the fastest kernels of this processor.
    pub(crate) fn prepare(plan: &Plan, weights: Weights, dtype: Dtype, threads: usize) -> Result<Self> {
        let kernels = fastest();
        let mut loader = Loader { weights, dtype, panel: kernels.panel };
        let steps = plan.steps.iter().map(|step| loader.step(step)).collect::<Result<_>>()?;
        Ok(Self { kernels, dtype, hidden_size: plan.hidden_size, steps, threads, arenas: Mutex::default() })
    }

    /// What the kernels are made of, such as `"avx2"`.
    pub(super) fn instructions(&self) -> &'static str {
        self.kernels.name
    }

    /// Whether activations are quantised in front of linear layers.
    pub(super) fn quantises(&self) -> bool {
        self.dtype == Dtype::Q8
    }

    fn attend(&self, attend: Attend) {
        if self.quantises() { (self.kernels.attend_i16)(attend) } else { (self.kernels.attend_f32)(attend) }
    }

    /// Tokens a micro-batch should have.
    pub(super) fn batch_tokens(&self) -> usize {
        // For several threads as many as keep them all busy to the end.
        if self.threads == 1 { BATCH_TOKENS } else { 4 * BATCH_TOKENS * self.threads }
    }

    /// Pooled rows `[pairs, hidden_size]`.
    ///
    /// # Errors
    /// `internal` for activations that are not finite.
    pub(super) fn run(&self, batch: &Batch) -> Result<Vec<f32>> {
        #[cfg(not(target_arch = "wasm32"))]
        if self.threads > 1 {
            return threads::run(self, batch);
        }
        self.run_alone(batch)
    }

    /// As [`run`](Self::run), on this thread.
    fn run_alone(&self, batch: &Batch) -> Result<Vec<f32>> {
        // A poisoned lock only means that another call panicked; what it held is not here.
        let arena = self.arenas.lock().unwrap_or_else(|poison| poison.into_inner()).pop();
        let mut run = Run { engine: self, batch, rows: 0, finite: true, arena: arena.unwrap_or_default() };
        for step in &self.steps {
            run.step(step);
        }
        let pooled = run.arena.x[..run.rows * self.hidden_size].to_vec();
        self.arenas.lock().unwrap_or_else(|poison| poison.into_inner()).push(run.arena);
        if run.finite {
            Ok(pooled)
        } else {
            Err(internal("an activation is not finite; this model cannot be trusted with this input"))
        }
    }
}

/// The kernels to use on this processor.
#[cfg(not(target_arch = "wasm32"))]
fn fastest() -> &'static Kernels {
    kernels::available()[0]
}

/// The kernels to use in this browser, found out once.
#[cfg(target_arch = "wasm32")]
fn fastest() -> &'static Kernels {
    static FASTEST: std::sync::OnceLock<&Kernels> = std::sync::OnceLock::new();
    let [first, second] = kernels::of_build();
    // Also where both are one: the two files are to have the same imports.
    FASTEST.get_or_init(|| probe::choose(first, second))
}

/// One batch on its way through the steps.
struct Run<'a> {
    engine: &'a CpuEngine,
    batch: &'a Batch,
    /// Rows of the residual stream: all tokens, and at last one a pair.
    rows: usize,
    /// Whether every activation so far was. Asked at each norm, for what the integers behind it make of NaN nobody
    /// promises, and it must not end as a score.
    finite: bool,
    arena: Arena,
}

impl Run<'_> {
    fn step(&mut self, step: &Step) {
        match step {
            Step::Embed(embedding) => self.embed(embedding),
            Step::Norm(norm) => self.norm(norm),
            Step::Attention(attention) => self.attention(attention),
            Step::FeedForward { intermediate, activation, output, norm } => {
                self.feed_forward(intermediate, *activation, output, norm);
            }
            Step::PoolFirst => self.keep_first_rows(),
        }
    }

    fn embed(&mut self, embedding: &Embedding) {
        self.rows = self.batch.tokens();
        self.arena.firsts.clear();
        self.arena.firsts.extend(self.batch.ranges().map(|rows| rows.start));
        embedding.gather(self.batch, arena::rows(&mut self.arena.x, self.rows, self.engine.hidden_size));
    }

    fn norm(&mut self, norm: &Norm) {
        let x = &mut self.arena.x[..self.rows * self.engine.hidden_size];
        self.finite &= (self.engine.kernels.norm)(x, norm);
    }

    fn attention(&mut self, attention: &Attention) {
        match &attention.inputs {
            Inputs::All(projection) => {
                let wide = take(&mut self.arena.wide);
                self.arena.wide = self.project(projection, wide);
                self.attend(attention);
            }
            Inputs::First { query, key_value } => {
                let wide = take(&mut self.arena.wide);
                self.arena.wide = self.project(key_value, wide);
                self.keep_first_rows();
                let room = take(&mut self.arena.query);
                self.arena.query = self.project(query, room);
                self.attend_first(attention);
            }
        }
        let arena = &mut self.arena;
        let residual = Output { values: &mut arena.x, then: Then::Add };
        let context = Input { values: &arena.context, rows: 0..self.rows, firsts: &arena.firsts };
        linear(self.engine.kernels, &attention.output, &context, &mut arena.quantised, residual);
        self.norm(&attention.norm);
    }

    /// A projection of all rows that are left, in the memory of `to`.
    fn project(&mut self, projection: &Linear, mut to: Vec<f32>) -> Vec<f32> {
        let arena = &mut self.arena;
        arena::rows(&mut to, self.rows, projection.columns());
        let output = Output { values: &mut to, then: Then::Store };
        let x = Input { values: &arena.x, rows: 0..self.rows, firsts: &arena.firsts };
        linear(self.engine.kernels, projection, &x, &mut arena.quantised, output);
        to
    }

    /// Attention of every row, pair by pair: `wide` has query, key and value side by side.
    fn attend(&mut self, attention: &Attention) {
        let (engine, arena) = (self.engine, &mut self.arena);
        let hidden = engine.hidden_size;
        arena::rows(&mut arena.context, self.rows, hidden);
        for rows in self.batch.ranges() {
            let part = |index: usize| Rows {
                values: &arena.wide[index * hidden..],
                stride: 3 * hidden,
                first: rows.start,
                count: rows.len(),
            };
            engine.attend(Attend {
                query: part(0),
                key: part(1),
                value: part(2),
                heads: attention.heads,
                head_dim: hidden / attention.heads,
                context: &mut arena.context[rows.start * hidden..],
                scratch: &mut arena.scratch,
            });
        }
    }

    /// Attention of one row a pair: `wide` has key and value side by side.
    fn attend_first(&mut self, attention: &Attention) {
        let (engine, arena) = (self.engine, &mut self.arena);
        let hidden = engine.hidden_size;
        arena::rows(&mut arena.context, self.rows, hidden);
        for (pair, rows) in self.batch.ranges().enumerate() {
            let part = |index: usize| Rows {
                values: &arena.wide[index * hidden..],
                stride: 2 * hidden,
                first: rows.start,
                count: rows.len(),
            };
            engine.attend(Attend {
                query: Rows { values: &arena.query, stride: hidden, first: pair, count: 1 },
                key: part(0),
                value: part(1),
                heads: attention.heads,
                head_dim: hidden / attention.heads,
                context: &mut arena.context[pair * hidden..],
                scratch: &mut arena.scratch,
            });
        }
    }

    fn feed_forward(&mut self, intermediate: &Linear, activation: Activation, output: &Linear, norm: &Norm) {
        let (kernels, hidden, arena) = (self.engine.kernels, self.engine.hidden_size, &mut self.arena);
        let mut rest = 0..self.rows;
        while !rest.is_empty() {
            let (firsts, first) = (&arena.firsts, rest.start);
            let rows = block(&rest, firsts);
            rest.start = rows.end;
            arena::rows(&mut arena.wide, rows.len(), intermediate.columns());
            let x = &mut arena.x[first * hidden..];
            let inner = Output { values: &mut arena.wide, then: Then::Activate(activation) };
            let outside = Input { values: x, rows: rows.clone(), firsts };
            linear(kernels, intermediate, &outside, &mut arena.quantised, inner);
            let residual = Output { values: x, then: Then::Add };
            let inside = Input { values: &arena.wide, rows: rows.clone(), firsts };
            linear(kernels, output, &inside, &mut arena.quantised, residual);
            self.finite &= (kernels.norm)(&mut x[..rows.len() * hidden], norm);
        }
    }

    fn keep_first_rows(&mut self) {
        let hidden = self.engine.hidden_size;
        for (pair, rows) in self.batch.ranges().enumerate() {
            self.arena.x.copy_within(rows.start * hidden..(rows.start + 1) * hidden, pair * hidden);
        }
        self.rows = self.batch.pairs();
        self.arena.firsts.clear();
        self.arena.firsts.extend(0..self.rows);
    }
}

/// As many of `rows` as fill a block, where each of `firsts` takes the place of two.
fn block(rows: &Range<usize>, firsts: &[usize]) -> Range<usize> {
    let mut firsts = firsts[firsts.partition_point(|&row| row < rows.start)..].iter().peekable();
    let mut places = 0;
    let end = rows.clone().find(|row| {
        places += if firsts.next_if_eq(&row).is_some() { 2 } else { 1 };
        places > BLOCK_ROWS
    });
    rows.start..end.unwrap_or(rows.end)
}

/// What goes into a linear layer: some rows of a matrix that has one for each row of the residual stream.
struct Input<'a> {
    /// From the first of them on, with [`arch::MOST_ROWS`] to spare.
    values: &'a [f32],
    /// Which they are.
    rows: Range<usize>,
    /// Rows of the residual stream that are the first of their pair. They go straight into the score, and most others
    /// look at them, so they are quantised twice as finely: that is one row in a hundred.
    firsts: &'a [usize],
}

impl Input<'_> {
    fn precise(&self) -> impl Iterator<Item = usize> {
        let (start, end) = (self.rows.start, self.rows.end);
        let from = self.firsts.partition_point(|&row| row < start);
        let to = self.firsts.partition_point(|&row| row < end);
        self.firsts[from..to].iter().map(move |row| row - start)
    }
}

/// Applies a linear layer.
fn linear(
    kernels: &Kernels,
    layer: &Linear,
    input: &Input,
    quantised: &mut kernels::QuantisedRows,
    output: Output,
) {
    let rows = input.rows.len();
    match layer {
        Linear::F32(packed) => (kernels.linear_f32)(packed, input.values, rows, output),
        Linear::Q8(packed) => {
            let columns = packed.inputs;
            quantised.reserve(rows, packed.depth, input.precise());
            (kernels.quantise)(&input.values[..rows * columns], columns, &packed.input_factors, quantised);
            (kernels.linear_q8)(packed, quantised, output);
        }
    }
}

/// Turns named tensors into packed ones, each of which takes the place of the one it is made of.
struct Loader {
    /// Those that have not been packed yet.
    weights: Weights,
    dtype: Dtype,
    /// Columns of a panel.
    panel: usize,
}

impl Loader {
    fn step(&mut self, step: &model::Step) -> Result<Step> {
        Ok(match step {
            model::Step::Embed(embed) => Step::Embed(Embedding::prepare(embed, &mut self.weights)?),
            model::Step::Norm(norm) => Step::Norm(self.norm(norm)?),
            model::Step::Project(_) => return Err(unsupported("projections")),
            model::Step::Attention(attention) => Step::Attention(self.attention(attention)?),
            model::Step::FeedForward(block) => Step::FeedForward {
                intermediate: self.linear(&[&block.intermediate])?,
                activation: block.activation,
                output: self.linear(&[&block.output])?,
                norm: match (&block.norm, &block.gate) {
                    (BlockNorm::After(norm), None) => self.norm(norm)?,
                    _ => return Err(unsupported("this feed-forward block")),
                },
            },
            model::Step::Pool(Pooling::First) => Step::PoolFirst,
            model::Step::Pool(Pooling::Mean) => return Err(unsupported("mean pooling")),
        })
    }

    fn attention(&mut self, attention: &model::Attention) -> Result<Attention> {
        let model::Attention { query, key, value, output, heads, positions, window: _, rows, norm } =
            attention;
        let (BlockNorm::After(norm), Positions::Absent) = (norm, positions) else {
            return Err(unsupported("this attention"));
        };
        let inputs = match rows {
            model::Rows::All => Inputs::All(self.linear(&[query, key, value])?),
            model::Rows::First => {
                Inputs::First { query: self.linear(&[query])?, key_value: self.linear(&[key, value])? }
            }
        };
        Ok(Attention { inputs, output: self.linear(&[output])?, heads: *heads, norm: self.norm(norm)? })
    }

    /// Layers over the same input, packed as one.
    fn linear(&mut self, layers: &[&model::Linear]) -> Result<Linear> {
        let parts = layers
            .iter()
            .map(|layer| {
                let weight = self.weights.take_rows(&layer.weight.tensor, layer.weight.rows.clone())?;
                let bias = layer.bias.as_ref().map(|bias| self.vector(bias)).transpose()?;
                Ok((weight, bias.unwrap_or_else(|| vec![0.0; layer.out_features()])))
            })
            .collect::<Result<Vec<(Tensor, Vec<f32>)>>>()?;
        let (first, others) = (&parts[0].0, &parts[1..]);
        if let Some((other, _)) = others.iter().find(|(part, _)| part.input_scales() != first.input_scales())
        {
            let (first, other) = (first.name(), other.name());
            return Err(weights(format!(
                "{first} and {other} read the same inputs, but their input scales differ"
            )));
        }
        let name = first.name();
        Ok(match self.dtype {
            Dtype::Q8 => {
                let packed = PackedQ8::new(&parts, self.panel);
                check_size(name, &packed.scales)?;
                Linear::Q8(packed)
            }
            _ => {
                let packed = PackedF32::new(&parts, self.panel);
                check_size(name, &packed.panels)?;
                Linear::F32(packed)
            }
        })
    }

    fn norm(&mut self, norm: &model::LayerNorm) -> Result<Norm> {
        let mut whole = |name: &String| self.vector(&Part::whole(name.clone(), norm.width));
        let bias = norm.bias.as_ref().map(&mut whole).transpose()?;
        Ok(Norm {
            weight: whole(&norm.weight)?,
            bias: bias.unwrap_or_else(|| vec![0.0; norm.width]),
            eps: norm.eps as f32,
        })
    }

    fn vector(&mut self, part: &Part) -> Result<Vec<f32>> {
        let values = self.weights.take_rows(&part.tensor, part.rows.clone())?.to_f32();
        check_size(&part.tensor, &values)?;
        Ok(values)
    }
}

/// Refuses numbers with which what lies between two norms could leave the range of f32: norms look for what is not
/// finite, and what integers make of it before that nobody promises.
fn check_size(name: &str, values: &[f32]) -> Result<()> {
    /// Rows behind a norm are within its weights times the root of their length; two layers more are far from 1e38.
    const LARGEST: f32 = 1e12;
    match values.iter().find(|value| value.abs() > LARGEST) {
        None => Ok(()),
        Some(value) => Err(weights(format!("{name} holds {value:e}, which is too large to compute with"))),
    }
}
