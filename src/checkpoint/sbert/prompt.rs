//! The prompt that sentence-transformers writes before the query.

use crate::checkpoint::json::Object;
use crate::error::{Result, config};

/// Returns the prompt that `default_prompt_name` in `config_sentence_transformers.json` selects, or an empty text.
///
/// # Errors
/// `config` if `prompts` does not have that name. sentence-transformers rejects it too.
pub(crate) fn read(sentence_transformers: Option<&Object>) -> Result<String> {
    let Some(json) = sentence_transformers else { return Ok(String::new()) };
    let Some(name) = json.string("default_prompt_name")? else { return Ok(String::new()) };
    let prompts = json.object("prompts")?.filter(|prompts| prompts.contains(name));
    let Some(prompts) = prompts else {
        return Err(config(format!(
            "config_sentence_transformers.json: prompts does not have {name:?}, the default_prompt_name"
        )));
    };
    Ok(prompts.string(name)?.unwrap_or_default().to_owned())
}
