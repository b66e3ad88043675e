//! Facts and names become a Plan and a Head: one builder for all families.

use super::head::{Dense, Head, Layer, Norm};
use super::names::{HeadLayer, Inner, Inputs, Names, Norms, Projection};
use super::plan::{
    Attention, BlockNorm, Disentangled, Embed, FeedForward, LayerNorm, Linear, Plan, PositionTable,
    Positions, Rows, Step, Table, TensorRows,
};
use crate::checkpoint::{Answer, AttentionPositions, Chain, ModelConfig, Module, RelativePositions, Weights};
use crate::error::{Result, weights};

/// The Plan and the head of a checkpoint, with every tensor of both checked for presence, shape and finiteness.
///
/// # Errors
/// `weights`, naming the tensor.
pub(crate) fn build(config: &ModelConfig, chain: Option<&Chain>, weights: &Weights) -> Result<(Plan, Head)> {
    let builder = Builder::for_weights(config, weights)?;
    builder.check_token_types(weights)?;
    let plan = builder.plan();
    for (name, _, shape) in plan.tensors() {
        weights.require(name, &shape)?;
    }
    let head = match chain {
        Some(chain) => chain_head(chain)?,
        None => builder.head(weights)?,
    };
    Ok((plan, head))
}

/// The Plans a configuration can have before its tensors are known: they differ in the names alone.
///
/// # Errors
/// `unsupported` for a decoder, which has none.
pub(crate) fn plans(config: &ModelConfig) -> Result<Vec<Plan>> {
    Ok(Builder::all(config)?.map(|builder| builder.plan()).collect())
}

/// The Plan a configuration most likely has before its tensors are known: sizes are right, names may be others.
///
/// # Errors
/// `unsupported` for a decoder, which has none.
pub(crate) fn likely_plan(config: &ModelConfig) -> Result<Plan> {
    Ok(Builder::likely(config)?.plan())
}

struct Builder<'a> {
    config: &'a ModelConfig,
    names: &'static Names,
    prefix: &'static str,
}

impl<'a> Builder<'a> {
    /// With each way to call the tensors.
    fn all(config: &'a ModelConfig) -> Result<impl Iterator<Item = Self> + Clone> {
        let names = Names::of(config.family)?.iter();
        let spelt = names.flat_map(|names| names.prefixes().map(|prefix| (names, prefix)));
        Ok(spelt.map(move |(names, prefix)| Self { config, names, prefix }))
    }

    fn likely(config: &'a ModelConfig) -> Result<Self> {
        let names = &Names::of(config.family)?[0];
        Ok(Self { config, names, prefix: names.prefix })
    }

    /// With the names that the words and the first layer have; those of the words where the layer has none of them, and
    /// the family's where there are no words at all.
    fn for_weights(config: &'a ModelConfig, weights: &Weights) -> Result<Self> {
        let has_words = |this: &Self| weights.contains(&format!("{}{}.weight", this.prefix, this.names.word));
        let has_layer =
            |this: &Self| weights.contains(&format!("{}.weight", this.in_layer(0, this.names.context)));
        let mut with_words = Self::all(config)?.filter(has_words);
        let found = with_words.clone().find(has_layer).or_else(|| with_words.next());
        found.map_or_else(|| Self::likely(config), Ok)
    }

    /// A table that is there and would not be used changes the scores.
    fn check_token_types(&self, weights: &Weights) -> Result<()> {
        let table = format!("{}{}.weight", self.prefix, self.names.token_type);
        if self.config.type_vocab_size == 0 && weights.contains(&table) {
            return Err(self::weights(format!("{table} is there, but config.json has type_vocab_size 0")));
        }
        Ok(())
    }

    fn plan(&self) -> Plan {
        let config = self.config;
        let mut steps = vec![Step::Embed(self.embed())];
        steps.extend(self.embedding_norm_and_projection());
        for layer in 0..config.num_hidden_layers {
            steps.push(Step::Attention(self.attention(layer)));
            steps.push(Step::FeedForward(self.feed_forward(layer)));
        }
        if let Some(name) = self.names.final_norm {
            steps.push(Step::Norm(self.norm(name, config.hidden_size)));
        }
        steps.push(Step::Pool(config.pooling));
        Plan { hidden_size: config.hidden_size, steps }
    }

    /// What brings embeddings to the width of the layers.
    fn embedding_norm_and_projection(&self) -> Vec<Step> {
        let (embedding, hidden) = (self.config.embedding_size, self.config.hidden_size);
        let norm = |width| Step::Norm(self.norm(self.names.embedding_norm, width));
        let project = |name: &str, bias| {
            Step::Project(linear(&format!("{}{name}", self.prefix), embedding, hidden, bias))
        };
        match self.names.projection {
            _ if embedding == hidden => vec![norm(hidden)],
            Projection::Absent => vec![norm(embedding)],
            Projection::BehindNorm(name) => vec![norm(embedding), project(name, true)],
            Projection::BeforeNorm(name) => vec![project(name, false), norm(hidden)],
        }
    }

    fn embed(&self) -> Embed {
        let config = self.config;
        let table = |name: &str, rows| Table {
            weight: format!("{}{name}.weight", self.prefix),
            rows,
            width: config.embedding_size,
        };
        let position = config.position_table.map(|numbering| PositionTable {
            table: table(self.names.position, config.max_position_embeddings),
            numbering,
        });
        let types = config.type_vocab_size;
        Embed {
            word: table(self.names.word, config.vocab_size),
            position,
            token_type: (types > 0).then(|| table(self.names.token_type, types)),
        }
    }

    fn attention(&self, layer: usize) -> Attention {
        let (names, config) = (self.names, self.config);
        let [query, key, value] = self.inputs(layer);
        let (positions, window) = match &config.attention {
            AttentionPositions::Absent => (Positions::Absent, None),
            AttentionPositions::Alibi => (Positions::Alibi, None),
            AttentionPositions::Rotary(layers) => {
                (Positions::Rotary(layers[layer].rotary), layers[layer].window)
            }
            AttentionPositions::Disentangled(relative) => {
                (Positions::Disentangled(Box::new(self.relative(layer, relative, &query, &key))), None)
            }
        };
        Attention {
            query,
            key,
            value,
            output: self.square(&self.in_layer(layer, names.context), config.biases.attention),
            heads: config.num_attention_heads,
            positions,
            window,
            rows: Rows::All,
            norm: self.attention_norm(layer),
        }
    }

    /// Relative positions as a layer sees them that projects rows with `query` and `key`.
    fn relative(
        &self,
        layer: usize,
        relative: &RelativePositions,
        query: &Linear,
        key: &Linear,
    ) -> Disentangled {
        let names = self.names.relative;
        let projection = |name: &str, rows: &Linear| match relative.shared {
            true => rows.clone(),
            false => self.square(&self.in_layer(layer, name), true),
        };
        let width = self.config.hidden_size;
        let table = Table {
            weight: format!("{}{}.weight", self.prefix, names.table),
            rows: 2 * relative.buckets.unwrap_or(relative.max_distance),
            width,
        };
        Disentangled {
            table,
            norm: relative.normalised.then(|| self.norm(names.norm, width)),
            key: relative.content_to_position.then(|| projection(names.key, key)),
            query: relative.position_to_content.then(|| projection(names.query, query)),
            buckets: relative.buckets,
            max_distance: relative.max_distance,
        }
    }

    /// Query, key and value.
    fn inputs(&self, layer: usize) -> [Linear; 3] {
        let bias = self.config.biases.attention;
        match self.names.inputs {
            Inputs::Apart(names) => names.map(|name| self.square(&self.in_layer(layer, name), bias)),
            Inputs::Fused(name) => {
                let hidden = self.config.hidden_size;
                stacked(&self.in_layer(layer, name), hidden, hidden, bias)
            }
        }
    }

    fn feed_forward(&self, layer: usize) -> FeedForward {
        let (names, config) = (self.names, self.config);
        let (hidden, inner) = (config.hidden_size, config.intermediate_size);
        let biases = config.biases;
        let (intermediate, gate) = match names.inner {
            Inner::Plain(name) => {
                (linear(&self.in_layer(layer, name), hidden, inner, biases.intermediate), None)
            }
            Inner::ActivatedAndGate(name) => {
                let [activated, gate] =
                    stacked(&self.in_layer(layer, name), hidden, inner, biases.intermediate);
                (activated, Some(gate))
            }
            Inner::GateAndActivated(name) => {
                let [gate, activated] =
                    stacked(&self.in_layer(layer, name), hidden, inner, biases.intermediate);
                (activated, Some(gate))
            }
            Inner::Apart { activated, gate } => {
                let [activated, gate] = [activated, gate]
                    .map(|name| linear(&self.in_layer(layer, name), hidden, inner, biases.intermediate));
                (activated, Some(gate))
            }
        };
        FeedForward {
            intermediate,
            gate,
            activation: config.hidden_act,
            output: linear(&self.in_layer(layer, names.output), inner, hidden, biases.output),
            norm: self.block_norm(self.in_layer(layer, names.output_norm)),
        }
    }

    fn attention_norm(&self, layer: usize) -> BlockNorm {
        match (self.names.norms, layer) {
            (Norms::BeforeAllButTheFirst, 0) => BlockNorm::Absent,
            _ => self.block_norm(self.in_layer(layer, self.names.attention_norm)),
        }
    }

    fn block_norm(&self, name: String) -> BlockNorm {
        let norm = self.norm_at(name, self.config.hidden_size);
        match self.names.norms {
            Norms::After => BlockNorm::After(norm),
            Norms::BeforeAllButTheFirst => BlockNorm::Before(norm),
        }
    }

    fn norm(&self, name: &str, width: usize) -> LayerNorm {
        self.norm_at(format!("{}{name}", self.prefix), width)
    }

    fn norm_at(&self, name: String, width: usize) -> LayerNorm {
        LayerNorm {
            bias: self.config.biases.norm.then(|| format!("{name}.bias")),
            weight: format!("{name}.weight"),
            width,
            eps: self.config.layer_norm_eps,
        }
    }

    fn square(&self, name: &str, bias: bool) -> Linear {
        linear(name, self.config.hidden_size, self.config.hidden_size, bias)
    }

    fn in_layer(&self, layer: usize, name: &str) -> String {
        format!("{}{}.{layer}.{name}", self.prefix, self.names.layers)
    }

    fn head(&self, weights: &Weights) -> Result<Head> {
        let layers = self.names.head.iter().map(|layer| self.head_layer(*layer, weights));
        Ok(Head::new(layers.collect::<Result<_>>()?))
    }

    fn head_layer(&self, layer: HeadLayer, weights: &Weights) -> Result<Layer> {
        let config = self.config;
        let dense = |linear| Dense::read(weights, linear).map(Layer::Dense);
        match layer {
            HeadLayer::Pooler(name) => {
                dense(self.square(&format!("{}{name}", self.prefix), config.biases.head))
            }
            HeadLayer::Dense(name) => dense(self.square(name, config.biases.head)),
            HeadLayer::Activate(activation) => Ok(Layer::Activate(activation)),
            HeadLayer::ActivateAsConfigured => Ok(Layer::Activate(config.head_act)),
            HeadLayer::Norm(name) => Norm::read(weights, self.norm_at(name.to_owned(), config.hidden_size)),
            HeadLayer::Classifier(name) => dense(linear(name, config.hidden_size, config.num_labels, true)),
        }
    }
}

/// Numbers in the head of a model, before its weights are known.
///
/// # Errors
/// None for a configuration that has been checked.
pub(crate) fn head_parameters(config: &ModelConfig, chain: Option<&Chain>) -> Result<usize> {
    let hidden = config.hidden_size;
    if let Some(decoder) = &config.decoder {
        return Ok(match decoder.answer {
            Answer::Words { .. } => hidden,
            Answer::Score => config.num_labels * hidden,
        });
    }
    if let Some(chain) = chain {
        return Ok(chain.modules.iter().map(Module::parameters).sum());
    }
    let layer = |layer: &HeadLayer| match layer {
        HeadLayer::Pooler(_) | HeadLayer::Dense(_) => (hidden + 1) * hidden,
        HeadLayer::Norm(_) => 2 * hidden,
        HeadLayer::Classifier(_) => (hidden + 1) * config.num_labels,
        HeadLayer::Activate(_) | HeadLayer::ActivateAsConfigured => 0,
    };
    Ok(Names::of(config.family)?[0].head.iter().map(layer).sum())
}

/// The head of a chain of modules, whose tensors are in files of their own.
fn chain_head(chain: &Chain) -> Result<Head> {
    let mut layers = Vec::new();
    for module in &chain.modules {
        match module {
            Module::Dense { in_features, out_features, bias, activation, residual, weights } => {
                let dense =
                    |name, bias| Dense::read(weights, linear(name, *in_features, *out_features, bias));
                if *residual {
                    layers.push(Layer::Keep);
                }
                layers.push(Layer::Dense(dense("linear", *bias)?));
                layers.push(Layer::Score(*activation));
                if *residual {
                    let projected = in_features != out_features;
                    layers.push(Layer::Add(projected.then(|| dense("residual", false)).transpose()?));
                }
            }
            Module::Normalize => layers.push(Layer::Normalize),
            Module::LayerNorm { width, weights } => {
                let norm = LayerNorm {
                    weight: "norm.weight".to_owned(),
                    bias: Some("norm.bias".to_owned()),
                    width: *width,
                    eps: 1e-5,
                };
                layers.push(Norm::read(weights, norm)?);
            }
        }
    }
    Ok(Head::of_chain(layers))
}

fn linear(name: &str, in_features: usize, out_features: usize, bias: bool) -> Linear {
    Linear {
        weight: TensorRows::all(format!("{name}.weight"), out_features),
        bias: bias.then(|| TensorRows::all(format!("{name}.bias"), out_features)),
        in_features,
    }
}

/// Layers of one input whose matrices lie one below the other in one tensor.
fn stacked<const COUNT: usize>(
    name: &str,
    in_features: usize,
    out_features: usize,
    bias: bool,
) -> [Linear; COUNT] {
    let part = |name: String, index: usize| TensorRows {
        tensor: name,
        rows: index * out_features..(index + 1) * out_features,
        total_rows: COUNT * out_features,
    };
    std::array::from_fn(|index| Linear {
        weight: part(format!("{name}.weight"), index),
        bias: bias.then(|| part(format!("{name}.bias"), index)),
        in_features,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> ModelConfig {
        let json = r#"{"model_type": "bert", "vocab_size": 100, "hidden_size": 36, "num_hidden_layers": 2,
            "num_attention_heads": 6, "intermediate_size": 53, "max_position_embeddings": 64, "num_labels": 1}"#;
        ModelConfig::parse(json.as_bytes()).unwrap()
    }

    fn plan(config: &ModelConfig) -> Plan {
        likely_plan(config).unwrap()
    }

    #[test]
    fn a_plan_prints_what_it_computes() {
        let text = plan(&config()).collapse_last_layer().to_string();
        let expected = "  0  embed         100 words, 64 positions, 2 token types -> 36\n\
                        \x20 1  norm\n\
                        \x20 2  attention     6 heads of 6, rows: All, norm after\n\
                        \x20 3  feed-forward  53 Gelu, norm after\n\
                        \x20 4  attention     6 heads of 6, rows: Cls, norm after\n\
                        \x20 5  feed-forward  53 Gelu, norm after\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_plan_names_every_tensor_once_with_its_shape() {
        let plan = plan(&config());
        let tensors = plan.tensors();
        // 3 tables and a norm; each layer 6 matrices with biases and 2 norms.
        assert_eq!(tensors.len(), 3 + 2 + 2 * (6 * 2 + 2 * 2));
        let shape_of =
            |wanted: &str| tensors.iter().find(|(name, ..)| *name == wanted).map(|(.., shape)| shape.clone());
        assert_eq!(shape_of("bert.encoder.layer.1.intermediate.dense.weight"), Some(vec![53, 36]));
        assert_eq!(shape_of("bert.encoder.layer.1.output.dense.weight"), Some(vec![36, 53]));
        assert_eq!(shape_of("bert.embeddings.position_embeddings.weight"), Some(vec![64, 36]));
        let mut names: Vec<_> = tensors.iter().map(|(name, ..)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), tensors.len());
    }
}
