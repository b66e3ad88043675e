//! Packs weights for the GPU and uploads them panel by panel, so that no second copy of a whole matrix is in memory.

use std::ops::Range;

use super::constants::Upload;
use crate::checkpoint::{Q7_OFFSET, Tensor, Weights};
use crate::engine::gpu::record::{Linear, Norm, Q8Tables, VEC4};
use crate::engine::gpu::shader::{DEPTH_ALIGN, PANEL_VECTORS, Storage};
use crate::engine::weight_checks::{check_input_scales, check_magnitude, check_q8};
use crate::error::{Result, weights};
use crate::model::{self, TensorRows};

/// The source of a column of a packed matrix: (layer, output feature), or `None` for padding.
pub(crate) type Column = Option<(usize, usize)>;

/// Packs and uploads layers and norms.
pub(crate) struct Packer<'a, U> {
    pub(crate) weights: &'a Weights,
    pub(crate) storage: Storage,
    pub(crate) upload: &'a mut U,
}

impl<U: Upload> Packer<'_, U> {
    /// Packs layers over the same input as one, with its columns in the order of `columns`. `inputs` has the input feature
    /// at each column of an input row, `None` for padding.
    pub(crate) fn linear(
        &mut self,
        layers: &[&model::Linear],
        columns: &[Column],
        inputs: &[Option<usize>],
    ) -> Result<Linear> {
        let first = &layers[0].weight.tensor;
        let input_factors = self.input_factors(layers)?;
        let depth = inputs.len().next_multiple_of(DEPTH_ALIGN);
        let panels = columns.len().div_ceil(PANEL_VECTORS * VEC4);
        let panel_bytes = depth * PANEL_VECTORS * self.storage.vector_bytes();
        let weight = self.upload.create(first, (panels * panel_bytes) as u64)?;
        let mut scales = Vec::with_capacity(columns.len());
        let mut column_sums = Vec::with_capacity(columns.len());
        let mut rows = LayerRows::new(self.weights, layers);
        for (panel, columns) in columns.chunks(PANEL_VECTORS * VEC4).enumerate() {
            let bytes = match self.storage {
                Storage::Q8 => rows.q8_panel(columns, inputs, depth, (&mut scales, &mut column_sums))?,
                storage => rows.float_panel(columns, inputs, depth, storage)?,
            };
            self.upload.write(weight, (panel * panel_bytes) as u64, &bytes);
        }
        let bias = self.upload_biases(layers, columns)?;
        let q8 = match self.storage {
            Storage::Q8 => {
                let factor = input_factors.iter().copied().fold(1.0, f32::max);
                check_magnitude(first, scales.iter().map(|scale| scale * factor))?;
                let mut padded_factors = vec![0.0; depth];
                for (factor, input) in padded_factors.iter_mut().zip(inputs) {
                    *factor = input.map_or(0.0, |input| input_factors.get(input).copied().unwrap_or(1.0));
                }
                Some(Q8Tables {
                    scales: self.upload_f32(first, &scales)?,
                    factors: self.upload_f32(first, &padded_factors)?,
                    column_sums: self.upload_f32(first, &column_sums)?,
                })
            }
            _ => None,
        };
        Ok(Linear {
            storage: self.storage,
            weight,
            bias,
            q8,
            depth,
            input_vectors: inputs.len().div_ceil(VEC4),
            column_vectors: columns.len().div_ceil(VEC4),
        })
    }

    /// Returns the factors of the layers' inputs, `[in_features]`; empty if all are 1. Checks the layers' matrices.
    fn input_factors(&self, layers: &[&model::Linear]) -> Result<Vec<f32>> {
        let views =
            layers.iter().map(|layer| self.weights.view(&layer.weight.tensor)).collect::<Result<Vec<_>>>()?;
        check_input_scales(views.iter().copied())?;
        if self.storage == Storage::Q8 {
            check_q8(views.iter().copied())?;
        }
        Ok(views[0].input_scales().iter().map(|scale| scale.recip()).collect())
    }

    fn upload_biases(&mut self, layers: &[&model::Linear], columns: &[Column]) -> Result<usize> {
        let values = layers
            .iter()
            .map(|layer| layer.bias.as_ref().map(|bias| self.vector(bias)).transpose())
            .collect::<Result<Vec<_>>>()?;
        let value =
            |(layer, feature): (usize, usize)| values[layer].as_ref().map_or(0.0, |bias| bias[feature]);
        let biases: Vec<f32> = columns.iter().map(|column| column.map_or(0.0, value)).collect();
        self.upload_f32(&layers[0].weight.tensor, &biases)
    }

    /// Uploads a norm, padded with zeros.
    pub(crate) fn norm(&mut self, norm: &model::LayerNorm) -> Result<Norm> {
        let part = |name: &String| TensorRows::all(name.clone(), norm.width);
        let weight = self.vector(&part(&norm.weight))?;
        let bias = norm.bias.as_ref().map(|bias| self.vector(&part(bias))).transpose()?;
        let bias = bias.unwrap_or_else(|| vec![0.0; norm.width]);
        Ok(Norm {
            weight: self.upload_f32(&norm.weight, &weight)?,
            bias: self.upload_f32(&norm.weight, &bias)?,
            width: norm.width,
            eps: norm.eps as f32,
            rms: norm.rms,
        })
    }

    fn vector(&self, part: &TensorRows) -> Result<Vec<f32>> {
        let values = self.weights.view_rows(&part.tensor, part.rows.clone())?.to_f32();
        check_magnitude(&part.tensor, values.iter().copied())?;
        Ok(values)
    }

    /// Uploads values to a buffer of their own, padded with zeros to whole vectors.
    pub(crate) fn upload_f32(&mut self, name: &str, values: &[f32]) -> Result<usize> {
        let padded_len = values.len().next_multiple_of(VEC4);
        let bytes: Vec<u8> = values
            .iter()
            .chain(std::iter::repeat(&0.0))
            .take(padded_len)
            .flat_map(|value| value.to_le_bytes())
            .collect();
        self.upload.upload(name, &bytes)
    }
}

impl Storage {
    /// Bytes of a vector of weights.
    fn vector_bytes(self) -> usize {
        match self {
            Storage::F32 => 16,
            Storage::F16 => 8,
            Storage::Q8 => 4,
        }
    }
}

/// Reads the rows of the layers' matrices, which are the columns of the packed one.
struct LayerRows<'a> {
    weights: &'a Weights,
    layers: &'a [&'a model::Linear],
    /// Buffer for one row.
    row: Vec<f32>,
}

impl<'a> LayerRows<'a> {
    fn new(weights: &'a Weights, layers: &'a [&'a model::Linear]) -> Self {
        Self { weights, layers, row: vec![0.0; layers[0].in_features] }
    }

    /// Returns the matrix of a column and its row in it.
    fn source(&self, (layer, feature): (usize, usize)) -> Result<(&'a Tensor, usize)> {
        let TensorRows { tensor, rows, .. } = &self.layers[layer].weight;
        let Range { start, .. } = rows;
        Ok((self.weights.view(tensor)?, start + feature))
    }

    /// Packs a panel of f32 or f16 weights, `[depth, 64]`.
    fn float_panel(
        &mut self,
        columns: &[Column],
        inputs: &[Option<usize>],
        depth: usize,
        storage: Storage,
    ) -> Result<Vec<u8>> {
        let weight_bytes = storage.vector_bytes() / VEC4;
        let mut panel = vec![0; depth * PANEL_VECTORS * storage.vector_bytes()];
        for (index, column) in columns.iter().enumerate() {
            let Some(column) = *column else { continue };
            let (tensor, row) = self.source(column)?;
            tensor.read_row(row, &mut self.row);
            check_magnitude(tensor.name(), self.row.iter().copied())?;
            for (k, input) in inputs.iter().enumerate() {
                let Some(input) = *input else { continue };
                let to = &mut panel[(k * PANEL_VECTORS * VEC4 + index) * weight_bytes..][..weight_bytes];
                match storage {
                    Storage::F16 => to.copy_from_slice(&to_f16(tensor.name(), self.row[input])?),
                    _ => to.copy_from_slice(&self.row[input].to_le_bytes()),
                }
            }
        }
        Ok(panel)
    }

    /// Packs a panel of signed 7-bit codes, `[depth / 4, 64, 4]`, and appends the scales and the sums of its columns.
    fn q8_panel(
        &self,
        columns: &[Column],
        inputs: &[Option<usize>],
        depth: usize,
        (scales, column_sums): (&mut Vec<f32>, &mut Vec<f32>),
    ) -> Result<Vec<u8>> {
        let mut panel = vec![0; depth * PANEL_VECTORS * VEC4];
        for (index, column) in columns.iter().enumerate() {
            let Some(column) = *column else {
                scales.push(0.0);
                column_sums.push(0.0);
                continue;
            };
            let (tensor, row) = self.source(column)?;
            let (codes, scale) = tensor.codes(row);
            scales.push(scale);
            let mut sum = 0;
            for (k, input) in inputs.iter().enumerate() {
                if let Some(code) = input.and_then(|input| codes.get(input)) {
                    let code = code.wrapping_sub(Q7_OFFSET as u8).cast_signed();
                    sum += i32::from(code);
                    let word = k / VEC4 * PANEL_VECTORS * VEC4 + index;
                    panel[word * VEC4 + k % VEC4] = code.cast_unsigned();
                }
            }
            column_sums.push(sum as f32);
        }
        Ok(panel)
    }
}

fn to_f16(name: &str, value: f32) -> Result<[u8; 2]> {
    let half = half::f16::from_f32(value);
    if half.is_infinite() {
        return Err(weights(format!(
            "{name} holds {value:e}, which is beyond the range of f16: use the dtype f32"
        )));
    }
    Ok(half.to_le_bytes())
}
