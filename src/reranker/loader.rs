//! Loading a model: first its small files, then its weights piece by piece, then the engine.
//!
//! Nothing large is in memory twice: the tokenizer's file is freed before the weights are read, no weights file is ever
//! whole in memory, and each tensor is freed when the engine has made its own form of it.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Reranker;
use super::model_spec::ModelSpec;
use super::prepared_model::PreparedModel;
use super::session::Session;
use crate::checkpoint::{
    Checkpoint, ExpectedTensors, Golden, GoldenPair, Index, ModelFiles, WeightsReader, WeightsSource,
};
use crate::error::{Result, integrity};
use crate::info::{Backend, WeightsInfo};
use crate::model;
use crate::options::{Device, Dtype, ModelSource, Options};

/// Loads a checkpoint into a [`Reranker`].
#[derive(Debug)]
pub(crate) struct Loader {
    options: Options,
    spec: ModelSpec,
    /// Estimated peak memory in bytes.
    memory_bytes: u64,
    weights: WeightsReader,
    /// The steps of the Plan that the engine computes, if others compute the rest.
    stage: Option<Range<usize>>,
}

impl Loader {
    /// Begins with all files but the weights. These are in one file, or in the files of `index`, and have
    /// `weights_bytes` in total.
    ///
    /// # Errors
    /// The errors of [`Reranker::load`] about the tokenizer and the options.
    pub(crate) fn new(
        checkpoint: Checkpoint,
        index: Option<Index>,
        weights_bytes: u64,
        options: Options,
    ) -> Result<Self> {
        options.check_engine(checkpoint.config.decoder.is_some())?;
        let spec = ModelSpec::new(checkpoint, weights_bytes, &options)?;
        if let Some(limit) = options.max_memory_bytes {
            spec.check_memory(options.dtype, limit)?;
        }
        let memory_bytes = spec.peak_memory(options.dtype);
        let weights = WeightsReader::new(index, ExpectedTensors::default());
        let mut loader = Self { options, spec, memory_bytes, weights, stage: None };
        // To round matrices while they are read. An ONNX file, whose name is not known yet, needs the list too.
        if loader.options.dtype == Dtype::Q8 {
            loader.expect_tensors()?;
        }
        Ok(loader)
    }

    /// Tells the reader which tensors the model has.
    fn expect_tensors(&mut self) -> Result<()> {
        let Checkpoint { config, chain, .. } = &self.spec.checkpoint;
        self.weights.expect(model::expected_tensors(
            config,
            chain.as_ref(),
            self.options.dtype == Dtype::Q8,
        )?);
        Ok(())
    }

    /// Takes the name of a weights file before it is opened. `auto` means f32 for an ONNX file, also if its size is that of
    /// a q8 file.
    ///
    /// # Errors
    /// `out-of-memory` if the model would take more memory than the options allow.
    pub(crate) fn expect_file(&mut self, name: &str) -> Result<()> {
        if !name.ends_with(".onnx") {
            return Ok(());
        }
        self.expect_tensors()?;
        if self.options.dtype == Dtype::Auto {
            self.options.dtype = Dtype::F32;
            self.spec.has_onnx_weights = true;
            if let Some(limit) = self.options.max_memory_bytes {
                self.spec.check_memory(Dtype::F32, limit)?;
            }
            self.memory_bytes = self.spec.peak_memory(Dtype::F32);
        }
        Ok(())
    }

    /// The reader to push the weights into.
    pub(crate) fn weights(&mut self) -> &mut WeightsReader {
        &mut self.weights
    }

    /// The model without its weights.
    #[cfg(any(test, target_arch = "wasm32"))]
    pub(super) fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    /// The format that the weights will have in memory, as far as it is known.
    #[cfg(any(test, target_arch = "wasm32"))]
    pub(super) fn dtype(&self) -> Dtype {
        self.options.dtype
    }

    /// Estimated peak memory in bytes.
    #[cfg(any(test, target_arch = "wasm32"))]
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// Prepares only the first steps of the Plan. Must be called before the weights are read.
    ///
    /// # Errors
    /// None for a model that can be split.
    #[cfg(any(test, target_arch = "wasm32"))]
    pub(super) fn keep_stage(&mut self, steps: Range<usize>) -> Result<()> {
        self.weights.keep_tensors(model::stage_tensors(&self.spec.checkpoint.config, &steps)?);
        self.stage = Some(steps);
        Ok(())
    }

    /// Prepares the engine and checks it against the golden pairs of the weights file, if it has any.
    ///
    /// # Errors
    /// The errors of [`Reranker::load`] about the weights and the engine.
    pub(crate) async fn finish(self) -> Result<Reranker> {
        let Self { options, spec, memory_bytes, weights, stage } = self;
        let weights = weights.finish()?;
        let dtype = options.dtype.resolve(weights.format(), options.device)?;
        let weights_info = WeightsInfo { format: weights.format().name(), bytes: weights.bytes() };
        let mut golden = weights.format().golden().cloned();
        #[cfg_attr(
            not(any(test, target_arch = "wasm32")),
            expect(unused_variables, reason = "a native engine is whole")
        )]
        let unverified = if stage.is_some() { golden.take() } else { None };
        let prepared = PreparedModel::new(&options, &spec, weights, dtype, stage).await?;
        let backend = Backend::of(&prepared.engine, dtype, reason(&spec, options.device));
        let info = prepared.info(&spec, weights_info, memory_bytes, backend);
        #[cfg_attr(not(feature = "gpu"), allow(unused_mut, reason = "only a GPU changes it"))]
        let mut session = Session {
            id: next_id(),
            prompt: spec.checkpoint.prompt,
            excludes_prompt: spec.checkpoint.chain.as_ref().is_some_and(|chain| chain.excludes_prompt),
            tokenizer: spec.tokenizer,
            max_length: spec.max_length,
            engine: prepared.engine,
            fallback: None,
            head: prepared.head,
            activation: spec.checkpoint.activation,
            cache: options.score_cache(),
            info,
            #[cfg(any(test, target_arch = "wasm32"))]
            unverified,
        };
        if let Some(golden) = &golden {
            session.verify(golden).await?;
        }
        #[cfg(feature = "gpu")]
        if let Some(gpu) = prepared.gpu {
            session.choose_engine(gpu, &options, golden.as_ref()).await?;
        }
        Ok(Reranker { session })
    }
}

impl Session {
    /// Scores the golden pairs of the weights file and compares the logits.
    ///
    /// # Errors
    /// `integrity` for a pair whose logits differ by more than the engine's tolerance.
    async fn verify(&self, golden: &Golden) -> Result<()> {
        for pair in &golden.pairs {
            let batch = self.batch_of(&[(&pair.query, &pair.document)])?;
            self.check_golden(pair, &self.logits(&self.engine, &batch).await?)?;
        }
        Ok(())
    }

    /// Compares the logits of a golden pair.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub(super) fn check_golden(&self, pair: &GoldenPair, logits: &[f32]) -> Result<()> {
        let tolerance = self.engine.tolerance();
        let close = |(got, want): (&f32, &f32)| (got - want).abs() <= tolerance * want.abs().max(1.0);
        if logits.len() == pair.logits.len() && logits.iter().zip(&pair.logits).all(close) {
            return Ok(());
        }
        Err(integrity(format!(
            "the golden pair ({:?}, {:?}) of the weights has the logits {logits:?} here, and {:?} in their file: the files \
             of the model do not belong together, so get them again, or this engine is wrong",
            pair.query, pair.document, pair.logits
        )))
    }
}

/// The reason for the choice of the CPU engine, before a GPU is compared with it.
fn reason(spec: &ModelSpec, device: Device) -> &'static str {
    match device {
        _ if spec.checkpoint.config.decoder.is_some() => "the model is a decoder",
        Device::Auto => "this build has no GPU engine",
        _ => "requested",
    }
}

fn next_id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl ModelSource {
    /// Reads the small files and finds the weights, in the file `weights` if it is given, without reading these. Missing weights are an inner error, because
    /// errors of the small files are reported first.
    pub(super) fn open(self, weights: Option<&str>) -> Result<(ModelFiles, Result<WeightsSource>)> {
        match self {
            #[cfg(feature = "embedded")]
            ModelSource::Embedded => Ok(split_weights(ModelFiles::embedded(), weights)),
            #[cfg(not(target_arch = "wasm32"))]
            ModelSource::Directory(path) => ModelFiles::open_directory(&path, weights),
            ModelSource::Files(files) => {
                if weights.is_none() {
                    files.check_formats()?;
                }
                Ok(split_weights(files, weights))
            }
        }
    }
}

/// Takes the weights out of the files of a checkpoint.
fn split_weights(mut files: ModelFiles, chosen: Option<&str>) -> (ModelFiles, Result<WeightsSource>) {
    if let Some(name) = chosen {
        files.choose_weights(name);
    }
    let weights = WeightsSource::take_from(&mut files);
    (files, weights)
}
