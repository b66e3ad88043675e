//! What loading takes at most, counted by the allocator. One test, for what other threads allocate would count too.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ranklet::{Dtype, ModelFiles, ModelSource, Options, Reranker, Scores};
use safetensors::tensor::{Dtype as Element, TensorView};
use serde_json::json;

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counting what is held and the most that ever was.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn add(bytes: usize) {
    MOST.fetch_max(HELD.fetch_add(bytes, Relaxed) + bytes, Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came.
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

    /// Counts both, for the old bytes may stay until the new ones are written.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size);
        HELD.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What `work` gives, the most bytes it had at a time, and those that it leaves behind.
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

/// A checkpoint of random f32 weights with the tokenizer of the embedded model. Returns the bytes of the largest tensor
/// and of what its weights are in q8.
fn write_checkpoint(folder: &Path) -> (usize, usize) {
    const LAYERS: usize = 4;
    const HIDDEN: usize = 256;
    let embedded = ModelFiles::embedded();
    let mut config: serde_json::Value = serde_json::from_slice(embedded.get("config.json").unwrap()).unwrap();
    let vocabulary = config["vocab_size"].as_u64().unwrap() as usize;
    for (name, value) in [
        ("hidden_size", HIDDEN),
        ("num_hidden_layers", LAYERS),
        ("num_attention_heads", 4),
        ("intermediate_size", 4 * HIDDEN),
    ] {
        config[name] = json!(value);
    }
    let mut shapes = vec![
        ("bert.embeddings.word_embeddings.weight".to_owned(), vec![vocabulary, HIDDEN]),
        ("bert.embeddings.position_embeddings.weight".to_owned(), vec![512, HIDDEN]),
        ("bert.embeddings.token_type_embeddings.weight".to_owned(), vec![2, HIDDEN]),
    ];
    let mut norms = vec!["bert.embeddings.LayerNorm".to_owned()];
    let mut linears =
        vec![("bert.pooler.dense".to_owned(), HIDDEN, HIDDEN), ("classifier".to_owned(), 1, HIDDEN)];
    for layer in 0..LAYERS {
        let name = |part: &str| format!("bert.encoder.layer.{layer}.{part}");
        for part in ["self.query", "self.key", "self.value", "output.dense"] {
            linears.push((name(&format!("attention.{part}")), HIDDEN, HIDDEN));
        }
        linears.push((name("intermediate.dense"), 4 * HIDDEN, HIDDEN));
        linears.push((name("output.dense"), HIDDEN, 4 * HIDDEN));
        norms.extend([name("attention.output.LayerNorm"), name("output.LayerNorm")]);
    }
    for (name, rows, columns) in linears {
        shapes
            .extend([(format!("{name}.weight"), vec![rows, columns]), (format!("{name}.bias"), vec![rows])]);
    }
    for name in norms {
        shapes.extend([(format!("{name}.weight"), vec![HIDDEN]), (format!("{name}.bias"), vec![HIDDEN])]);
    }
    let largest = shapes.iter().map(|(_, shape)| 4 * shape.iter().product::<usize>()).max().unwrap();
    let as_q8 = shapes.iter().map(|(_, shape)| q8_bytes(shape)).sum();
    let data: Vec<Vec<u8>> = shapes.iter().map(|(_, shape)| random(shape.iter().product())).collect();
    let views = shapes.iter().zip(&data).map(|((name, shape), data)| {
        (name.as_str(), TensorView::new(Element::F32, shape.clone(), data).unwrap())
    });
    safetensors::serialize_to_file(views.collect::<HashMap<_, _>>(), None, &folder.join("model.safetensors"))
        .unwrap();
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    for name in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::write(folder.join(name), embedded.get(name).unwrap()).unwrap();
    }
    (largest, as_q8)
}

/// A byte a number and a scale a row for matrices and tables, f32 for vectors.
fn q8_bytes(shape: &[usize]) -> usize {
    match shape {
        [rows, columns] => rows * columns + 4 * rows,
        _ => 4 * shape.iter().product::<usize>(),
    }
}

/// Numbers between -0.1 and 0.1, the same everywhere.
fn random(count: usize) -> Vec<u8> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 * 0.1 - 0.1
    };
    (0..count).flat_map(|_| next().to_le_bytes()).collect()
}

/// Ten thousand calls of tiny documents, and one of ten thousand documents: what they leave behind, and what the large one
/// takes beside its scores and texts.
fn assert_steady(reranker: &Reranker) {
    let pair = [("a", "b")];
    reranker.score_blocking(&pair, Scores::Raw).unwrap();
    let (_, _, left) = measured(|| {
        for _ in 0..10_000 {
            reranker.score_blocking(&pair, Scores::Raw).unwrap();
        }
    });
    assert_eq!(left as isize, 0, "bytes that ten thousand calls leave behind");
    let (few, many) = (vec![("a", "b"); 2_000], vec![("a", "b"); 10_000]);
    reranker.score_blocking(&many, Scores::Raw).unwrap();
    let (_, most_few, _) = measured(|| reranker.score_blocking(&few, Scores::Raw).unwrap());
    let (_, most_many, _) = measured(|| reranker.score_blocking(&many, Scores::Raw).unwrap());
    let each = (most_many as f64 - most_few as f64) / 8_000.0;
    println!("{each:.0} bytes more for each further document");
    // A score, and the pair's two strings in the list of pairs.
    assert!(each < 100.0, "{each} bytes a document");
}

#[test]
fn loading_takes_little_more_than_the_weights_and_calls_leave_nothing() {
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bert-gelu-h36");
    assert_steady(&load(ModelSource::Directory(tiny), Dtype::Auto));

    // A q8 file: its tensors are there once, and those of one layer a second time while they are packed.
    let weights = ModelFiles::embedded().get("model.safetensors").unwrap().len();
    let (reranker, most, kept) = measured(|| load(ModelSource::Embedded, Dtype::Auto));
    let pairs = vec![("query ".repeat(10), "document ".repeat(500)); 8];
    let (_, arena, _) = measured(|| reranker.score_blocking(&pairs, Scores::Raw).unwrap());
    println!(
        "q8: {:.1} MB of weights, {:.1} at most while loading, {:.1} afterwards, {:.1} for a call",
        megabytes(weights),
        megabytes(most),
        megabytes(kept),
        megabytes(arena)
    );
    assert!(most <= weights * 16 / 10 + arena, "{most} bytes for {weights} of weights");
    drop(reranker);

    // An f32 file as q8: one tensor at a time is f32.
    let folder = tempfile::tempdir().unwrap();
    let (largest, as_q8) = write_checkpoint(folder.path());
    let file = std::fs::metadata(folder.path().join("model.safetensors")).unwrap().len() as usize;
    let (reranker, most, kept) = measured(|| load(ModelSource::Directory(folder.path().into()), Dtype::Q8));
    println!(
        "f32 as q8: a file of {:.1} MB, {:.1} as q8, its largest tensor {:.1}, {:.1} at most while loading, {:.1} afterwards",
        megabytes(file),
        megabytes(as_q8),
        megabytes(largest),
        megabytes(most),
        megabytes(kept)
    );
    assert_eq!(reranker.info().backend.dtype, Dtype::Q8);
    assert!(most <= as_q8 * 16 / 10 + largest, "{most} bytes for {as_q8} of weights in q8");
    assert!(most < file + as_q8);
}
