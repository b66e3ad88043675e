//! What linear layers do in attention, from the nodes that read them.

use super::graph::{Graph, ValueId};
use super::layers::{Linear, weight};
use crate::checkpoint::weights::expected::ExpectedRole;

/// Max number of values that are followed from one layer.
const MAX_VALUES: usize = 100;
/// Max number of nodes between a Softmax and the product with its result.
const MAX_NODES_TO_SOFTMAX: usize = 32;

/// Returns whether a linear layer projects to queries, keys or values; `None` if it does neither or it is not clear.
///
/// In `softmax(query key^T) value`, queries are the first factor of a product and keys the second. (In DeBERTa, keys
/// are the first factor of another product.) Values are multiplied by the result of a Softmax.
pub(super) fn attention_role(graph: &Graph, linear: &Linear) -> Option<ExpectedRole> {
    let mut found: Option<ExpectedRole> = None;
    let mut seen = Vec::new();
    let mut open = vec![linear.output];
    while let Some(value) = open.pop() {
        if seen.contains(&value) || seen.len() > MAX_VALUES {
            continue;
        }
        seen.push(value);
        for (index, input) in graph.consumers(value) {
            let node = &graph.nodes[*index];
            let role = match (node.op.as_str(), input) {
                ("MatMul" | "FusedMatMul" | "MatMulInteger", 0 | 1) => {
                    let other = node.input(1 - input);
                    match other {
                        Some(other) if weight(graph, other).is_some() => continue,
                        Some(other) if is_softmax(graph, other) => Some(ExpectedRole::Value),
                        _ if *input == 1 => Some(ExpectedRole::Key),
                        _ => Some(ExpectedRole::Query),
                    }
                }
                ("MultiHeadAttention" | "Attention", 0) => Some(ExpectedRole::Query),
                ("MultiHeadAttention" | "Attention", 1) => Some(ExpectedRole::Key),
                ("MultiHeadAttention" | "Attention", 2) => Some(ExpectedRole::Value),
                (op, _) if passes_on(op) => {
                    open.extend(node.outputs.iter().copied().filter(|output| *output != 0));
                    continue;
                }
                _ => continue,
            };
            found = match (found, role) {
                (Some(ExpectedRole::Value), _) | (_, Some(ExpectedRole::Value)) => Some(ExpectedRole::Value),
                (Some(ExpectedRole::Key), _) | (_, Some(ExpectedRole::Key)) => Some(ExpectedRole::Key),
                (found, role) => found.or(role),
            };
        }
    }
    found
}

/// Returns whether a value does not depend on the text: the rows of relative positions.
pub(super) fn is_positional(graph: &Graph, mut value: ValueId) -> bool {
    for _ in 0..MAX_VALUES {
        if graph.tensor(value).is_some() {
            return true;
        }
        let Some(node) = graph.producer(value).map(|index| &graph.nodes[index]) else { return false };
        let keeps_rows = matches!(
            node.op.as_str(),
            "LayerNormalization"
                | "Cast"
                | "Identity"
                | "Reshape"
                | "Transpose"
                | "Squeeze"
                | "Unsqueeze"
                | "Slice"
                | "Expand"
                | "Tile"
                | "DynamicQuantizeLinear"
        );
        match node.input(0) {
            Some(input) if keeps_rows => value = input,
            _ => return false,
        }
    }
    false
}

/// Returns whether a value is the result of a Softmax, perhaps converted.
fn is_softmax(graph: &Graph, value: ValueId) -> bool {
    let mut open = vec![value];
    for _ in 0..MAX_NODES_TO_SOFTMAX {
        let Some(value) = open.pop() else { return false };
        let Some(node) = graph.producer(value).map(|index| &graph.nodes[index]) else { continue };
        match node.op.as_str() {
            "Softmax" => return true,
            "Cast" | "Identity" | "Dropout" | "DynamicQuantizeLinear" | "Mul" | "Where" | "Reshape" => {
                open.extend(node.inputs.iter().take(3).filter(|input| **input != 0));
            }
            _ => {}
        }
    }
    false
}

/// Returns whether an operator only rearranges, scales or converts its inputs, or rotates them.
fn passes_on(op: &str) -> bool {
    matches!(
        op,
        "Add"
            | "Sub"
            | "Mul"
            | "Div"
            | "Neg"
            | "Cast"
            | "Identity"
            | "Reshape"
            | "Transpose"
            | "Squeeze"
            | "Unsqueeze"
            | "Flatten"
            | "Slice"
            | "Split"
            | "Concat"
            | "Expand"
            | "Tile"
            | "DynamicQuantizeLinear"
            | "QuantizeLinear"
            | "DequantizeLinear"
            | "RotaryEmbedding"
            | "Gather"
            | "Dropout"
    )
}
