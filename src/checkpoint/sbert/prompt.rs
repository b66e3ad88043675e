//! The prompt sentence-transformers puts before the first text of a pair.

use crate::checkpoint::json::Object;
use crate::error::{Result, config};

/// The prompt that `default_prompt_name` of `config_sentence_transformers.json` names; empty for none.
///
/// # Errors
/// `config` for a name that `prompts` does not hold, which sentence-transformers refuses too.
pub(in crate::checkpoint) fn read(sentence_transformers: Option<&Object>) -> Result<String> {
    let Some(json) = sentence_transformers else { return Ok(String::new()) };
    let Some(name) = json.string("default_prompt_name")? else { return Ok(String::new()) };
    let prompts = json.object("prompts")?.filter(|prompts| prompts.contains(name));
    let Some(prompts) = prompts else {
        return Err(config(format!(
            "config_sentence_transformers.json: prompts does not hold {name:?}, which default_prompt_name names"
        )));
    };
    Ok(prompts.string(name)?.unwrap_or_default().to_owned())
}
