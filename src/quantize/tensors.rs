//! The tensors of a file.

use std::collections::HashMap;

use super::scheme::{Rows, Scheme};
use crate::checkpoint::{Grid, Weights, Writer};
use crate::error::{Result, internal};
use crate::model::{Head, Plan, TensorRole};

/// Embedding tables, matrices and biases as they will be, by name.
#[derive(Debug, Default)]
pub(super) struct Rounded {
    pub(super) tables: HashMap<String, Rows>,
    pub(super) matrices: HashMap<String, RoundedMatrix>,
    pub(super) biases: HashMap<String, Vec<f32>>,
}

/// A matrix with what its inputs are divided by.
#[derive(Debug)]
pub(super) struct RoundedMatrix {
    /// `[out_features, in_features]`, each column multiplied by its input scale.
    pub(super) rows: Rows,
    /// `[in_features]`; empty where all are 1.
    pub(super) input_scales: Vec<f32>,
}

impl Rounded {
    /// The tables of a Plan, rounded to nearest.
    ///
    /// # Errors
    /// `weights` for one that is not there.
    pub(super) fn tables(plan: &Plan, weights: &Weights, scheme: Scheme) -> Result<Self> {
        let mut rounded = Self::default();
        for (name, role, shape) in plan.tensors() {
            if role == TensorRole::Table {
                let values = weights.view(name)?.to_f32();
                let rows = Rows::nearest(scheme, Grid::EMBEDDING, shape[1], &values);
                rounded.tables.insert(name.to_owned(), rows);
            }
        }
        Ok(rounded)
    }

    /// Every tensor the model uses, in the storage its role asks for. The head is small and goes straight into the
    /// logits, so it stays exact, as do the vectors of `weights` that have not been adjusted.
    ///
    /// # Errors
    /// `internal` for a matrix that has not been rounded.
    pub(super) fn write(&self, plan: &Plan, head: &Head, weights: &Weights) -> Result<Writer> {
        let missing = |name: &str| internal(format!("calibrating: {name} was not rounded"));
        let mut writer = Writer::default();
        for (name, role, shape) in plan.tensors() {
            match role {
                TensorRole::Vector => match self.biases.get(name) {
                    Some(bias) => writer.add_exact(name, &shape, bias),
                    None => writer.add_exact(name, &shape, &weights.view(name)?.to_f32()),
                },
                TensorRole::Matrix => {
                    let matrix = self.matrices.get(name).ok_or_else(|| missing(name))?;
                    matrix.rows.write(name, &mut writer);
                    if !matrix.input_scales.is_empty() {
                        writer.add_input_scales(name, &matrix.input_scales);
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
