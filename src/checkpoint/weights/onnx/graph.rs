//! The graph of an ONNX file: nodes, and tensors without their data.

use std::collections::HashMap;
use std::ops::Range;

use super::operators::Operator;
use crate::error::{Result, unsupported};

/// Max number of nodes. The graphs of large models have some ten thousand.
const MAX_NODES: usize = 100_000;
/// Max number of tensors.
const MAX_TENSORS: usize = 50_000;
/// Max size of all names in bytes.
const MAX_NAME_BYTES: usize = 16 << 20;
/// Max number of inputs and outputs of all nodes.
const MAX_EDGES: usize = 300_000;

/// Max number of nodes that read one value and are followed.
const MAX_CONSUMERS: usize = 64;
/// Max number of values that are followed from one value.
const MAX_VALUES: usize = 100;

/// A value that flows between nodes. 0 is the empty name of an omitted input.
pub(super) type ValueId = usize;

/// A graph. Its nodes are in the order of the file, which is topological.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// Values by name.
    ids: HashMap<String, ValueId>,
    name_bytes: usize,
    edges: usize,
    pub(super) nodes: Vec<Node>,
    /// Initializers and the tensors of Constant nodes.
    pub(super) tensors: Vec<StoredTensor>,
    /// The origin and the readers of each value.
    values: Vec<Value>,
}

/// The origin of a value, and the nodes that read it.
#[derive(Debug, Default, Clone)]
struct Value {
    /// Index into the tensors of the graph.
    tensor: Option<usize>,
    /// The node that computes it.
    producer: Option<usize>,
    /// The nodes that read it, and the number of the input.
    consumers: Vec<(usize, usize)>,
}

/// An operation.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) op: Operator,
    pub(super) name: String,
    /// The path of its module in PyTorch, as torch's newer exporter records it, such as `bert.pooler.dense`.
    pub(super) scopes: Vec<String>,
    pub(super) inputs: Vec<ValueId>,
    pub(super) outputs: Vec<ValueId>,
    pub(super) attributes: Attributes,
    /// The tensor of a Constant node, as an index into [`Graph::tensors`].
    pub(super) constant: Option<usize>,
}

/// The attributes that are read.
#[derive(Debug)]
pub(super) struct Attributes {
    pub(super) trans_a: bool,
    pub(super) trans_b: bool,
    pub(super) alpha: f32,
    pub(super) beta: f32,
    pub(super) axis: Option<i64>,
    /// Whether the dimensions of a Transpose are in an order other than 1, 0.
    pub(super) is_permutation: bool,
    pub(super) block_size: i64,
    /// Whether queries, keys and values have different widths.
    pub(super) has_unequal_parts: bool,
}

impl Default for Attributes {
    fn default() -> Self {
        Self {
            trans_a: false,
            trans_b: false,
            alpha: 1.0,
            beta: 1.0,
            axis: None,
            is_permutation: false,
            block_size: 0,
            has_unequal_parts: false,
        }
    }
}

/// A tensor whose data is in this file or in another.
#[derive(Debug, Clone, Default)]
pub(super) struct StoredTensor {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    /// The number of its type in `TensorProto.DataType`.
    pub(super) data_type: u64,
    pub(super) data: Data,
}

/// The data of a tensor.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Data {
    /// No data, as in a tensor without elements.
    #[default]
    Absent,
    /// The bytes of little-endian elements.
    Raw(Range<u64>),
    /// A packed field of `TensorProto`: its number and its bytes.
    Packed(u64, Range<u64>),
    /// A field of `TensorProto` that is repeated for each element: its number and the bytes of all of them with tags.
    Repeated(u64, Range<u64>),
    /// Bytes of little-endian elements in another file.
    External(ExternalData),
}

/// A place in another file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ExternalData {
    pub(super) location: String,
    pub(super) offset: u64,
    /// All bytes from the offset on if it is absent.
    pub(super) length: Option<u64>,
}

impl Graph {
    /// Returns the value with a name. The value 0 has no name.
    ///
    /// # Errors
    /// `unsupported` if there are too many names.
    pub(super) fn value(&mut self, name: &str) -> Result<ValueId> {
        if name.is_empty() {
            return Ok(0);
        }
        if let Some(id) = self.ids.get(name) {
            return Ok(*id);
        }
        self.name_bytes += name.len();
        if self.name_bytes > MAX_NAME_BYTES {
            return Err(too_large("names of values", MAX_NAME_BYTES));
        }
        let id = self.ids.len() + 1;
        self.ids.insert(name.to_owned(), id);
        Ok(id)
    }

    /// Adds a node.
    ///
    /// # Errors
    /// `unsupported` if there are too many.
    pub(super) fn add_node(&mut self, node: Node) -> Result<()> {
        self.edges += node.inputs.len() + node.outputs.len();
        if self.nodes.len() >= MAX_NODES {
            return Err(too_large("nodes", MAX_NODES));
        }
        if self.edges > MAX_EDGES {
            return Err(too_large("inputs of nodes", MAX_EDGES));
        }
        self.nodes.push(node);
        Ok(())
    }

    /// Adds a tensor and returns its index.
    ///
    /// # Errors
    /// `unsupported` if there are too many.
    pub(super) fn add_tensor(&mut self, tensor: StoredTensor) -> Result<usize> {
        if self.tensors.len() >= MAX_TENSORS {
            return Err(too_large("tensors", MAX_TENSORS));
        }
        self.tensors.push(tensor);
        Ok(self.tensors.len() - 1)
    }

    /// Connects nodes and tensors by the names of values, after all have been added.
    ///
    /// # Errors
    /// `unsupported` if there are too many names.
    pub(super) fn connect(&mut self) -> Result<()> {
        let mut initializers = Vec::new();
        for index in 0..self.tensors.len() {
            let name = self.tensors[index].name.clone();
            initializers.push(self.value(&name)?);
        }
        let mut values = vec![Value::default(); self.ids.len() + 1];
        for (index, value) in initializers.into_iter().enumerate() {
            values[value].tensor.get_or_insert(index);
        }
        for (index, node) in self.nodes.iter().enumerate() {
            for (input, value) in node.inputs.iter().enumerate() {
                values[*value].consumers.push((index, input));
            }
            for value in &node.outputs {
                values[*value].producer.get_or_insert(index);
            }
            if let (Some(tensor), Some(value)) = (node.constant, node.outputs.first()) {
                values[*value].tensor.get_or_insert(tensor);
            }
        }
        // The empty name is no value.
        values[0] = Value::default();
        self.values = values;
        Ok(())
    }

    /// Returns the tensor that a value is, if it is one: an initializer or the output of a Constant node.
    pub(super) fn tensor(&self, value: ValueId) -> Option<usize> {
        self.values[value].tensor
    }

    /// Returns the node that computes a value.
    pub(super) fn producer(&self, value: ValueId) -> Option<&Node> {
        self.values[value].producer.map(|index| &self.nodes[index])
    }

    /// Returns the first nodes that read a value, and the number of the input.
    pub(super) fn consumers(&self, value: ValueId) -> &[(usize, usize)] {
        let consumers = self.values[value].consumers.as_slice();
        consumers.get(..MAX_CONSUMERS).unwrap_or(consumers)
    }

    /// Calls `visit` for each node that reads a value, with the index of the input. Where `visit` returns true, continues
    /// with the nodes that read the results of that node.
    pub(super) fn follow(&self, value: ValueId, visit: &mut dyn FnMut(&Node, usize) -> bool) {
        let mut seen = Vec::new();
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            if value == 0 || seen.contains(&value) || seen.len() > MAX_VALUES {
                continue;
            }
            seen.push(value);
            for (index, input) in self.consumers(value) {
                let node = &self.nodes[*index];
                if visit(node, *input) {
                    open.extend_from_slice(&node.outputs);
                }
            }
        }
    }

    /// Returns the tensor that a value is computed from by operators that `passes` accepts, through their first inputs.
    pub(super) fn origin(&self, mut value: ValueId, passes: fn(Operator) -> bool) -> Option<usize> {
        for _ in 0..MAX_VALUES {
            let tensor = self.tensor(value);
            if tensor.is_some() {
                return tensor;
            }
            let node = self.producer(value).filter(|node| passes(node.op))?;
            value = node.input(0)?;
        }
        None
    }
}

impl Node {
    /// Returns an input, unless it is omitted.
    pub(super) fn input(&self, index: usize) -> Option<ValueId> {
        self.inputs.get(index).copied().filter(|value| *value != 0)
    }

    /// Returns the first output, or 0.
    pub(super) fn output(&self) -> ValueId {
        self.outputs.first().copied().unwrap_or(0)
    }

    /// Returns the paths that its module may have in PyTorch, the most specific one first.
    pub(super) fn module_paths(&self) -> Vec<String> {
        let mut paths: Vec<String> = self.scopes.iter().rev().cloned().collect();
        if let Some((path, _)) = self.name.rsplit_once('/') {
            paths.push(path.trim_start_matches('/').replace('/', "."));
        }
        paths
    }
}

impl StoredTensor {
    /// Returns the number of elements; `None` if it overflows.
    pub(super) fn elements(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size))
    }
}

fn too_large(what: &str, max: usize) -> crate::error::Error {
    unsupported(format!("the graph has more than {max} {what}, which no model of a supported family needs"))
}
