//! Bindings for a model in parts, in several workers.

use js_sys::{Array, Float32Array, Uint32Array};
use wasm_bindgen::prelude::*;

use super::error::JsResult;
use super::{ModelFiles, WasmLoader, WasmReranker, WasmScoring, read_files};
use crate::error::internal;
use crate::reranker::{Loader, ModelPart, PartLoader, PartOptions, PartialBatch};

/// What a [`WasmLoader`] loads.
pub(super) enum LoaderKind {
    /// The whole model, or the first part of it.
    Reranker(Box<Loader>),
    /// A later part.
    Part(Box<PartLoader>),
}

#[wasm_bindgen]
impl WasmLoader {
    /// Begins to load a part of a model after the first. `unpooled_rows` and `cuts` are those of [`split`](Self::split).
    pub fn part(
        files: ModelFiles,
        options: &str,
        part: usize,
        unpooled_rows: usize,
        cuts: Vec<usize>,
    ) -> JsResult<WasmLoader> {
        let (checkpoint, index, options) = read_files(files, options, true)?;
        let loader = PartLoader::new(checkpoint, index, options, part, &PartOptions { unpooled_rows, cuts })?;
        Ok(Self(LoaderKind::Part(Box::new(loader))))
    }

    /// Plans how to split the model of the weights file `name` into at most `parts` parts that take about the same time.
    /// Returns the predicted memory of the whole model in one engine, that of all parts together, the number of unpooled
    /// rows, and the cuts between the parts.
    pub fn split(&mut self, name: &str, parts: usize) -> JsResult<Vec<f64>> {
        let loader = self.reranker()?;
        loader.expect_file(name)?;
        let split = loader.split(parts)?;
        let mut numbers = vec![split.whole_bytes as f64, split.split_bytes as f64];
        numbers.push(split.options.unpooled_rows as f64);
        numbers.extend(split.options.cuts.iter().map(|cut| *cut as f64));
        Ok(numbers)
    }

    /// Loads only the first part of the model.
    pub fn keep_first_part(&mut self, cuts: Vec<usize>) -> JsResult<()> {
        Ok(self.reranker()?.keep_first_part(&PartOptions { unpooled_rows: 0, cuts })?)
    }

    /// Finishes loading a part after the first.
    pub fn finish_part(self) -> JsResult<WasmPart> {
        match self.0 {
            LoaderKind::Part(loader) => Ok(WasmPart(loader.finish()?)),
            LoaderKind::Reranker(_) => Err(internal("this is not a part of a model").into()),
        }
    }
}

/// A part of a model after the first.
#[wasm_bindgen]
pub struct WasmPart(ModelPart);

#[wasm_bindgen]
impl WasmPart {
    /// Runs a batch. Returns its residual stream, or its logits after the last part; nothing if an activation is not
    /// finite.
    pub fn run(&self, stream: Vec<f32>, offsets: Vec<usize>) -> JsResult<Float32Array> {
        let values = self.0.run(PartialBatch { stream, cu_seqlens: offsets })?;
        Ok(Float32Array::from(&values[..]))
    }
}

#[wasm_bindgen]
impl WasmScoring {
    /// Runs the first part of the model for the next micro-batch. Returns the residual stream and the offsets of the pairs
    /// in it, or `undefined` if all pairs are in batches.
    pub fn begin_batch(&mut self) -> JsResult<Option<Array>> {
        Ok(self.run.begin_batch(&self.reranker)?.map(|batch| arrays(&batch)))
    }

    /// Takes the logits of the first batch that is under way, none if an activation was not finite. Returns scores as
    /// [`step`](Self::step) does.
    pub fn finish_batch(&mut self, logits: Vec<f32>) -> JsResult<Option<Float32Array>> {
        let scores = self.run.finish_batch(&self.reranker, logits)?;
        self.finish_step(Some(scores))
    }
}

#[wasm_bindgen]
impl WasmReranker {
    /// Runs the first part of the model for a golden pair of the weights file, as [`WasmScoring::begin_batch`] does.
    pub fn golden_batch(&self, pair: usize) -> JsResult<Option<Array>> {
        Ok(self.0.golden_batch(pair)?.map(|batch| arrays(&batch)))
    }

    /// Compares the logits of a golden pair.
    pub fn check_golden(&self, pair: usize, logits: &[f32]) -> JsResult<()> {
        Ok(self.0.check_golden(pair, logits)?)
    }
}

fn arrays(batch: &PartialBatch) -> Array {
    let offsets: Vec<u32> = batch.cu_seqlens.iter().map(|offset| *offset as u32).collect();
    Array::of2(&Float32Array::from(&batch.stream[..]), &Uint32Array::from(&offsets[..]))
}
