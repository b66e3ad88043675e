//! Decoders: preparing their engine and head.

use super::model_spec::ModelSpec;
use super::prepared_model::PreparedModel;
use crate::checkpoint::{Decoder, LabelTokens, PromptConfig, Weights};
use crate::engine::Engine;
use crate::error::{Result, config};
use crate::info;
use crate::model;
use crate::options::{Dtype, Options};

/// Prepares the engine and the head of a decoder.
///
/// # Errors
/// Those of [`Reranker::load`](crate::Reranker::load) about the weights and the engine.
pub(super) fn prepare(
    options: &Options,
    spec: &ModelSpec,
    (decoder, prompt_config): (&Decoder, &PromptConfig),
    weights: Weights,
    dtype: Dtype,
) -> Result<PreparedModel> {
    let config = &spec.checkpoint.config;
    let head =
        model::decoder_head(config, decoder, label_token_ids(spec, prompt_config.label_tokens)?, &weights)?;
    let tensors = model::decoder_tensors(config, decoder);
    let used = tensors.iter().map(|(name, _)| name.as_str()).chain(head.tensors());
    let warnings = info::warnings(used, &weights, &spec.tokenizer);
    options.check_decoder(dtype)?;
    let engine = Engine::prepare_decoder((config, decoder), weights, spec.max_length)?;
    let parameters = decoder.parameters(config) as usize + head.parameters();
    Ok(PreparedModel {
        engine,
        #[cfg(feature = "gpu")]
        gpu: None,
        head,
        parameters,
        warnings,
    })
}

/// The token ids of a decoder's labels: of "yes", and of "no" if the score is a difference.
fn label_token_ids(spec: &ModelSpec, label_tokens: LabelTokens) -> Result<Option<(usize, Option<usize>)>> {
    let word = |word: &str| {
        let id = spec.tokenizer.token_id(word).map(|id| id as usize);
        id.filter(|id| *id < spec.checkpoint.config.vocab_size).ok_or_else(|| {
            config(format!("the vocabulary has no token {word:?}, which a decoder answers with"))
        })
    };
    match label_tokens {
        LabelTokens::YesNo => Ok(Some((word("yes")?, Some(word("no")?)))),
        LabelTokens::Ids { yes, no } => Ok(Some((yes, no))),
        LabelTokens::Score => Ok(None),
    }
}
