//! What sentence-transformers adds to a model: its modules, the activation of scores, prompts.

mod cross_encoder_files;
mod module_chain;
mod prompt;
mod transformer_config;

pub(super) use cross_encoder_files::SentenceTransformers;
#[cfg(any(not(target_arch = "wasm32"), test))]
pub(super) use module_chain::entries;
pub(super) use module_chain::{Entry, listed_modules};
#[cfg(feature = "decoder")]
pub(super) use module_chain::{Folder, behind_transformer, not_read};
pub use module_chain::{Module, ModuleChain};
pub(super) use prompt::read as read_prompt;
pub(super) use transformer_config::Transformer;
#[cfg(feature = "decoder")]
pub(super) use transformer_config::{TO_SCORES, TO_WORDS};
