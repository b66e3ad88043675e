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
pub(crate) use chunks::Chunks;
pub use chunks::{OffsetUnit, Span};
pub use pair_tokenizer::PairTokenizer;
pub(crate) use pair_tokenizer::{EncodedDocument, EncodedText};
