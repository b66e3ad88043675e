//! Limits on the input of a model.

use super::ModelConfig;
use crate::checkpoint::Checkpoint;

/// The limits that a model sets for token ids, token types and the length of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelLimits {
    /// Rows of the word embedding table.
    pub vocab_size: usize,
    /// Length of the longest sequence in tokens, with special tokens; `None` if positions set no limit.
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

impl Checkpoint {
    /// Returns the limits of the model. A length in sentence-transformers' files replaces the number of positions,
    /// unless positions are learned or the model is a decoder.
    pub fn limits(&self) -> ModelLimits {
        let unbounded = self.config.position_table.is_none() && self.config.decoder.is_none();
        let max_tokens = if self.tokenizer_config.overrides_max_positions && unbounded {
            None
        } else {
            Some(self.config.max_tokens())
        };
        ModelLimits { max_tokens, ..ModelLimits::from(&self.config) }
    }
}
