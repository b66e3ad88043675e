//! Files that sentence-transformers adds to a model: its modules, the activation for scores, and prompts.

mod cross_encoder_files;
mod module_chain;
mod modules_json;
mod prompt;
mod score_activation;
mod transformer_config;

pub(super) use cross_encoder_files::CrossEncoderFiles;
pub(crate) use module_chain::{Module, ModuleChain};
pub(super) use modules_json::listed_modules;
pub(super) use modules_json::parse_modules;
#[cfg(feature = "decoder")]
pub(super) use modules_json::{ModuleEntry, ModuleFolder, after_transformer, unsupported_module};
pub(super) use prompt::read as read_prompt;
pub use score_activation::ScoreActivation;
pub(crate) use score_activation::{ModelActivation, ScoreFunction};
pub(super) use transformer_config::TransformerConfig;
#[cfg(feature = "decoder")]
pub(super) use transformer_config::{SEQUENCE_CLASSIFICATION, TEXT_GENERATION};
