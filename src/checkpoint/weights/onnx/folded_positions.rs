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
use crate::checkpoint::weights::expected::{ExpectedRole, ExpectedTensor, normalized_table};
use crate::checkpoint::weights::tensor::Tensor;
use crate::error::{Result, unsupported};

/// Max number of products that are used.
const MAX_PRODUCTS: usize = 6;
/// Max number of values that are followed.
const MAX_VALUES: usize = 200;
/// Max error of the products of the solution, relative to the largest number in them. Weights of 8 bits reach a few
/// percent.
const MAX_ERROR: f64 = 0.1;

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
        let source = |index: usize| found.get(index).cloned().flatten();
        if source(expected.iter().position(|tensor| tensor.name == table.name)?).is_some() {
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
            let bias = expected.iter().position(|tensor| tensor.name == format!("{module}.bias"))?;
            let tensor = factor(graph, linear.output, table.shape.iter().product());
            if let (Some(tensor), Some(weight), Some(bias)) = (tensor, source(other), source(bias)) {
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
    let mut seen = Vec::new();
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        if seen.contains(&value) || seen.len() > MAX_VALUES {
            continue;
        }
        seen.push(value);
        for (index, input) in graph.consumers(value) {
            let node = &graph.nodes[*index];
            match node.op.as_str() {
                "MatMul" | "FusedMatMul" | "MatMulInteger" if *input == 0 => {
                    let tensor = node.input(1).and_then(|other| origin(graph, other));
                    if let Some(tensor) =
                        tensor.filter(|tensor| graph.tensors[*tensor].elements() == Some(elements))
                    {
                        return Some(tensor);
                    }
                }
                "Add"
                | "Reshape"
                | "Transpose"
                | "Cast"
                | "Squeeze"
                | "Unsqueeze"
                | "Div"
                | "Mul"
                | "Identity"
                | "DynamicQuantizeLinear" => open.push(node.output()),
                _ => {}
            }
        }
    }
    None
}

/// Returns the stored tensor that a value is a copy of, repeated for each pair and perhaps transposed.
fn origin(graph: &Graph, mut value: ValueId) -> Option<usize> {
    for _ in 0..MAX_VALUES {
        if let Some(tensor) = graph.tensor(value) {
            return Some(tensor);
        }
        let node = &graph.nodes[graph.producer(value)?];
        match node.op.as_str() {
            "Tile"
            | "Expand"
            | "Transpose"
            | "Reshape"
            | "Cast"
            | "Squeeze"
            | "Unsqueeze"
            | "Identity"
            | "DynamicQuantizeLinear"
            | "Div" => value = node.input(0)?,
            _ => return None,
        }
    }
    None
}

/// The normal equations `T A = B` of a table `T`, with the sums over all products of `A = W^T W` and
/// `B = (P - b) W`.
pub(super) struct NormalEquations {
    rows: usize,
    width: usize,
    a: Vec<f64>,
    b: Vec<f64>,
}

impl NormalEquations {
    pub(super) fn new(expected: &ExpectedTensor) -> Self {
        let (rows, width) = (expected.shape[0], expected.shape[1]);
        Self { rows, width, a: vec![0.0; width * width], b: vec![0.0; rows * width] }
    }

    /// Adds a product: `[rows, width]`, with the matrix `[width, width]` and the bias `[width]`.
    pub(super) fn add(&mut self, product: &[f32], weight: &[f32], bias: &[f32]) {
        let width = self.width;
        for (output, (weights, bias)) in weight.chunks_exact(width).zip(bias).enumerate() {
            let weights: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
            for (row, factor) in self.a.chunks_exact_mut(width).zip(&weights) {
                add_scaled(row, &weights, *factor);
            }
            for (row, values) in self.b.chunks_exact_mut(width).zip(product.chunks_exact(width)) {
                add_scaled(row, &weights, f64::from(values[output]) - f64::from(*bias));
            }
        }
    }

    /// Returns the table, row by row.
    ///
    /// # Errors
    /// `unsupported` if the products do not determine it.
    pub(super) fn solve(mut self, name: &str) -> Result<Vec<f32>> {
        let width = self.width;
        // The Cholesky decomposition A = L L^T. L replaces the lower half of A.
        for row in 0..width {
            let (before, rest) = self.a.split_at_mut(row * width);
            let (current, _) = rest.split_at_mut(width);
            for column in 0..row {
                let other = &before[column * width..][..width];
                current[column] =
                    (current[column] - dot(&current[..column], &other[..column])) / other[column];
            }
            let pivot = current[row] - dot(&current[..row], &current[..row]);
            if pivot <= current[row] * 1e-13 {
                return Err(undetermined(name));
            }
            current[row] = pivot.sqrt();
        }
        for values in self.b.chunks_exact_mut(width) {
            for row in 0..width {
                let factors = &self.a[row * width..][..width];
                values[row] = (values[row] - dot(&factors[..row], &values[..row])) / factors[row];
            }
            for row in (0..width).rev() {
                let factors = &self.a[row * width..][..width];
                values[row] /= factors[row];
                let value = values[row];
                add_scaled(&mut values[..row], &factors[..row], -value);
            }
        }
        debug_assert_eq!(self.b.len(), self.rows * width);
        Ok(self.b.into_iter().map(|value| value as f32).collect())
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
    let largest = product.iter().fold(0.0f64, |largest, value| largest.max(f64::from(value.abs())));
    // Every 16th row is enough to see that the tensors do not belong together.
    for (row, values) in table.chunks_exact(width).zip(product.chunks_exact(width)).step_by(16) {
        let row: Vec<f64> = row.iter().map(|value| f64::from(*value)).collect();
        for ((weights, bias), value) in weight.chunks_exact(width).zip(bias).zip(values) {
            let weights: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
            let error = dot(&row, &weights) + f64::from(*bias) - f64::from(*value);
            if error.is_nan() || error.abs() > MAX_ERROR * largest {
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
    let values = to_f32(elements, kind);
    let (heads, is_swapped) = match *sizes.as_slice() {
        [a, b] if (a, b) == (rows, width) => return Some(values),
        [heads, a, b] if a == rows && heads * b == width => (heads, false),
        [heads, a, b] if b == rows && heads * a == width => (heads, true),
        [a, b] if a == rows && b == width => (1, false),
        _ => return None,
    };
    let head_dim = width / heads;
    let mut result = Vec::with_capacity(values.len());
    for row in 0..rows {
        for head in 0..heads {
            for dimension in 0..head_dim {
                let at = if is_swapped { dimension * rows + row } else { row * head_dim + dimension };
                result.push(*values.get(head * rows * head_dim + at)?);
            }
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

/// Returns the sum of products, in 8 lanes so that the compiler can vectorize it.
fn dot(left: &[f64], right: &[f64]) -> f64 {
    let (left, left_rest) = left.as_chunks::<8>();
    let (right, right_rest) = right.as_chunks::<8>();
    let mut lanes = [0.0; 8];
    for (left, right) in left.iter().zip(right) {
        for lane in 0..8 {
            lanes[lane] += left[lane] * right[lane];
        }
    }
    let rest: f64 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    lanes.iter().sum::<f64>() + rest
}
