//! Writing our q8 files.

use crate::checkpoint::{
    Checkpoint, Format, Golden, GoldenPair, Metadata, ModelFiles, Q8Writer, Storage, Weights,
};
use crate::error::{Result, input};
use crate::model::{self, Head, Plan, TensorRole};
use crate::options::{Dtype, Options, Scores};
use crate::reranker::Reranker;

/// Pairs whose logits go into the file: one that matches and one that does not, in plain words.
const GOLDEN_PAIRS: [(&str, &str); 2] = [
    ("how do bees make honey", "Bees gather nectar, carry it to the hive and fan it dry until it turns into honey."),
    ("how do bees make honey", "The last train leaves platform four at a quarter to midnight."),
];

/// Makes a q8 checkpoint of an f32, f16 or bf16 one: the same files with another `model.safetensors`.
///
/// `source` names where the weights came from, for the file's metadata.
///
/// # Errors
/// As [`Reranker::load`]; `input` when the checkpoint is q8 already.
pub async fn quantize(files: ModelFiles, source: &str) -> Result<ModelFiles> {
    let checkpoint = Checkpoint::read(files.clone())?;
    if let Format::Q8(_) = checkpoint.weights.format() {
        return Err(input("the model is a q8 file already: quantise its source"));
    }
    let (plan, head) = model::build(&checkpoint.config, &checkpoint.weights)?;
    let writer = quantise_tensors(&plan, &head, &checkpoint.weights)?;
    let write = |golden| writer.write(&Metadata::new(source.to_owned(), golden));

    // The golden logits are those of the file itself, so it is written once without them and loaded.
    let exact = Reranker::from_checkpoint(checkpoint, Options { dtype: Dtype::F32, ..Options::default() }).await?;
    let mut quantised = files;
    quantised.insert("model.safetensors", write(Golden::default())?);
    let reranker =
        Reranker::from_checkpoint(Checkpoint::read(quantised.clone())?, Options::default()).await?;
    quantised.insert("model.safetensors", write(golden(&reranker, &exact).await?)?);
    Ok(quantised)
}

/// The q8 form of weights, for `dtype: q8` over a plain file.
pub(crate) fn in_memory(plan: &Plan, head: &Head, weights: &Weights) -> Result<Weights> {
    let metadata = Metadata::new("quantised while loading".to_owned(), Golden::default());
    Weights::parse(quantise_tensors(plan, head, weights)?.write(&metadata)?.into())
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
fn quantise_tensors(plan: &Plan, head: &Head, weights: &Weights) -> Result<Q8Writer> {
    let mut writer = Q8Writer::default();
    for (name, role, _) in plan.tensors() {
        let storage = match role {
            TensorRole::Matrix => Storage::Matrix,
            TensorRole::Table => Storage::Embedding,
            TensorRole::Vector => Storage::Exact,
        };
        writer.add(weights, name, storage)?;
    }
    for name in head.tensors() {
        writer.add(weights, name, Storage::Exact)?;
    }
    Ok(writer)
}
