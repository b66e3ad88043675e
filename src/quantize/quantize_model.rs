//! Quantizes a model to a q8 or q4 file, with calibration and golden pairs.

use super::calibrate;
use super::format::QuantFormat;
use crate::checkpoint::{Checkpoint, Golden, GoldenPair, ModelFiles, WeightsSource};
use crate::error::{Result, input};
use crate::model;
use crate::options::{Device, Dtype, ModelSource, Options, Scores};
use crate::reranker::Reranker;

/// The pairs whose logits are written into the file: a relevant document and an irrelevant one.
const GOLDEN_PAIRS: [(&str, &str); 2] = [
    (
        "how do bees make honey",
        "Bees gather nectar, carry it to the hive and fan it dry until it turns into honey.",
    ),
    ("how do bees make honey", "The last train leaves platform four at a quarter to midnight."),
];

/// Quantizes an f32, f16 or bf16 checkpoint to the dtype q8 or q4. Returns the same files with a new
/// `model.safetensors` instead of their weights, and with their names in `config.json`, so that a folder on a plain server
/// can be loaded without requests for files that it does not have.
///
/// Matrices are rounded so that their products with real activations change least: the model runs on a calibration
/// text. `source` names the origin of the weights in the file's metadata.
///
/// # Errors
/// As [`Reranker::load`]; `input` if the checkpoint is quantized already, or for another dtype.
pub async fn quantize(files: ModelFiles, source: &str, dtype: Dtype) -> Result<ModelFiles> {
    let format = QuantFormat::of(dtype)?;
    let mut rest = files.clone();
    let weights = WeightsSource::take_from(&mut rest)?;
    let mut quantized = rest.clone();
    let checkpoint = Checkpoint::read(rest)?;
    let expected = model::expected_tensors(&checkpoint.config, checkpoint.chain.as_ref(), false)?;
    let weights = weights.parse(expected)?;
    if weights.format().golden().is_some() {
        let format = weights.format().name();
        return Err(input(format!(
            "the model is a {format} file already: quantize the model that it was made from"
        )));
    }
    let (plan, head) = model::build(&checkpoint.config, checkpoint.chain.as_ref(), &weights)?;
    let tensors = calibrate::calibrate(&checkpoint, &weights, &plan, format)?;
    let writer = tensors.write(&plan, &head, &weights)?;

    // The golden logits are those of the quantized model, so the file is first written without them and loaded.
    let load = |files: &ModelFiles, dtype| {
        let options = Options { device: Device::Candle, dtype, ..Options::default() };
        Reranker::load(ModelSource::Files(files.clone()), options)
    };
    let exact = load(&files, Dtype::F32).await?;
    quantized.choose_preferred_weights();
    quantized.insert("model.safetensors", writer.write(source, Golden::default())?);
    let reranker = load(&quantized, Dtype::Auto).await?;
    quantized.insert("model.safetensors", writer.write(source, golden(&reranker, &exact).await?)?);
    let names: Vec<&str> = quantized.iter().map(|(name, _)| name).collect();
    let names = serde_json::json!(names);
    quantized.set_ranklet_field("files", names.into())?;
    Ok(quantized)
}

/// Scores the golden pairs on the quantized and on the exact model.
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
