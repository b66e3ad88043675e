//! Lowers a Plan to candle tensors.

use candle_core::{Device, Tensor};

use super::linear::Layers;
use super::norm::LayerNorm;
use super::{CandleEngine, Linear, Step, candle_error};
use crate::checkpoint::{Tensor as StoredTensor, Weights};
use crate::engine::embed::Embedding;
use crate::engine::lower::{Lower, StepTypes, lower};
use crate::engine::positions::{alibi_slopes, distance_biases};
use crate::error::Result;
use crate::model::{self, Disentangled, Plan, Rotary, TensorRows};

/// Lowers all steps of a Plan. Its tensors must have been validated.
pub(super) fn steps(plan: &Plan, weights: Weights) -> Result<Vec<Step>> {
    lower(plan, &mut Lowering { weights })
}

impl StepTypes for CandleEngine {
    type Embedding = Embedding;
    type Linear = Layers;
    type Norm = LayerNorm;
    type Rotary = Rotary;
    type Biases = Vec<f32>;
    type PositionTable = Tensor;
    type DistanceRows = Disentangled;
}

struct Lowering {
    /// Tensors that no step has taken yet.
    weights: Weights,
}

impl Lower<CandleEngine> for Lowering {
    type Table = Tensor;

    fn embedding(&mut self, embed: &model::Embed) -> Result<Embedding> {
        Embedding::prepare(embed, &mut self.weights)
    }

    fn norm(&mut self, norm: &model::LayerNorm) -> Result<LayerNorm> {
        let mut values = |name: &str| self.weights.take(name).map(|tensor| tensor.to_f32());
        let bias = norm.bias.as_deref().map_or_else(|| Ok(vec![0.0; norm.width]), &mut values)?;
        Ok(LayerNorm { weight: values(&norm.weight)?, bias, eps: norm.eps, rms: norm.rms })
    }

    fn linear(&mut self, layers: &[&model::Linear]) -> Result<Layers> {
        let mut take = |rows: &TensorRows| self.weights.take_rows(&rows.tensor, rows.rows.clone());
        layers.iter().map(|layer| Linear::new(layer, &mut take)).collect::<Result<_>>().map(Layers)
    }

    fn rotary(&mut self, rotary: Rotary, _head_dim: usize) -> Rotary {
        rotary
    }

    fn slopes(&mut self, heads: usize) -> Result<Vec<f32>> {
        Ok(alibi_slopes(heads))
    }

    fn distance_biases(&mut self, table: &model::Table) -> Result<Vec<f32>> {
        Ok(distance_biases(&self.weights.view(&table.weight)?.to_f32(), table.width))
    }

    fn table(&mut self, positions: &Disentangled) -> Result<Tensor> {
        let model::Table { weight, rows, width } = &positions.table;
        let values = self.weights.take(weight)?.to_f32();
        let table = Tensor::from_vec(values, (*rows, *width), &Device::Cpu).map_err(candle_error)?;
        match &positions.norm {
            Some(norm) => self.norm(norm)?.forward(&table).map_err(candle_error),
            None => Ok(table),
        }
    }

    fn project_table(&mut self, table: &Tensor, layer: &model::Linear, _heads: usize) -> Result<Tensor> {
        let mut view = |rows: &TensorRows| self.weights.view_rows(&rows.tensor, rows.rows.clone());
        Linear::new(layer, &mut view)?.forward(table).map_err(candle_error)
    }

    fn distance_rows(&mut self, positions: &Disentangled) -> Disentangled {
        positions.clone()
    }
}

impl Linear {
    /// A layer whose tensors are read by `read`.
    fn new(layer: &model::Linear, mut read: impl FnMut(&TensorRows) -> Result<StoredTensor>) -> Result<Self> {
        let mut tensor = |rows: &TensorRows| {
            let stored = read(rows)?;
            Tensor::from_vec(stored.to_f32(), stored.shape(), &Device::Cpu).map_err(candle_error)
        };
        let weight = tensor(&layer.weight)?.t().map_err(candle_error)?;
        let bias = layer.bias.as_ref().map(tensor).transpose()?;
        Ok(Self { name: layer.clone(), weight, bias })
    }
}
