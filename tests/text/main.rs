//! Texts to token ids: parity with transformers, long texts, hostile tokenizer files.

#[path = "../common/mod.rs"]
mod common;

mod hostile_tokenizers;
mod long_texts;
mod token_ids;
mod tokenizers;
