//! The files that accompany `tokenizer.json`: tokenizer class, options, special tokens and chat template.

mod chat_template;
#[cfg(feature = "decoder")]
mod prompt_config;
mod tokenizer_class;
mod tokenizer_config;
mod vocab_files;

pub(super) use chat_template::reject as reject_chat_template;
#[cfg(feature = "decoder")]
pub(crate) use prompt_config::{LabelTokens, PromptConfig, PromptForm};
pub use tokenizer_class::TokenizerClass;
pub use tokenizer_config::TokenizerConfig;
pub(super) use tokenizer_config::parse_config;
pub(crate) use tokenizer_config::{AddedToken, SpecialToken, TokenizerOptions, TruncationSide};
