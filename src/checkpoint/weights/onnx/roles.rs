//! What linear layers do in attention, from the nodes that read them.

use super::graph::{Graph, ValueId};
use super::layers::{Linear, weight};
use super::operators::Operator;
use crate::checkpoint::weights::expected::ExpectedRole;

/// Max number of nodes between a Softmax and the product with its result.
const MAX_NODES_TO_SOFTMAX: usize = 32;

/// Returns the role of a linear layer, or of a part of it, in attention; `None` if it has none or it is not clear.
pub(super) fn linear_role(graph: &Graph, linear: &Linear) -> Option<ExpectedRole> {
    match (linear.parts, linear.part) {
        (3, 0) => Some(ExpectedRole::Query),
        (3, 1) => Some(ExpectedRole::Key),
        (3, 2) => Some(ExpectedRole::Value),
        _ => attention_role(graph, linear),
    }
}

/// Sorts neighbors that read the same value by their role: queries, keys, values.
pub(super) fn sort_attention(order: &mut [usize], linears: &[Linear], roles: &[Option<ExpectedRole>]) {
    let rank = |index: &usize| match roles[*index] {
        Some(ExpectedRole::Query) => 0,
        Some(ExpectedRole::Key) => 1,
        _ => 2,
    };
    for group in order.chunk_by_mut(|left, right| {
        linears[*left].input == linears[*right].input && roles[*left].is_some() && roles[*right].is_some()
    }) {
        // Groups are small, and a sort of the standard library is large in WebAssembly.
        for end in 1..group.len() {
            let mut at = end;
            while at > 0 && rank(&group[at]) < rank(&group[at - 1]) {
                group.swap(at, at - 1);
                at -= 1;
            }
        }
    }
}

/// Returns whether a linear layer projects to queries, keys or values; `None` if it does neither or it is not clear.
///
/// In `softmax(query key^T) value`, queries are the first factor of a product and keys the second. (In DeBERTa, keys
/// are the first factor of another product.) Values are multiplied by the result of a Softmax.
fn attention_role(graph: &Graph, linear: &Linear) -> Option<ExpectedRole> {
    let [mut is_query, mut is_key, mut is_value] = [false; 3];
    graph.follow(linear.output, &mut |node, input| {
        match node.op {
            Operator::MatMul | Operator::FusedMatMul | Operator::MatMulInteger if input < 2 => {
                match node.input(1 - input) {
                    Some(other) if weight(graph, other).is_some() => {}
                    Some(other) if is_softmax(graph, other) => is_value = true,
                    _ if input == 1 => is_key = true,
                    _ => is_query = true,
                }
            }
            Operator::MultiHeadAttention | Operator::Attention => match input {
                0 => is_query = true,
                1 => is_key = true,
                2 => is_value = true,
                _ => {}
            },
            op => return passes_on(op),
        }
        false
    });
    match (is_value, is_key, is_query) {
        (true, ..) => Some(ExpectedRole::Value),
        (_, true, _) => Some(ExpectedRole::Key),
        (.., true) => Some(ExpectedRole::Query),
        _ => None,
    }
}

/// Returns whether a value is the result of a Softmax, perhaps converted.
fn is_softmax(graph: &Graph, value: ValueId) -> bool {
    let mut open = vec![value];
    for _ in 0..MAX_NODES_TO_SOFTMAX {
        let Some(value) = open.pop() else { return false };
        let Some(node) = graph.producer(value) else { continue };
        match node.op {
            Operator::Softmax => return true,
            Operator::Cast
            | Operator::Identity
            | Operator::Dropout
            | Operator::DynamicQuantizeLinear
            | Operator::Mul
            | Operator::Where
            | Operator::Reshape => {
                open.extend(node.inputs.iter().take(3).filter(|input| **input != 0));
            }
            _ => {}
        }
    }
    false
}

/// Returns whether an operator only rearranges, scales or converts its inputs, or rotates them.
fn passes_on(op: Operator) -> bool {
    use Operator::*;
    op.keeps_numbers()
        || matches!(
            op,
            Add | Concat
                | DequantizeLinear
                | Div
                | Dropout
                | Flatten
                | Gather
                | Mul
                | Neg
                | QuantizeLinear
                | RotaryEmbedding
                | Slice
                | Split
                | Sub
        )
}
