//! The operators that say something about weights, and those whose weights are not read.

use super::graph::{Graph, Node};
use crate::error::{Result, unsupported};

/// Declares operators by their names in ONNX.
macro_rules! operators {
    ($($name:ident)*) => {
        /// The operator of a node.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub(super) enum Operator {
            /// An operator that is not in this list.
            #[default]
            Other,
            $($name),*
        }

        const NAMES: &[(Operator, &str)] = &[$((Operator::$name, stringify!($name))),*];
    };
}

operators! {
    Add Attention BiasAdd BiasGelu Cast Clip Concat DequantizeLinear Div Dropout DynamicQuantizeLinear
    DynamicQuantizeMatMul Elu EmbedLayerNormalization Erf Expand FastGelu Flatten FusedGemm FusedMatMul Gather
    GatherBlockQuantized Gelu Gemm GemmFloat8 HardSwish Identity LayerNormalization LeakyRelu MatMul MatMulBnb4
    MatMulFpQ4 MatMulInteger MatMulIntegerToFloat MatMulNBits MoE Mul MultiHeadAttention Neg Pow QAttention QMoE
    QOrderedAttention QOrderedMatMul QuantizeLinear Relu Reshape RotaryEmbedding Shape Sigmoid
    SkipLayerNormalization Slice Softmax Split Sqrt Squeeze Sub Tanh Tile Transpose Unsqueeze Where
}

impl Operator {
    /// Returns the operator with a name.
    pub(super) fn named(name: &str) -> Self {
        NAMES.iter().find(|(_, known)| *known == name).map_or(Self::Other, |(operator, _)| *operator)
    }

    fn name(self) -> &'static str {
        NAMES.iter().find(|(operator, _)| *operator == self).map_or("", |(_, name)| *name)
    }

    /// Returns whether the output has the numbers of the first input, repeated, in another shape or of another type.
    pub(super) fn keeps_numbers(self) -> bool {
        use Operator::*;
        matches!(
            self,
            Cast | DynamicQuantizeLinear
                | Expand
                | Identity
                | Reshape
                | Squeeze
                | Tile
                | Transpose
                | Unsqueeze
        )
    }
}

/// Returns the form of a node's weights, if it is not read.
fn refused_form(node: &Node) -> Option<&'static str> {
    Some(match node.op {
        Operator::MatMulNBits => "blocks of 2 to 8 bits",
        Operator::MatMulBnb4 | Operator::MatMulFpQ4 => "blocks of 4 bits",
        Operator::GatherBlockQuantized => "blocks of 4 or 8 bits",
        Operator::GemmFloat8 => "8-bit floats",
        Operator::QOrderedMatMul | Operator::QOrderedAttention => "a layout for tensor cores",
        Operator::QMoE | Operator::MoE => "experts",
        Operator::DequantizeLinear if node.attributes.block_size > 0 => "blocks with a scale each",
        _ => return None,
    })
}

/// Checks that all weights are in forms that are read.
///
/// # Errors
/// `unsupported`, with the operator and the forms to choose instead.
pub(super) fn check_operators(graph: &Graph) -> Result<()> {
    match graph.nodes.iter().find_map(|node| Some((node, refused_form(node)?))) {
        None => Ok(()),
        Some((node, form)) => Err(unsupported(format!(
            "the weights of the operator {} ({:?}) are in {form}, which is not read: choose another file of this \
             model, such as model.onnx, model_fp16.onnx or model_quantized.onnx, or its model.safetensors",
            node.op.name(),
            node.name
        ))),
    }
}
