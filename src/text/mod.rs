//! Pairs of texts become packed batches of tokens, without padding.

mod added_tokens;
mod batch;
mod charsmap;
mod chunks;
mod classes;
mod components;
mod limits;
mod model;
mod template;
mod tokenizer;
mod tokenizer_json;
mod truncation;
mod unigram;

pub use batch::Batch;
pub use chunks::{Chunks, Span, Unit};
pub use limits::Limits;
pub use tokenizer::{Document, PairTokenizer, Text};
