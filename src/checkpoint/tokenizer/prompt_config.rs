//! How a decoder is prompted: the template for a pair, and the tokens whose logits are the score.

use super::chat_template;
use crate::checkpoint::ModelFiles;
use crate::checkpoint::config::LogitHead;
use crate::checkpoint::json::Object;
use crate::checkpoint::sbert::{
    self, CrossEncoderFiles, ModuleEntry, ModuleFolder, SEQUENCE_CLASSIFICATION, TEXT_GENERATION,
    TransformerConfig,
};
use crate::error::{Result, config, unsupported};

/// How a decoder is prompted, according to its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptConfig {
    /// The chat template, a Jinja text.
    pub template: Option<String>,
    /// The template's option `add_generation_prompt`: whether the prompt ends with the start of the reply.
    pub add_generation_prompt: bool,
    /// Whether the files are those of sentence-transformers. Its templates must take pairs. Other models that reply in
    /// words get the prompt published with the Qwen3 rerankers.
    pub has_modules: bool,
    /// The tokens whose logits are the score.
    pub label_tokens: LabelTokens,
}

/// The tokens whose logits are the score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelTokens {
    /// The tokenizer's tokens "yes" and "no".
    YesNo,
    /// The logit of `yes`, minus the logit of `no` if it is given.
    Ids {
        /// `true_token_id`.
        yes: usize,
        /// `false_token_id`.
        no: Option<usize>,
    },
    /// None: the model has a linear layer for the score.
    Score,
}

impl PromptConfig {
    /// Reads the chat template, and the modules after the Transformer.
    ///
    /// # Errors
    /// `config` or `tokenizer` for missing or malformed files, `unsupported` for unsupported modules.
    pub(crate) fn read(
        files: &ModelFiles,
        cross_encoder: &CrossEncoderFiles,
        tokenizer_config: &Object,
        logit_head: LogitHead,
        vocab_size: usize,
    ) -> Result<Self> {
        let template = chat_template::read(files, tokenizer_config)?;
        let default = match logit_head {
            LogitHead::Vocabulary { .. } => LabelTokens::YesNo,
            LogitHead::Score => LabelTokens::Score,
        };
        let Some((entries, transformer)) = &cross_encoder.modules else {
            return Ok(Self {
                template,
                add_generation_prompt: false,
                has_modules: false,
                label_tokens: default,
            });
        };
        let rest = sbert::after_transformer(entries)?;
        let label_tokens = match (logit_head, rest) {
            (LogitHead::Score, []) => default,
            (LogitHead::Vocabulary { .. }, [entry]) if entry.kind() == "LogitScore" => {
                logit_score(files, entry, vocab_size)?
            }
            (LogitHead::Vocabulary { .. }, []) => {
                return Err(unsupported(
                    "modules.json has no LogitScore, which a model with vocabulary logits needs",
                ));
            }
            (_, [entry, ..]) => return Err(sbert::unsupported_module(entry)),
        };
        let add_generation_prompt = check_module(transformer, logit_head)?;
        Ok(Self { template, add_generation_prompt, has_modules: true, label_tokens })
    }
}

fn logit_score(files: &ModelFiles, entry: &ModuleEntry, vocab_size: usize) -> Result<LabelTokens> {
    let json = ModuleFolder::read(files, entry)?.json;
    let id = |name| json.get(name).map(|_| json.count(name, 0, 0, vocab_size - 1)).transpose();
    let missing = || config(format!("{}/config.json: true_token_id is missing", entry.path));
    Ok(LabelTokens::Ids { yes: id("true_token_id")?.ok_or_else(missing)?, no: id("false_token_id")? })
}

/// Checks that the Transformer reads pairs as chat messages. Returns `add_generation_prompt`.
fn check_module(transformer: &TransformerConfig, logit_head: LogitHead) -> Result<bool> {
    const FILE: &str = "sentence_bert_config.json";
    transformer.check(
        if matches!(logit_head, LogitHead::Score) { &SEQUENCE_CLASSIFICATION } else { &TEXT_GENERATION },
        "message",
    )?;
    let message = transformer.modality("message")?;
    match message.as_ref().map(|message| message.string("format")).transpose()?.flatten() {
        Some("flat") => {}
        _ => {
            return Err(unsupported(format!(
                "{FILE}: modality_config has no \"message\" of the format \"flat\""
            )));
        }
    }
    let Some(processing) = transformer.processing()? else { return Ok(false) };
    processing.reject_other_fields(&["chat_template"])?;
    let Some(template) = processing.object("chat_template")? else { return Ok(false) };
    template.reject_other_fields(&["add_generation_prompt"])?;
    Ok(template.bool("add_generation_prompt")?.unwrap_or(false))
}
