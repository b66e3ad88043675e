//! Bytes from outside become verified facts: what the model is, where its tensors lie, what its scores mean.
//!
//! Nothing here computes a score and nothing here trusts its input. What leaves this module has been checked:
//! sizes are bounded and divide, every tensor lies inside its file, every number is finite.

mod activation;
mod config;
mod files;
mod json;
mod q8;
mod tokenizer_config;
mod weights;

pub use activation::{Activation, ScoreActivation};
pub use config::BertConfig;
pub use files::ModelFiles;
pub use q8::{Golden, GoldenPair, Metadata};
pub use tokenizer_config::{AddedToken, BertTokenizerConfig, TokenizerConfig, TruncationSide};
pub use weights::{Format, TensorView, Weights};

pub(crate) use q8::{Grid, Q8Writer};

use crate::error::{Result, config, tokenizer, unsupported, weights};

/// A checkpoint whose parts have been read and checked one by one.
///
/// That they fit each other (every tensor the model needs is there, in its shape) is checked by
/// [`model`](crate::model), which knows what the model needs.
#[derive(Debug)]
pub struct Checkpoint {
    /// `config.json`.
    pub config: BertConfig,
    /// The function that turns logits into scores unless the caller says otherwise.
    pub activation: ScoreActivation,
    /// `tokenizer_config.json` and the other places that say how pairs are cut.
    pub tokenizer_config: TokenizerConfig,
    /// The bytes of `tokenizer.json`.
    pub tokenizer_json: std::borrow::Cow<'static, [u8]>,
    /// `model.safetensors`.
    pub weights: Weights,
}

impl Checkpoint {
    /// Reads and checks the files of a checkpoint.
    ///
    /// # Errors
    /// `config`, `tokenizer` or `weights` for a file that is missing or malformed, `unsupported` for one that is
    /// well formed and asks for what Ranklet does not do.
    pub fn read(mut files: ModelFiles) -> Result<Self> {
        let config_json = json::Object::parse(
            "config.json",
            files.get("config.json").ok_or_else(|| config("config.json is missing"))?,
        )?;
        let config = BertConfig::read(&config_json)?;
        let sentence_transformers = files
            .get("config_sentence_transformers.json")
            .map(|bytes| json::Object::parse("config_sentence_transformers.json", bytes))
            .transpose()?;
        let activation =
            ScoreActivation::resolve(sentence_transformers.as_ref(), &config_json, config.num_labels)?;
        reject_prompts(sentence_transformers.as_ref())?;
        reject_module_chains(&files)?;
        let tokenizer_config = TokenizerConfig::read(&files)?;
        let tokenizer_json =
            files.take("tokenizer.json").ok_or_else(|| tokenizer("tokenizer.json is missing"))?;
        let weights = Weights::parse(take_weights(&mut files)?)?;
        Ok(Self { config, activation, tokenizer_config, tokenizer_json, weights })
    }
}

fn take_weights(files: &mut ModelFiles) -> Result<std::borrow::Cow<'static, [u8]>> {
    if let Some(bytes) = files.take("model.safetensors") {
        return Ok(bytes);
    }
    for other in ["model.safetensors.index.json", "pytorch_model.bin"] {
        if files.get(other).is_some() {
            return Err(unsupported(format!("weights in {other}: save the model as one model.safetensors")));
        }
    }
    Err(weights("model.safetensors is missing"))
}

/// A default prompt would be put before every text; scoring without it would be silently wrong.
fn reject_prompts(sentence_transformers: Option<&json::Object>) -> Result<()> {
    match sentence_transformers.map(|object| object.text("default_prompt_name")).transpose()?.flatten() {
        Some(name) => Err(unsupported(format!(
            "config_sentence_transformers.json names the default prompt {name:?}, and prompts are not supported yet"
        ))),
        None => Ok(()),
    }
}

/// `modules.json` with anything but one Transformer is another architecture.
fn reject_module_chains(files: &ModelFiles) -> Result<()> {
    let Some(bytes) = files.get("modules.json") else { return Ok(()) };
    let modules: Vec<serde_json::Value> =
        serde_json::from_slice(bytes).map_err(|error| config(format!("modules.json: {error}")))?;
    for module in &modules {
        let name = module.get("type").and_then(serde_json::Value::as_str).unwrap_or("(no type)");
        if !name.ends_with(".Transformer") {
            return Err(unsupported(format!("modules.json names the module {name}")));
        }
    }
    Ok(())
}
