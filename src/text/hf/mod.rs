//! HF's tokenizers: a checked `tokenizer.json` becomes a tokenizer of the `tokenizers` library.

pub(super) mod added_tokens;
mod charsmap;
pub(super) mod classes;
mod components;
mod model;
mod tokenizer_json;
mod unigram;

pub(super) use model::Pipeline;
pub(super) use tokenizer_json::TokenizerJson;
