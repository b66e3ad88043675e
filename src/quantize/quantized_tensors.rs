//! The quantized tensors of a model.

use std::collections::{BTreeMap, HashMap};

use super::format::{QuantFormat, QuantizedWeights};
use crate::checkpoint::{QuantGrid, Weights, Writer};
use crate::error::{Result, internal};
use crate::model::{Head, Plan, PlanTensor, TensorRole, TensorRows};

/// Quantized embedding tables by name, and matrices and adjusted biases by name and first row.
#[derive(Debug, Default)]
pub(super) struct QuantizedTensors {
    pub(super) tables: HashMap<String, QuantizedWeights>,
    pub(super) matrices: BTreeMap<(String, usize), QuantizedMatrix>,
    pub(super) biases: BTreeMap<(String, usize), Vec<f32>>,
}

/// The key of some rows of a tensor: its name and the first row.
pub(super) fn key(part: &TensorRows) -> (String, usize) {
    (part.tensor.clone(), part.rows.start)
}

/// The entries of a tensor, in the order of their rows.
fn parts_of<'a, T>(
    parts: &'a BTreeMap<(String, usize), T>,
    tensor: &str,
) -> impl Iterator<Item = &'a T> + use<'a, T> {
    parts.range((tensor.to_owned(), 0)..=(tensor.to_owned(), usize::MAX)).map(|(_, part)| part)
}

/// A quantized matrix and its input scales.
#[derive(Debug)]
pub(super) struct QuantizedMatrix {
    /// `[out_features, in_features]`, each column multiplied by its input scale.
    pub(super) rows: QuantizedWeights,
    /// The divisors of the inputs, `[in_features]`; empty if all are 1.
    pub(super) input_scales: Vec<f32>,
}

impl QuantizedTensors {
    /// Rounds the tensors that need no calibration to nearest: the tables of a Plan, and the projections of position
    /// tables.
    ///
    /// # Errors
    /// `weights` for a missing tensor.
    pub(super) fn nearest(plan: &Plan, weights: &Weights, format: QuantFormat) -> Result<Self> {
        let mut quantized = Self::default();
        for linear in plan.position_projections() {
            let part = &linear.weight;
            let values = weights.view_rows(&part.tensor, part.rows.clone())?.to_f32();
            let rows = QuantizedWeights::nearest(format, QuantGrid::MATRIX, linear.in_features, &values);
            quantized.matrices.insert(key(part), QuantizedMatrix { rows, input_scales: Vec::new() });
        }
        for PlanTensor { name, role, shape, .. } in plan.tensors() {
            if role == TensorRole::Table {
                let values = weights.view(name)?.to_f32();
                let rows = QuantizedWeights::nearest(format, QuantGrid::EMBEDDING, shape[1], &values);
                quantized.tables.insert(name.to_owned(), rows);
            }
        }
        Ok(quantized)
    }

    /// Collects all tensors of the model into a file, in the format of their roles. The head stays exact, because it is
    /// small and directly decides the logits. Vectors of `weights` without an adjusted bias stay exact as well.
    ///
    /// # Errors
    /// `internal` for a matrix that is not quantized.
    pub(super) fn write(&self, plan: &Plan, head: &Head, weights: &Weights) -> Result<Writer> {
        let missing = |name: &str| internal(format!("calibrating: {name} was not quantized"));
        let mut writer = Writer::default();
        for PlanTensor { name, role, shape, .. } in plan.tensors() {
            match role {
                TensorRole::Vector => {
                    let biases: Vec<f32> = parts_of(&self.biases, name).flatten().copied().collect();
                    if biases.is_empty() {
                        writer.add_exact(name, &shape, &weights.view(name)?.to_f32());
                    } else {
                        writer.add_exact(name, &shape, &biases);
                    }
                }
                TensorRole::Matrix => {
                    let mut parts = parts_of(&self.matrices, name);
                    let first = parts.next().ok_or_else(|| missing(name))?;
                    QuantizedWeights::concat(&first.rows, parts.map(|part| &part.rows))
                        .write(name, &mut writer);
                    // Layers in one tensor read the same inputs, so their input scales are equal.
                    if !first.input_scales.is_empty() {
                        writer.add_input_scales(name, &first.input_scales);
                    }
                }
                TensorRole::Table => {
                    self.tables.get(name).ok_or_else(|| missing(name))?.write(name, &mut writer);
                }
            }
        }
        for name in head.tensors() {
            let tensor = weights.view(name)?;
            writer.add_exact(name, tensor.shape(), &tensor.to_f32());
        }
        Ok(writer)
    }
}
