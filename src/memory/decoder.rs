//! The memory of a decoder, which candle runs: every weight in f32, and one pair at a time.

use super::{PIECE, PeakTracker};
use crate::checkpoint::{Decoder, ModelConfig};

/// What decides how much memory a decoder takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecoderMemoryEstimate<'a> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) decoder: &'a Decoder,
    /// Numbers in the head.
    pub(crate) head_parameters: usize,
    /// Bytes of `tokenizer.json`, and of what was made of it.
    pub(crate) tokenizer: [usize; 2],
    /// Bytes of the weights files, together.
    pub(crate) weights: u64,
    /// Longest pair in tokens.
    pub(crate) max_length: usize,
}

impl DecoderMemoryEstimate<'_> {
    /// The most bytes that are held at a time, from the first file to the longest pair.
    pub(crate) fn peak(&self) -> u64 {
        let mut tracker = PeakTracker::with_tokenizer(self.tokenizer);
        tracker.transient(self.weights + PIECE);
        let numbers = self.decoder.parameters(self.config) + self.head_parameters as u64;
        // Tensors are widened one by one; the table of embeddings is the largest, and one of the first.
        let words = (self.config.vocab_size * self.config.hidden_size) as u64;
        tracker.transient(self.weights + 4 * words);
        tracker.alloc(4 * numbers + self.rotary_bytes());
        tracker.transient(self.run_bytes());
        tracker.peak
    }

    /// Sines and cosines of every position, and the angles that they are made of.
    fn rotary_bytes(&self) -> u64 {
        3 * 4 * (self.max_length * self.decoder.head_dim / 2) as u64
    }

    /// Keys and values of all layers are kept, with what one layer holds of rows: those it began with, queries, keys and
    /// values in two orders, and what attention gives; or both halves of the feed-forward block and their product.
    fn run_bytes(&self) -> u64 {
        let keys = self.decoder.key_value_heads * self.decoder.head_dim;
        let queries = self.config.num_attention_heads * self.decoder.head_dim;
        let attention = 3 * queries + 4 * keys;
        let feed_forward = 3 * self.config.intermediate_size;
        let layer = 2 * self.config.hidden_size + attention.max(feed_forward);
        4 * (self.max_length * (2 * keys * self.config.num_hidden_layers + layer)) as u64
    }
}
