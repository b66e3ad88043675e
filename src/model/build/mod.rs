//! Builds a Plan and a Head from the configuration and the tensor names of a family: one builder for all families.

mod embeddings;
mod expected;
mod head;
mod layers;
mod linear;

pub(crate) use expected::expected_tensors;
#[cfg(any(test, target_arch = "wasm32"))]
pub(crate) use expected::stage_tensors;
pub(crate) use head::head_parameters;

use super::head::Head;
use super::plan::{Plan, Pool, Step};
use super::tensor_names::TensorNames;
use crate::checkpoint::{ModelConfig, ModuleChain, Weights, normalized_table};
use crate::error::Result;
use head::module_chain_head;

/// Builds the Plan and the head of a checkpoint. Checks that every tensor of both exists, has the right shape and is
/// finite.
///
/// # Errors
/// `weights`, naming the tensor.
#[inline(never)]
pub(crate) fn build(
    config: &ModelConfig,
    chain: Option<&ModuleChain>,
    weights: &Weights,
) -> Result<(Plan, Head)> {
    let builder = PlanBuilder::for_weights(config, weights)?;
    if chain.is_none() {
        builder.check_purpose(weights)?;
    }
    builder.check_token_types(weights)?;
    let plan = builder.plan();
    for tensor in plan.tensors() {
        weights.require(tensor.name, &tensor.shape)?;
    }
    let head = match chain {
        Some(chain) => module_chain_head(chain)?,
        None => builder.head(weights)?,
    };
    Ok((plan, head))
}

/// Checks that the weights have a head, unless the checkpoint claims to be a classifier.
///
/// # Errors
/// `unsupported` for a checkpoint that was made for something else.
#[cfg(feature = "candle")]
pub(crate) fn check_purpose(config: &ModelConfig, weights: &Weights) -> Result<()> {
    PlanBuilder::for_weights(config, weights)?.check_purpose(weights)
}

/// Returns the most likely Plan of a configuration before its tensors are known. Its sizes are right; tensor names may
/// differ.
///
/// # Errors
/// `unsupported` for a decoder, which has no Plan.
#[inline(never)]
pub(crate) fn likely_plan(config: &ModelConfig) -> Result<Plan> {
    Ok(PlanBuilder::likely(config)?.plan())
}

struct PlanBuilder<'a> {
    config: &'a ModelConfig,
    names: &'static TensorNames,
    prefix: &'static str,
    /// Whether the weights have the table of relative positions with normalized rows.
    has_normalized_table: bool,
}

impl<'a> PlanBuilder<'a> {
    /// Returns a builder for each way to name the tensors of the family.
    fn candidates(config: &'a ModelConfig) -> Result<impl Iterator<Item = Self> + Clone> {
        let names = TensorNames::of(config.family)?.iter();
        let candidates = names.flat_map(|names| names.prefixes().map(|prefix| (names, prefix)));
        Ok(candidates.map(move |(names, prefix)| Self { config, names, prefix, has_normalized_table: false }))
    }

    fn likely(config: &'a ModelConfig) -> Result<Self> {
        let names = &TensorNames::of(config.family)?[0];
        Ok(Self { config, names, prefix: names.prefix, has_normalized_table: false })
    }

    /// Chooses the names that both the word embeddings and the first layer have; else names that the word embeddings
    /// have; else the family's usual names, so that an error can name the missing tensor.
    fn for_weights(config: &'a ModelConfig, weights: &Weights) -> Result<Self> {
        let has_words = |builder: &Self| {
            weights.contains(&format!("{}{}.weight", builder.prefix, builder.names.word_embeddings))
        };
        let has_layer = |builder: &Self| {
            weights.contains(&format!("{}.weight", builder.in_layer(0, builder.names.attn_output)))
        };
        let mut with_words = Self::candidates(config)?.filter(has_words);
        let found = with_words.clone().find(has_layer).or_else(|| with_words.next());
        let mut builder = found.map_or_else(|| Self::likely(config), Ok)?;
        builder.has_normalized_table = weights.contains(&normalized_table(&builder.relative_table()));
        Ok(builder)
    }

    fn plan(&self) -> Plan {
        let config = self.config;
        let mut steps = vec![Step::Embed(self.embed())];
        steps.extend(self.embedding_norm_and_projection());
        let convolution = self.convolution();
        steps.extend(convolution.as_ref().map(|(unfold, _)| Step::Unfold(*unfold)));
        let inner_layers = config.shared_layers.map_or(1, |shared| shared.layers);
        for layer in 0..config.num_hidden_layers * inner_layers {
            steps.push(Step::Attention(self.attention(layer)));
            steps.push(Step::FeedForward(self.feed_forward(layer)));
            if let (0, Some((_, convolution))) = (layer, &convolution) {
                steps.push(Step::Convolve(convolution.clone()));
            }
        }
        if let Some(name) = self.names.final_norm {
            steps.push(Step::Norm(self.norm(name, config.hidden_size)));
        }
        if config.head_before_pooling {
            steps.extend(self.projected_head().map(Step::Project));
        }
        steps.push(Step::Pool(Pool { poolings: config.poolings.clone(), skipped: config.unpooled_rows }));
        Plan { hidden_size: config.hidden_size, steps }
    }
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
            |name: &str| tensors.iter().find(|tensor| tensor.name == name).map(|tensor| tensor.shape.clone());
        assert_eq!(shape_of("bert.encoder.layer.1.intermediate.dense.weight"), Some(vec![53, 36]));
        assert_eq!(shape_of("bert.encoder.layer.1.output.dense.weight"), Some(vec![36, 53]));
        assert_eq!(shape_of("bert.embeddings.position_embeddings.weight"), Some(vec![64, 36]));
        let mut names: Vec<_> = tensors.iter().map(|tensor| tensor.name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), tensors.len());
    }
}
