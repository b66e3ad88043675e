//! Operators whose weights are not read.

use super::graph::{Graph, Node};
use crate::error::{Result, unsupported};

/// Operators with weights in a form that is not read, and the form.
const REFUSED: [(&str, &str); 9] = [
    ("MatMulNBits", "blocks of 2 to 8 bits"),
    ("MatMulBnb4", "blocks of 4 bits"),
    ("MatMulFpQ4", "blocks of 4 bits"),
    ("GatherBlockQuantized", "blocks of 4 or 8 bits"),
    ("GemmFloat8", "8-bit floats"),
    ("QOrderedMatMul", "a layout for tensor cores"),
    ("QOrderedAttention", "a layout for tensor cores"),
    ("QMoE", "experts"),
    ("MoE", "experts"),
];

/// Checks that all weights are in forms that are read.
///
/// # Errors
/// `unsupported`, with the operator and the forms to choose instead.
pub(super) fn check_operators(graph: &Graph) -> Result<()> {
    let refused = graph.nodes.iter().find_map(|node| {
        let (_, form) = REFUSED.iter().find(|(op, _)| *op == node.op)?;
        Some((node, form))
    });
    let blocks = || {
        let in_blocks = |node: &&Node| node.op == "DequantizeLinear" && node.attributes.block_size > 0;
        graph.nodes.iter().find(in_blocks).map(|node| (node, &"blocks with a scale each"))
    };
    match refused.or_else(blocks) {
        None => Ok(()),
        Some((node, form)) => Err(unsupported(format!(
            "the weights of the operator {} ({:?}) are in {form}, which is not read: choose another file of this \
             model, such as model.onnx, model_fp16.onnx or model_quantized.onnx, or its model.safetensors",
            node.op, node.name
        ))),
    }
}
