//! Loading a model: first its small files, then its weights piece by piece, then the engine.
//!
//! Nothing large is in memory twice: the tokenizer's file is freed before the weights are read, no weights file is ever
//! whole in memory, and each tensor is freed when the engine has made its own form of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Reranker;
use super::model_spec::ModelSpec;
use super::session::Session;
use crate::checkpoint::{Checkpoint, Golden, Index, ModelFiles, Weights, WeightsReader, WeightsSource};
#[cfg(feature = "decoder")]
use crate::checkpoint::{Decoder, LabelTokens, PromptConfig};
#[cfg(feature = "gpu")]
use crate::engine::gpu::{AdapterKind, GpuEngine};
use crate::engine::{Engine, EngineConfig};
#[cfg(feature = "decoder")]
use crate::error::config;
use crate::error::{Result, integrity};
use crate::info::{self, Backend, Info, WeightsInfo};
use crate::model::{self, Head, Plan};
use crate::options::{Device, Dtype, ModelSource, Options};

/// Loads a checkpoint into a [`Reranker`].
#[derive(Debug)]
pub(crate) struct Loader {
    options: Options,
    spec: ModelSpec,
    /// Estimated peak memory in bytes.
    memory_bytes: u64,
    weights: WeightsReader,
}

impl Loader {
    /// Begins with all files but the weights. These are in one file, or in the files of `index`, and have
    /// `weights_bytes` in total.
    ///
    /// # Errors
    /// Those of [`Reranker::load`] about the tokenizer and the options.
    pub(crate) fn new(
        checkpoint: Checkpoint,
        index: Option<Index>,
        weights_bytes: u64,
        options: Options,
    ) -> Result<Self> {
        let spec = ModelSpec::new(checkpoint, weights_bytes, &options)?;
        if let Some(limit) = options.max_memory_bytes {
            spec.check_memory(options.dtype, limit)?;
        }
        let memory_bytes = spec.peak_memory(options.dtype);
        let grids = match options.dtype {
            Dtype::Q8 => {
                let plans = model::candidate_plans(&spec.config)?;
                plans.iter().flat_map(Plan::quant_grids).collect()
            }
            _ => HashMap::new(),
        };
        Ok(Self { options, spec, memory_bytes, weights: WeightsReader::new(index, grids) })
    }

    /// The reader to push the weights into.
    pub(crate) fn weights(&mut self) -> &mut WeightsReader {
        &mut self.weights
    }

    /// Prepares the engine and checks it against the golden pairs of the weights file, if it has any.
    ///
    /// # Errors
    /// Those of [`Reranker::load`] about the weights and the engine.
    pub(crate) async fn finish(self) -> Result<Reranker> {
        let Self { options, spec, memory_bytes, weights } = self;
        let weights = weights.finish()?;
        let dtype = options.dtype.resolve(weights.format(), options.device)?;
        let weights_info = WeightsInfo { format: weights.format().name(), bytes: weights.bytes() };
        let golden = weights.format().golden().cloned();
        let prepared = PreparedModel::new(&options, &spec, weights, dtype).await?;
        let backend = Backend::of(&prepared.engine, dtype, reason(&prepared.engine, options.device));
        let info = prepared.info(&spec, weights_info, memory_bytes, backend);
        #[cfg_attr(not(feature = "gpu"), allow(unused_mut, reason = "only a GPU changes it"))]
        let mut session = Session {
            id: next_id(),
            prompt: spec.prompt,
            tokenizer: spec.tokenizer,
            max_length: spec.max_length,
            engine: prepared.engine,
            fallback: None,
            head: prepared.head,
            activation: spec.activation,
            info,
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

/// An engine and a head, prepared from a Plan or for a decoder.
struct PreparedModel {
    engine: Engine,
    /// A GPU engine, or the reason why there is none; `None` if the options exclude a GPU.
    #[cfg(feature = "gpu")]
    gpu: Option<Result<Box<GpuEngine>>>,
    head: Head,
    parameters: usize,
    warnings: Vec<String>,
}

impl PreparedModel {
    async fn new(options: &Options, spec: &ModelSpec, weights: Weights, dtype: Dtype) -> Result<Self> {
        #[cfg(feature = "decoder")]
        if let (Some(decoder), Some(prompt_config)) = (&spec.config.decoder, &spec.prompt_config) {
            return Self::decoder(options, spec, (decoder, prompt_config), weights, dtype);
        }
        let (plan, head) = model::build(&spec.config, spec.chain.as_ref(), &weights)?;
        let used = plan.tensors().into_iter().map(|(name, ..)| name).chain(head.tensors());
        let warnings = info::warnings(used, &weights, &spec.tokenizer);
        let plan = plan.collapse_last_layer();
        #[cfg(feature = "gpu")]
        let adapter = match options.device {
            Device::Auto => Some(AdapterKind::Hardware),
            Device::Gpu => Some(AdapterKind::Any),
            Device::Cpu | Device::Candle => None,
        };
        #[cfg(feature = "gpu")]
        let mut gpu = match adapter {
            Some(adapter) => Some(Engine::prepare_gpu(adapter, &plan, &weights, dtype).await),
            None => None,
        };
        options.check_encoder()?;
        let engine = match options.device {
            #[cfg(feature = "candle")]
            Device::Candle => Engine::prepare_candle(&plan, weights)?,
            _ => Engine::prepare_cpu(&plan, weights, EngineConfig { threads: options.threads(), dtype })?,
        };
        #[cfg(feature = "gpu")]
        if let Some(Ok(gpu)) = &mut gpu {
            gpu.share_embedding(&engine);
        }
        Ok(Self {
            engine,
            #[cfg(feature = "gpu")]
            gpu,
            parameters: plan.parameters() + head.parameters(),
            head,
            warnings,
        })
    }

    /// Describes the model; the CPU engine of `backend` computes until a GPU is chosen.
    fn info(&self, spec: &ModelSpec, weights: WeightsInfo, memory_bytes: u64, backend: Backend) -> Info {
        Info {
            model_type: spec.config.model_type,
            architecture: spec.config.architecture.clone(),
            num_labels: self.head.num_labels(),
            activation: spec.activation,
            max_length: spec.max_length,
            parameters: self.parameters,
            hidden_size: spec.config.hidden_size,
            layers: spec.config.num_hidden_layers,
            weights,
            memory_bytes,
            backend,
            warnings: self.warnings.clone(),
        }
    }

    #[cfg(feature = "decoder")]
    fn decoder(
        options: &Options,
        spec: &ModelSpec,
        (decoder, prompt_config): (&Decoder, &PromptConfig),
        weights: Weights,
        dtype: Dtype,
    ) -> Result<Self> {
        let config = &spec.config;
        let head = model::decoder_head(
            config,
            decoder,
            label_token_ids(spec, prompt_config.label_tokens)?,
            &weights,
        )?;
        let tensors = model::decoder_tensors(config, decoder);
        let used = tensors.iter().map(|(name, _)| name.as_str()).chain(head.tensors());
        let warnings = info::warnings(used, &weights, &spec.tokenizer);
        options.check_decoder(dtype)?;
        let engine = Engine::prepare_decoder((config, decoder), weights, spec.max_length)?;
        let parameters = decoder.parameters(config) as usize + head.parameters();
        Ok(Self {
            engine,
            #[cfg(feature = "gpu")]
            gpu: None,
            head,
            parameters,
            warnings,
        })
    }
}

/// The token ids of a decoder's labels: of "yes", and of "no" if the score is a difference.
#[cfg(feature = "decoder")]
fn label_token_ids(spec: &ModelSpec, label_tokens: LabelTokens) -> Result<Option<(usize, Option<usize>)>> {
    let word = |word: &str| {
        let id = spec.tokenizer.token_id(word).map(|id| id as usize);
        id.filter(|id| *id < spec.config.vocab_size).ok_or_else(|| {
            config(format!("the vocabulary has no token {word:?}, which a decoder answers with"))
        })
    };
    match label_tokens {
        LabelTokens::YesNo => Ok(Some((word("yes")?, Some(word("no")?)))),
        LabelTokens::Ids { yes, no } => Ok(Some((yes, no))),
        LabelTokens::Score => Ok(None),
    }
}

impl Session {
    /// Scores the golden pairs of the weights file and compares the logits.
    ///
    /// # Errors
    /// `integrity` for a pair whose logits differ by more than the engine's tolerance.
    async fn verify(&self, golden: &Golden) -> Result<()> {
        let tolerance = self.engine.tolerance();
        for pair in &golden.pairs {
            let batch = self.batch_of(&[(&pair.query, &pair.document)])?;
            let logits = self.logits(&self.engine, &batch).await?;
            let close = |(got, want): (&f32, &f32)| (got - want).abs() <= tolerance * want.abs().max(1.0);
            if logits.len() != pair.logits.len() || !logits.iter().zip(&pair.logits).all(close) {
                return Err(integrity(format!(
                    "the golden pair ({:?}, {:?}) of model.safetensors scores {logits:?} here and {:?} where the file \
                     was made: its files do not belong together, or this engine is wrong",
                    pair.query, pair.document, pair.logits
                )));
            }
        }
        Ok(())
    }
}

/// Why an engine was chosen, before a GPU is compared with it.
fn reason(engine: &Engine, device: Device) -> &'static str {
    match (engine, device) {
        #[cfg(feature = "decoder")]
        (Engine::Decoder(_), _) => "the model is a decoder",
        (_, Device::Auto) => "this build has no GPU engine",
        _ => "asked for",
    }
}

fn next_id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl ModelSource {
    /// Reads the small files and finds the weights, without reading these. Missing weights are an inner error, because
    /// errors of the small files are reported first.
    pub(super) fn open(self) -> Result<(ModelFiles, Result<WeightsSource>)> {
        let mut files = match self {
            #[cfg(feature = "embedded")]
            ModelSource::Embedded => ModelFiles::embedded(),
            #[cfg(not(target_arch = "wasm32"))]
            ModelSource::Directory(path) => {
                return Ok((ModelFiles::without_weights(&path)?, WeightsSource::open(&path)));
            }
            ModelSource::Files(files) => files,
        };
        let weights = WeightsSource::take(&mut files);
        Ok((files, weights))
    }
}
