//! Estimates the peak memory of a decoder, which candle runs: all weights are f32, and it scores one pair at a time.

use super::PeakTracker;
use crate::checkpoint::{Decoder, MAX_PIECE_BYTES, ModelConfig};

/// The properties of a decoder that decide how much memory it takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecoderMemoryEstimate<'a> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) decoder: &'a Decoder,
    /// Number of parameters of the head.
    pub(crate) head_parameters: u64,
    /// Bytes of `tokenizer.json`, and of the tables made from it.
    pub(crate) tokenizer: [usize; 2],
    /// Total bytes of the weights files.
    pub(crate) weights: u64,
    /// Maximum tokens of a pair.
    pub(crate) max_length: usize,
}

impl DecoderMemoryEstimate<'_> {
    /// Returns the peak in bytes, from the first file to the longest pair.
    pub(crate) fn peak(&self) -> u64 {
        let mut tracker = PeakTracker::with_tokenizer(self.tokenizer);
        tracker.transient(self.weights + MAX_PIECE_BYTES);
        let parameters = self.decoder.parameters(self.config) + self.head_parameters;
        // Tensors are converted to f32 one by one; the embedding table is the largest, and one of the first.
        let words = self.config.vocab_size as u64 * self.config.hidden_size as u64;
        tracker.transient(self.weights + 4 * words);
        tracker.alloc(4 * parameters + self.rotary_bytes());
        tracker.transient(self.run_bytes());
        tracker.peak
    }

    /// Returns the bytes of the sines and cosines of all positions, and of the angles that they are computed from.
    fn rotary_bytes(&self) -> u64 {
        3 * 4 * (self.max_length * self.decoder.head_dim / 2) as u64
    }

    /// Returns the bytes that a run allocates, for one layer at a time: its keys and values, the mask of a window, and its
    /// rows. These are its input twice, and either queries, keys and values in two orders with the output of attention,
    /// or both halves of the feed-forward block and their product.
    fn run_bytes(&self) -> u64 {
        let keys = self.decoder.key_value_heads * self.decoder.head_dim;
        let queries = self.config.num_attention_heads * self.decoder.head_dim;
        let attention = 3 * queries + 4 * keys;
        let feed_forward = 3 * self.config.intermediate_size;
        let layer = 2 * self.config.hidden_size + attention.max(feed_forward);
        let has_mask = self.decoder.windows.iter().flatten().any(|window| *window < self.max_length);
        let mask = if has_mask { self.max_length } else { 0 };
        4 * (self.max_length * (2 * keys + layer + mask)) as u64
    }
}
