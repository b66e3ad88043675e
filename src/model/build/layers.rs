//! The layers of an encoder: attention and feed-forward blocks with their norms.

use super::PlanBuilder;
use super::linear::{linear, stacked};
use crate::checkpoint::{
    AttentionPositions, ConvolutionConfig, ModelConfig, RelativePositions, SharedLayers, normalized_table,
};
use crate::model::plan::{
    Attention, BlockNorm, Convolution, Disentangled, FeedForward, LayerNorm, Linear, Positions, Rows, Table,
    Unfold,
};
use crate::model::tensor_names::{FeedForwardIn, NormPlacement, Qkv};

impl PlanBuilder<'_> {
    pub(super) fn attention(&self, layer: usize) -> Attention {
        let (names, config) = (self.names, self.config);
        let [query, key, value] = self.qkv(layer);
        let (positions, window) = match &config.attention {
            AttentionPositions::Absent => (Positions::Absent, None),
            AttentionPositions::Alibi => (Positions::Alibi, None),
            AttentionPositions::Bucketed { buckets } => {
                let (weight, width) = (self.relative_table(), config.num_attention_heads);
                (Positions::Bucketed(Table { weight, rows: *buckets, width }), None)
            }
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
            output: self.square(&self.in_layer(layer, names.attn_output), config.biases.attention),
            heads: config.num_attention_heads,
            positions,
            window,
            rows: Rows::All,
            norm: self.attention_norm(layer),
        }
    }

    /// Returns the relative positions of a layer with the projections `query` and `key`.
    fn relative(
        &self,
        layer: usize,
        relative: &RelativePositions,
        query: &Linear,
        key: &Linear,
    ) -> Disentangled {
        let names = self.names.relative_positions;
        let projection = |name: &str, shared: &Linear| {
            if relative.shared { shared.clone() } else { self.square(&self.in_layer(layer, name), true) }
        };
        let width = self.config.hidden_size;
        let table = Table {
            weight: match self.relative_table() {
                table if self.has_normalized_table => normalized_table(&table),
                table => table,
            },
            rows: 2 * relative.buckets.unwrap_or(relative.max_distance),
            width,
        };
        Disentangled {
            table,
            norm: (relative.normalized && !self.has_normalized_table).then(|| self.norm(names.norm, width)),
            key: relative.content_to_position.then(|| projection(names.key, key)),
            query: relative.position_to_content.then(|| projection(names.query, query)),
            buckets: relative.buckets,
            max_distance: relative.max_distance,
        }
    }

    /// Returns the name of the table of relative positions.
    pub(super) fn relative_table(&self) -> String {
        format!("{}{}.weight", self.prefix, self.names.relative_positions.table)
    }

    /// Returns the projections to queries, keys and values.
    fn qkv(&self, layer: usize) -> [Linear; 3] {
        let bias = self.config.biases.attention;
        match self.names.qkv {
            Qkv::Separate([query, key, value]) => {
                let ModelConfig { hidden_size, num_attention_heads, num_key_value_heads, .. } = *self.config;
                let key_size = hidden_size / num_attention_heads * num_key_value_heads;
                [(query, hidden_size), (key, key_size), (value, key_size)]
                    .map(|(name, size)| linear(&self.in_layer(layer, name), hidden_size, size, bias))
            }
            Qkv::Fused(name) => {
                let hidden = self.config.hidden_size;
                stacked(&self.in_layer(layer, name), hidden, hidden, bias)
            }
        }
    }

    pub(super) fn feed_forward(&self, layer: usize) -> FeedForward {
        let (names, config) = (self.names, self.config);
        let (hidden, inner, biases) = (config.hidden_size, config.intermediate_size, config.biases);
        let one = |name| linear(&self.in_layer(layer, name), hidden, inner, biases.intermediate);
        let two = |name| stacked(&self.in_layer(layer, name), hidden, inner, biases.intermediate);
        let (intermediate, gate) = match names.feed_forward_in {
            FeedForwardIn::Plain(name) => (one(name), None),
            FeedForwardIn::ActivatedThenGate(name) => {
                let [activated, gate] = two(name);
                (activated, Some(gate))
            }
            FeedForwardIn::GateThenActivated(name) => {
                let [gate, activated] = two(name);
                (activated, Some(gate))
            }
            FeedForwardIn::Separate { activated, gate } => (one(activated), Some(one(gate))),
        };
        FeedForward {
            intermediate,
            gate,
            activation: config.hidden_act,
            output: linear(&self.in_layer(layer, names.feed_forward_out), inner, hidden, biases.output),
            norm: self.block_norm(self.in_layer(layer, names.feed_forward_norm)),
        }
    }

    /// Returns the convolution after the first layer, if there is one, and the step that saves its input.
    pub(super) fn convolution(&self) -> Option<(Unfold, Convolution)> {
        let ConvolutionConfig { kernel_size, activation } = self.config.convolution?;
        let hidden = self.config.hidden_size;
        let names = self.names.convolution;
        let linear = linear(&format!("{}{}", self.prefix, names.layer), kernel_size * hidden, hidden, true);
        let norm = self.norm(names.norm, hidden);
        Some((Unfold { kernel_size, width: hidden }, Convolution { linear, activation, norm }))
    }

    fn attention_norm(&self, layer: usize) -> BlockNorm {
        match (self.names.norm_placement, layer) {
            (NormPlacement::BeforeAllButFirst, 0) => BlockNorm::Absent,
            _ => self.block_norm(self.in_layer(layer, self.names.attention_norm)),
        }
    }

    fn block_norm(&self, name: String) -> BlockNorm {
        let norm = self.norm_at(name, self.config.hidden_size);
        match self.names.norm_placement {
            NormPlacement::After => BlockNorm::After(norm),
            NormPlacement::Before | NormPlacement::BeforeAllButFirst => BlockNorm::Before(norm),
        }
    }

    pub(super) fn norm(&self, name: &str, width: usize) -> LayerNorm {
        self.norm_at(format!("{}{name}", self.prefix), width)
    }

    pub(super) fn norm_at(&self, name: String, width: usize) -> LayerNorm {
        LayerNorm {
            bias: self.config.biases.norm.then(|| format!("{name}.bias")),
            weight: format!("{name}.weight"),
            width,
            eps: self.config.layer_norm_eps,
            rms: self.config.rms_norm,
        }
    }

    pub(super) fn square(&self, name: &str, bias: bool) -> Linear {
        linear(name, self.config.hidden_size, self.config.hidden_size, bias)
    }

    pub(super) fn in_layer(&self, layer: usize, name: &str) -> String {
        let (prefix, layers) = (self.prefix, self.names.layers);
        match self.config.shared_layers {
            None => format!("{prefix}{layers}.{layer}.{name}"),
            Some(shared) => {
                let (group, layer) = shared.position(layer, self.config.num_hidden_layers);
                format!("{prefix}{layers}.{group}.albert_layers.{layer}.{name}")
            }
        }
    }
}

impl SharedLayers {
    /// Returns the group of a layer, and the layer within it. The encoder has `count` groups, some of them the same.
    fn position(self, layer: usize, count: usize) -> (usize, usize) {
        // As transformers rounds it.
        let per_group = count as f64 / self.groups as f64;
        (((layer / self.layers) as f64 / per_group) as usize, layer % self.layers)
    }
}
