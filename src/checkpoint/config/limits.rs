//! What a model can read.

use super::ModelConfig;

/// The sizes of a model that bound its token ids, its token types and the length of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelLimits {
    /// Rows of the word embedding table.
    pub vocab_size: usize,
    /// The longest sequence in tokens, special ones included; `None` where positions set no limit.
    pub max_tokens: Option<usize>,
    /// Rows of the token type table.
    pub token_types: usize,
}

impl From<&ModelConfig> for ModelLimits {
    fn from(config: &ModelConfig) -> Self {
        Self {
            vocab_size: config.vocab_size,
            max_tokens: Some(config.max_tokens()),
            token_types: config.type_vocab_size,
        }
    }
}
