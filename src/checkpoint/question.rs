//! How a decoder is asked: the template that pairs are written into, and the words that may answer.

use serde_json::Value;

use super::chain::{self, Folder};
use super::config::Answer;
use super::json::Object;
use super::{ModelFiles, chain::Entry};
use crate::error::{Result, config, tokenizer, unsupported};

/// How a decoder is asked, as its files say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The chat template, in Jinja.
    pub template: Option<String>,
    /// Whether the template is told to end with the beginning of an answer (`add_generation_prompt`).
    pub add_generation_prompt: bool,
    /// Whether the files are those of sentence-transformers, so that the template has to take pairs. Without them a
    /// model that answers in words gets the prompt that Qwen3's rerankers were published with.
    pub chain: bool,
    /// Which words answer.
    pub answers: Answers,
}

/// Which words answer, or none for a model that gives scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// "yes" and "no", as the tokenizer has them.
    YesNo,
    /// The logit of `yes`, less that of `no` where there is one.
    Ids {
        /// `true_token_id`.
        yes: usize,
        /// `false_token_id`.
        no: Option<usize>,
    },
    /// The model has a layer for scores.
    Score,
}

impl Question {
    /// Reads `modules.json` and the files it goes with, and the chat template.
    ///
    /// # Errors
    /// `config` or `tokenizer` for files that are malformed or missing, `unsupported` for modules that are not read.
    pub(super) fn read(files: &ModelFiles, answer: Answer, vocab_size: usize) -> Result<Self> {
        let template = template(files)?;
        let default = match answer {
            Answer::Words { .. } => Answers::YesNo,
            Answer::Score => Answers::Score,
        };
        let Some(bytes) = files.get("modules.json") else {
            return Ok(Self { template, add_generation_prompt: false, chain: false, answers: default });
        };
        let entries = chain::entries(bytes)?;
        let Some((transformer, rest)) = entries.split_first() else {
            return Err(config("modules.json lists no modules"));
        };
        chain::check_transformer(transformer)?;
        let answers = match (answer, rest) {
            (Answer::Score, []) => default,
            (Answer::Words { .. }, [entry]) if entry.kind() == "LogitScore" => {
                logit_score(files, entry, vocab_size)?
            }
            (Answer::Words { .. }, []) => {
                return Err(unsupported(
                    "modules.json names no LogitScore behind a model that answers in words",
                ));
            }
            (_, [entry, ..]) => return Err(chain::not_read(entry)),
        };
        let add_generation_prompt = module_config(files, answer)?;
        Ok(Self { template, add_generation_prompt, chain: true, answers })
    }
}

/// In a file of its own, or (older) in `tokenizer_config.json`.
fn template(files: &ModelFiles) -> Result<Option<String>> {
    if let Some(bytes) = files.get("chat_template.jinja") {
        let text = std::str::from_utf8(bytes).map_err(|_| tokenizer("chat_template.jinja is not UTF-8"))?;
        return Ok(Some(text.to_owned()));
    }
    let Some(bytes) = files.get("tokenizer_config.json") else { return Ok(None) };
    match Object::parse("tokenizer_config.json", bytes)?.get("chat_template") {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(unsupported("tokenizer_config.json: several chat templates; one is read")),
    }
}

fn logit_score(files: &ModelFiles, entry: &Entry, vocab_size: usize) -> Result<Answers> {
    let json = Folder::of(files, entry)?.json;
    let id = |name| json.get(name).map(|_| json.count(name, 0, 0, vocab_size - 1)).transpose();
    let missing = || config(format!("{}/config.json: true_token_id is missing", entry.path));
    Ok(Answers::Ids { yes: id("true_token_id")?.ok_or_else(missing)?, no: id("false_token_id")? })
}

/// Checks `sentence_bert_config.json`, and gives `add_generation_prompt`.
fn module_config(files: &ModelFiles, answer: Answer) -> Result<bool> {
    const PLACE: &str = "sentence_bert_config.json";
    let Some(bytes) = files.get(PLACE) else {
        return Err(unsupported(format!("{PLACE} is missing, which says how pairs are read")));
    };
    let json = Object::parse(PLACE, bytes)?;
    let (task, output) = match answer {
        Answer::Words { .. } => ("text-generation", "causal_logits"),
        Answer::Score => ("sequence-classification", "scores"),
    };
    for (field, read) in [("transformer_task", task), ("module_output_name", output)] {
        if let Some(other) = json.text(field)?.filter(|value| *value != read) {
            return Err(unsupported(format!("{PLACE}: {field} {other:?}; this build reads {read:?}")));
        }
    }
    let message = json.object("modality_config")?.map(|all| all.object("message")).transpose()?.flatten();
    match message.as_ref().map(|message| message.text("format")).transpose()?.flatten() {
        Some("flat") => {}
        _ => {
            return Err(unsupported(format!(
                "{PLACE}: modality_config has no \"message\" of the format \"flat\""
            )));
        }
    }
    let Some(processing) = json.object("processing_kwargs")? else { return Ok(false) };
    let template = processing.object("chat_template")?;
    let flag = template.as_ref().map(|options| options.flag("add_generation_prompt")).transpose()?.flatten();
    let known = usize::from(template.is_some());
    if processing.len() > known || template.is_some_and(|options| options.len() > usize::from(flag.is_some()))
    {
        return Err(unsupported(format!(
            "{PLACE}: processing_kwargs; add_generation_prompt of chat_template is read"
        )));
    }
    Ok(flag.unwrap_or(false))
}
