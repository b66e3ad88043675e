//! Rounding every matrix of a model while it reads a text, layer after layer.
//!
//! Each layer sees the inputs that the layers before it give once they are rounded, so it makes good for them too:
//! its matrices are rounded with error feedback ([`super::gptq`]), and its bias is moved so that the mean output
//! is what it was before anything was rounded.

use std::collections::HashMap;

use candle_core::Tensor;

use super::format::{QuantFormat, QuantizedRows};
use super::gptq::ErrorFeedback;
use super::quantized_tensors::{QuantizedMatrix, QuantizedTensors, key};
use super::smoothquant::{self, SmoothingGroup};
use crate::checkpoint::{Checkpoint, QuantGrid, Weights};
use crate::engine::candle::{CandleEngine, Linear};
use crate::error::{Result, internal};
use crate::model::{Plan, Pooling, Step, TensorRows};
use crate::text::{Batch, PairTokenizer};

/// What the model reads: a query, a tab and a document a line. Prose of our own on twenty subjects.
const TEXT: &str = include_str!("calibration.txt");

impl QuantizedMatrix {
    /// The matrix in place of the exact one, `[out_features, in_features]`.
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

/// Rounds all that is stored in few bits of `weights`.
pub(super) fn calibrate(
    checkpoint: &Checkpoint,
    weights: &Weights,
    plan: &Plan,
    format: QuantFormat,
) -> Result<QuantizedTensors> {
    let batch = calibration_batch(checkpoint)?;
    let counted =
        ClsRows { firsts: batch.ranges().map(|rows| rows.start as u32).collect(), of: last_layers(plan) };
    let exact_means = mean_outputs(&CandleEngine::prepare(plan, weights.clone())?, &batch, &counted)?;
    let groups = smoothquant::groups(plan);
    let mut rounded = QuantizedTensors::nearest(plan, weights, format)?;
    let mut with_tables = weights.clone();
    rounded.tables.iter().for_each(|(name, rows)| with_tables.replace(name, &rows.values_after_load()));
    let mut failure = None;
    CandleEngine::prepare(plan, with_tables)?.run_with(&batch, &mut |linear, inputs| {
        let part = &linear.name.weight;
        let group = groups.iter().find(|group| group.weights.contains(&part));
        match round_linear(weights, format, linear, group, inputs, &counted, &exact_means[part]) {
            Ok((matrix, bias)) => {
                // A layer without a bias has nothing that could be moved.
                let bias = linear.name.bias.as_ref().map(|part| (part, bias));
                let values = bias.as_ref().map(|(_, bias)| &bias[..]);
                let effective = linear.with(&matrix.effective(), values)?;
                rounded.matrices.insert(key(part), matrix);
                if let Some((part, bias)) = bias {
                    rounded.biases.insert(key(part), bias);
                }
                effective.forward(inputs)
            }
            Err(error) => {
                failure.get_or_insert(error);
                linear.forward(inputs)
            }
        }
    })?;
    failure.map_or(Ok(rounded), Err)
}

/// The text as one batch; pairs that this tokenizer has no words for teach nothing but do no harm.
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

/// Where only the first row of each pair reaches the result.
struct ClsRows<'a> {
    /// Those rows.
    firsts: Vec<u32>,
    /// The matrices it is so for.
    of: Vec<&'a TensorRows>,
}

impl ClsRows<'_> {
    /// The rows a layer is for: `[rows, features]` to fewer rows, or `None` where it is for all of them.
    fn select(&self, linear: &Linear, rows: &Tensor) -> candle_core::Result<Option<Tensor>> {
        if !self.of.contains(&&linear.name.weight) {
            return Ok(None);
        }
        rows.index_select(&Tensor::new(&self.firsts[..], rows.device())?, 0).map(Some)
    }
}

/// The matrices that are applied to one row a pair once the last layer is collapsed.
fn last_layers(plan: &Plan) -> Vec<&TensorRows> {
    let (Some(Step::Pool(Pooling::First)), Some(last)) =
        (plan.steps.last(), plan.steps.iter().rposition(|step| matches!(step, Step::Attention(_))))
    else {
        return Vec::new();
    };
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

/// The mean output of every linear layer, by its matrix.
fn mean_outputs(
    engine: &CandleEngine,
    batch: &Batch,
    rows: &ClsRows,
) -> Result<HashMap<TensorRows, Vec<f32>>> {
    let mut means = HashMap::new();
    engine.run_with(batch, &mut |linear, inputs| {
        let outputs = linear.forward(inputs)?;
        let counted = rows.select(linear, &outputs)?;
        let mean = counted.as_ref().unwrap_or(&outputs).mean(0)?.to_vec1()?;
        means.insert(linear.name.weight.clone(), mean);
        Ok(outputs)
    })?;
    Ok(means)
}

/// The rounded matrix of one layer and its adjusted bias, for the `inputs` `[rows, in_features]` it gets.
fn round_linear(
    weights: &Weights,
    format: QuantFormat,
    linear: &Linear,
    group: Option<&SmoothingGroup>,
    inputs: &Tensor,
    counted: &ClsRows,
    exact_mean: &[f32],
) -> Result<(QuantizedMatrix, Vec<f32>)> {
    let columns = linear.name.in_features;
    let input_scales = group.map_or(Ok(Vec::new()), |group| input_scales(weights, group, inputs))?;
    let counted = counted.select(linear, inputs).map_err(failed)?;
    let (moments, input_mean) = statistics(inputs, counted.as_ref(), &input_scales).map_err(failed)?;
    let feedback = ErrorFeedback::new(&moments, columns)?;
    let importance: Vec<f32> = (0..columns).map(|column| moments[column * columns + column]).collect();

    let mut exact = weights.view_rows(&linear.name.weight.tensor, linear.name.weight.rows.clone())?.to_f32();
    let mut rows = QuantizedRows::new(format, QuantGrid::MATRIX, columns);
    for row in exact.chunks_exact_mut(columns) {
        row.iter_mut().zip(&input_scales).for_each(|(value, scale)| *value *= scale);
        rows.push(row, &importance, |row, round| feedback.round(row, round));
    }
    let mean = |row: &[f32]| row.iter().zip(&input_mean).map(|(weight, input)| weight * input).sum::<f32>();
    let loaded = rows.values_after_load();
    let bias = loaded.chunks_exact(columns).zip(exact_mean).map(|(row, exact)| exact - mean(row)).collect();
    Ok((QuantizedMatrix { rows, input_scales }, bias))
}

/// What `group`'s inputs are divided by.
fn input_scales(weights: &Weights, group: &SmoothingGroup, inputs: &Tensor) -> Result<Vec<f32>> {
    let largest_inputs: Vec<f32> =
        inputs.abs().and_then(|inputs| inputs.max(0)).and_then(|most| most.to_vec1()).map_err(failed)?;
    let mut largest_weights = vec![0.0f32; largest_inputs.len()];
    for part in &group.weights {
        for row in
            weights.view_rows(&part.tensor, part.rows.clone())?.to_f32().chunks_exact(largest_inputs.len())
        {
            largest_weights.iter_mut().zip(row).for_each(|(most, value)| *most = most.max(value.abs()));
        }
    }
    Ok(group.input_scales(&largest_inputs, &largest_weights))
}

fn failed(error: candle_core::Error) -> crate::Error {
    internal(format!("calibrating: {error}")).with_source(error)
}

/// Covariances `[in_features, in_features]` of the inputs, divided by their scales, and their mean row. The mean is left
/// out of the first, for what it does to the outputs the bias makes good.
///
/// Where only some rows are `counted` the mean is theirs, and they have half the weight: they are too few to tell all
/// covariances alone.
fn statistics(
    inputs: &Tensor,
    counted: Option<&Tensor>,
    input_scales: &[f32],
) -> candle_core::Result<(Vec<f32>, Vec<f32>)> {
    let scaled = |rows: &Tensor| match input_scales {
        [] => Ok(rows.clone()),
        scales => rows.broadcast_div(&Tensor::new(scales, rows.device())?),
    };
    let mean = scaled(counted.unwrap_or(inputs))?.mean(0)?;
    let moments = |rows: &Tensor| {
        let centred = scaled(rows)?.broadcast_sub(&mean)?;
        centred.t()?.contiguous()?.matmul(&centred)? / rows.dim(0)? as f64
    };
    let moments = match counted {
        None => moments(inputs)?,
        Some(counted) => ((moments(inputs)? + moments(counted)?)? * 0.5)?,
    };
    Ok((moments.flatten_all()?.to_vec1()?, mean.to_vec1()?))
}
