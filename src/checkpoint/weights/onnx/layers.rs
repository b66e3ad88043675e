//! The layers in a graph that have weights: linear layers, norms and tables.

use super::graph::{Graph, Node, ValueId};
use super::operators::Operator;

/// Max number of nodes between a layer and its weights or its bias.
const MAX_STEPS: usize = 8;

/// Max number of layers of each kind. Large models have some hundred.
const MAX_LAYERS: usize = 2000;

/// A matrix or a table as a node reads it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct WeightRef {
    /// Index into the tensors of the graph.
    pub(super) tensor: usize,
    /// Whether the node reads it transposed.
    pub(super) is_transposed: bool,
    pub(super) quantization: Option<Quantization>,
}

/// How integers stand for numbers: `(integer - zero_point) * scale`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quantization {
    /// Indices into the tensors of the graph.
    pub(super) scale: usize,
    pub(super) zero_point: Option<usize>,
    /// The dimension of the stored tensor that scales with several elements belong to.
    pub(super) axis: usize,
}

/// A linear layer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Linear {
    pub(super) node: usize,
    pub(super) input: ValueId,
    /// Whether the input does not depend on the text.
    pub(super) is_positional: bool,
    pub(super) weight: WeightRef,
    /// Whether the stored matrix is `[out, in]`, as in PyTorch, and not `[in, out]`.
    pub(super) is_out_in: bool,
    pub(super) bias: Option<Bias>,
    /// Whether the graph adds no bias. Optimizers remove biases of zero.
    pub(super) is_unbiased: bool,
    /// The value with or without bias.
    pub(super) output: ValueId,
    /// Which of `parts` equal parts of the outputs are meant. Attention nodes have the projections to queries, keys
    /// and values in one matrix.
    pub(super) part: usize,
    pub(super) parts: usize,
}

/// A bias, and which part of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bias {
    pub(super) tensor: usize,
    pub(super) part: usize,
    pub(super) parts: usize,
}

/// A LayerNorm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Norm {
    pub(super) node: usize,
    /// Whether the input does not depend on the text.
    pub(super) is_positional: bool,
    pub(super) scale: usize,
    pub(super) bias: Option<usize>,
    /// Whether the node has no bias, which stands for zero.
    pub(super) is_unbiased: bool,
}

/// A table whose rows are looked up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub(super) node: usize,
    pub(super) weight: WeightRef,
}

/// All layers of a graph, in the order of its nodes.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) linears: Vec<Linear>,
    pub(super) norms: Vec<Norm>,
    pub(super) tables: Vec<Table>,
}

impl Layers {
    /// Finds the layers of a graph.
    pub(super) fn find(graph: &Graph) -> Self {
        let mut layers = Self::default();
        for (index, node) in graph.nodes.iter().enumerate() {
            match node.op {
                Operator::LayerNormalization => layers.norms.extend(norm(graph, index, [0, 1, 2])),
                Operator::SkipLayerNormalization => layers.norms.extend(norm(graph, index, [0, 2, 3])),
                Operator::Div => layers.norms.extend(norm_in_operators(graph, node)),
                Operator::EmbedLayerNormalization => {
                    layers.norms.extend(norm(graph, index, [0, 5, 6]));
                    for input in 2..5 {
                        let weight = node.input(input).and_then(|value| weight(graph, value));
                        layers.tables.extend(weight.map(|weight| Table { node: index, weight }));
                    }
                }
                Operator::Gather if node.attributes.axis.unwrap_or(0) == 0 => {
                    layers.tables.extend(lookup(graph, index));
                }
                _ => layers.linears.extend(linear(graph, index)),
            }
        }
        layers.linears.truncate(MAX_LAYERS);
        layers.norms.truncate(MAX_LAYERS);
        layers.tables.truncate(MAX_LAYERS);
        layers
    }
}

/// Returns the tensor that a value is, through nodes that copy, convert, transpose or dequantize it.
pub(super) fn weight(graph: &Graph, mut value: ValueId) -> Option<WeightRef> {
    let mut found = WeightRef { tensor: 0, is_transposed: false, quantization: None };
    for _ in 0..MAX_STEPS {
        if let Some(tensor) = graph.tensor(value) {
            return Some(WeightRef { tensor, ..found });
        }
        let node = graph.producer(value)?;
        match node.op {
            Operator::Identity | Operator::Cast => {}
            Operator::Transpose if !node.attributes.is_permutation => {
                found.is_transposed = !found.is_transposed;
                if let Some(quantization) = &mut found.quantization {
                    quantization.axis = 1 - quantization.axis;
                }
            }
            Operator::DequantizeLinear if node.attributes.block_size == 0 => {
                found.quantization = Some(Quantization {
                    scale: constant(graph, node.input(1))?,
                    zero_point: constant(graph, node.input(2)),
                    axis: usize::from(node.attributes.axis != Some(0) && node.attributes.axis != Some(-2)),
                });
            }
            _ => return None,
        }
        value = node.input(0)?;
    }
    None
}

/// Returns whether a value does not depend on the text: the rows of relative positions.
fn is_positional(graph: &Graph, value: ValueId) -> bool {
    let passes =
        |op: Operator| op.keeps_numbers() || matches!(op, Operator::LayerNormalization | Operator::Slice);
    graph.origin(value, passes).is_some()
}

/// Returns the tensor that a value is, without transposing it.
fn constant(graph: &Graph, value: Option<ValueId>) -> Option<usize> {
    weight(graph, value?)
        .filter(|found| !found.is_transposed && found.quantization.is_none())
        .map(|found| found.tensor)
}

/// Returns the index of a vector, or of a tensor whose other sizes are 1.
fn vector(graph: &Graph, value: Option<ValueId>) -> Option<usize> {
    let tensor = constant(graph, value)?;
    let shape = &graph.tensors[tensor].shape;
    (shape.iter().filter(|size| **size != 1).count() <= 1 && !shape.is_empty()).then_some(tensor)
}

fn norm(graph: &Graph, index: usize, [input, scale, bias]: [usize; 3]) -> Option<Norm> {
    let node = &graph.nodes[index];
    let scale = vector(graph, node.input(scale))?;
    let is_unbiased = node.input(bias).is_none();
    Some(Norm {
        node: index,
        is_positional: is_positional(graph, node.input(input)?),
        scale,
        bias: vector(graph, node.input(bias)),
        is_unbiased,
    })
}

/// Returns a norm that consists of several operators, as in files before version 17 of the operators, from the division
/// by the standard deviation.
fn norm_in_operators(graph: &Graph, node: &Node) -> Option<Norm> {
    let producer = |input: usize, op| graph.producer(node.input(input)?).filter(|node| node.op == op);
    let difference = producer(0, Operator::Sub)?;
    producer(1, Operator::Sqrt)?;
    let (scaled, scale) = combined(graph, node.output(), Operator::Mul)?;
    let bias = combined(graph, graph.nodes[scaled].output(), Operator::Add).map(|(_, bias)| bias);
    let is_positional = is_positional(graph, difference.input(0)?);
    Some(Norm { node: scaled, is_positional, scale, bias, is_unbiased: false })
}

/// Returns the node that combines a value with a vector, and the vector.
fn combined(graph: &Graph, value: ValueId, op: Operator) -> Option<(usize, usize)> {
    graph.consumers(value).iter().find_map(|(index, input)| {
        let node = &graph.nodes[*index];
        let tensor = vector(graph, node.input(1 - (*input).min(1)))?;
        (node.op == op).then_some((*index, tensor))
    })
}

/// Returns the table of a Gather node. Integers are dequantized after it.
fn lookup(graph: &Graph, index: usize) -> Option<Table> {
    let node = &graph.nodes[index];
    let mut weight = weight(graph, node.input(0)?)?;
    let after = graph.consumers(node.output()).iter().find(|(_, input)| *input == 0);
    if let Some(node) =
        after.map(|(node, _)| &graph.nodes[*node]).filter(|node| node.op == Operator::DequantizeLinear)
    {
        let (scale, zero_point) = (constant(graph, node.input(1))?, constant(graph, node.input(2)));
        weight.quantization = Some(Quantization { scale, zero_point, axis: 1 });
    }
    (graph.tensors[weight.tensor].shape.len() == 2).then_some(Table { node: index, weight })
}

/// The inputs of an operator with a matrix, which is input 1: its scale and zero point, and the bias.
struct Operands {
    quantization: Option<[usize; 2]>,
    bias: Option<usize>,
    parts: usize,
}

fn operands(node: &Node) -> Option<Operands> {
    let attributes = &node.attributes;
    let plain = !attributes.trans_a && attributes.alpha == 1.0 && attributes.beta == 1.0;
    let (quantization, bias, parts) = match node.op {
        Operator::MatMul | Operator::MatMulInteger => (None, None, 1),
        Operator::FusedMatMul if plain => (None, None, 1),
        Operator::Gemm | Operator::FusedGemm if plain => (None, Some(2), 1),
        Operator::DynamicQuantizeMatMul => (Some([2, 3]), Some(4), 1),
        Operator::MatMulIntegerToFloat => (Some([3, 5]), Some(6), 1),
        Operator::Attention => (None, Some(2), 3),
        Operator::QAttention => (Some([4, 7]), Some(2), 3),
        _ => return None,
    };
    Some(Operands { quantization, bias, parts })
}

fn linear(graph: &Graph, index: usize) -> Option<Linear> {
    let node = &graph.nodes[index];
    let Operands { quantization, bias, parts } = operands(node)?;
    let mut weight = weight(graph, node.input(1)?)?;
    let shape = <[usize; 2]>::try_from(graph.tensors[weight.tensor].shape.as_slice()).ok()?;
    let is_out_in = node.attributes.trans_b != weight.is_transposed;
    let outputs = shape[usize::from(!is_out_in)];
    if parts > 1 && (outputs % parts != 0 || node.attributes.has_unequal_parts) {
        return None;
    }
    let axis = usize::from(!is_out_in);
    let mut output = node.output();
    if let Some([scale, zero_point]) = quantization {
        let (scale, zero_point) =
            (constant(graph, node.input(scale))?, constant(graph, node.input(zero_point)));
        weight.quantization = Some(Quantization { scale, zero_point, axis });
    } else if node.op == Operator::MatMulInteger {
        let scale;
        (output, scale) = scale_after(graph, output)?;
        weight.quantization = Some(Quantization { scale, zero_point: constant(graph, node.input(3)), axis });
    }
    let whole = |tensor| Bias { tensor, part: 0, parts: 1 };
    let is_unbiased = bias.is_none_or(|bias| node.input(bias).is_none()) && adds_no_bias(graph, output);
    let (bias, output) = match bias.and_then(|bias| vector(graph, node.input(bias))) {
        Some(bias) => (Some(whole(bias)), output),
        None if parts > 1 => (None, output),
        None => match bias_after(graph, output, outputs) {
            Some((bias, output)) => (Some(bias), output),
            None => (None, output),
        },
    };
    let input = node.input(0)?;
    let is_positional = is_positional(graph, input);
    Some(Linear {
        node: index,
        input,
        is_positional,
        weight,
        is_out_in,
        bias,
        is_unbiased,
        output,
        part: 0,
        parts,
    })
}

/// Returns the product of a MatMulInteger's result with its scales, and the scale of the matrix.
fn scale_after(graph: &Graph, mut value: ValueId) -> Option<(ValueId, usize)> {
    for _ in 0..MAX_STEPS {
        let (index, input) = *graph.consumers(value).first()?;
        let node = &graph.nodes[index];
        match node.op {
            Operator::Cast => {}
            Operator::Mul => {
                let scales = node.input(1 - input.min(1))?;
                let scale = constant(graph, Some(scales)).or_else(|| {
                    // The product of the scale of the activations and that of the matrix.
                    let product = graph.producer(scales)?;
                    let factors = [product.input(0), product.input(1)];
                    factors.into_iter().find_map(|factor| constant(graph, factor))
                });
                return Some((node.output(), scale?));
            }
            _ => return None,
        }
        value = node.output();
    }
    None
}

/// Returns the bias that is added to a value, and the sum.
fn bias_after(graph: &Graph, value: ValueId, outputs: usize) -> Option<(Bias, ValueId)> {
    let mut open = vec![value];
    for _ in 0..MAX_STEPS {
        for (index, input) in graph.consumers(open.pop()?) {
            let node = &graph.nodes[*index];
            let Some(bias) = bias_input(node.op, *input) else {
                if matches!(node.op, Operator::Cast | Operator::Reshape | Operator::Identity) {
                    open.push(node.output());
                }
                continue;
            };
            // An attention node has the biases of queries, keys and values in one vector.
            let is_merged = node.op == Operator::MultiHeadAttention;
            let (part, parts, sum) = if is_merged { (*input, 3, value) } else { (0, 1, node.output()) };
            if let Some(tensor) = vector(graph, node.input(bias))
                && graph.tensors[tensor].elements() == outputs.checked_mul(parts)
            {
                return Some((Bias { tensor, part, parts }, sum));
            }
        }
    }
    None
}

/// Returns the number of the input that an operator adds to another.
fn bias_input(op: Operator, input: usize) -> Option<usize> {
    match (op, input) {
        (Operator::Add | Operator::BiasAdd, 0 | 1) => Some(1 - input),
        (Operator::SkipLayerNormalization, 0 | 1) => Some(4),
        (Operator::BiasGelu | Operator::FastGelu, 0) => Some(1),
        (Operator::MultiHeadAttention, 0..=2) => Some(3),
        _ => None,
    }
}

/// Returns whether all nodes that read a value are known not to add a constant to it.
fn adds_no_bias(graph: &Graph, value: ValueId) -> bool {
    graph.consumers(value).iter().all(|(index, input)| {
        let node = &graph.nodes[*index];
        match node.op {
            Operator::Add | Operator::Sub => {
                node.input(1 - (*input).min(1)).is_none_or(|other| weight(graph, other).is_none())
            }
            op => match bias_input(op, *input) {
                Some(bias) => node.input(bias).is_none(),
                None => is_plain(op),
            },
        }
    })
}

/// Returns whether an operator reads the results of linear layers and has no bias.
fn is_plain(op: Operator) -> bool {
    use Operator::*;
    matches!(
        op,
        Attention
            | Cast
            | Clip
            | Concat
            | Div
            | DynamicQuantizeLinear
            | Elu
            | Erf
            | Flatten
            | Gather
            | Gelu
            | Gemm
            | HardSwish
            | Identity
            | LayerNormalization
            | LeakyRelu
            | MatMul
            | MatMulInteger
            | Mul
            | Pow
            | Relu
            | Reshape
            | Shape
            | Sigmoid
            | Slice
            | Softmax
            | Split
            | Squeeze
            | Tanh
            | Transpose
    )
}
