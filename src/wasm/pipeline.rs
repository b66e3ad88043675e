//! Bindings for a model in pipeline stages, in several workers.

use js_sys::{Array, Float32Array, Uint32Array};
use wasm_bindgen::prelude::*;

use super::error::JsResult;
use super::{ModelFiles, WasmLoader, WasmReranker, WasmScoring, read_files};
use crate::error::internal;
use crate::reranker::{Loader, PipelineOptions, PipelineStage, StageBatch, StageLoader};

/// What a [`WasmLoader`] loads.
pub(super) enum LoaderKind {
    /// The whole model, or the first stage of it.
    Reranker(Box<Loader>),
    /// A later stage.
    Stage(Box<StageLoader>),
}

#[wasm_bindgen]
impl WasmLoader {
    /// Begins to load a stage of a model after the first. `unpooled_rows` and `split_points` are those of [`split`](Self::split).
    pub fn stage(
        files: ModelFiles,
        options: &str,
        stage: usize,
        unpooled_rows: usize,
        split_points: Vec<usize>,
    ) -> JsResult<WasmLoader> {
        let (checkpoint, index, options) = read_files(files, options, true)?;
        let loader = StageLoader::new(
            checkpoint,
            index,
            options,
            stage,
            &PipelineOptions { unpooled_rows, split_points },
        )?;
        Ok(Self(LoaderKind::Stage(Box::new(loader))))
    }

    /// Plans how to split the model of the weights file `name` into at most `stages` stages that take about the same time.
    /// Returns the predicted memory of the whole model in one engine, that of all stages together, the number of unpooled
    /// rows, and the split points.
    pub fn split(&mut self, name: &str, stages: usize) -> JsResult<Vec<f64>> {
        let loader = self.reranker()?;
        loader.expect_file(name)?;
        let split = loader.split(stages)?;
        let mut numbers = vec![split.whole_bytes as f64, split.split_bytes as f64];
        numbers.push(split.options.unpooled_rows as f64);
        numbers.extend(split.options.split_points.iter().map(|point| *point as f64));
        Ok(numbers)
    }

    /// Loads only the first stage of the model.
    pub fn keep_first_stage(&mut self, split_points: Vec<usize>) -> JsResult<()> {
        Ok(self.reranker()?.keep_first_stage(&PipelineOptions { unpooled_rows: 0, split_points })?)
    }

    /// Finishes loading a stage after the first.
    pub fn finish_stage(self) -> JsResult<WasmStage> {
        match self.0 {
            LoaderKind::Stage(loader) => Ok(WasmStage(loader.finish()?)),
            LoaderKind::Reranker(_) => Err(internal("this is not a stage of a model").into()),
        }
    }
}

/// A stage of a model after the first.
#[wasm_bindgen]
pub struct WasmStage(PipelineStage);

#[wasm_bindgen]
impl WasmStage {
    /// Runs a batch. Returns its hidden states, or its logits after the last stage; nothing if an activation is not
    /// finite.
    pub fn run(&self, hidden_states: Vec<f32>, offsets: Vec<usize>) -> JsResult<Float32Array> {
        let values = self.0.run(StageBatch { hidden_states, cu_seqlens: offsets })?;
        Ok(Float32Array::from(&values[..]))
    }
}

#[wasm_bindgen]
impl WasmScoring {
    /// Runs the first stage of the model for the next micro-batch. Returns the hidden states and the offsets of the pairs
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
    /// Runs the first stage of the model for a golden pair of the weights file, as [`WasmScoring::begin_batch`] does.
    pub fn golden_batch(&self, pair: usize) -> JsResult<Option<Array>> {
        Ok(self.0.golden_batch(pair)?.map(|batch| arrays(&batch)))
    }

    /// Compares the logits of a golden pair.
    pub fn check_golden(&self, pair: usize, logits: &[f32]) -> JsResult<()> {
        Ok(self.0.check_golden(pair, logits)?)
    }
}

fn arrays(batch: &StageBatch) -> Array {
    let offsets: Vec<u32> = batch.cu_seqlens.iter().map(|offset| *offset as u32).collect();
    Array::of2(&Float32Array::from(&batch.hidden_states[..]), &Uint32Array::from(&offsets[..]))
}
