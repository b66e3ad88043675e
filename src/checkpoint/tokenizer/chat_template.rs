//! The chat templates of a tokenizer.

use serde_json::Value;

use crate::checkpoint::ModelFiles;
use crate::checkpoint::json::Object;
use crate::error::{Result, tokenizer, unsupported};

/// The chat templates, Jinja texts, of a tokenizer.
#[derive(Debug)]
pub(crate) enum ChatTemplates {
    /// One template, or none.
    One(Option<String>),
    /// Templates by name.
    #[cfg_attr(not(feature = "decoder"), expect(dead_code, reason = "only decoders use templates"))]
    Named(Vec<(String, String)>),
}

/// Reads the templates, from the file of their own or from `tokenizer_config.json`, where older versions put them.
///
/// # Errors
/// `tokenizer` for malformed files.
pub(crate) fn read_all(files: &ModelFiles, tokenizer_config: &Object) -> Result<ChatTemplates> {
    if let Some(bytes) = files.get("chat_template.jinja") {
        let text = std::str::from_utf8(bytes).map_err(|_| tokenizer("chat_template.jinja is not UTF-8"))?;
        return Ok(ChatTemplates::One(Some(text.to_owned())));
    }
    match tokenizer_config.get("chat_template") {
        None => Ok(ChatTemplates::One(None)),
        Some(Value::String(text)) => Ok(ChatTemplates::One(Some(text.clone()))),
        Some(Value::Array(entries)) => {
            let field = |entry: &Value, name| entry.get(name).and_then(Value::as_str).map(str::to_owned);
            let named = |entry: &Value| Some((field(entry, "name")?, field(entry, "template")?));
            let entries: Option<Vec<_>> = entries.iter().map(named).collect();
            entries.map(ChatTemplates::Named).ok_or_else(malformed)
        }
        Some(_) => Err(malformed()),
    }
}

fn malformed() -> crate::Error {
    tokenizer(
        "tokenizer_config.json: chat_template is no text and no list of objects with a name and a template",
    )
}

#[cfg(feature = "decoder")]
impl ChatTemplates {
    /// Returns the template that an option of `apply_chat_template` selects: one with this name or, without an option,
    /// the only or the default one. A text that is no name is a template itself.
    ///
    /// # Errors
    /// `unsupported` for several templates without a default, and for a name that no template has.
    pub(crate) fn select<'a>(&'a self, option: Option<&'a str>) -> Result<Option<&'a str>> {
        let is_name = option.is_some_and(|text| !text.contains('{'));
        match self {
            Self::One(_) if is_name => Err(other_file(option)),
            Self::One(template) => Ok(option.or(template.as_deref())),
            Self::Named(templates) => {
                let name = option.unwrap_or("default");
                match (templates.iter().find(|(other, _)| other == name), option) {
                    (Some((_, template)), _) => Ok(Some(template)),
                    (None, Some(_)) if is_name => Err(other_file(option)),
                    (None, Some(text)) => Ok(Some(text)),
                    (None, None) => Err(unsupported(
                        "tokenizer_config.json: chat_template has several templates, and none with the name \"default\"",
                    )),
                }
            }
        }
    }

    /// Returns whether messages for the template have lists of typed parts, as sentence-transformers 6.2 finds out.
    pub(crate) fn are_structured(&self) -> bool {
        const PATTERNS: [&str; 5] = ["content[0]", ".type", "'type'", "\"type\"", "message.content["];
        match self {
            Self::One(Some(template)) if !template.is_empty() => {
                PATTERNS.iter().any(|pattern| template.contains(pattern))
            }
            _ => true,
        }
    }
}

#[cfg(feature = "decoder")]
fn other_file(name: Option<&str>) -> crate::Error {
    unsupported(format!(
        "sentence_bert_config.json: processing_kwargs: chat_template names the template {:?}, which is not in \
         tokenizer_config.json; additional_chat_templates is not read: copy the template to chat_template.jinja and \
         remove the name",
        name.unwrap_or_default().chars().take(60).collect::<String>()
    ))
}

/// Rejects an encoder that has a chat template. sentence-transformers would write pairs into the template, unless the
/// model's `sentence_bert_config.json` says that it reads plain texts.
///
/// # Errors
/// `unsupported`, and the errors of [`read_all`].
pub(crate) fn reject(files: &ModelFiles, tokenizer_config: &Object) -> Result<()> {
    match read_all(files, tokenizer_config)? {
        ChatTemplates::One(None) => Ok(()),
        _ => Err(unsupported(
            "the tokenizer has a chat template, and no sentence_bert_config.json of a CrossEncoder says that pairs are \
             plain texts: chats with an encoder are not supported",
        )),
    }
}
