//! Bytes from outside become verified facts: what the model is, where its tensors lie, what its scores mean.
//!
//! Nothing here computes a score and nothing here trusts its input. What leaves this module has been checked:
//! sizes are bounded and divide, every tensor lies inside its file, every number is finite.

mod config;
mod json;
mod model_files;
mod model_layout;
mod sbert;
mod tokenizer;
mod weights;

pub use config::ModelLimits;
pub(crate) use config::{
    Activation, AttentionPositions, Decoder, Family, LogitHead, ModelConfig, Numbering, Pooling,
    RelativePositions, Rotary,
};
pub use model_files::ModelFiles;
pub use sbert::ScoreActivation;
pub(crate) use sbert::{Module, ModuleChain};
pub(crate) use tokenizer::{AddedToken, SpecialToken, TokenizerOptions, TruncationSide};
#[cfg(feature = "decoder")]
pub(crate) use tokenizer::{LabelTokens, PromptConfig};
pub use tokenizer::{TokenizerClass, TokenizerConfig};
#[cfg(feature = "candle")]
pub(crate) use weights::{BLOCK, GoldenPair, Writer, block_scales};
pub use weights::{Format, Weights, WeightsReader};
pub(crate) use weights::{Golden, Tensor};
pub(crate) use weights::{Index, MAX_PIECE_BYTES, Q7_OFFSET, QuantGrid, WeightsSource};

use crate::error;
use crate::error::{ErrorKind, Result, config};
use json::Object;
use model_layout::layout;
use sbert::CrossEncoderFiles;

/// A checkpoint but for its weights, which are read apart: they are large. Its parts have been checked one by one.
///
/// That parts and weights fit each other (every tensor the model needs is there, in its shape) is checked by
/// [`model`](crate::model), which knows what the model needs.
#[derive(Debug)]
pub struct Checkpoint {
    /// `config.json`.
    pub config: ModelConfig,
    /// What follows the encoder, where `modules.json` says it.
    pub chain: Option<ModuleChain>,
    /// The function that turns logits into scores unless the caller says otherwise.
    pub activation: ScoreActivation,
    /// `tokenizer_config.json` and the other places that say how pairs are cut.
    pub tokenizer_config: TokenizerConfig,
    /// What is put before every query; for a decoder, the instruction unless a call gives another.
    pub prompt: String,
    /// How a decoder is asked.
    #[cfg(feature = "decoder")]
    pub prompt_config: Option<PromptConfig>,
    /// The bytes of `tokenizer.json`.
    pub tokenizer_json: std::borrow::Cow<'static, [u8]>,
}

impl Checkpoint {
    /// Returns the sizes that bound token ids, token types and the length of a pair.
    pub fn limits(&self) -> ModelLimits {
        let limits = ModelLimits::from(&self.config);
        // A module's own length counts for a model without a table of positions.
        let has_table = self.config.position_table.is_some() || self.config.decoder.is_some();
        if has_table || !self.tokenizer_config.overrides_max_positions {
            return limits;
        }
        ModelLimits { max_tokens: None, ..limits }
    }

    /// Reads and checks the files of a checkpoint.
    ///
    /// # Errors
    /// `config` or `tokenizer` for a file that is missing or malformed, `unsupported` for one that is
    /// well formed and asks for what Ranklet does not do.
    pub fn read(mut files: ModelFiles) -> Result<Self> {
        for file in &layout().files {
            if files.get(&file.name).is_some() {
                file.check_not_refused()?;
            }
        }
        let config_json = Object::parse(
            ErrorKind::Config,
            "config.json",
            files.get("config.json").ok_or_else(|| config("config.json is missing"))?,
        )?;
        let mut config = ModelConfig::read(&config_json)?;
        let cross_encoder = CrossEncoderFiles::read(&files)?;
        let tokenizer_fields = tokenizer::parse_config(&files)?;
        let prompt = sbert::read_prompt(cross_encoder.config.as_ref())?;
        let chain = match config.decoder {
            Some(_) => None,
            None => {
                ModuleChain::read(&files, &cross_encoder, &tokenizer_fields, config.hidden_size, &prompt)?
            }
        };
        #[cfg(feature = "decoder")]
        let prompt_config = match &config.decoder {
            Some(decoder) => Some(PromptConfig::read(
                &files,
                &cross_encoder,
                &tokenizer_fields,
                decoder.logit_head,
                config.vocab_size,
            )?),
            None => None,
        };
        if let Some(chain) = &chain {
            config.pooling = chain.pooling;
            config.num_labels = chain.num_labels;
        }
        let activation =
            ScoreActivation::resolve(cross_encoder.config.as_ref(), &config_json, config.num_labels)?;
        let mut tokenizer_config =
            TokenizerConfig::from_parsed(&files, tokenizer_fields, &config_json, &cross_encoder)?;
        tokenizer_config.uses_token_types &= config.reads_token_types;
        let tokenizer_json =
            files.take("tokenizer.json").ok_or_else(|| error::tokenizer("tokenizer.json is missing"))?;
        Ok(Self {
            config,
            chain,
            activation,
            tokenizer_config,
            prompt,
            #[cfg(feature = "decoder")]
            prompt_config,
            tokenizer_json,
        })
    }
}
