//! What a model can read.

/// The sizes of a model that bound its token ids, its token types and the length of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Rows of the word embedding table.
    pub vocab_size: usize,
    /// The longest sequence in tokens, special ones included; `None` where positions set no limit.
    pub max_tokens: Option<usize>,
    /// Rows of the token type table.
    pub token_types: usize,
}
