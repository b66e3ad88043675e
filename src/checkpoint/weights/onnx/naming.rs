//! Finds the tensors of a configuration in a graph.
//!
//! Exporters keep the PyTorch names of tables, norms and biases. Matrices are transposed, and then have names such as
//! `onnx::MatMul_1234`, or are merged. Evidence is used in this order:
//!
//! 1. the name of the stored tensor,
//! 2. the path of the module, in the name or the metadata of a node,
//! 3. the name of the bias that is added,
//! 4. the order of the layers between two that are known. Queries, keys and values are told apart by the products that
//!    they are factors of.

use std::collections::HashMap;

use super::alignment::align;
use super::folded_positions::FoldedTable;
use super::graph::Graph;
use super::layers::{Bias, Layers, Linear, Norm, Quantization, WeightRef};
use super::operators::Operator;
use super::roles::{linear_role, sort_attention};
use crate::checkpoint::weights::expected::{ExpectedRole, ExpectedTensor};
use crate::checkpoint::weights::tensor::current_name;

/// Endings that quantizers add to the names of tensors.
const ENDINGS: [&str; 2] = ["_quantized", "_Transposed"];

/// A tensor of the configuration, and where its numbers are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Source {
    /// Index into the expected tensors.
    pub(super) expected: usize,
    /// Index into the tensors of the graph.
    pub(super) tensor: usize,
    /// Whether the stored matrix is the transposed one.
    pub(super) is_transposed: bool,
    /// Which of `parts` equal parts of the rows (after transposing) are meant.
    pub(super) part: usize,
    pub(super) parts: usize,
    pub(super) quantization: Option<Quantization>,
}

/// Finds tensors by evidence.
#[derive(Debug)]
pub(super) struct Naming<'a> {
    graph: &'a Graph,
    expected: &'a [ExpectedTensor],
    /// Indices into `expected` by name.
    expected_indices: HashMap<String, usize>,
    /// A prefix of all names in the file, from a module around the model.
    prefix: String,
    linears: Vec<Linear>,
    /// Indices into `expected` of the matrix of each linear layer, if it is known.
    linear_names: Vec<Option<usize>>,
    norms: Vec<Norm>,
    norm_names: Vec<Option<usize>>,
    found: Vec<Option<Source>>,
    /// Indices into `expected` of biases that the graph does not add.
    zeros: Vec<usize>,
}

/// The tensors that a graph shows.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) sources: Vec<Source>,
    pub(super) folded: Option<FoldedTable>,
    /// Indices into the expected tensors of those that are zero.
    pub(super) zeros: Vec<usize>,
}

impl<'a> Naming<'a> {
    /// Finds as many of the expected tensors as the graph shows.
    pub(super) fn find(graph: &'a Graph, layers: &Layers, expected: &'a [ExpectedTensor]) -> Found {
        let linears = separate_linears(layers, expected);
        let indices = expected.iter().enumerate().map(|(index, tensor)| (tensor.name.clone(), index));
        let mut naming = Self {
            graph,
            prefix: wrapper_prefix(graph, expected),
            expected,
            expected_indices: indices.collect(),
            linear_names: vec![None; linears.len()],
            linears,
            norm_names: vec![None; layers.norms.len()],
            norms: layers.norms.clone(),
            found: vec![None; expected.len()],
            zeros: Vec::new(),
        };
        naming.by_stored_names(layers);
        naming.by_paths(layers);
        naming.by_biases();
        naming.by_order();
        naming.biases_of_known_layers();
        naming.tables_by_shape(layers);
        let Self { linears, linear_names, found, zeros, .. } = naming;
        let folded = FoldedTable::find(graph, expected, &linears, &linear_names, &found);
        Found { sources: found.into_iter().flatten().collect(), folded, zeros }
    }

    /// Returns the expected tensor with a name.
    fn expected_named(&self, name: &str) -> Option<usize> {
        self.expected_indices.get(name).copied()
    }

    /// Returns the name that a stored tensor has in PyTorch, as far as it has one.
    fn torch_name(&self, tensor: usize) -> String {
        let mut name = self.graph.tensors[tensor].name.as_str();
        for ending in ENDINGS {
            name = name.strip_suffix(ending).unwrap_or(name);
        }
        current_name(name.strip_prefix(self.prefix.as_str()).unwrap_or(name))
    }

    fn by_stored_names(&mut self, layers: &Layers) {
        let graph = self.graph;
        for tensor in 0..graph.tensors.len() {
            let Some(expected) = self.expected_named(&self.torch_name(tensor)) else { continue };
            let linear = self.linears.iter().position(|linear| linear.weight.tensor == tensor);
            let table = layers.tables.iter().find(|table| table.weight.tensor == tensor);
            match (linear, table) {
                (Some(linear), _) => self.name_linear(linear, expected),
                (None, Some(table)) => self.name_table(&table.weight, expected),
                (None, None) => self.put(expected, Source::whole(expected, tensor)),
            }
        }
        for index in 0..self.norms.len() {
            let known = self.expected_named(&self.torch_name(self.norms[index].scale));
            self.norm_names[index] = known.filter(|expected| !self.norm_names.contains(&Some(*expected)));
        }
    }

    fn by_paths(&mut self, layers: &Layers) {
        let graph = self.graph;
        // Position projections may be copies of others, so they come last.
        for positional in [false, true] {
            for index in 0..self.linears.len() {
                if self.linear_names[index].is_none()
                    && self.linears[index].is_positional == positional
                    && let Some(expected) = self.expected_at(self.linears[index].node, "weight")
                {
                    self.name_linear(index, expected);
                }
            }
        }
        for index in 0..self.norms.len() {
            if self.norm_names[index].is_none()
                && let Some(expected) = self.expected_at(self.norms[index].node, "weight")
            {
                self.name_norm(index, expected);
            }
        }
        for table in &layers.tables {
            if let Some(expected) = self.expected_at(table.node, "weight") {
                self.name_table(&table.weight, expected);
            }
        }
        // A LayerNorm in the operators of older files: its last two are the scale and the bias.
        for (index, node) in graph.nodes.iter().enumerate() {
            let kind = match node.op {
                Operator::Mul => "weight",
                Operator::Add => "bias",
                _ => continue,
            };
            if let Some(tensor) = node.inputs.iter().find_map(|input| graph.tensor(*input))
                && let Some(expected) = self.expected_at(index, kind)
            {
                self.put(expected, Source::whole(expected, tensor));
            }
        }
    }

    /// Returns the expected tensor of a node's module.
    fn expected_at(&self, node: usize, kind: &str) -> Option<usize> {
        self.graph.nodes[node].module_paths().iter().find_map(|path| {
            let path = path.strip_prefix(self.prefix.as_str()).unwrap_or(path);
            self.expected_named(&format!("{path}.{kind}"))
        })
    }

    fn by_biases(&mut self) {
        for index in 0..self.linears.len() {
            let (None, Some(bias)) = (self.linear_names[index], self.linears[index].bias) else { continue };
            let name = self.torch_name(bias.tensor);
            let Some(module) = name.strip_suffix(".bias") else { continue };
            if let Some(expected) = self.expected_named(&format!("{module}.weight")) {
                self.name_linear(index, expected);
            }
        }
    }

    /// Names layers by their order between layers with known names.
    fn by_order(&mut self) {
        let graph = self.graph;
        let roles: Vec<_> = self.linears.iter().map(|linear| linear_role(graph, linear)).collect();
        let mut order: Vec<usize> =
            (0..self.linears.len()).filter(|index| !self.linears[*index].is_positional).collect();
        sort_attention(&mut order, &self.linears, &roles);
        // A layer that is applied twice counts once.
        let mut seen = Vec::new();
        order.retain(|index| {
            let weight = (self.linears[*index].weight.tensor, self.linears[*index].part);
            let is_new = !seen.contains(&weight);
            seen.push(weight);
            is_new
        });
        let wanted = self.expected_with(&[
            ExpectedRole::Query,
            ExpectedRole::Key,
            ExpectedRole::Value,
            ExpectedRole::Matrix,
        ]);
        for (index, expected) in align_layers(&order, &self.linear_names, &wanted) {
            let role = self.expected[expected].role;
            if role == ExpectedRole::Matrix || roles[index] == Some(role) {
                self.name_linear(index, expected);
            }
        }
        let order: Vec<usize> =
            (0..self.norms.len()).filter(|index| !self.norms[*index].is_positional).collect();
        let wanted = self.expected_with(&[ExpectedRole::Norm]);
        for (index, expected) in align_layers(&order, &self.norm_names, &wanted) {
            self.name_norm(index, expected);
        }
        // There is at most one norm of positions.
        let positional = self.norms.iter().position(|norm| norm.is_positional);
        let is_norm = |tensor: &ExpectedTensor| {
            tensor.role == ExpectedRole::Position
                && tensor.shape.len() == 1
                && tensor.name.ends_with(".weight")
        };
        if let (Some(index), Some(expected)) = (positional, self.expected.iter().position(is_norm)) {
            self.name_norm(index, expected);
        }
    }

    /// Returns the expected tensors that have one of `roles`.
    fn expected_with(&self, roles: &[ExpectedRole]) -> Vec<usize> {
        (0..self.expected.len()).filter(|index| roles.contains(&self.expected[*index].role)).collect()
    }

    /// Takes the biases of layers whose matrix or scale is known.
    fn biases_of_known_layers(&mut self) {
        let mut biases = Vec::new();
        for (name, linear) in self.linear_names.iter().zip(&self.linears) {
            biases.push((*name, linear.bias, linear.is_unbiased));
        }
        for (name, norm) in self.norm_names.iter().zip(&self.norms) {
            let bias = norm.bias.map(|tensor| Bias { tensor, part: 0, parts: 1 });
            biases.push((*name, bias, norm.is_unbiased));
        }
        for (name, bias, is_unbiased) in biases {
            let Some(module) = name.and_then(|name| self.expected[name].name.strip_suffix(".weight")) else {
                continue;
            };
            let Some(expected) = self.expected_named(&format!("{module}.bias")) else { continue };
            match bias {
                Some(Bias { tensor, part, parts }) => {
                    self.put(expected, Source { part, parts, ..Source::whole(expected, tensor) });
                }
                None if is_unbiased && self.found[expected].is_none() => self.zeros.push(expected),
                None => {}
            }
        }
    }

    /// Takes a table without a known name, if it is the only one of its size.
    fn tables_by_shape(&mut self, layers: &Layers) {
        for expected in self.expected_with(&[ExpectedRole::Table]) {
            let is_used = |tensor: usize| self.found.iter().flatten().any(|source| source.tensor == tensor);
            let fits = |table: &&WeightRef| {
                self.graph.tensors[table.tensor].shape == self.expected[expected].shape
                    && !is_used(table.tensor)
            };
            let mut tables: Vec<_> = layers.tables.iter().map(|table| &table.weight).filter(fits).collect();
            tables.dedup();
            if let [table] = tables.as_slice() {
                self.name_table(table, expected);
            }
        }
    }

    fn name_linear(&mut self, index: usize, expected: usize) {
        let linear = &self.linears[index];
        let source = Source {
            expected,
            tensor: linear.weight.tensor,
            is_transposed: !linear.is_out_in,
            part: linear.part,
            parts: linear.parts,
            quantization: linear.weight.quantization,
        };
        if self.fits(&source) && !self.linear_names.contains(&Some(expected)) {
            self.linear_names[index] = Some(expected);
            self.put(expected, source);
        }
    }

    fn name_norm(&mut self, index: usize, expected: usize) {
        let source = Source::whole(expected, self.norms[index].scale);
        if self.fits(&source) {
            self.norm_names[index] = Some(expected);
            self.put(expected, source);
        }
    }

    fn name_table(&mut self, table: &WeightRef, expected: usize) {
        let source = Source {
            is_transposed: table.is_transposed,
            quantization: table.quantization,
            ..Source::whole(expected, table.tensor)
        };
        self.put(expected, source);
    }

    /// Notes where a tensor is, unless that is known or it has another shape.
    fn put(&mut self, expected: usize, source: Source) {
        if self.found[expected].is_none() && self.fits(&source) {
            self.found[expected] = Some(source);
        }
    }

    fn fits(&self, source: &Source) -> bool {
        let mut shape = self.graph.tensors[source.tensor].shape.clone();
        let wanted = &self.expected[source.expected].shape;
        if source.is_transposed {
            shape.reverse();
        }
        if wanted.len() == 1 {
            shape = vec![shape.iter().product()];
        }
        if let Some(rows) = shape.first_mut().filter(|rows| **rows % source.parts == 0) {
            *rows /= source.parts;
            return shape == *wanted;
        }
        false
    }
}

impl Source {
    fn whole(expected: usize, tensor: usize) -> Self {
        Self { expected, tensor, is_transposed: false, part: 0, parts: 1, quantization: None }
    }
}

/// Returns the linear layers, or their parts if the matrices of attention are separate tensors in PyTorch.
fn separate_linears(layers: &Layers, expected: &[ExpectedTensor]) -> Vec<Linear> {
    let is_separate = expected.iter().any(|tensor| tensor.role == ExpectedRole::Query);
    let mut linears = Vec::new();
    for &linear in &layers.linears {
        let parts = if is_separate { linear.parts } else { 1 };
        for part in 0..parts {
            let bias = linear.bias.map(|bias| if parts > 1 { Bias { part, parts, ..bias } } else { bias });
            linears.push(Linear { part, parts, bias, ..linear });
        }
    }
    linears
}

/// Returns layers in `order` and the tensors that they have by it, for layers without a known name.
fn align_layers(order: &[usize], names: &[Option<usize>], wanted: &[usize]) -> Vec<(usize, usize)> {
    let known: Vec<_> = order.iter().map(|index| names[*index]).collect();
    let mut pairs = align(&known, wanted);
    pairs.iter_mut().for_each(|(index, _)| *index = order[*index]);
    pairs
}

/// Returns the prefix that all names in the file have, because a module around the model was exported.
fn wrapper_prefix(graph: &Graph, expected: &[ExpectedTensor]) -> String {
    let table = expected.iter().find(|tensor| tensor.role == ExpectedRole::Table);
    let Some(table) = table.map(|tensor| tensor.name.as_str()) else { return String::new() };
    let names =
        graph.tensors.iter().map(|tensor| tensor.name.strip_suffix("_quantized").unwrap_or(&tensor.name));
    let prefixes = names.filter_map(|name| name.strip_suffix(table));
    let prefixes = prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
    prefixes.min_by_key(|prefix| prefix.len()).map(str::to_owned).unwrap_or_default()
}
