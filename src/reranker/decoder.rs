//! Decoders: preparing their engine and head.

use super::model_spec::ModelSpec;
use super::prepared_model::PreparedModel;
use crate::checkpoint::{Decoder, LabelTokens, PromptConfig, Weights};
use crate::engine::Engine;
use crate::error::{Result, config};
use crate::info;
use crate::model::{self, TokenLogits};
use crate::options::Options;

/// Prepares the engine and the head of a decoder.
///
/// # Errors
/// The errors of [`Reranker::load`](crate::Reranker::load) about the weights and the engine.
pub(super) fn prepare(
    options: &Options,
    spec: &ModelSpec,
    (decoder, prompt_config): (&Decoder, &PromptConfig),
    weights: Weights,
) -> Result<PreparedModel> {
    let config = &spec.checkpoint.config;
    let tokens = token_logits(spec, prompt_config.label_tokens)?;
    let head = model::decoder_head(config, decoder, tokens, &weights)?;
    let tensors = model::decoder_tensors(config, decoder);
    let used = tensors.iter().map(|(name, _)| name.as_str()).chain(head.tensors());
    let warnings = info::warnings(used, &weights, &spec.tokenizer);
    let engine =
        Engine::prepare_decoder((config, decoder), weights, spec.max_length, options.chosen_threads())?;
    let parameters = decoder.parameters(config) + head.parameters();
    Ok(PreparedModel {
        engine,
        #[cfg(feature = "gpu")]
        gpu: None,
        head,
        parameters,
        warnings,
    })
}

/// The tokens whose logits are the score of a decoder; `None` if it has a layer for the score.
fn token_logits(spec: &ModelSpec, label_tokens: LabelTokens) -> Result<Option<TokenLogits>> {
    let word = |word: &str, id: Option<u32>| {
        let id = id.map(|id| id as usize).filter(|id| *id < spec.checkpoint.config.vocab_size);
        id.ok_or_else(|| {
            config(format!(
                "the vocabulary has no token {word:?}, which a decoder without modules.json answers with: get the modules \
                 of the published model"
            ))
        })
    };
    let token = |text| word(text, spec.tokenizer.token_id(text));
    match label_tokens {
        LabelTokens::YesNo => {
            Ok(Some(TokenLogits { yes: token("yes")?, no: Some(token("no")?), divisor: 1.0 }))
        }
        LabelTokens::Ids { yes, no } => Ok(Some(TokenLogits { yes, no, divisor: 1.0 })),
        LabelTokens::Zerank => {
            let yes = word("Yes", spec.tokenizer.first_token("Yes")?)?;
            Ok(Some(TokenLogits { yes, no: None, divisor: 5.0 }))
        }
        LabelTokens::Score => Ok(None),
    }
}
