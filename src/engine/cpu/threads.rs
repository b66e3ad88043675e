//! Runs the shards of a batch on several threads. Pairs are independent, so threads share nothing but a counter.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;

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
    let rows = |shard: &Range<usize>| engine.run_on_this_thread(&batch.slice(shard.clone()));
    Ok(map(&shards, engine.threads, Builder::new, rows)?.concat())
}

/// Maps items on this thread and on others, at most `threads` in all: fewer if the system refuses one. Returns the results
/// in order. After an error, no thread takes another item.
fn map<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    builder: fn() -> Builder,
    compute: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<Vec<(usize, R)>> {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return Ok(done) };
            let result = compute(item).inspect_err(|_| next.store(items.len(), Ordering::Relaxed))?;
            done.push((index, result));
        }
    };
    let mut results = std::thread::scope(|scope| {
        let spawn = |_| builder().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..threads.min(items.len())).map_while(spawn).collect();
        let mut results = work()?;
        for other in others {
            results.extend(other.join().map_err(|_| internal("a thread of the CPU engine panicked"))??);
        }
        Result::Ok(results)
    })?;
    results.sort_unstable_by_key(|(index, _)| *index);
    Ok(results.into_iter().map(|(_, result)| result).collect())
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
    fn results_are_in_order() {
        for threads in [1, 3, 1000] {
            let doubled = map(&[1, 2, 3, 4, 5], threads, Builder::new, |number| Ok(2 * number)).unwrap();
            assert_eq!(doubled, [2, 4, 6, 8, 10], "{threads} threads");
        }
    }

    #[test]
    fn the_work_goes_on_without_threads_that_the_system_refuses() {
        let huge = || Builder::new().stack_size(1 << 60);
        assert!(huge().spawn(|| ()).is_err());
        assert_eq!(map(&[1, 2, 3], 3, huge, |number| Ok(*number)).unwrap(), [1, 2, 3]);
    }

    #[test]
    fn after_an_error_no_thread_takes_another_item() {
        let computed = AtomicUsize::new(0);
        let compute = |item: &usize| {
            computed.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(std::time::Duration::from_millis(1));
            if *item == 0 { Err(internal("the first item")) } else { Ok(()) }
        };
        let items: Vec<usize> = (0..2000).collect();
        assert!(map(&items, 4, Builder::new, compute).unwrap_err().context().contains("the first item"));
        let computed = computed.into_inner();
        assert!(computed < items.len() / 2, "{computed} items");
    }

    #[test]
    fn a_slice_of_a_batch_is_a_batch() {
        let whole = batch(&[2, 3, 4]);
        assert_eq!(whole.slice(1..3), batch(&[3, 4]));
        assert_eq!(whole.slice(0..3), whole);
    }
}
