//! Quantizes all matrices of a model while it runs on a text, layer after layer.
//!
//! Each layer sees the inputs that the quantized layers before it produce, so it also compensates for their errors: its
//! matrices are rounded with error feedback ([`super::gptq`]), and its bias is adjusted so that its mean output is that
//! of the exact model.

use std::collections::HashMap;

use candle_core::Tensor;

use super::format::{QuantFormat, QuantizedWeights};
use super::gptq::ErrorFeedback;
use super::quantized_tensors::{QuantizedMatrix, QuantizedTensors, key};
use super::smoothquant::{self, SmoothingGroup};
use crate::checkpoint::{Checkpoint, QuantGrid, Weights};
use crate::engine::candle::{CandleEngine, Linear};
use crate::error::{Error, Result, internal};
use crate::model::{Plan, Step, TensorRows};
use crate::text::{Batch, PairTokenizer};

/// The calibration text, written for Ranklet: a query, a tab and a document per line, on twenty subjects.
const TEXT: &str = include_str!("calibration.txt");

impl QuantizedMatrix {
    /// The weights for inputs that are not divided by the input scales, `[out_features, in_features]`.
    fn effective(&self) -> Vec<f32> {
        let mut values = self.rows.values_after_load();
        if !self.input_scales.is_empty() {
            for row in values.chunks_exact_mut(self.input_scales.len()) {
                row.iter_mut().zip(&self.input_scales).for_each(|(value, scale)| *value /= scale);
            }
        }
        values
    }
}

/// Quantizes the matrices and embedding tables of a model and adjusts its biases.
///
/// # Errors
/// As [`PairTokenizer`] and [`Weights`]; `internal` if an activation is not finite.
pub(super) fn calibrate(
    checkpoint: &Checkpoint,
    weights: &Weights,
    plan: &Plan,
    format: QuantFormat,
) -> Result<QuantizedTensors> {
    let batch = calibration_batch(checkpoint)?;
    let cls_rows = ClsRows {
        indices: batch.ranges().map(|rows| rows.start as u32).collect(),
        matrices: last_layers(plan),
    };
    let exact_means = mean_outputs(&CandleEngine::prepare(plan, weights.clone())?, &batch, &cls_rows)?;
    let groups = smoothquant::groups(plan);
    let mut quantized = QuantizedTensors::nearest(plan, weights, format)?;
    let mut with_tables = weights.clone();
    quantized.tables.iter().for_each(|(name, rows)| with_tables.replace(name, &rows.values_after_load()));
    let is_shared = plan.steps.iter().enumerate().any(|(index, step)| plan.steps[..index].contains(step));
    let mut of_shared_layers: HashMap<TensorRows, Linear> = HashMap::new();
    let mut failure = None;
    CandleEngine::prepare(plan, with_tables)?.run_with(&batch, &mut |linear, inputs| {
        let part = &linear.name.weight;
        // Layers that share a matrix use it as the first of them quantized it.
        if let Some(quantized) = of_shared_layers.get(part) {
            return quantized.forward(inputs);
        }
        let group = groups.iter().find(|group| group.weights.contains(&part));
        match quantize_linear(weights, format, linear, group, inputs, &cls_rows, &exact_means[part]) {
            Ok((matrix, bias)) => {
                // A layer without a bias has nothing to adjust.
                let bias = linear.name.bias.as_ref().map(|part| (part, bias));
                let values = bias.as_ref().map(|(_, bias)| &bias[..]);
                let effective = linear.with(&matrix.effective(), values)?;
                quantized.matrices.insert(key(part), matrix);
                if let Some((part, bias)) = bias {
                    quantized.biases.insert(key(part), bias);
                }
                if is_shared {
                    of_shared_layers.insert(part.clone(), effective.clone());
                }
                effective.forward(inputs)
            }
            Err(error) => {
                failure.get_or_insert(error);
                linear.forward(inputs)
            }
        }
    })?;
    failure.map_or(Ok(quantized), Err)
}

/// Tokenizes the calibration text into one batch. Pairs of unknown tokens are useless for calibration, but harmless.
fn calibration_batch(checkpoint: &Checkpoint) -> Result<Batch> {
    let tokenizer = PairTokenizer::read(
        &checkpoint.tokenizer_json,
        &checkpoint.tokenizer_config,
        (&checkpoint.config).into(),
    )?;
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

/// The CLS rows of a batch, and the matrices for which only these rows matter.
struct ClsRows<'a> {
    /// Index of the CLS row of each pair.
    indices: Vec<u32>,
    /// The matrices of the last layer of a model with CLS pooling.
    matrices: Vec<&'a TensorRows>,
}

impl ClsRows<'_> {
    /// Selects the CLS rows of `[rows, features]`; `None` for a layer that uses all rows.
    fn select(&self, linear: &Linear, rows: &Tensor) -> candle_core::Result<Option<Tensor>> {
        if !self.matrices.contains(&&linear.name.weight) {
            return Ok(None);
        }
        rows.index_select(&Tensor::new(&self.indices[..], rows.device())?, 0).map(Some)
    }
}

/// The matrices that are applied to one row per pair after the last layer is collapsed.
fn last_layers(plan: &Plan) -> Vec<&TensorRows> {
    let last = plan.steps.iter().rposition(|step| matches!(step, Step::Attention(_)));
    let Some(last) = last.filter(|_| plan.pools_first_row()) else { return Vec::new() };
    let linears = plan.steps[last..].iter().flat_map(|step| match step {
        Step::Attention(attention) => vec![&attention.query, &attention.output],
        Step::FeedForward(block) => [Some(&block.intermediate), block.gate.as_ref(), Some(&block.output)]
            .into_iter()
            .flatten()
            .collect(),
        _ => Vec::new(),
    });
    linears.map(|linear| &linear.weight).collect()
}

/// Computes the mean output of each linear layer, by its matrix.
fn mean_outputs(
    engine: &CandleEngine,
    batch: &Batch,
    rows: &ClsRows,
) -> Result<HashMap<TensorRows, Vec<f32>>> {
    let mut means = HashMap::new();
    engine.run_with(batch, &mut |linear, inputs| {
        let outputs = linear.forward(inputs)?;
        let cls_outputs = rows.select(linear, &outputs)?;
        let mean = cls_outputs.as_ref().unwrap_or(&outputs).mean(0)?.to_vec1()?;
        means.entry(linear.name.weight.clone()).or_insert(mean);
        Ok(outputs)
    })?;
    Ok(means)
}

/// Quantizes the matrix of a layer with the inputs `[rows, in_features]`, and adjusts its bias.
fn quantize_linear(
    weights: &Weights,
    format: QuantFormat,
    linear: &Linear,
    group: Option<&SmoothingGroup>,
    inputs: &Tensor,
    cls_rows: &ClsRows,
    exact_mean: &[f32],
) -> Result<(QuantizedMatrix, Vec<f32>)> {
    let columns = linear.name.in_features;
    let input_scales = group.map_or(Ok(Vec::new()), |group| input_scales(weights, group, inputs))?;
    let cls_inputs = cls_rows.select(linear, inputs).map_err(candle_error)?;
    let (moments, input_mean) =
        statistics(inputs, cls_inputs.as_ref(), &input_scales).map_err(candle_error)?;
    let feedback = ErrorFeedback::new(&moments, columns)?;
    let importance: Vec<f32> = (0..columns).map(|column| moments[column * columns + column]).collect();

    let mut exact = weights.view_rows(&linear.name.weight.tensor, linear.name.weight.rows.clone())?.to_f32();
    let mut rows = QuantizedWeights::new(format, QuantGrid::MATRIX, columns);
    for row in exact.chunks_exact_mut(columns) {
        row.iter_mut().zip(&input_scales).for_each(|(value, scale)| *value *= scale);
        rows.push(row, &importance, |row, round| feedback.round(row, round));
    }
    let mean = |row: &[f32]| row.iter().zip(&input_mean).map(|(weight, input)| weight * input).sum::<f32>();
    let values = rows.values_after_load();
    let bias = values.chunks_exact(columns).zip(exact_mean).map(|(row, exact)| exact - mean(row)).collect();
    Ok((QuantizedMatrix { rows, input_scales }, bias))
}

/// Computes the input scales of a group of layers, `[in_features]`.
fn input_scales(weights: &Weights, group: &SmoothingGroup, inputs: &Tensor) -> Result<Vec<f32>> {
    let max_inputs: Vec<f32> =
        inputs.abs().and_then(|inputs| inputs.max(0)).and_then(|max| max.to_vec1()).map_err(candle_error)?;
    let mut max_weights = vec![0.0f32; max_inputs.len()];
    for part in &group.weights {
        for row in weights.view_rows(&part.tensor, part.rows.clone())?.to_f32().chunks_exact(max_inputs.len())
        {
            max_weights.iter_mut().zip(row).for_each(|(max, value)| *max = max.max(value.abs()));
        }
    }
    Ok(group.input_scales(&max_inputs, &max_weights))
}

fn candle_error(error: candle_core::Error) -> Error {
    internal(format!("calibrating: {error}")).with_source(error)
}

/// Computes the covariances `[in_features, in_features]` of the inputs divided by their scales, and their mean row.
/// These are central moments, because the bias compensates for the error of the mean.
///
/// With `cls_inputs`, the mean is that of the CLS rows, and the covariances are the average of those of all rows and
/// those of the CLS rows, which are too few on their own.
fn statistics(
    inputs: &Tensor,
    cls_inputs: Option<&Tensor>,
    input_scales: &[f32],
) -> candle_core::Result<(Vec<f32>, Vec<f32>)> {
    let scaled = |rows: &Tensor| match input_scales {
        [] => Ok(rows.clone()),
        scales => rows.broadcast_div(&Tensor::new(scales, rows.device())?),
    };
    let mean = scaled(cls_inputs.unwrap_or(inputs))?.mean(0)?;
    let moments = |rows: &Tensor| {
        let centered = scaled(rows)?.broadcast_sub(&mean)?;
        centered.t()?.contiguous()?.matmul(&centered)? / rows.dim(0)? as f64
    };
    let moments = match cls_inputs {
        None => moments(inputs)?,
        Some(cls_inputs) => ((moments(inputs)? + moments(cls_inputs)?)? * 0.5)?,
    };
    Ok((moments.flatten_all()?.to_vec1()?, mean.to_vec1()?))
}
