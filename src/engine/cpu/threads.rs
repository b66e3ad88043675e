//! Runs the shards of a batch on several threads. Pairs are independent, so threads share nothing but a counter.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{BATCH_TOKENS, CpuEngine};
use crate::error::{Result, internal};
use crate::text::Batch;

/// Minimum number of tokens in a shard.
const MIN_TOKENS: usize = 128;

/// Runs a batch on the engine's threads and returns the pooled rows, `[pairs, pooled_size]`.
pub(super) fn run(engine: &CpuEngine, batch: &Batch) -> Result<Vec<f32>> {
    // More shards than threads, so that a thread that finishes early takes another.
    let tokens = (batch.tokens() / (2 * engine.threads)).clamp(MIN_TOKENS, BATCH_TOKENS);
    let shards = shards(batch, tokens);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut done = Vec::new();
        while let Some(shard) = shards.get(next.fetch_add(1, Ordering::Relaxed)) {
            done.push((shard.start, engine.run_on_this_thread(&batch.slice(shard.clone()))?));
        }
        Ok(done)
    };
    let mut parts = std::thread::scope(|scope| {
        let others: Vec<_> = (1..engine.threads.min(shards.len())).map(|_| scope.spawn(work)).collect();
        let mut parts: Vec<(usize, Vec<f32>)> = work()?;
        for other in others {
            parts.extend(other.join().map_err(|_| internal("a thread of the CPU engine panicked"))??);
        }
        Ok(parts)
    })?;
    parts.sort_unstable_by_key(|(first, _)| *first);
    Ok(parts.into_iter().flat_map(|(_, rows)| rows).collect())
}

/// Splits a batch into ranges of pairs, each of at least `tokens` tokens except the last.
fn shards(batch: &Batch, tokens: usize) -> Vec<Range<usize>> {
    let mut shards = Vec::new();
    let (mut first, mut count) = (0, 0);
    for (pair, rows) in batch.ranges().enumerate() {
        count += rows.len();
        if count >= tokens || pair + 1 == batch.pairs() {
            shards.push(first..pair + 1);
            (first, count) = (pair + 1, 0);
        }
    }
    shards
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(lengths: &[usize]) -> Batch {
        let mut batch = Batch::default();
        for &length in lengths {
            batch.input_ids.extend((0..length).map(|id| id as u32));
            batch.token_type_ids.extend(vec![0; length]);
            batch.cu_seqlens.push(batch.input_ids.len());
        }
        batch
    }

    #[test]
    fn shards_hold_every_pair_once_in_order() {
        let batch = batch(&[5, 1, 9, 3, 3, 3, 20]);
        let ends = |tokens| {
            shards(&batch, tokens).into_iter().map(|pairs| (pairs.start, pairs.end)).collect::<Vec<_>>()
        };
        assert_eq!(ends(6), [(0, 2), (2, 3), (3, 5), (5, 7)]);
        assert_eq!(ends(1000), [(0, 7)]);
        assert!(shards(&Batch::default(), 6).is_empty());
    }

    #[test]
    fn a_slice_of_a_batch_is_a_batch() {
        let whole = batch(&[2, 3, 4]);
        assert_eq!(whole.slice(1..3), batch(&[3, 4]));
        assert_eq!(whole.slice(0..3), whole);
    }
}
