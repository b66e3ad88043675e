//! Small Plans with the structure of each family, and random weights for them.

use std::collections::HashMap;

use safetensors::tensor::{Dtype as Element, TensorView, serialize};

use crate::checkpoint::{Activation, ExpectedTensors, Weights, WeightsReader};
use crate::model::*;
use crate::options::Dtype;

/// Rows of the word embedding table.
pub(super) const WORDS: usize = 50;
/// Rows of the position embedding table.
const LEARNED: usize = 140;

/// A Plan of every family's structure, with widths that are no multiples of tile sizes.
pub(in crate::engine) fn every_plan() -> Vec<(&'static str, Plan)> {
    let bert = |layers| Shape { width: 36, layers, ..Shape::default() };
    let modern = |pooling| {
        let rotary = |theta| Positions::Rotary(Rotary { theta, divisor: 1.0 });
        let positions = vec![rotary(160_000.0), rotary(10_000.0), rotary(10_000.0)];
        let windows = vec![None, Some(5), Some(64)];
        Shape {
            width: 24,
            heads: 2,
            bias: false,
            gated: true,
            before: true,
            positions,
            windows,
            poolings: vec![pooling],
            ..bert(3)
        }
    };
    let euro = || Shape {
        width: 24,
        heads: 4,
        key_heads: 2,
        rms: true,
        bias: false,
        gated: true,
        before: true,
        positions: vec![Positions::Rotary(Rotary { theta: 250_000.0, divisor: 1.0 })],
        ..bert(2)
    };
    let relative = |positions| Shape { width: 40, heads: 4, positions: vec![positions], ..bert(2) };
    vec![
        ("bert", Shape { learned: true, ..bert(2) }.plan()),
        ("bert, collapsed", Shape { learned: true, ..bert(2) }.plan().collapse_last_layer()),
        ("electra", Shape { learned: true, embedding: 20, ..bert(1) }.plan()),
        ("norm after the projection", Shape { project_first: true, embedding: 20, ..bert(1) }.plan()),
        ("wider embeddings", Shape { learned: true, embedding: 52, ..bert(1) }.plan()),
        ("modernbert, mean", modern(Pooling::Mean).plan()),
        ("modernbert, first", modern(Pooling::First).plan()),
        ("modernbert, collapsed", modern(Pooling::First).plan_without_last_norm().collapse_last_layer()),
        (
            "jina",
            Shape {
                gated: true,
                positions: vec![Positions::Alibi],
                poolings: vec![Pooling::Mean],
                ..bert(2)
            }
            .plan(),
        ),
        ("mpnet", Shape { learned: true, positions: vec![bucketed()], ..bert(2) }.plan()),
        (
            "mpnet, collapsed",
            Shape { learned: true, positions: vec![bucketed()], ..bert(2) }.plan().collapse_last_layer(),
        ),
        ("max", Shape { poolings: vec![Pooling::Max], ..bert(1) }.plan()),
        ("sum over the root", Shape { poolings: vec![Pooling::MeanSqrtLen], ..bert(1) }.plan()),
        ("weighted mean", Shape { poolings: vec![Pooling::WeightedMean], ..bert(1) }.plan()),
        ("last", Shape { poolings: vec![Pooling::Last], ..bert(1) }.plan()),
        (
            "two poolings",
            Shape { poolings: vec![Pooling::Mean, Pooling::Last, Pooling::Max], ..bert(1) }.plan(),
        ),
        ("convolution", Shape { convolved: true, ..bert(2) }.plan()),
        ("eurobert, late", Shape { late: true, poolings: vec![Pooling::Mean], ..euro() }.plan()),
        ("eurobert, collapsed", euro().plan_without_last_norm().collapse_last_layer()),
        ("deberta", relative(disentangled(true, [true, true], Some(8))).plan()),
        (
            "deberta, collapsed",
            relative(disentangled(true, [true, true], Some(8))).plan().collapse_last_layer(),
        ),
        ("deberta, own projections", relative(disentangled(false, [true, true], Some(8))).plan()),
        ("deberta, no buckets", relative(disentangled(false, [true, false], None)).plan()),
        (
            "deberta, window",
            Shape { windows: vec![Some(9)], ..relative(disentangled(false, [false, true], None)) }.plan(),
        ),
    ]
}

/// The structure of a Plan. `positions` and `windows` are repeated over the layers.
struct Shape {
    width: usize,
    embedding: usize,
    /// Whether the norm of embeddings comes after their projection, as in DeBERTa, or before it.
    project_first: bool,
    layers: usize,
    heads: usize,
    bias: bool,
    gated: bool,
    before: bool,
    learned: bool,
    positions: Vec<Positions>,
    windows: Vec<Option<usize>>,
    poolings: Vec<Pooling>,
    /// Heads of keys and values; 0 for as many as of queries.
    key_heads: usize,
    /// Whether all norms are RMSNorms.
    rms: bool,
    /// Whether rows are projected and activated before they are pooled.
    late: bool,
    /// Whether a convolution follows the first layer.
    convolved: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            width: 0,
            embedding: 0,
            project_first: false,
            layers: 1,
            heads: 3,
            bias: true,
            gated: false,
            before: false,
            learned: false,
            positions: vec![Positions::Absent],
            windows: vec![None],
            poolings: vec![Pooling::First],
            key_heads: 0,
            rms: false,
            late: false,
            convolved: false,
        }
    }
}

impl Shape {
    fn plan(&self) -> Plan {
        let embedding = if self.embedding == 0 { self.width } else { self.embedding };
        let mut steps = vec![Step::Embed(self.embed(embedding))];
        if embedding != self.width {
            let linear = linear("project", embedding, self.width, true);
            steps.push(Step::Project(Projection { linear, activation: None }));
        }
        let normalized = if self.project_first { self.width } else { embedding };
        let index = if self.project_first { steps.len() } else { 1 };
        steps.insert(index, Step::Norm(norm("embed", normalized, self.bias)));
        if self.convolved {
            steps.push(Step::Unfold(Unfold { kernel_size: 3, width: self.width }));
        }
        for layer in 0..self.layers {
            steps.push(Step::Attention(self.attention(layer)));
            steps.push(Step::FeedForward(self.feed_forward(layer)));
            if self.convolved && layer == 0 {
                steps.push(Step::Convolve(Convolution {
                    linear: linear("convolution", 3 * self.width, self.width, true),
                    activation: Activation::Gelu,
                    norm: norm("convolution", self.width, true),
                }));
            }
        }
        if self.before {
            steps.push(Step::Norm(norm("last", self.width, self.bias)));
        }
        if self.late {
            let linear = linear("late", self.width, self.width, true);
            steps.push(Step::Project(Projection { linear, activation: Some(Activation::Gelu) }));
        }
        steps.push(Step::Pool(Pool { poolings: self.poolings.clone(), skipped: 0 }));
        if self.rms {
            steps.iter_mut().filter_map(norm_of).for_each(|norm| norm.rms = true);
        }
        Plan { hidden_size: self.width, steps }
    }

    /// Returns the Plan without its last norm, so that pooled rows are those of the residual stream.
    fn plan_without_last_norm(&self) -> Plan {
        let mut plan = self.plan();
        plan.steps.retain(|step| !matches!(step, Step::Norm(norm) if norm.weight.starts_with("last")));
        plan
    }

    fn embed(&self, width: usize) -> Embed {
        let table = |name: &str, rows| Table { weight: name.to_owned(), rows, width };
        let position = PositionTable { table: table("positions", LEARNED), numbering: Numbering::FromZero };
        Embed {
            word: table("words", WORDS),
            position: self.learned.then_some(position),
            token_type: Some(table("types", 2)),
            task: None,
        }
    }

    fn attention(&self, layer: usize) -> Attention {
        let projection = |name: &str| linear(&format!("{layer}.{name}"), self.width, self.width, self.bias);
        let key_heads = if self.key_heads == 0 { self.heads } else { self.key_heads };
        let key_width = self.width / self.heads * key_heads;
        let key_projection =
            |name: &str| linear(&format!("{layer}.{name}"), self.width, key_width, self.bias);
        let mut positions = self.positions[layer % self.positions.len()].clone();
        if let Positions::Disentangled(positions) = &mut positions {
            // Each layer has projections of its own names.
            for projection in [&mut positions.key, &mut positions.query].into_iter().flatten() {
                let name = projection.weight.tensor.trim_end_matches(".weight").to_owned();
                *projection = linear(&format!("{layer}.{name}"), self.width, self.width, self.bias);
            }
        }
        Attention {
            query: projection("query"),
            key: key_projection("key"),
            value: key_projection("value"),
            output: projection("output"),
            heads: self.heads,
            positions,
            window: self.windows[layer % self.windows.len()],
            rows: Rows::All,
            // The first block of ModernBERT has no norm: it reads the output of the embeddings' norm.
            norm: if self.before && layer == 0 {
                BlockNorm::Absent
            } else {
                self.norm(&format!("{layer}.attention"))
            },
        }
    }

    fn feed_forward(&self, layer: usize) -> FeedForward {
        let inner = |name: &str| linear(&format!("{layer}.{name}"), self.width, 71, self.bias);
        FeedForward {
            intermediate: inner("intermediate"),
            gate: self.gated.then(|| inner("gate")),
            activation: if self.gated { Activation::Silu } else { Activation::Gelu },
            output: linear(&format!("{layer}.down"), 71, self.width, self.bias),
            norm: self.norm(&format!("{layer}.feed_forward")),
        }
    }

    fn norm(&self, name: &str) -> BlockNorm {
        let norm = norm(name, self.width, self.bias);
        if self.before { BlockNorm::Before(norm) } else { BlockNorm::After(norm) }
    }
}

/// MPNet's biases, shared by all layers.
fn bucketed() -> Positions {
    Positions::Bucketed(Table { weight: "biases".to_owned(), rows: 32, width: 3 })
}

/// DeBERTa's positions, with terms of keys and of queries as given. `shared` uses the layer's projections for
/// positions.
fn disentangled(shared: bool, [key, query]: [bool; 2], buckets: Option<usize>) -> Positions {
    let projection = |present: bool, own: &str| {
        let name = if shared { own.to_owned() } else { format!("position_{own}") };
        present.then(|| linear(&name, 40, 40, true))
    };
    Positions::Disentangled(Box::new(Disentangled {
        table: Table {
            weight: "relative".to_owned(),
            rows: if buckets.is_some() { 16 } else { 40 },
            width: 40,
        },
        norm: shared.then(|| norm("relative_norm", 40, true)),
        key: projection(key, "key"),
        query: projection(query, "query"),
        buckets,
        max_distance: if buckets.is_some() { 32 } else { 20 },
    }))
}

fn linear(name: &str, in_features: usize, out_features: usize, bias: bool) -> Linear {
    Linear {
        weight: TensorRows::all(format!("{name}.weight"), out_features),
        bias: bias.then(|| TensorRows::all(format!("{name}.bias"), out_features)),
        in_features,
    }
}

fn norm(name: &str, width: usize, bias: bool) -> LayerNorm {
    let bias = bias.then(|| format!("{name}_norm.bias"));
    LayerNorm { weight: format!("{name}_norm.weight"), bias, width, eps: 1e-5, rms: false }
}

/// Returns the norm of a step, if it has one.
fn norm_of(step: &mut Step) -> Option<&mut LayerNorm> {
    match step {
        Step::Norm(norm) | Step::Convolve(Convolution { norm, .. }) => Some(norm),
        Step::Attention(Attention { norm, .. }) | Step::FeedForward(FeedForward { norm, .. }) => match norm {
            BlockNorm::Before(norm) | BlockNorm::After(norm) => Some(norm),
            BlockNorm::Absent => None,
        },
        _ => None,
    }
}

pub(in crate::engine) fn random_weights(plan: &Plan, dtype: Dtype) -> Weights {
    scaled_weights(plan, dtype, &HashMap::new())
}

/// Returns random weights; the tensors named in `factors` are multiplied.
pub(in crate::engine) fn scaled_weights(plan: &Plan, dtype: Dtype, factors: &HashMap<&str, f32>) -> Weights {
    let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = plan
        .tensors()
        .into_iter()
        .map(|PlanTensor { name, role, shape, .. }| {
            let factor = factors.get(name).copied().unwrap_or(1.0);
            let spread = if role == TensorRole::Matrix { 2.0 / (shape[1] as f32).sqrt() } else { 0.5 };
            let mean = if name.ends_with("_norm.weight") { 1.0 } else { 0.0 };
            let values = uniform(name, shape.iter().product());
            let bytes = values.flat_map(|value| ((value * spread + mean) * factor).to_le_bytes()).collect();
            (name.to_owned(), shape, bytes)
        })
        .collect();
    let views = tensors
        .iter()
        .map(|(name, shape, bytes)| (name, TensorView::new(Element::F32, shape.clone(), bytes).unwrap()));
    let file = serialize(views, None).unwrap();
    let tensors = plan.tensors();
    let grids = tensors.iter().filter_map(|tensor| Some((tensor.name.to_owned(), tensor.role.grid()?)));
    let mut expected = ExpectedTensors::of_grids(grids);
    expected.is_quantized = dtype == Dtype::Q8;
    let mut reader = WeightsReader::new(None, expected);
    reader.open("model.safetensors", file.len() as u64).unwrap();
    reader.push(&file).unwrap();
    reader.finish().unwrap()
}

/// Values between -1 and 1 that depend on the name alone, from Knuth's linear congruential generator.
fn uniform(name: &str, count: usize) -> impl Iterator<Item = f32> {
    let mut state =
        name.bytes().fold(1_u64, |state, byte| state.wrapping_mul(31).wrapping_add(u64::from(byte)));
    (0..count).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    })
}
