//! Pairs of texts become packed batches of tokens, without padding.

mod added_tokens;
mod batch;
mod bert;
mod template;
mod tokenizer;
mod tokenizer_json;
mod truncation;

pub use batch::Batch;
pub use tokenizer::{PairTokenizer, Text};
