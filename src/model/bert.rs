//! BERT with a pooler: `BertForSequenceClassification`.

use super::head::{Dense, Head, Layer};
use super::plan::{
    Attention, BlockNorm, Embed, FeedForward, LayerNorm, Linear, Numbering, Part, Plan, Pooling,
    PositionTable, Positions, Rows, Step, Table,
};
use crate::checkpoint::{BertConfig, Weights};
use crate::error::{Result, weights};

/// Where the encoder's tensors lie in a checkpoint of a whole classifier.
const PREFIX: &str = "bert.";

/// The Plan and the head of a BERT checkpoint, with every tensor of both checked for presence, shape and finiteness.
///
/// # Errors
/// `weights`, naming the tensor.
pub(crate) fn build(config: &BertConfig, weights: &Weights) -> Result<(Plan, Head)> {
    let plan = plan(config);
    let token_types = format!("{PREFIX}embeddings.token_type_embeddings.weight");
    if config.type_vocab_size == 0 && weights.contains(&token_types) {
        return Err(self::weights(format!("{token_types} is there, but config.json has type_vocab_size 0")));
    }
    for (name, _, shape) in plan.tensors() {
        weights.require(name, &shape)?;
    }
    let head = head(config, weights)?;
    Ok((plan, head))
}

/// The Plan of a configuration, whether or not its tensors are there.
pub(crate) fn plan(config: &BertConfig) -> Plan {
    let mut steps = vec![
        Step::Embed(embed(config)),
        Step::Norm(layer_norm(config, &format!("{PREFIX}embeddings.LayerNorm"))),
    ];
    for layer in 0..config.num_hidden_layers {
        let layer = format!("{PREFIX}encoder.layer.{layer}");
        steps.push(Step::Attention(attention(config, &layer)));
        steps.push(Step::FeedForward(feed_forward(config, &layer)));
    }
    steps.push(Step::Pool(Pooling::First));
    Plan { hidden_size: config.hidden_size, steps }
}

fn embed(config: &BertConfig) -> Embed {
    let table = |name: &str, rows| Table {
        weight: format!("{PREFIX}embeddings.{name}_embeddings.weight"),
        rows,
        width: config.hidden_size,
    };
    Embed {
        word: table("word", config.vocab_size),
        position: Some(PositionTable {
            table: table("position", config.max_position_embeddings),
            numbering: Numbering::FromZero,
        }),
        token_type: (config.type_vocab_size > 0).then(|| table("token_type", config.type_vocab_size)),
    }
}

fn attention(config: &BertConfig, layer: &str) -> Attention {
    let hidden = config.hidden_size;
    let projection = |name: &str| linear(&format!("{layer}.attention.{name}"), hidden, hidden);
    Attention {
        query: projection("self.query"),
        key: projection("self.key"),
        value: projection("self.value"),
        output: projection("output.dense"),
        heads: config.num_attention_heads,
        positions: Positions::Absent,
        window: None,
        rows: Rows::All,
        norm: BlockNorm::After(layer_norm(config, &format!("{layer}.attention.output.LayerNorm"))),
    }
}

fn feed_forward(config: &BertConfig, layer: &str) -> FeedForward {
    FeedForward {
        intermediate: linear(
            &format!("{layer}.intermediate.dense"),
            config.hidden_size,
            config.intermediate_size,
        ),
        gate: None,
        activation: config.hidden_act,
        output: linear(&format!("{layer}.output.dense"), config.intermediate_size, config.hidden_size),
        norm: BlockNorm::After(layer_norm(config, &format!("{layer}.output.LayerNorm"))),
    }
}

fn linear(name: &str, in_features: usize, out_features: usize) -> Linear {
    Linear {
        weight: Part::whole(format!("{name}.weight"), out_features),
        bias: Some(Part::whole(format!("{name}.bias"), out_features)),
        in_features,
    }
}

fn layer_norm(config: &BertConfig, name: &str) -> LayerNorm {
    LayerNorm {
        weight: format!("{name}.weight"),
        bias: Some(format!("{name}.bias")),
        width: config.hidden_size,
        eps: config.layer_norm_eps,
    }
}

/// The pooler (dense and tanh) and the classifier.
fn head(config: &BertConfig, weights: &Weights) -> Result<Head> {
    let hidden = config.hidden_size;
    let pooler = linear(&format!("{PREFIX}pooler.dense"), hidden, hidden);
    let classifier = linear("classifier", hidden, config.num_labels);
    Ok(Head::new(vec![Dense::read(weights, pooler)?, Layer::Tanh, Dense::read(weights, classifier)?]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::Activation;

    fn config() -> BertConfig {
        BertConfig {
            vocab_size: 100,
            hidden_size: 36,
            num_hidden_layers: 2,
            num_attention_heads: 6,
            intermediate_size: 53,
            hidden_act: Activation::Gelu,
            max_position_embeddings: 64,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            num_labels: 1,
        }
    }

    #[test]
    fn a_plan_prints_what_it_computes() {
        let text = plan(&config()).collapse_last_layer().to_string();
        let expected = "  0  embed         100 words, 64 positions, 2 token types -> 36\n\
                        \x20 1  norm\n\
                        \x20 2  attention     6 heads of 6, rows: All, norm after\n\
                        \x20 3  feed-forward  53 Gelu, norm after\n\
                        \x20 4  attention     6 heads of 6, rows: First, norm after\n\
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
