//! Bindings for JavaScript: they convert types and nothing else.
//!
//! The TypeScript in `pkg/` is the API; nothing here is meant to be called by anybody else.

mod error;

use std::borrow::Cow;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use js_sys::{Float32Array, Uint32Array};
use wasm_bindgen::prelude::*;

use self::error::JsResult;
use crate::checkpoint::{Checkpoint, Index};
use crate::error::{device_lost, input, internal};
use crate::reranker::Loader;
use crate::{DocumentOptions, ErrorKind, OffsetUnit, Pairs, PartialScores, Scores, ScoringRun, Span};

/// The files of a checkpoint on their way in.
#[wasm_bindgen]
#[derive(Default)]
pub struct ModelFiles(crate::ModelFiles);

#[wasm_bindgen]
impl ModelFiles {
    /// No files yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one file.
    pub fn set(&mut self, name: String, bytes: Vec<u8>) {
        self.0.insert(name, bytes);
    }
}

/// A model on its way in.
#[wasm_bindgen]
pub struct WasmLoader(Loader);

#[wasm_bindgen]
impl WasmLoader {
    /// Begins with all files but those that hold weights; `options` is JSON of `device`, `dtype`, `max_length` and
    /// `max_memory_bytes`, and `weights_bytes` what all files of weights have together.
    #[wasm_bindgen(constructor)]
    pub fn new(files: ModelFiles, weights_bytes: u64, options: &str) -> JsResult<WasmLoader> {
        let options = serde_json::from_str(options)
            .map_err(|error| input(format!("options: {error}")).with_source(error))?;
        let mut files = files.0;
        let index = Index::take(&mut files)?;
        Ok(Self(Loader::new(Checkpoint::read(files)?, index, weights_bytes, options)?))
    }

    /// Begins with a file of weights, of `length` bytes.
    pub fn open(&mut self, name: &str, length: u64) -> JsResult<()> {
        Ok(self.0.weights().open(name, length)?)
    }

    /// Where the bytes of the open file begin and end that are to be pushed next; `undefined` when it has given all.
    pub fn wanted(&mut self) -> Option<Vec<f64>> {
        let range = self.0.weights().wanted()?;
        Some(vec![range.start as f64, range.end as f64])
    }

    /// Takes the bytes that were wanted.
    pub fn push(&mut self, piece: &[u8]) -> JsResult<()> {
        Ok(self.0.weights().push(piece)?)
    }

    /// The model, when all files have come.
    pub fn finish(self) -> JsResult<WasmReranker> {
        Ok(WasmReranker(Rc::new(ready(self.0.finish())?)))
    }

    /// As [`finish`](Self::finish), for a device that may be a GPU, which has to be waited for.
    #[cfg(feature = "gpu")]
    pub async fn finish_async(self) -> JsResult<WasmReranker> {
        Ok(WasmReranker(Rc::new(self.0.finish().await?)))
    }
}

/// A loaded model.
#[wasm_bindgen]
pub struct WasmReranker(Rc<crate::Reranker>);

#[wasm_bindgen]
impl WasmReranker {
    /// What was loaded, as JSON.
    pub fn info(&self) -> JsResult<String> {
        Ok(serde_json::to_string(self.0.info())
            .map_err(|error| internal(format!("info: {error}")).with_source(error))?)
    }

    /// Begins a call for one query; `scores` is `"model"`, `"raw"` or `"sigmoid"`, `long_documents` `"truncate"` or
    /// `"chunk"`.
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

    /// Begins a call for pairs, given as two lists of equal length.
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
        self.begin(Pairs::Each(pairs), scores)
    }

    /// Begins a call for one query and documents tokenised before; `candidates` are their places, or all.
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

    /// An empty collection.
    pub fn collection(&self) -> WasmCollection {
        WasmCollection(Arc::new(crate::Collection::new(&self.0)))
    }

    /// Tokenises more documents into a collection that no call is using.
    pub fn prepare(
        &self,
        collection: &mut WasmCollection,
        documents: Vec<String>,
        max_tokens_per_document: Option<usize>,
        long_documents: &str,
    ) -> JsResult<()> {
        let options = document_options(max_tokens_per_document, long_documents)?;
        let held = Arc::get_mut(&mut collection.0)
            .ok_or_else(|| input("documents cannot be added while the collection is being ranked"))?;
        for document in documents {
            held.push(&self.0, &document, options)?;
        }
        Ok(())
    }

    fn begin(&self, pairs: Pairs<'static>, scores: &str) -> JsResult<WasmScoring> {
        let scores: Scores = scores.parse()?;
        Ok(WasmScoring { reranker: Rc::clone(&self.0), scoring: ScoringRun::new(pairs, scores), spans: None })
    }
}

/// Tokenised documents.
#[wasm_bindgen]
pub struct WasmCollection(Arc<crate::Collection>);

/// A call under way.
#[wasm_bindgen]
pub struct WasmScoring {
    reranker: Rc<crate::Reranker>,
    scoring: ScoringRun<'static>,
    /// Those of the last micro-batch.
    spans: Option<Vec<Span>>,
}

#[wasm_bindgen]
impl WasmScoring {
    /// Scores of the pairs that the next micro-batch finishes, row-major `[pairs, labels]`; `undefined` when all are done.
    pub fn step(&mut self) -> JsResult<Option<Float32Array>> {
        let part = ready(self.scoring.step(&self.reranker))?;
        self.take(part)
    }

    /// As [`step`](Self::step), on a GPU, which has to be waited for.
    #[cfg(feature = "gpu")]
    pub async fn step_async(&mut self) -> JsResult<Option<Float32Array>> {
        let part = self.scoring.step(&self.reranker).await?;
        self.take(part)
    }

    fn take(&mut self, part: Option<PartialScores>) -> JsResult<Option<Float32Array>> {
        let Some(part) = part else { return Ok(None) };
        if part.restarted {
            // The call may be of several scorings, and all of them have to begin again.
            return Err(device_lost(self.reranker.info().backend.reason.clone()).into());
        }
        self.spans = part.spans;
        Ok(Some(Float32Array::from(&part.scores[..])))
    }

    /// Where the best chunks of the documents of the last step lie in their texts, `[pairs, 2]`, in units of UTF-16;
    /// `undefined` without chunks.
    pub fn spans(&self) -> Option<Uint32Array> {
        let spans = self.spans.as_ref()?;
        let places: Vec<u32> = spans.iter().flat_map(|span| [span.start as u32, span.end as u32]).collect();
        Some(Uint32Array::from(&places[..]))
    }

    /// Tokens scored so far.
    pub fn tokens(&self) -> usize {
        self.scoring.tokens()
    }
}

fn document_options(
    max_tokens_per_document: Option<usize>,
    long_documents: &str,
) -> crate::Result<DocumentOptions> {
    Ok(DocumentOptions {
        max_tokens_per_document,
        long_documents: long_documents.parse()?,
        unit: OffsetUnit::Utf16,
    })
}

/// The result of a future that never waits, as those of CPU engines.
///
/// Polled here and not through a promise: a trap inside then reaches the caller as an exception, where a promise
/// would stay pending for ever.
fn ready<T>(future: impl Future<Output = crate::Result<T>>) -> crate::Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(internal("a CPU engine waited for something")),
    }
}

/// Bytes of GPU memory that all rerankers of this thread hold.
#[cfg(feature = "gpu")]
#[wasm_bindgen]
#[allow(unreachable_pub, reason = "wasm_bindgen takes public functions only")]
pub fn gpu_bytes() -> f64 {
    crate::gpu_bytes() as f64
}

/// Every `code` an error can have.
#[wasm_bindgen]
#[allow(unreachable_pub, reason = "wasm_bindgen takes public functions only")]
pub fn error_codes() -> Vec<String> {
    ErrorKind::ALL.iter().map(|kind| kind.code().to_owned()).collect()
}
