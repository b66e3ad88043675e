//! Runs decoders with candle's operations, in f32 on the CPU.
//!
//! A decoder has no [`Plan`](crate::model::Plan): causal masks, grouped keys and norms within heads occur in no encoder,
//! and models of this size run natively only. The result is the same as that of a Plan: one row per pair.

mod network;

use std::num::NonZeroUsize;

use rayon::{ThreadPool, ThreadPoolBuilder};

use super::candle::candle_error;
use crate::checkpoint::{Decoder, ModelConfig, Weights};
use crate::error::{Result, internal};
use crate::text::Batch;
use network::Network;

/// Preferred tokens in a micro-batch. Pairs run one by one, so a larger batch would only delay progress and abort.
pub(super) const BATCH_TOKENS: usize = 256;

/// A decoder with its weights.
#[derive(Debug)]
pub(crate) struct DecoderEngine {
    network: Network,
    /// The threads to compute with, if the caller has chosen their number. Otherwise candle chooses.
    threads: Option<ThreadPool>,
}

impl DecoderEngine {
    /// Loads a decoder for pairs of at most `max_length` tokens. Tensors are converted to f32 one by one.
    pub(crate) fn prepare(
        config: &ModelConfig,
        decoder: &Decoder,
        weights: Weights,
        max_length: usize,
        threads: Option<NonZeroUsize>,
    ) -> Result<Self> {
        let pool = |count: NonZeroUsize| ThreadPoolBuilder::new().num_threads(count.get()).build();
        let threads = threads.map(pool).transpose();
        let threads = threads
            .map_err(|error| internal(format!("no threads for the decoder: {error}")).with_source(error))?;
        Ok(Self { network: Network::load(config, decoder, weights, max_length)?, threads })
    }

    /// Returns the last token's row of each pair after the final norm, `[pairs, hidden_size]`.
    pub(super) fn run(&self, batch: &Batch) -> Result<Vec<f32>> {
        let run = || {
            let rows = batch.ranges().map(|range| self.network.last_row(&batch.input_ids[range]));
            rows.collect::<candle_core::Result<Vec<_>>>()
        };
        let rows = match &self.threads {
            Some(threads) => threads.install(run),
            None => run(),
        };
        Ok(rows.map_err(candle_error)?.concat())
    }
}
