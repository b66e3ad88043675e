//! Turns pairs of texts into packed batches of tokens, without padding.

mod batch;
mod chunks;
mod encoded_text;
mod error;
mod hf;
mod pair_content;
mod pair_format;
mod pair_template;
mod pair_tokenizer;
mod pair_tokens;
#[cfg(feature = "decoder")]
mod prompt;
mod segments;
mod text_encoder;
mod truncation;
mod variants;

pub use batch::Batch;
pub(crate) use chunks::{Chunks, OffsetCursor};
pub use chunks::{OffsetUnit, Span};
pub(crate) use encoded_text::{EncodedDocument, EncodedText};
pub(crate) use pair_content::{PairContent, PairTextParts, PairToken, VariantContent};
pub use pair_tokenizer::PairTokenizer;
pub(crate) use pair_tokens::{PairChunk, PairTokens, TextTokens};
pub(crate) use segments::{sentences, words};
pub use variants::PairVariants;
