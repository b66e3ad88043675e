//! Lowers a Plan to the CPU engine's steps: packs the named tensors for the kernels.
//!
//! A tensor is freed as soon as it is packed, so the weights are never in memory twice.

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use super::arch::MAX_TILE_ROWS;
use super::exec::{Input, Linear, RotaryCache};
use super::kernels::{Epilogue, Kernels, Norm, Output, PackedPositions, QuantizedRows, RowsView};
use super::packed_weights::{PackedF32, PackedQ8};
use super::{CpuEngine, Step};
use crate::checkpoint::{Tensor, Weights};
use crate::engine::embed::Embedding;
use crate::engine::lower::{Lower, StepTypes, lower};
use crate::engine::positions::{alibi_slopes, distance_biases};
use crate::engine::weight_checks::{check_input_scales, check_magnitude, check_q8};
use crate::error::{Result, weights};
use crate::model::{self, Disentangled, Plan, TensorRows};
use crate::options::Dtype;

/// Lowers all steps of a Plan. Its tensors must have been validated.
pub(super) fn steps(
    kernels: &'static dyn Kernels,
    plan: &Plan,
    weights: Weights,
    dtype: Dtype,
) -> Result<Vec<Step>> {
    lower(plan, &mut Lowering { weights, dtype, kernels })
}

impl StepTypes for CpuEngine {
    type Embedding = Arc<Embedding>;
    type Linear = Linear;
    type Norm = Norm;
    type Rotary = Arc<RotaryCache>;
    type Biases = Vec<f32>;
    type PositionTable = PackedPositions;
    type DistanceRows = Disentangled;
}

struct Lowering {
    /// Tensors that have not been packed yet.
    weights: Weights,
    dtype: Dtype,
    kernels: &'static dyn Kernels,
}

/// Reads rows of a tensor: [`Weights::take_rows`], or [`Weights::view_rows`] if other layers read the same rows later.
type Read = fn(&mut Weights, &str, Range<usize>) -> Result<Tensor>;

impl Lower<CpuEngine> for Lowering {
    type Table = Rc<Vec<f32>>;

    fn embedding(&mut self, embed: &model::Embed) -> Result<Arc<Embedding>> {
        Embedding::prepare(embed, &mut self.weights).map(Arc::new)
    }

    fn norm(&mut self, norm: &model::LayerNorm) -> Result<Norm> {
        let mut whole =
            |name: &String| self.vector(&TensorRows::all(name.clone(), norm.width), Weights::take_rows);
        let bias = norm.bias.as_ref().map(&mut whole).transpose()?;
        Ok(Norm {
            weight: whole(&norm.weight)?,
            bias: bias.unwrap_or_else(|| vec![0.0; norm.width]),
            eps: norm.eps as f32,
            rms: norm.rms,
        })
    }

    fn linear(&mut self, layers: &[&model::Linear]) -> Result<Linear> {
        self.packed(layers, Weights::take_rows)
    }

    fn rotary(&mut self, rotary: model::Rotary, head_dim: usize) -> Arc<RotaryCache> {
        Arc::new(RotaryCache::new(rotary, head_dim))
    }

    fn slopes(&mut self, heads: usize) -> Result<Vec<f32>> {
        Ok(alibi_slopes(heads))
    }

    fn distance_biases(&mut self, table: &model::Table) -> Result<Vec<f32>> {
        let values = self.weights.view(&table.weight)?.to_f32();
        check_magnitude(&table.weight, values.iter().copied())?;
        Ok(distance_biases(&values, table.width))
    }

    /// Returns the normalized rows of relative positions, padded with [`MAX_TILE_ROWS`] rows for the tiles.
    fn table(&mut self, positions: &Disentangled) -> Result<Rc<Vec<f32>>> {
        let model::Table { weight, rows, width } = &positions.table;
        let mut values = self.weights.view(weight)?.to_f32();
        match &positions.norm {
            None => check_magnitude(weight, values.iter().copied())?,
            Some(norm) => {
                if !self.kernels.norm(&mut values, &self.norm(norm)?) {
                    return Err(weights(format!("{weight} holds values that are too large to compute with")));
                }
            }
        }
        values.resize((rows + MAX_TILE_ROWS) * width, 0.0);
        Ok(Rc::new(values))
    }

    /// Projects the rows of relative positions with `layer` and packs the result for each head.
    fn project_table(
        &mut self,
        table: &Rc<Vec<f32>>,
        layer: &model::Linear,
        heads: usize,
    ) -> Result<PackedPositions> {
        let view: Read = |weights, name, rows| weights.view_rows(name, rows);
        let packed = self.packed(&[layer], view)?;
        let rows = table.len() / layer.in_features - MAX_TILE_ROWS;
        let mut values = vec![0.0; (rows + MAX_TILE_ROWS) * packed.columns()];
        // These rows affect every score, so all are quantized in two steps, as the CLS rows are.
        let cls_rows: Vec<usize> = (0..rows).collect();
        let input = Input { values: table, rows: 0..rows, cls_rows: &cls_rows };
        let output = Output { values: &mut values, epilogue: Epilogue::Store };
        packed.apply(self.kernels, &input, &mut QuantizedRows::default(), output);
        if !values.iter().all(|value| value.is_finite()) {
            let name = &layer.weight.tensor;
            return Err(weights(format!(
                "{name} gives relative positions that are too large to compute with"
            )));
        }
        let rows = RowsView { values: &values, stride: packed.columns(), first: 0, count: rows };
        let head_dim = packed.columns() / heads;
        Ok(match self.dtype {
            Dtype::Q8 => self.kernels.pack_i16(rows, heads, head_dim),
            _ => self.kernels.pack_f32(rows, heads, head_dim),
        })
    }

    fn distance_rows(&mut self, positions: &Disentangled) -> Disentangled {
        positions.clone()
    }
}

impl Lowering {
    /// Packs layers over the same input as one; `read` decides whether their tensors are freed.
    fn packed(&mut self, layers: &[&model::Linear], read: Read) -> Result<Linear> {
        let parts = layers
            .iter()
            .map(|layer| {
                let weight = read(&mut self.weights, &layer.weight.tensor, layer.weight.rows.clone())?;
                let bias = layer.bias.as_ref().map(|bias| self.vector(bias, read)).transpose()?;
                Ok((weight, bias.unwrap_or_else(|| vec![0.0; layer.out_features()])))
            })
            .collect::<Result<Vec<(Tensor, Vec<f32>)>>>()?;
        check_input_scales(parts.iter().map(|(weight, _)| weight))?;
        let name = parts[0].0.name();
        Ok(match self.dtype {
            Dtype::Q8 => {
                check_q8(parts.iter().map(|(weight, _)| weight))?;
                let mut packed = PackedQ8::new(&parts, self.kernels.panel());
                self.kernels.arrange(&mut packed);
                let factor = packed.input_factors.iter().copied().fold(1.0, f32::max);
                check_magnitude(name, packed.scales.iter().map(|scale| scale * factor))?;
                Linear::Q8(packed)
            }
            _ => {
                let packed = PackedF32::new(&parts, self.kernels.panel());
                check_magnitude(name, packed.panels.iter().copied())?;
                Linear::F32(packed)
            }
        })
    }

    fn vector(&mut self, part: &TensorRows, read: Read) -> Result<Vec<f32>> {
        let values = read(&mut self.weights, &part.tensor, part.rows.clone())?.to_f32();
        check_magnitude(&part.tensor, values.iter().copied())?;
        Ok(values)
    }
}
