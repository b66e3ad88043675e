//! The layers in a graph that have weights: linear layers, norms and tables.

use super::graph::{Graph, Node, ValueId};

/// Max number of nodes between a layer and its weights or its bias.
const MAX_STEPS: usize = 8;

/// Max number of layers of each kind. Large models have some hundred.
const MAX_LAYERS: usize = 2000;

/// A matrix or a table as a node reads it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WeightRef {
    /// Index into the tensors of the graph.
    pub(super) tensor: usize,
    /// Whether the node reads it transposed.
    pub(super) is_transposed: bool,
    pub(super) quantization: Option<Quantization>,
}

/// How integers stand for numbers: `(integer - zero_point) * scale`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantization {
    /// Indices into the tensors of the graph.
    pub(super) scale: usize,
    pub(super) zero_point: Option<usize>,
    /// The dimension of the stored tensor that scales with several elements belong to.
    pub(super) axis: usize,
}

/// A linear layer.
#[derive(Debug, Clone)]
pub(super) struct Linear {
    pub(super) node: usize,
    pub(super) input: ValueId,
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
#[derive(Debug, Clone)]
pub(super) struct Norm {
    pub(super) node: usize,
    pub(super) input: ValueId,
    pub(super) scale: usize,
    pub(super) bias: Option<usize>,
    /// Whether the node has no bias, which stands for zero.
    pub(super) is_unbiased: bool,
}

/// A table whose rows are looked up.
#[derive(Debug, Clone)]
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
            match node.op.as_str() {
                "LayerNormalization" => layers.norms.extend(norm(graph, index, [0, 1, 2])),
                "SkipLayerNormalization" => layers.norms.extend(norm(graph, index, [0, 2, 3])),
                "Div" => layers.norms.extend(norm_in_operators(graph, index)),
                "EmbedLayerNormalization" => {
                    layers.norms.extend(norm(graph, index, [0, 5, 6]));
                    let table =
                        |input| Some(Table { node: index, weight: weight(graph, node.input(input)?)? });
                    layers.tables.extend([2, 3, 4].into_iter().filter_map(table));
                }
                "Gather" if node.attributes.axis.unwrap_or(0) == 0 => {
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
        let node = &graph.nodes[graph.producer(value)?];
        match node.op.as_str() {
            "Identity" | "Cast" => {}
            "Transpose" if matches!(node.attributes.perm.as_slice(), [] | [1, 0]) => {
                found.is_transposed = !found.is_transposed;
                if let Some(quantization) = &mut found.quantization {
                    quantization.axis = 1 - quantization.axis;
                }
            }
            "DequantizeLinear" if node.attributes.block_size == 0 => {
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
        input: node.input(input)?,
        scale,
        bias: vector(graph, node.input(bias)),
        is_unbiased,
    })
}

/// Returns a norm that consists of several operators, as in files before version 17 of the operators, from the division
/// by the standard deviation.
fn norm_in_operators(graph: &Graph, index: usize) -> Option<Norm> {
    let node = &graph.nodes[index];
    let producer = |input: usize| graph.producer(node.input(input)?).map(|index| &graph.nodes[index]);
    let difference = producer(0).filter(|node| node.op == "Sub")?;
    producer(1).filter(|node| node.op == "Sqrt")?;
    // Returns the node that combines a value with a vector, and the vector.
    let combined = |value: ValueId, op: &str| {
        graph.consumers(value).iter().find_map(|(index, input)| {
            let node = &graph.nodes[*index];
            let tensor = vector(graph, node.input(1 - (*input).min(1)))?;
            (node.op == op).then_some((*index, tensor))
        })
    };
    let (scaled, scale) = combined(node.output(), "Mul")?;
    let bias = combined(graph.nodes[scaled].output(), "Add").map(|(_, bias)| bias);
    Some(Norm { node: scaled, input: difference.input(0)?, scale, bias, is_unbiased: false })
}

/// Returns the table of a Gather node. Integers are dequantized after it.
fn lookup(graph: &Graph, index: usize) -> Option<Table> {
    let node = &graph.nodes[index];
    let mut weight = weight(graph, node.input(0)?)?;
    let after = graph.consumers(node.output()).iter().find(|(_, input)| *input == 0);
    if let Some(node) =
        after.map(|(node, _)| &graph.nodes[*node]).filter(|node| node.op == "DequantizeLinear")
    {
        let (scale, zero_point) = (constant(graph, node.input(1))?, constant(graph, node.input(2)));
        weight.quantization = Some(Quantization { scale, zero_point, axis: 1 });
    }
    (graph.tensors[weight.tensor].shape.len() == 2).then_some(Table { node: index, weight })
}

/// The inputs of an operator with a matrix: the matrix, its scale and zero point, and the bias.
struct Operands {
    matrix: usize,
    quantization: Option<[usize; 2]>,
    bias: Option<usize>,
    parts: usize,
}

fn operands(node: &Node) -> Option<Operands> {
    let attributes = &node.attributes;
    let plain = !attributes.trans_a && attributes.alpha == 1.0 && attributes.beta == 1.0;
    let (matrix, quantization, bias, parts) = match node.op.as_str() {
        "MatMul" | "MatMulInteger" => (1, None, None, 1),
        "FusedMatMul" if plain => (1, None, None, 1),
        "Gemm" | "FusedGemm" if plain => (1, None, Some(2), 1),
        "DynamicQuantizeMatMul" => (1, Some([2, 3]), Some(4), 1),
        "MatMulIntegerToFloat" => (1, Some([3, 5]), Some(6), 1),
        "Attention" => (1, None, Some(2), 3),
        "QAttention" => (1, Some([4, 7]), Some(2), 3),
        _ => return None,
    };
    Some(Operands { matrix, quantization, bias, parts })
}

fn linear(graph: &Graph, index: usize) -> Option<Linear> {
    let node = &graph.nodes[index];
    let Operands { matrix, quantization, bias, parts } = operands(node)?;
    let mut weight = weight(graph, node.input(matrix)?)?;
    let shape = <[usize; 2]>::try_from(graph.tensors[weight.tensor].shape.as_slice()).ok()?;
    let is_out_in = node.attributes.trans_b != weight.is_transposed;
    let outputs = shape[usize::from(!is_out_in)];
    if parts > 1 && (outputs % parts != 0 || !equal_parts(&node.attributes.qkv_hidden_sizes)) {
        return None;
    }
    let axis = usize::from(!is_out_in);
    if let Some([scale, zero_point]) = quantization {
        let (scale, zero_point) =
            (constant(graph, node.input(scale))?, constant(graph, node.input(zero_point)));
        weight.quantization = Some(Quantization { scale, zero_point, axis });
    }
    let mut output = node.output();
    if node.op == "MatMulInteger" {
        let (scaled, scale) = scale_after(graph, output)?;
        output = scaled;
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
    Some(Linear { node: index, input, weight, is_out_in, bias, is_unbiased, output, part: 0, parts })
}

fn equal_parts(sizes: &[i64]) -> bool {
    sizes.windows(2).all(|pair| pair[0] == pair[1])
}

/// Returns the product of a MatMulInteger's result with its scales, and the scale of the matrix.
fn scale_after(graph: &Graph, mut value: ValueId) -> Option<(ValueId, usize)> {
    for _ in 0..MAX_STEPS {
        let (index, input) = *graph.consumers(value).first()?;
        let node = &graph.nodes[index];
        match node.op.as_str() {
            "Cast" => {}
            "Mul" => {
                let scales = node.input(1 - input.min(1))?;
                let scale = constant(graph, Some(scales)).or_else(|| {
                    // The product of the scale of the activations and that of the matrix.
                    let product = graph.producer(scales).map(|index| &graph.nodes[index])?;
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
    let of_size = |tensor: &usize| graph.tensors[*tensor].elements() == Some(outputs);
    let mut open = vec![value];
    for _ in 0..MAX_STEPS {
        for (index, input) in graph.consumers(open.pop()?) {
            let node = &graph.nodes[*index];
            let bias = match (node.op.as_str(), input) {
                ("Add" | "BiasAdd", 0 | 1) => node.input(1 - input),
                ("SkipLayerNormalization", 0 | 1) => node.input(4),
                ("BiasGelu" | "FastGelu", 0) => node.input(1),
                ("MultiHeadAttention", 0..=2) => {
                    let merged = vector(graph, node.input(3))?;
                    let of_all = graph.tensors[merged].elements() == outputs.checked_mul(3);
                    return of_all.then_some((Bias { tensor: merged, part: *input, parts: 3 }, value));
                }
                ("Cast" | "Reshape" | "Identity", 0) => {
                    open.push(node.output());
                    continue;
                }
                _ => continue,
            };
            if let Some(tensor) = vector(graph, bias).filter(of_size) {
                return Some((Bias { tensor, part: 0, parts: 1 }, node.output()));
            }
        }
    }
    None
}

/// Returns whether all nodes that read a value are known not to add a constant to it.
fn adds_no_bias(graph: &Graph, value: ValueId) -> bool {
    graph.consumers(value).iter().all(|(index, input)| {
        let node = &graph.nodes[*index];
        let is_constant =
            |input: usize| node.input(input).is_some_and(|value| weight(graph, value).is_some());
        match node.op.as_str() {
            "Add" | "Sub" => !is_constant(1 - (*input).min(1)),
            "SkipLayerNormalization" => node.input(4).is_none(),
            "MultiHeadAttention" => node.input(3).is_none(),
            "FastGelu" => node.input(1).is_none(),
            op => PLAIN_OPERATORS.contains(&op),
        }
    })
}

/// Operators without a bias that read the results of linear layers.
const PLAIN_OPERATORS: [&str; 30] = [
    "Attention",
    "Cast",
    "Clip",
    "Concat",
    "Div",
    "DynamicQuantizeLinear",
    "Elu",
    "Erf",
    "Flatten",
    "Gather",
    "Gelu",
    "Gemm",
    "HardSwish",
    "Identity",
    "LayerNormalization",
    "LeakyRelu",
    "MatMul",
    "MatMulInteger",
    "Mul",
    "Pow",
    "Relu",
    "Reshape",
    "Shape",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Split",
    "Squeeze",
    "Tanh",
    "Transpose",
];
