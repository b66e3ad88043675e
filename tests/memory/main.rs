//! Peak memory of loading and scoring, counted by the allocator. There is one test, because allocations of other
//! threads would count too.
#![expect(unsafe_code, reason = "an allocator that counts bytes")]

#[path = "../common/random.rs"]
mod random;

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ranklet::{Dtype, ModelFiles, ModelSource, Options, Reranker, Scores};

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which counts allocated bytes and their peak.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn add(bytes: usize) {
    MOST.fetch_max(HELD.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// SAFETY: every call is forwarded to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    /// Counts both blocks, because the old one may exist until the new one is written.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs `work` and returns its result, its peak bytes, and the bytes still allocated after it.
fn measured<T>(work: impl FnOnce() -> T) -> (T, usize, usize) {
    let before = HELD.load(Relaxed);
    MOST.store(before, Relaxed);
    let result = work();
    (result, MOST.load(Relaxed) - before, HELD.load(Relaxed) - before)
}

fn load(source: ModelSource, dtype: Dtype) -> Reranker {
    Reranker::load_blocking(source, Options { dtype, ..Options::default() }).unwrap()
}

fn megabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}

/// Checks that ten thousand calls with tiny documents leak nothing, and that one call with ten thousand documents
/// allocates little more than its scores and texts.
fn assert_steady(reranker: &Reranker) {
    let pair = [("a", "b")];
    reranker.score_blocking(&pair, Scores::Raw).unwrap();
    let (_, _, left) = measured(|| {
        for _ in 0..10_000 {
            reranker.score_blocking(&pair, Scores::Raw).unwrap();
        }
    });
    assert_eq!(left as isize, 0, "bytes that ten thousand calls leak");
    let (few, many) = (vec![("a", "b"); 2_000], vec![("a", "b"); 10_000]);
    reranker.score_blocking(&many, Scores::Raw).unwrap();
    let (_, most_few, _) = measured(|| reranker.score_blocking(&few, Scores::Raw).unwrap());
    let (_, most_many, _) = measured(|| reranker.score_blocking(&many, Scores::Raw).unwrap());
    let each = (most_many as f64 - most_few as f64) / 8_000.0;
    println!("{each:.0} bytes per further document");
    // A score, and the two strings of the pair in the list of pairs.
    assert!(each < 100.0, "{each} bytes a document");
}

#[test]
fn loading_takes_little_more_than_the_weights_and_calls_leak_nothing() {
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bert-gelu-h36");
    assert_steady(&load(ModelSource::Directory(tiny), Dtype::Auto));

    // A q8 file: each tensor is allocated once, and those of one layer a second time while they are packed.
    let weights = ModelFiles::embedded().get("model.safetensors").unwrap().len();
    let (reranker, peak, remaining) = measured(|| load(ModelSource::Embedded, Dtype::Auto));
    let pairs = vec![("query ".repeat(10), "document ".repeat(500)); 8];
    let (_, arena, _) = measured(|| reranker.score_blocking(&pairs, Scores::Raw).unwrap());
    println!(
        "q8: {:.1} MB of weights, {:.1} peak of loading, {:.1} afterwards, {:.1} for a call",
        megabytes(weights),
        megabytes(peak),
        megabytes(remaining),
        megabytes(arena)
    );
    assert!(peak <= weights * 16 / 10 + arena, "{peak} bytes for {weights} of weights");
    drop(reranker);

    // An f32 file loaded as q8: only one row at a time is f32.
    let folder = tempfile::tempdir().unwrap();
    let (largest, as_q8) = random::write_checkpoint(folder.path(), 4, 256);
    let file = std::fs::metadata(folder.path().join("model.safetensors")).unwrap().len() as usize;
    let (reranker, peak, remaining) =
        measured(|| load(ModelSource::Directory(folder.path().into()), Dtype::Q8));
    println!(
        "f32 as q8: a file of {:.1} MB, {:.1} as q8, its largest tensor {:.1}, {:.1} peak of loading, {:.1} afterwards",
        megabytes(file),
        megabytes(as_q8),
        megabytes(largest),
        megabytes(peak),
        megabytes(remaining)
    );
    assert_eq!(reranker.info().backend.dtype, Dtype::Q8);
    assert!(
        peak < largest,
        "{peak} bytes for {as_q8} of weights in q8, as if the whole table of {largest} bytes were in memory"
    );
}
