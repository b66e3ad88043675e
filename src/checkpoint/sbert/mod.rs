//! What sentence-transformers adds to a model: its modules, the activation of scores, prompts.

mod cross_encoder_files;
mod module_chain;
mod modules_json;
mod prompt;
mod score_activation;
mod transformer_config;

pub(super) use cross_encoder_files::SentenceTransformers;
pub use module_chain::{Module, ModuleChain};
#[cfg(any(not(target_arch = "wasm32"), test))]
pub(super) use modules_json::entries;
pub(super) use modules_json::{Entry, listed_modules};
#[cfg(feature = "decoder")]
pub(super) use modules_json::{Folder, behind_transformer, not_read};
pub(super) use prompt::read as read_prompt;
pub use score_activation::ScoreActivation;
pub(super) use transformer_config::Transformer;
#[cfg(feature = "decoder")]
pub(super) use transformer_config::{TO_SCORES, TO_WORDS};
