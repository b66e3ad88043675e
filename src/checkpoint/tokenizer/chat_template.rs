//! The chat template of a tokenizer.

use serde_json::Value;

use crate::checkpoint::ModelFiles;
use crate::checkpoint::json::Object;
use crate::error::{Result, tokenizer, unsupported};

/// Returns the template, a Jinja text, from its own file or from `tokenizer_config.json`, where older versions put it.
///
/// # Errors
/// `tokenizer` for a malformed file, `unsupported` for several templates.
pub(crate) fn read(files: &ModelFiles, tokenizer_config: &Object) -> Result<Option<String>> {
    if let Some(bytes) = files.get("chat_template.jinja") {
        let text = std::str::from_utf8(bytes).map_err(|_| tokenizer("chat_template.jinja is not UTF-8"))?;
        return Ok(Some(text.to_owned()));
    }
    match tokenizer_config.get("chat_template") {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(unsupported("tokenizer_config.json: several chat templates are not supported")),
    }
}

/// Rejects an encoder that has a chat template. sentence-transformers would write pairs into the template, unless the
/// model's `sentence_bert_config.json` says that it reads plain texts.
///
/// # Errors
/// `unsupported`, and those of [`read`].
pub(crate) fn reject(files: &ModelFiles, tokenizer_config: &Object) -> Result<()> {
    match read(files, tokenizer_config)? {
        None => Ok(()),
        Some(_) => Err(unsupported(
            "the tokenizer has a chat template, and no sentence_bert_config.json of a CrossEncoder says that pairs are \
             plain texts: chats with an encoder are not supported",
        )),
    }
}
