//! Bindings for JavaScript, which only convert types.
//!
//! They are internal to the package: the API is the TypeScript in `pkg/`.

mod error;
mod explain;
mod pipeline;

use std::borrow::Cow;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use js_sys::{Float32Array, Uint32Array};
use wasm_bindgen::prelude::*;

use self::error::JsResult;
use self::pipeline::LoaderKind;
use crate::checkpoint::{Checkpoint, Index, WeightsReader};
use crate::error::{ErrorKind, Result, device_lost, input, internal};
use crate::reranker::Loader;
use crate::{DocumentOptions, OffsetUnit, Pairs, PartialScores, Scores, ScoringRun, Span};

/// The small files of a checkpoint.
#[wasm_bindgen]
#[derive(Default)]
pub struct ModelFiles(crate::ModelFiles);

#[wasm_bindgen]
impl ModelFiles {
    /// Creates an empty set.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file.
    pub fn set(&mut self, name: String, bytes: Vec<u8>) {
        self.0.insert(name, bytes);
    }
}

/// Loads a model, piece by piece.
#[wasm_bindgen]
pub struct WasmLoader(LoaderKind);

#[wasm_bindgen]
impl WasmLoader {
    /// Begins with all files but the weights. `weights_bytes` is the total size of the weights files; `options` is
    /// [`Options`](crate::Options) as JSON. Without weights, the names of `files` and the model card among them tell which
    /// other format the model has.
    #[wasm_bindgen(constructor)]
    pub fn new(files: ModelFiles, weights_bytes: u64, options: &str) -> JsResult<WasmLoader> {
        let (checkpoint, index, options) = read_files(files, options, weights_bytes > 0)?;
        let loader = Loader::new(checkpoint, index, weights_bytes, options)?;
        Ok(Self(LoaderKind::Reranker(Box::new(loader))))
    }

    /// Begins with a weights file of `length` bytes.
    pub fn open(&mut self, name: &str, length: u64) -> JsResult<()> {
        match &mut self.0 {
            LoaderKind::Reranker(loader) => loader.expect_file(name)?,
            LoaderKind::Stage(loader) => loader.expect_file(name),
        }
        Ok(self.weights().open(name, length)?)
    }

    /// The range of bytes of the open file to push next, `[start, end]`; `undefined` at its end.
    pub fn wanted(&mut self) -> Option<Vec<f64>> {
        let range = self.weights().wanted()?;
        Some(vec![range.start as f64, range.end as f64])
    }

    /// Takes the bytes of the wanted range.
    pub fn push(&mut self, piece: &[u8]) -> JsResult<()> {
        Ok(self.weights().push(piece)?)
    }

    /// Finishes loading, after all files are pushed.
    pub fn finish(self) -> JsResult<WasmReranker> {
        Ok(WasmReranker(Rc::new(ready(self.into_reranker()?.finish())?)))
    }

    /// As [`finish`](Self::finish), for devices that may be a GPU, which need a promise.
    #[cfg(feature = "gpu")]
    pub async fn finish_async(self) -> JsResult<WasmReranker> {
        Ok(WasmReranker(Rc::new(self.into_reranker()?.finish().await?)))
    }
}

impl WasmLoader {
    fn weights(&mut self) -> &mut WeightsReader {
        match &mut self.0 {
            LoaderKind::Reranker(loader) => loader.weights(),
            LoaderKind::Stage(loader) => loader.weights(),
        }
    }

    /// The loader of the whole model or of its first stage.
    fn reranker(&mut self) -> Result<&mut Loader> {
        match &mut self.0 {
            LoaderKind::Reranker(loader) => Ok(loader),
            LoaderKind::Stage(_) => Err(internal("this is a later stage of a model")),
        }
    }

    fn into_reranker(self) -> Result<Loader> {
        match self.0 {
            LoaderKind::Reranker(loader) => Ok(*loader),
            LoaderKind::Stage(_) => Err(internal("this is a later stage of a model")),
        }
    }
}

/// Reads all files but the weights.
#[inline(never)]
fn read_files(
    files: ModelFiles,
    options: &str,
    has_weights: bool,
) -> Result<(Checkpoint, Option<Index>, crate::Options)> {
    let options: crate::Options = serde_json::from_str(options)
        .map_err(|error| input(format!("options: {error}")).with_source(error))?;
    let mut files = files.0;
    if let Some(name) = &options.weights {
        files.choose_weights(name.as_str());
    }
    if !has_weights {
        files.check_weights_names()?;
    }
    let index = Index::take_from(&mut files)?;
    Ok((Checkpoint::read(files)?, index, options))
}

/// A loaded model.
#[wasm_bindgen]
pub struct WasmReranker(Rc<crate::Reranker>);

#[wasm_bindgen]
impl WasmReranker {
    /// [`Info`](crate::Info) as JSON.
    pub fn info(&self) -> JsResult<String> {
        Ok(serde_json::to_string(self.0.info())
            .map_err(|error| internal(format!("info: {error}")).with_source(error))?)
    }

    /// Begins to score documents for one query. `scores` is `"model"`, `"raw"`, `"sigmoid"` or `"probability"`,
    /// `long_documents` is `"truncate"` or `"chunk"`.
    pub fn scoring(
        &self,
        query: String,
        documents: Vec<String>,
        scores: &str,
        max_tokens_per_document: Option<usize>,
        long_documents: &str,
    ) -> JsResult<WasmScoring> {
        let documents = documents.into_iter().map(Cow::Owned).collect();
        let options = document_options(max_tokens_per_document, long_documents)?;
        self.begin(Pairs::OneQuery { query: query.into(), documents, options }, scores)
    }

    /// Begins to score pairs, given as two lists of equal length.
    pub fn scoring_pairs(
        &self,
        queries: Vec<String>,
        documents: Vec<String>,
        scores: &str,
    ) -> JsResult<WasmScoring> {
        if queries.len() != documents.len() {
            return Err(input(format!("{} queries, but {} documents", queries.len(), documents.len())).into());
        }
        let pairs = queries.into_iter().map(Cow::Owned).zip(documents.into_iter().map(Cow::Owned)).collect();
        self.begin(Pairs::truncated(pairs), scores)
    }

    /// Begins to score documents of a collection for one query: those at the indices `candidates`, or all.
    pub fn scoring_prepared(
        &self,
        query: String,
        collection: &WasmCollection,
        candidates: Option<Vec<u32>>,
        scores: &str,
    ) -> JsResult<WasmScoring> {
        let collection = Arc::clone(&collection.0);
        self.begin(Pairs::Prepared { query: query.into(), collection, candidates }, scores)
    }

    /// Creates an empty collection.
    pub fn collection(&self) -> WasmCollection {
        WasmCollection(Arc::new(crate::Collection::new(&self.0)))
    }

    /// Tokenizes documents and adds them to a collection that no scoring run uses.
    pub fn prepare(
        &self,
        collection: &mut WasmCollection,
        documents: Vec<String>,
        max_tokens_per_document: Option<usize>,
        long_documents: &str,
    ) -> JsResult<()> {
        let options = document_options(max_tokens_per_document, long_documents)?;
        let target = Arc::get_mut(&mut collection.0)
            .ok_or_else(|| input("documents cannot be added while the collection is being ranked"))?;
        for document in documents {
            target.push(&self.0, &document, options)?;
        }
        Ok(())
    }

    fn begin(&self, pairs: Pairs<'static>, scores: &str) -> JsResult<WasmScoring> {
        let scores: Scores = scores.parse()?;
        Ok(WasmScoring { reranker: Rc::clone(&self.0), run: ScoringRun::new(pairs, scores), spans: None })
    }
}

/// Tokenized documents.
#[wasm_bindgen]
pub struct WasmCollection(Arc<crate::Collection>);

/// A scoring run.
#[wasm_bindgen]
pub struct WasmScoring {
    reranker: Rc<crate::Reranker>,
    run: ScoringRun<'static>,
    /// The spans of the last step.
    spans: Option<Vec<Span>>,
}

#[wasm_bindgen]
impl WasmScoring {
    /// Runs the next micro-batch. Returns the scores of the pairs that it finished, row-major `[pairs, labels]`, or
    /// `undefined` if all were finished before.
    pub fn step(&mut self) -> JsResult<Option<Float32Array>> {
        let scores = ready(self.run.step(&self.reranker))?;
        self.finish_step(scores)
    }

    /// As [`step`](Self::step), on a GPU, which needs a promise.
    #[cfg(feature = "gpu")]
    pub async fn step_async(&mut self) -> JsResult<Option<Float32Array>> {
        let scores = self.run.step(&self.reranker).await?;
        self.finish_step(scores)
    }

    fn finish_step(&mut self, scores: Option<PartialScores>) -> JsResult<Option<Float32Array>> {
        let Some(scores) = scores else { return Ok(None) };
        if scores.restarted {
            // A call in JavaScript can consist of several runs. All of them must begin again, so JavaScript does it.
            return Err(device_lost(self.reranker.info().backend.reason.clone()).into());
        }
        self.spans = scores.spans;
        Ok(Some(Float32Array::from(&scores.scores[..])))
    }

    /// The spans of the best chunks of the last step's documents, `[pairs, 2]`, in UTF-16 code units; `undefined` if
    /// documents are not chunked.
    pub fn spans(&self) -> Option<Uint32Array> {
        let spans = self.spans.as_ref()?;
        let offsets: Vec<u32> = spans.iter().flat_map(|span| [span.start as u32, span.end as u32]).collect();
        Some(Uint32Array::from(&offsets[..]))
    }

    /// Limits the tokens of later micro-batches, so that a step takes less time.
    pub fn set_max_batch_tokens(&mut self, tokens: usize) {
        self.run.set_max_batch_tokens(tokens);
    }

    /// Number of tokens scored so far.
    pub fn tokens(&self) -> usize {
        self.run.tokens()
    }
}

fn document_options(max_tokens_per_document: Option<usize>, long_documents: &str) -> Result<DocumentOptions> {
    Ok(DocumentOptions {
        max_tokens_per_document,
        long_documents: long_documents.parse()?,
        unit: OffsetUnit::Utf16,
    })
}

/// Returns the result of a future that never waits, such as those of CPU engines.
///
/// It polls the future instead of making a promise, because a trap then reaches the caller as an exception; a promise
/// would stay pending forever.
fn ready<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(internal("a CPU engine waited for something")),
    }
}

/// Bytes of GPU memory that all rerankers of this thread use.
#[cfg(feature = "gpu")]
#[wasm_bindgen]
#[allow(unreachable_pub, reason = "wasm_bindgen takes public functions only")]
pub fn gpu_bytes() -> f64 {
    crate::gpu_bytes() as f64
}

/// The kernels that were chosen for GPUs, for [`set_gpu_choices`] of a later page.
#[cfg(feature = "gpu")]
#[wasm_bindgen]
#[allow(unreachable_pub, reason = "wasm_bindgen takes public functions only")]
pub fn gpu_choices() -> String {
    crate::gpu_choices()
}

/// Restores the choices of an earlier page.
#[cfg(feature = "gpu")]
#[wasm_bindgen]
#[allow(unreachable_pub, reason = "wasm_bindgen takes public functions only")]
pub fn set_gpu_choices(lines: &str) {
    crate::set_gpu_choices(lines);
}

/// All codes that an error can have.
#[wasm_bindgen]
#[allow(unreachable_pub, reason = "wasm_bindgen takes public functions only")]
pub fn error_codes() -> Vec<String> {
    ErrorKind::ALL.iter().map(|kind| kind.code().to_owned()).collect()
}
