//! DeBERTa's table of relative positions, in files where an optimizer has computed what does not depend on the text.
//!
//! Each layer projects the (normalized) table with its matrices for keys and queries. onnxslim and onnxruntime
//! replace the table by these products: `P = T W^T + b` for each matrix `W` of every layer. As `W` and `b` are in the
//! file, too, the table is the solution of a linear least-squares problem. Three layers determine it well; their normal
//! equations are solved in f64.

use super::elements::{ElementType, to_f32};
use super::graph::{Graph, ValueId};
use super::layers::Linear;
use super::naming::Source;
use super::operators::Operator;
use crate::checkpoint::weights::expected::{ExpectedRole, ExpectedTensor, normalized_table};
use crate::checkpoint::weights::tensor::Tensor;
use crate::error::{Result, unsupported};

/// Max number of products that are used.
const MAX_PRODUCTS: usize = 6;
/// Max error of the products of the solution, relative to the largest number in them. Weights of 8 bits reach a few
/// percent.
const MAX_ERROR: f32 = 0.1;

/// A table whose projections are known.
#[derive(Debug, Clone)]
pub(super) struct FoldedTable {
    /// The table, under its name in the model.
    pub(super) expected: ExpectedTensor,
    pub(super) products: Vec<Product>,
}

/// The projection of the table by one matrix.
#[derive(Debug, Clone)]
pub(super) struct Product {
    /// The stored tensor of the product, `[heads, rows, head_dim]` or with the last two swapped.
    pub(super) tensor: usize,
    pub(super) weight: Source,
    pub(super) bias: Source,
}

impl FoldedTable {
    /// Finds the products of the table, if the graph has these instead of the table.
    pub(super) fn find(
        graph: &Graph,
        expected: &[ExpectedTensor],
        linears: &[Linear],
        names: &[Option<usize>],
        found: &[Option<Source>],
    ) -> Option<Self> {
        let of_positions = |tensor: &&ExpectedTensor| tensor.role == ExpectedRole::Position;
        let mut positions = expected.iter().filter(of_positions);
        let table = positions.next().filter(|table| table.shape.len() == 2)?;
        let is_normalized = positions.next().is_some_and(|tensor| tensor.shape.len() == 1);
        let index_of = |name: &str| expected.iter().position(|tensor| tensor.name == name);
        if found[index_of(&table.name)?].is_some() {
            return None;
        }
        let mut products = Vec::new();
        for (linear, name) in linears.iter().zip(names) {
            // Queries are multiplied by the projection with the matrix for keys, and keys by that for queries.
            let Some(name) = *name else { continue };
            let other = match expected[name].role {
                ExpectedRole::Query => {
                    (name + 1..expected.len()).find(|at| expected[*at].role == ExpectedRole::Key)
                }
                ExpectedRole::Key => (0..name).rev().find(|at| expected[*at].role == ExpectedRole::Query),
                _ => None,
            };
            let Some(other) = other else { continue };
            let module = expected[other].name.strip_suffix(".weight")?;
            let bias = index_of(&format!("{module}.bias"))?;
            let tensor = factor(graph, linear.output, table.shape.iter().product());
            if let (Some(tensor), Some(weight), Some(bias)) = (tensor, found[other], found[bias]) {
                products.push(Product { tensor, weight, bias });
            }
        }
        products.truncate(MAX_PRODUCTS);
        let name = if is_normalized { normalized_table(&table.name) } else { table.name.clone() };
        (!products.is_empty()).then(|| Self { expected: ExpectedTensor { name, ..table.clone() }, products })
    }
}

/// Returns the stored tensor of `elements` that a value is multiplied by.
fn factor(graph: &Graph, value: ValueId, elements: usize) -> Option<usize> {
    let mut found = None;
    graph.follow(value, &mut |node, input| match node.op {
        Operator::MatMul | Operator::FusedMatMul | Operator::MatMulInteger if input == 0 => {
            let tensor = node.input(1).and_then(|other| origin(graph, other));
            let fits = |tensor: &usize| graph.tensors[*tensor].elements() == Some(elements);
            found = found.or(tensor.filter(fits));
            false
        }
        op => op.keeps_numbers() || matches!(op, Operator::Add | Operator::Div | Operator::Mul),
    });
    found
}

/// Returns the stored tensor that a value is a copy of, repeated for each pair and perhaps transposed.
fn origin(graph: &Graph, value: ValueId) -> Option<usize> {
    graph.origin(value, |op| op.keeps_numbers() || op == Operator::Div)
}

/// The normal equations of a table `T`: `A T^T = B`, with the sums over all products of `A = W^T W` and
/// `B = W^T (P - b)^T`.
pub(super) struct NormalEquations {
    width: usize,
    /// The rows of `A`, each followed by the row of `B`.
    equations: Vec<Vec<f64>>,
}

impl NormalEquations {
    pub(super) fn new(expected: &ExpectedTensor) -> Self {
        let (rows, width) = (expected.shape[0], expected.shape[1]);
        Self { width, equations: vec![vec![0.0; width + rows]; width] }
    }

    /// Adds a product: `[rows, width]`, with the matrix `[width, width]` and the bias `[width]`.
    pub(super) fn add(&mut self, product: &[f32], weight: &[f32], bias: &[f32]) {
        for (output, (weights, bias)) in weight.chunks_exact(self.width).zip(bias).enumerate() {
            let weights = weights.iter().map(|weight| f64::from(*weight));
            let values = product.iter().skip(output).step_by(self.width);
            let values = values.map(|value| f64::from(*value) - f64::from(*bias));
            let observation: Vec<f64> = weights.chain(values).collect();
            for (equation, factor) in self.equations.iter_mut().zip(&observation) {
                add_scaled(equation, &observation, *factor);
            }
        }
    }

    /// Returns the table, row by row.
    ///
    /// # Errors
    /// `unsupported` if the products do not determine it.
    pub(super) fn solve(mut self, name: &str) -> Result<Vec<f32>> {
        // Gauss-Jordan elimination. A is positive definite, so that no rows have to be swapped.
        let diagonal: Vec<f64> = self.equations.iter().enumerate().map(|(at, row)| row[at]).collect();
        for (column, diagonal) in diagonal.into_iter().enumerate() {
            let mut pivot = std::mem::take(&mut self.equations[column]);
            let divisor = pivot[column];
            if divisor <= diagonal * 1e-13 {
                return Err(undetermined(name));
            }
            pivot.iter_mut().for_each(|value| *value /= divisor);
            for equation in self.equations.iter_mut().filter(|equation| !equation.is_empty()) {
                let factor = -equation[column];
                add_scaled(&mut equation[column..], &pivot[column..], factor);
            }
            self.equations[column] = pivot;
        }
        let columns = |row: usize| self.equations.iter().map(move |equation| equation[row] as f32);
        Ok((self.width..self.equations[0].len()).flat_map(columns).collect())
    }
}

/// Checks that a table gives a product.
///
/// # Errors
/// `unsupported` if it does not.
pub(super) fn check_product(
    expected: &ExpectedTensor,
    table: &[f32],
    product: &[f32],
    weight: &[f32],
    bias: &[f32],
) -> Result<()> {
    let width = expected.shape[1];
    let largest = product.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    // Every 16th row is enough to see that the tensors do not belong together.
    for (row, values) in table.chunks_exact(width).zip(product.chunks_exact(width)).step_by(16) {
        for ((weights, bias), value) in weight.chunks_exact(width).zip(bias).zip(values) {
            let sum: f32 = row.iter().zip(weights).map(|(value, weight)| value * weight).sum();
            let error = (sum + bias - value).abs();
            if error.is_nan() || error > MAX_ERROR * largest {
                return Err(undetermined(&expected.name));
            }
        }
    }
    Ok(())
}

fn undetermined(name: &str) -> crate::error::Error {
    unsupported(format!(
        "an optimizer has folded {name} into other tensors, which do not determine it: use the file without \
         optimizations, such as model.onnx of torch.onnx.export, or model.safetensors"
    ))
}

/// Returns a product in the order of a linear layer's result, `[rows, width]`; `None` if it has another shape.
pub(super) fn in_rows(
    expected: &ExpectedTensor,
    shape: &[usize],
    elements: &[u8],
    kind: ElementType,
) -> Option<Vec<f32>> {
    let (rows, width) = (expected.shape[0], expected.shape[1]);
    let sizes: Vec<usize> = shape.iter().copied().skip_while(|size| *size == 1).collect();
    let (heads, is_swapped) = match *sizes.as_slice() {
        [a, b] if (a, b) == (rows, width) => (1, false),
        [heads, a, b] if a == rows && heads * b == width => (heads, false),
        [heads, a, b] if b == rows && heads * a == width => (heads, true),
        _ => return None,
    };
    let values = to_f32(elements, kind);
    let head_dim = width / heads;
    let mut result = Vec::with_capacity(values.len());
    for row in 0..rows {
        for column in 0..width {
            let (head, dimension) = (column / head_dim, column % head_dim);
            let at = if is_swapped { dimension * rows + row } else { row * head_dim + dimension };
            result.push(*values.get(head * rows * head_dim + at)?);
        }
    }
    Some(result)
}

/// Makes the tensor of a table.
pub(super) fn table(expected: &ExpectedTensor, values: &[f32]) -> Tensor {
    let data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    super::assemble::tensor(expected, crate::checkpoint::weights::tensor::Encoding::F32, data, Vec::new())
}

fn add_scaled(target: &mut [f64], values: &[f64], factor: f64) {
    for (target, value) in target.iter_mut().zip(values) {
        *target += factor * value;
    }
}
