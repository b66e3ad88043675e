//! How a decoder is prompted: the template for a pair, and the tokens whose logits are the score.

use serde_json::Value;

use super::chat_template::{self, ChatTemplates};
use crate::checkpoint::config::LogitHead;
use crate::checkpoint::json::Object;
use crate::checkpoint::sbert::{
    self, CrossEncoderFiles, ModuleEntry, ModuleFolder, SEQUENCE_CLASSIFICATION, TEXT_GENERATION,
    TransformerConfig,
};
use crate::checkpoint::{ModelConfig, ModelFiles};
use crate::error::{Result, config, unsupported};

/// How a decoder is prompted, according to its files.
#[derive(Debug, Clone, PartialEq)]
pub struct PromptConfig {
    /// The chat template, a Jinja text.
    pub template: Option<String>,
    /// The template's variables, such as `add_generation_prompt`.
    pub variables: Vec<(String, Value)>,
    /// Whether the content of a message is a list of typed parts.
    pub structured: bool,
    /// How a pair becomes messages.
    pub form: PromptForm,
    /// The tokens whose logits are the score.
    pub label_tokens: LabelTokens,
}

/// How a pair becomes messages for the chat template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptForm {
    /// Not at all: the tokenizer joins the two texts.
    Plain,
    /// Messages with the roles "query" and "document", after one with the role "system" if there is an instruction.
    Messages,
    /// As `Messages`, if the template takes them, and otherwise the prompt published with the Qwen3 rerankers.
    MessagesOrQwen3,
    /// The query with the role "system" and the document with the role "user", as the code of zerank does.
    Zerank,
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
    /// A fifth of the logit of "Yes".
    Zerank,
    /// None: the model has a linear layer for the score.
    Score,
}

/// Arguments of `apply_chat_template` that are no variables of the template, besides the name of a template.
const NOT_VARIABLES: [&str; 11] = [
    "continue_final_message",
    "documents",
    "max_length",
    "padding",
    "restore_suffix",
    "return_assistant_tokens_mask",
    "return_dict",
    "return_tensors",
    "tokenize",
    "tools",
    "truncation",
];

impl PromptConfig {
    /// Reads the chat template, and the modules after the Transformer. `is_zerank` says that the model comes with the
    /// code of zerank, which counts if there are no modules.
    ///
    /// # Errors
    /// `config` or `tokenizer` for missing or malformed files, `unsupported` for unsupported modules and options.
    pub(crate) fn read(
        files: &ModelFiles,
        cross_encoder: &CrossEncoderFiles,
        tokenizer_config: &Object,
        (logit_head, model): (LogitHead, &ModelConfig),
        is_zerank: bool,
    ) -> Result<Self> {
        let templates = chat_template::read_all(files, tokenizer_config)?;
        let variables = special_tokens(tokenizer_config);
        let Some((entries, transformer)) = &cross_encoder.modules else {
            return Self::without_modules(&templates, variables, (logit_head, model), is_zerank);
        };
        let rest = sbert::after_transformer(entries)?;
        let label_tokens = match (logit_head, rest) {
            (LogitHead::Score, []) => LabelTokens::Score,
            (LogitHead::Vocabulary { .. }, [entry]) if entry.kind() == "LogitScore" => {
                logit_score(files, entry, model.vocab_size)?
            }
            (LogitHead::Vocabulary { .. }, []) => {
                return Err(unsupported(
                    "modules.json has no LogitScore, which a model with vocabulary logits needs",
                ));
            }
            (_, [entry, ..]) => return Err(sbert::unsupported_module(entry)),
        };
        let task = match logit_head {
            LogitHead::Score => &SEQUENCE_CLASSIFICATION,
            LogitHead::Vocabulary { .. } => &TEXT_GENERATION,
        };
        transformer.check_has_task()?;
        let prompt = Self { label_tokens, ..Self::plain(label_tokens) };
        let Some(message) = transformer.modality("message")? else {
            transformer.check(task, "text")?;
            transformer.check_texts()?;
            return Ok(prompt);
        };
        transformer.check(task, "message")?;
        transformer.check_text_options()?;
        prompt.with_messages(&templates, variables, message.string("format")?, transformer)
    }

    /// Pairs that the tokenizer joins.
    fn plain(label_tokens: LabelTokens) -> Self {
        Self {
            template: None,
            variables: Vec::new(),
            structured: false,
            form: PromptForm::Plain,
            label_tokens,
        }
    }

    /// Messages for the template that the options of the Transformer select.
    fn with_messages(
        self,
        templates: &ChatTemplates,
        mut variables: Vec<(String, Value)>,
        format: Option<&str>,
        transformer: &TransformerConfig,
    ) -> Result<Self> {
        let options = transformer.processing()?.map(|all| all.object("chat_template")).transpose()?.flatten();
        let mut name = None;
        let mut has_generation_prompt = false;
        if let Some(options) = &options {
            name = options.string("chat_template")?;
            for (field, value) in options.fields() {
                if NOT_VARIABLES.contains(&field) && !(field == "restore_suffix" && *value == true) {
                    return Err(unsupported(format!(
                        "sentence_bert_config.json: processing_kwargs: chat_template: {field} is not supported"
                    )));
                }
                has_generation_prompt |= field == "add_generation_prompt";
                if field != "chat_template" {
                    variables.retain(|(name, _)| name != field);
                    variables.push((field.to_owned(), value.clone()));
                }
            }
        }
        if !has_generation_prompt {
            variables.push(("add_generation_prompt".to_owned(), Value::Bool(false)));
        }
        let structured = match format {
            Some("flat") => false,
            Some("structured") => true,
            None | Some("auto") => templates.are_structured(),
            Some(other) => {
                return Err(unsupported(format!(
                    "sentence_bert_config.json: modality_config: message: format {other:?}; this build supports \
                     \"flat\" and \"structured\""
                )));
            }
        };
        let template = templates.select(name)?.ok_or_else(|| {
            unsupported(
                "a decoder needs a chat template that takes a query and a document, and the checkpoint has none: get \
                 chat_template.jinja of the published model",
            )
        })?;
        let template = Some(template.to_owned());
        Ok(Self { template, variables, structured, form: PromptForm::Messages, ..self })
    }

    /// The prompt of a model without the files of sentence-transformers.
    fn without_modules(
        templates: &ChatTemplates,
        mut variables: Vec<(String, Value)>,
        (logit_head, model): (LogitHead, &ModelConfig),
        is_zerank: bool,
    ) -> Result<Self> {
        variables.push(("add_generation_prompt".to_owned(), Value::Bool(is_zerank)));
        let (form, label_tokens) = match logit_head {
            LogitHead::Vocabulary { .. } if is_zerank => (PromptForm::Zerank, LabelTokens::Zerank),
            _ if is_zerank => {
                return Err(unsupported(format!(
                    "config.json: auto_map names the code of zerank, which reads logits of words, but the model is a {}",
                    model.architecture
                )));
            }
            LogitHead::Vocabulary { .. } if model.model_type == "qwen3" => {
                (PromptForm::MessagesOrQwen3, LabelTokens::YesNo)
            }
            LogitHead::Vocabulary { .. } => (PromptForm::Messages, LabelTokens::YesNo),
            LogitHead::Score => (PromptForm::Messages, LabelTokens::Score),
        };
        match templates.select(None)? {
            Some(template) => Ok(Self {
                template: Some(template.to_owned()),
                variables,
                // The code of zerank passes texts.
                structured: templates.are_structured() && !is_zerank,
                form,
                label_tokens,
            }),
            None if is_zerank => Err(unsupported(
                "the code of zerank writes pairs into a chat template, and the checkpoint has none: get \
                 chat_template.jinja or tokenizer_config.json of the published model",
            )),
            None => Ok(Self::plain(label_tokens)),
        }
    }
}

/// Returns the special tokens that `tokenizer_config.json` names. Templates read them as variables.
fn special_tokens(tokenizer_config: &Object) -> Vec<(String, Value)> {
    let is_token = |name: &str| name.ends_with("_token") && !name.starts_with("add_");
    let content =
        |value: &Value| value.as_str().or(value.get("content").and_then(Value::as_str)).map(Value::from);
    let tokens = tokenizer_config.fields().filter(|(name, _)| is_token(name));
    tokens.filter_map(|(name, value)| Some((name.to_owned(), content(value)?))).collect()
}

fn logit_score(files: &ModelFiles, entry: &ModuleEntry, vocab_size: usize) -> Result<LabelTokens> {
    let json = ModuleFolder::read(files, entry)?.json;
    json.reject_other_fields(&["true_token_id", "false_token_id", "module_input_name"])?;
    json.require("module_input_name", "causal_logits")?;
    let id = |name| json.get(name).map(|_| json.count(name, 0, 0, vocab_size - 1)).transpose();
    let missing = || config(format!("{}/config.json: true_token_id is missing", entry.path));
    Ok(LabelTokens::Ids { yes: id("true_token_id")?.ok_or_else(missing)?, no: id("false_token_id")? })
}
