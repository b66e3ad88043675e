//! Pairs of texts become packed batches of tokens, without padding.

mod batch;
mod chunks;
mod error;
mod hf;
mod pair_template;
mod pair_tokenizer;
#[cfg(feature = "decoder")]
mod prompt;
mod truncation;

pub use batch::Batch;
pub use chunks::{Chunks, OffsetUnit, Span};
pub use pair_tokenizer::{EncodedDocument, EncodedText, PairTokenizer};
#[cfg(feature = "decoder")]
pub use prompt::Prompt;
