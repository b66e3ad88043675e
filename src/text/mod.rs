//! Pairs of texts become packed batches of tokens, without padding.

mod added_tokens;
#[cfg(feature = "decoder")]
mod asked;
mod batch;
mod charsmap;
mod chunks;
mod classes;
mod components;
#[cfg(feature = "decoder")]
mod jinja;
mod limits;
mod model;
#[cfg(feature = "decoder")]
mod prompt;
mod template;
mod tokenizer;
mod tokenizer_json;
mod truncation;
mod unigram;

pub use batch::Batch;
pub use chunks::{Chunks, OffsetUnit, Span};
pub use limits::Limits;
#[cfg(feature = "decoder")]
pub use prompt::Prompt;
pub use tokenizer::{EncodedDocument, EncodedText, PairTokenizer};
