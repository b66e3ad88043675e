//! Writing our q8 files.

mod calibrate;
mod rounding;

use crate::checkpoint::{
    Checkpoint, Format, Golden, GoldenPair, Grid, Metadata, ModelFiles, Q8Writer, Weights,
};
use crate::error::{Result, input};
use crate::model::{self, Head, Plan, TensorRole};
use crate::options::{Dtype, Options, Scores};
use crate::reranker::Reranker;
use calibrate::Calibrated;

/// Pairs whose logits go into the file: one that matches and one that does not, in plain words.
const GOLDEN_PAIRS: [(&str, &str); 2] = [
    (
        "how do bees make honey",
        "Bees gather nectar, carry it to the hive and fan it dry until it turns into honey.",
    ),
    ("how do bees make honey", "The last train leaves platform four at a quarter to midnight."),
];

/// Makes a q8 checkpoint of an f32, f16 or bf16 one: the same files with another `model.safetensors`.
///
/// Matrices are rounded so that their products with real activations change least: the model reads a text of our own
/// for that. `source` names where the weights came from, for the file's metadata.
///
/// # Errors
/// As [`Reranker::load`]; `input` when the checkpoint is q8 already.
pub async fn quantize(files: ModelFiles, source: &str) -> Result<ModelFiles> {
    let checkpoint = Checkpoint::read(files.clone())?;
    if let Format::Q8(_) = checkpoint.weights.format() {
        return Err(input("the model is a q8 file already: quantise its source"));
    }
    let (plan, head) = model::build(&checkpoint.config, &checkpoint.weights)?;
    let calibrated =
        calibrate::calibrate(&checkpoint, &plan, &in_memory(&plan, &head, &checkpoint.weights)?)?;
    let writer = write_tensors(&plan, &head, &checkpoint.weights, Some(&calibrated))?;
    let write = |golden| writer.write(&Metadata::new(source.to_owned(), golden));

    // The golden logits are those of the file itself, so it is written once without them and loaded.
    let exact =
        Reranker::from_checkpoint(checkpoint, Options { dtype: Dtype::F32, ..Options::default() }).await?;
    let mut quantised = files;
    quantised.insert("model.safetensors", write(Golden::default())?);
    let reranker =
        Reranker::from_checkpoint(Checkpoint::read(quantised.clone())?, Options::default()).await?;
    quantised.insert("model.safetensors", write(golden(&reranker, &exact).await?)?);
    Ok(quantised)
}

/// The q8 form of weights, each rounded to nearest: for `dtype: q8` over a plain file.
pub(crate) fn in_memory(plan: &Plan, head: &Head, weights: &Weights) -> Result<Weights> {
    let metadata = Metadata::new("quantised while loading".to_owned(), Golden::default());
    Weights::parse(write_tensors(plan, head, weights, None)?.write(&metadata)?.into())
}

async fn golden(reranker: &Reranker, exact: &Reranker) -> Result<Golden> {
    let mut pairs = Vec::new();
    for pair in GOLDEN_PAIRS {
        pairs.push(GoldenPair {
            query: pair.0.to_owned(),
            document: pair.1.to_owned(),
            logits: reranker.score(&[pair], Scores::Raw).await?,
            source_logits: exact.score(&[pair], Scores::Raw).await?,
        });
    }
    Ok(Golden { pairs })
}

/// Every tensor the model uses, in the storage its role asks for. The head is small and goes straight into the
/// logits, so it stays exact.
fn write_tensors(
    plan: &Plan,
    head: &Head,
    weights: &Weights,
    calibrated: Option<&Calibrated>,
) -> Result<Q8Writer> {
    let mut writer = Q8Writer::default();
    for (name, role, shape) in plan.tensors() {
        let grid = match role {
            TensorRole::Vector => {
                let adjusted = calibrated.and_then(|calibrated| calibrated.biases.get(name));
                let values =
                    adjusted.cloned().map_or_else(|| weights.view(name).map(|view| view.to_f32()), Ok)?;
                writer.add_exact(name, &shape, &values);
                continue;
            }
            TensorRole::Matrix => Grid::MATRIX,
            TensorRole::Table => Grid::EMBEDDING,
        };
        match calibrated.and_then(|calibrated| calibrated.matrices.get(name)) {
            Some(matrix) => writer.add_rows(name, grid, &matrix.values, &matrix.scales),
            None => {
                let values = weights.view(name)?.to_f32();
                let columns = shape[1];
                let equal = vec![1.0; columns];
                let scales: Vec<f32> =
                    values.chunks_exact(columns).map(|row| grid.best_scale(row, &equal)).collect();
                writer.add_rows(name, grid, &values, &scales);
            }
        }
    }
    for name in head.tensors() {
        let view = weights.view(name)?;
        writer.add_exact(name, &view.shape, &view.to_f32());
    }
    Ok(writer)
}
