//! Makes the tensors of a model from stored ones: transposes them, splits them and converts their numbers.

use super::elements::{ElementType, to_f32, to_i32};
use super::graph::StoredTensor;
use super::naming::Source;
use crate::checkpoint::weights::expected::ExpectedTensor;
use crate::checkpoint::weights::quant_grid::QuantGrid;
use crate::checkpoint::weights::tensor::{Encoding, Tensor};
use crate::checkpoint::weights::tensor_collector::TensorCollector;
use crate::error::{Result, unsupported, weights};

/// A stored tensor with its elements.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) tensor: &'a StoredTensor,
    pub(super) elements: &'a [u8],
}

/// A stored matrix in the order of the model: rows, and the columns in each.
struct Matrix<'a> {
    elements: &'a [u8],
    element_bytes: usize,
    /// The first row.
    start: usize,
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl Matrix<'_> {
    /// Copies the elements of a row.
    fn row(&self, row: usize, target: &mut Vec<u8>) {
        target.clear();
        for column in 0..self.columns {
            let at = (self.start + row) * self.row_stride + column * self.column_stride;
            target.extend_from_slice(&self.elements[at * self.element_bytes..][..self.element_bytes]);
        }
    }
}

/// Returns the numbers of a tensor of the model in f32.
///
/// # Errors
/// As [`assemble`].
pub(super) fn values(
    source: &Source,
    expected: &ExpectedTensor,
    stored: Stored,
    quantization: Option<(Stored, Option<Stored>)>,
) -> Result<Vec<f32>> {
    let mut collector = TensorCollector::default();
    assemble(source, expected, stored, quantization, &mut collector)?;
    Ok(collector.into_tensors().into_values().next().map(|tensor| tensor.to_f32()).unwrap_or_default())
}

/// Adds a tensor of the model to the collector.
///
/// # Errors
/// `weights` for scales that do not fit the tensor, or a number that is not finite; `unsupported` for integers without
/// scales.
pub(super) fn assemble(
    source: &Source,
    expected: &ExpectedTensor,
    stored: Stored,
    quantization: Option<(Stored, Option<Stored>)>,
    collector: &mut TensorCollector,
) -> Result<()> {
    let kind = ElementType::of(stored.tensor)?;
    let matrix = matrix(source, expected, stored, kind);
    match quantization {
        Some((scale, zero_point)) => {
            let scales = Scales::read(source, &matrix, stored.tensor, scale, zero_point)?;
            collector.insert(scales.dequantize(expected, &matrix, kind, collector.is_quantized())?);
            Ok(())
        }
        None => plain(expected, &matrix, kind, stored.tensor, collector),
    }
}

fn matrix<'a>(
    source: &Source,
    expected: &ExpectedTensor,
    stored: Stored<'a>,
    kind: ElementType,
) -> Matrix<'a> {
    // A vector is a matrix of one column.
    let rows = expected.shape.first().copied().unwrap_or(1);
    let columns = expected.shape.get(1).copied().unwrap_or(1);
    let all_rows = rows * source.parts;
    let (row_stride, column_stride) = if source.is_transposed { (1, all_rows) } else { (columns, 1) };
    Matrix {
        elements: stored.elements,
        element_bytes: kind.bytes(),
        start: source.part * rows,
        rows,
        columns,
        row_stride,
        column_stride,
    }
}

fn plain(
    expected: &ExpectedTensor,
    matrix: &Matrix,
    kind: ElementType,
    stored: &StoredTensor,
    collector: &mut TensorCollector,
) -> Result<()> {
    let Some(encoding) = kind.encoding() else {
        return Err(unsupported(format!(
            "{} has whole numbers, and the graph does not show the scale of {}: choose another file of this model, \
             such as model.onnx or model_fp16.onnx",
            stored.name, expected.name
        )));
    };
    let bytes = matrix.rows * matrix.columns * matrix.element_bytes;
    let mut quantizer = collector.quantizer(&expected.name, &expected.shape, encoding, bytes);
    let mut data = Vec::with_capacity(if quantizer.is_some() { 0 } else { bytes });
    let mut row = Vec::new();
    for index in 0..matrix.rows {
        matrix.row(index, &mut row);
        match &mut quantizer {
            Some(quantizer) => quantizer.push(&row)?,
            None => data.extend_from_slice(&row),
        }
    }
    collector.insert(match quantizer {
        Some(quantizer) => quantizer.finish(),
        None => tensor(expected, encoding, data, Vec::new()),
    });
    Ok(())
}

/// Makes a tensor of the model.
pub(super) fn tensor(
    expected: &ExpectedTensor,
    encoding: Encoding,
    data: Vec<u8>,
    scales: Vec<f32>,
) -> Tensor {
    let (name, shape) = (expected.name.clone(), expected.shape.clone());
    Tensor { name, shape, encoding, data, scales, input_scales: Vec::new() }
}

/// The scales and zero points of a stored tensor: one of each, or one per row or column of the model's matrix.
struct Scales {
    scales: Vec<f32>,
    zero_points: Vec<i32>,
    /// Whether a scale belongs to a row.
    is_by_row: bool,
}

impl Scales {
    fn read(
        source: &Source,
        matrix: &Matrix,
        stored: &StoredTensor,
        scale: Stored,
        zero_point: Option<Stored>,
    ) -> Result<Self> {
        let scales = to_f32(scale.elements, ElementType::of(scale.tensor)?);
        let zero_points = match zero_point {
            Some(zero_point) => to_i32(zero_point.elements, ElementType::of(zero_point.tensor)?),
            None => vec![0],
        };
        let axis = source.quantization.as_ref().map_or(0, |quantization| quantization.axis);
        let is_by_row = scales.len() == 1 || (axis == 1) == source.is_transposed;
        let wanted = if is_by_row { matrix.rows * source.parts } else { matrix.columns };
        let fits = |count: usize| count == 1 || count == wanted;
        if !fits(scales.len()) || !fits(zero_points.len()) {
            let (name, shape) = (&stored.name, &stored.shape);
            let (scales, zero_points) = (scales.len(), zero_points.len());
            return Err(weights(format!(
                "{name} of the shape {shape:?} has {scales} scales and {zero_points} zero points"
            )));
        }
        if !scales.iter().all(|scale| (scale * 255.0).is_finite() && *scale > 0.0) {
            return Err(weights(format!("{} has a scale that is not a positive number", scale.tensor.name)));
        }
        Ok(Self { scales, zero_points, is_by_row })
    }

    fn scale(&self, row: usize, column: usize) -> f32 {
        self.scales[self.index(self.scales.len(), row, column)]
    }

    fn zero_point(&self, row: usize, column: usize) -> i32 {
        self.zero_points[self.index(self.zero_points.len(), row, column)]
    }

    fn index(&self, count: usize, row: usize, column: usize) -> usize {
        match count {
            1 => 0,
            _ if self.is_by_row => row,
            _ => column,
        }
    }

    /// Returns the tensor with the numbers of the file. They are stored as codes of q8 if all of them fit its grid
    /// exactly. If `is_quantized`, rows that do not fit are rounded to it.
    fn dequantize(
        &self,
        expected: &ExpectedTensor,
        matrix: &Matrix,
        kind: ElementType,
        is_quantized: bool,
    ) -> Result<Tensor> {
        if kind.bytes() > 1 {
            return Err(unsupported(format!("{} has scales, but no 8-bit elements", expected.name)));
        }
        let fits = |grid: QuantGrid, integers: &[i32]| {
            self.is_by_row && integers.iter().all(|code| grid.contains(*code))
        };
        let grid = expected.grid.filter(|_| expected.shape.len() == 2).filter(|grid| {
            is_quantized || (0..matrix.rows).all(|row| fits(*grid, &self.integers(matrix, kind, row)))
        });
        let (mut data, mut scales) = (Vec::new(), Vec::new());
        for index in 0..matrix.rows {
            let row = matrix.start + index;
            let integers = self.integers(matrix, kind, index);
            if let Some(grid) = grid.filter(|grid| fits(*grid, &integers)) {
                scales.push(self.scale(row, 0));
                data.extend(integers.iter().map(|code| grid.store(*code)));
                continue;
            }
            let columns = integers.iter().enumerate();
            let values: Vec<f32> =
                columns.map(|(column, code)| *code as f32 * self.scale(row, column)).collect();
            match grid {
                Some(grid) => {
                    let scale = grid.fast_scale(&values);
                    scales.push(scale);
                    data.extend(values.iter().map(|value| grid.encode(*value, scale)));
                }
                None => values.iter().for_each(|value| data.extend_from_slice(&value.to_le_bytes())),
            }
        }
        Ok(tensor(expected, grid.map_or(Encoding::F32, QuantGrid::encoding), data, scales))
    }

    /// Returns the integers of a row of the model's matrix, relative to their zero points.
    fn integers(&self, matrix: &Matrix, kind: ElementType, index: usize) -> Vec<i32> {
        let mut row = Vec::new();
        matrix.row(index, &mut row);
        let mut integers = to_i32(&row, kind);
        for (column, integer) in integers.iter_mut().enumerate() {
            *integer -= self.zero_point(matrix.start + index, column);
        }
        integers
    }
}
