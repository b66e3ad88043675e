//! The chat template of a tokenizer.

use serde_json::Value;

use crate::checkpoint::ModelFiles;
use crate::checkpoint::json::Object;
use crate::error::{Result, tokenizer, unsupported};

/// The template, in Jinja: in a file of its own, or (older) in `tokenizer_config.json`.
///
/// # Errors
/// `tokenizer` for a malformed file, `unsupported` for several templates.
pub(in crate::checkpoint) fn read(files: &ModelFiles, tokenizer_config: &Object) -> Result<Option<String>> {
    if let Some(bytes) = files.get("chat_template.jinja") {
        let text = std::str::from_utf8(bytes).map_err(|_| tokenizer("chat_template.jinja is not UTF-8"))?;
        return Ok(Some(text.to_owned()));
    }
    match tokenizer_config.get("chat_template") {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(unsupported("tokenizer_config.json: several chat templates; one is read")),
    }
}

/// Refuses an encoder with a template: sentence-transformers would write its pairs into it, unless the model's own
/// `sentence_bert_config.json` says that it takes texts.
///
/// # Errors
/// `unsupported`; as [`read`].
pub(in crate::checkpoint) fn refuse(files: &ModelFiles, tokenizer_config: &Object) -> Result<()> {
    match read(files, tokenizer_config)? {
        None => Ok(()),
        Some(_) => Err(unsupported(
            "the tokenizer has a chat template, and no sentence_bert_config.json of a CrossEncoder says that pairs are \
             plain texts: an encoder is not asked in a chat here",
        )),
    }
}
