//! Reads checkpoints: turns untrusted files into checked facts about the model, its tokenizer, its weights and the
//! meaning of its scores.
//!
//! Nothing here computes a score. Everything that leaves this module has been checked: sizes are bounded and
//! consistent, every tensor lies within its file, and every number that is used is finite.

mod calibration;
mod config;
mod file_content;
mod json;
mod model_files;
#[cfg(not(target_arch = "wasm32"))]
mod model_folder;
mod model_layout;
mod other_formats;
mod purpose;
#[cfg(not(target_arch = "wasm32"))]
mod ranklet_field;
mod sbert;
mod tokenizer;
mod wanted_files;
mod weights;
mod weights_choice;

pub use calibration::Calibration;
pub use config::ModelLimits;
pub(crate) use config::{
    Activation, AttentionPositions, ConvolutionConfig, Decoder, Family, LogitHead, ModelConfig, Numbering,
    Pooling, RelativePositions, Rotary, SharedLayers,
};
pub use model_files::ModelFiles;
#[cfg(not(target_arch = "wasm32"))]
pub use model_folder::model_folder;
pub(crate) use purpose::Purpose;
pub use sbert::ScoreActivation;
pub(crate) use sbert::{ModelActivation, Module, ModuleChain, ScoreFunction};
pub(crate) use tokenizer::{AddedToken, SpecialToken, TokenizerOptions, TruncationSide};
#[cfg(feature = "decoder")]
pub(crate) use tokenizer::{LabelTokens, PromptConfig, PromptForm};
pub use tokenizer::{TokenizerClass, TokenizerConfig};
#[cfg(feature = "candle")]
pub(crate) use weights::{BLOCK, Writer, block_scales};
pub(crate) use weights::{ExpectedRole, ExpectedTensor, ExpectedTensors, normalized_table};
pub use weights::{Format, Weights, WeightsReader};
pub(crate) use weights::{Golden, GoldenPair, Tensor};
pub(crate) use weights::{Index, MAX_PIECE_BYTES, Q7_OFFSET, QuantGrid, WeightsSource};

use crate::error::{ErrorKind, Result, config};
use config::is_classifier;
use file_content::check_content;
use json::Object;
use model_layout::layout;
use sbert::CrossEncoderFiles;

/// A checkpoint without its weights, which are large and are read separately.
///
/// Each file has been checked by itself. `model` checks that configuration and weights fit each other:
/// every required tensor exists and has the right shape.
#[derive(Debug)]
pub struct Checkpoint {
    /// `config.json`.
    pub config: ModelConfig,
    /// The modules after the encoder, if `modules.json` lists any.
    pub chain: Option<ModuleChain>,
    /// The function that turns logits into scores, unless the caller chooses another.
    pub(crate) activation: ModelActivation,
    /// The settings of the tokenizer, from `tokenizer_config.json` and the files that go with it.
    pub tokenizer_config: TokenizerConfig,
    /// The text before every query. For a decoder it is the default instruction, which a call can replace.
    pub prompt: String,
    /// How a decoder is prompted.
    #[cfg(feature = "decoder")]
    pub prompt_config: Option<PromptConfig>,
    /// The bytes of `tokenizer.json`, or of one that was made from vocabulary files.
    pub tokenizer_json: std::borrow::Cow<'static, [u8]>,
}

impl Checkpoint {
    /// Reads and checks the files of a checkpoint.
    ///
    /// # Errors
    /// `config` or `tokenizer` for a missing or malformed file; `unsupported` for a valid file that needs a feature
    /// Ranklet does not have.
    pub fn read(mut files: ModelFiles) -> Result<Self> {
        for (name, bytes) in files.iter() {
            check_content(name, bytes)?;
        }
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
        let cross_encoder = CrossEncoderFiles::read(&files)?;
        let purpose = Purpose::read(&files, &config_json, cross_encoder.modules.is_some())?;
        let mut config = ModelConfig::read(&config_json).map_err(|error| purpose.explain(error))?;
        let has_head = config_json.contains("architectures") || cross_encoder.modules.is_some();
        purpose.check_decoder(&config, has_head)?;
        config.purpose = purpose;
        let tokenizer_fields = tokenizer::parse_config(&files)?;
        let prompt = sbert::read_prompt(cross_encoder.config.as_ref())?;
        let chain = match config.decoder {
            Some(_) => None,
            None if cross_encoder.modules.is_none() => {
                tokenizer::reject_chat_template(&files, &tokenizer_fields)?;
                None
            }
            None => ModuleChain::read(&files, &cross_encoder, config.hidden_size)?,
        };
        #[cfg(feature = "decoder")]
        let prompt_config = match &config.decoder {
            Some(decoder) => Some(PromptConfig::read(
                &files,
                &cross_encoder,
                &tokenizer_fields,
                (decoder.logit_head, &config),
                config::is_zerank(&config_json)?,
            )?),
            None => None,
        };
        if let Some(chain) = &chain {
            config.poolings.clone_from(&chain.poolings);
            config.head_before_pooling = false;
            config.num_labels = chain.num_labels;
        }
        let mut activation =
            ScoreActivation::resolve(cross_encoder.config.as_ref(), &config_json, config.num_labels)?;
        activation.calibration = Calibration::read(&config_json, config.num_labels)?;
        #[cfg(feature = "decoder")]
        if let Some(PromptConfig { form: PromptForm::Zerank, .. }) = &prompt_config {
            activation.replace(ScoreActivation::Sigmoid);
        }
        let mut tokenizer_config =
            TokenizerConfig::from_parsed(&files, tokenizer_fields, &config_json, &cross_encoder)?;
        tokenizer_config.uses_token_types &= config.reads_token_types;
        let tokenizer_json = tokenizer_config.take_tokenizer_json(&mut files)?;
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
