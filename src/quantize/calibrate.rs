//! Rounding every matrix of a model while it reads a text, layer after layer.
//!
//! Each layer sees the inputs that the layers before it give once they are rounded, so it makes good for them too:
//! its matrices are rounded with error feedback ([`super::rounding`]), and its bias is moved so that the mean output
//! is what it was before anything was rounded.

use std::collections::HashMap;

use candle_core::Tensor;

use super::rounding::Feedback;
use crate::checkpoint::{Checkpoint, Grid, Weights};
use crate::engine::candle::{CandleEngine, Linear};
use crate::error::{Result, internal};
use crate::model::Plan;
use crate::text::{Batch, PairTokenizer};

/// What the model reads: a query, a tab and a document a line. Prose of our own on twenty subjects.
const TEXT: &str = include_str!("calibration.txt");

/// Rounded matrices and adjusted biases, by name.
#[derive(Debug, Default)]
pub(super) struct Calibrated {
    pub(super) matrices: HashMap<String, RoundedMatrix>,
    pub(super) biases: HashMap<String, Vec<f32>>,
}

/// A matrix whose every value is a whole multiple of its row's scale.
#[derive(Debug)]
pub(super) struct RoundedMatrix {
    /// `[out_features, in_features]`.
    pub(super) values: Vec<f32>,
    /// `[out_features]`.
    pub(super) scales: Vec<f32>,
}

/// Rounds the matrices of `checkpoint`; `rounded_tables` are its weights with the embedding tables as they will be.
pub(super) fn calibrate(
    checkpoint: &Checkpoint,
    plan: &Plan,
    rounded_tables: &Weights,
) -> Result<Calibrated> {
    let batch = calibration_batch(checkpoint)?;
    let exact_means = mean_outputs(&CandleEngine::prepare(plan, &checkpoint.weights)?, &batch)?;
    let mut calibrated = Calibrated::default();
    let mut failure = None;
    CandleEngine::prepare(plan, rounded_tables)?.run_with(&batch, &mut |linear, inputs| {
        let exact_mean = &exact_means[&linear.name.weight];
        match round_linear(&checkpoint.weights, linear, inputs, exact_mean) {
            Ok((matrix, bias)) => {
                let rounded = linear.with(&matrix.values, &bias)?;
                calibrated.matrices.insert(linear.name.weight.clone(), matrix);
                calibrated.biases.insert(linear.name.bias.clone(), bias);
                rounded.forward(inputs)
            }
            Err(error) => {
                failure.get_or_insert(error);
                linear.forward(inputs)
            }
        }
    })?;
    failure.map_or(Ok(calibrated), Err)
}

/// The text as one batch; pairs that this tokenizer has no words for teach nothing but do no harm.
fn calibration_batch(checkpoint: &Checkpoint) -> Result<Batch> {
    let tokenizer =
        PairTokenizer::read(&checkpoint.tokenizer_json, &checkpoint.tokenizer_config, &checkpoint.config)?;
    let length = tokenizer.model_max_length();
    let mut batch = Batch::default();
    for line in TEXT.lines() {
        let (query, document) =
            line.split_once('\t').ok_or_else(|| internal("calibration.txt has a line without a tab"))?;
        let (query, document) =
            (tokenizer.encode(query, length, None)?, tokenizer.encode(document, length, None)?);
        tokenizer.push(&mut batch, &query, &document, length)?;
    }
    Ok(batch)
}

/// The mean output of every linear layer, by the name of its matrix.
fn mean_outputs(engine: &CandleEngine, batch: &Batch) -> Result<HashMap<String, Vec<f32>>> {
    let mut means = HashMap::new();
    engine.run_with(batch, &mut |linear, inputs| {
        let outputs = linear.forward(inputs)?;
        means.insert(linear.name.weight.clone(), outputs.mean(0)?.to_vec1()?);
        Ok(outputs)
    })?;
    Ok(means)
}

/// The rounded matrix of one layer and its adjusted bias, for the `inputs` `[rows, in_features]` it gets.
fn round_linear(
    weights: &Weights,
    linear: &Linear,
    inputs: &Tensor,
    exact_mean: &[f32],
) -> Result<(RoundedMatrix, Vec<f32>)> {
    let columns = linear.name.in_features;
    let (moments, input_mean) =
        statistics(inputs).map_err(|error| internal(format!("calibrating: {error}")))?;
    let feedback = Feedback::new(&moments, columns)?;
    let importance: Vec<f32> = (0..columns).map(|column| moments[column * columns + column]).collect();

    let exact = weights.view(&linear.name.weight)?.to_f32();
    let mut matrix = RoundedMatrix { values: Vec::with_capacity(exact.len()), scales: Vec::new() };
    let mut bias = Vec::with_capacity(exact_mean.len());
    for (row, exact_mean) in exact.chunks_exact(columns).zip(exact_mean) {
        let scale = Grid::MATRIX.best_scale(row, &importance);
        let rounded = feedback.round(row, |value| Grid::MATRIX.round(value, scale));
        let mean: f32 = rounded.iter().zip(&input_mean).map(|(weight, input)| weight * input).sum();
        bias.push(exact_mean - mean);
        matrix.values.extend(rounded);
        matrix.scales.push(scale);
    }
    Ok((matrix, bias))
}

/// `X^T X`, row-major, and the mean row of `X`.
fn statistics(inputs: &Tensor) -> candle_core::Result<(Vec<f32>, Vec<f32>)> {
    let moments = inputs.t()?.contiguous()?.matmul(inputs)?.flatten_all()?.to_vec1()?;
    Ok((moments, inputs.mean(0)?.to_vec1()?))
}
