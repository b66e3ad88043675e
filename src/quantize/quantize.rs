//! `quantize`: a q8 or q4 file, calibrated, with golden pairs.

use super::calibrate;
use super::format::QuantFormat;
use crate::checkpoint::{Checkpoint, Golden, GoldenPair, ModelFiles, WeightsSource};
use crate::error::{Result, input};
use crate::model;
use crate::options::{Device, Dtype, ModelSource, Options, Scores};
use crate::reranker::Reranker;

/// Pairs whose logits go into the file: one that matches and one that does not, in plain words.
const GOLDEN_PAIRS: [(&str, &str); 2] = [
    (
        "how do bees make honey",
        "Bees gather nectar, carry it to the hive and fan it dry until it turns into honey.",
    ),
    ("how do bees make honey", "The last train leaves platform four at a quarter to midnight."),
];

/// Makes a checkpoint of the dtype q8 or q4 of an f32, f16 or bf16 one: the same files with a
/// `model.safetensors` in the place of their weights.
///
/// Matrices are rounded so that their products with real activations change least: the model reads a text of our own
/// for that. `source` names where the weights came from, for the file's metadata.
///
/// # Errors
/// As [`Reranker::load`]; `input` when the checkpoint is quantised already, or for another dtype.
pub async fn quantize(files: ModelFiles, source: &str, dtype: Dtype) -> Result<ModelFiles> {
    let format = QuantFormat::of(dtype)?;
    let mut rest = files.clone();
    let weights = WeightsSource::take(&mut rest)?.parse()?;
    let mut quantised = rest.clone();
    let checkpoint = Checkpoint::read(rest)?;
    if weights.format().golden().is_some() {
        let format = weights.format().name();
        return Err(input(format!("the model is a {format} file already: quantise its source")));
    }
    let (plan, head) = model::build(&checkpoint.config, checkpoint.chain.as_ref(), &weights)?;
    let rounded = calibrate::calibrate(&checkpoint, &weights, &plan, format)?;
    let writer = rounded.write(&plan, &head, &weights)?;

    // The golden logits are those of the file itself, so it is written once without them and loaded.
    let load = |files: &ModelFiles, dtype| {
        let options = Options { device: Device::Candle, dtype, ..Options::default() };
        Reranker::load(ModelSource::Files(files.clone()), options)
    };
    let exact = load(&files, Dtype::F32).await?;
    quantised.insert("model.safetensors", writer.write(source, Golden::default())?);
    let reranker = load(&quantised, Dtype::Auto).await?;
    quantised.insert("model.safetensors", writer.write(source, golden(&reranker, &exact).await?)?);
    Ok(quantised)
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
