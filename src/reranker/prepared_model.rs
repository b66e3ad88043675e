//! The engines and the head of a model, prepared from its weights.

use std::ops::Range;

#[cfg(feature = "decoder")]
use super::decoder;
use super::model_spec::ModelSpec;
use crate::checkpoint::Weights;
#[cfg(feature = "gpu")]
use crate::engine::gpu::{AdapterKind, GpuEngine};
use crate::engine::{Engine, EngineConfig};
use crate::error::Result;
use crate::info::{self, Backend, Info, WeightsInfo};
use crate::model::{self, Head};
#[cfg(any(feature = "gpu", feature = "candle"))]
use crate::options::Device;
use crate::options::{Dtype, Options};

/// An engine and a head, prepared from a Plan or for a decoder.
pub(super) struct PreparedModel {
    pub(super) engine: Engine,
    /// A GPU engine, or the reason why there is none; `None` if the options exclude a GPU.
    #[cfg(feature = "gpu")]
    pub(super) gpu: Option<Result<Box<GpuEngine>>>,
    pub(super) head: Head,
    pub(super) parameters: u64,
    pub(super) warnings: Vec<String>,
}

impl PreparedModel {
    /// Prepares the engines, for some steps of the Plan or for all, and checks that the options suit them.
    ///
    /// # Errors
    /// The errors of [`Reranker::load`](crate::Reranker::load) about the weights and the engine.
    pub(super) async fn new(
        options: &Options,
        spec: &ModelSpec,
        weights: Weights,
        dtype: Dtype,
        stage: Option<Range<usize>>,
    ) -> Result<Self> {
        let checkpoint = &spec.checkpoint;
        #[cfg(feature = "decoder")]
        if let (Some(decoder), Some(prompt_config)) = (&checkpoint.config.decoder, &checkpoint.prompt_config)
        {
            options.check_decoder(dtype)?;
            return decoder::prepare(options, spec, (decoder, prompt_config), weights);
        }
        let (plan, head) = model::build(&checkpoint.config, checkpoint.chain.as_ref(), &weights)?;
        let used = plan.tensors().into_iter().map(|tensor| tensor.name).chain(head.tensors());
        let warnings = info::warnings(used, &weights, &spec.tokenizer);
        let parameters = plan.parameters() + head.parameters();
        let plan = plan.collapse_last_layer();
        let plan = match stage {
            Some(steps) => plan.stage(steps),
            None => plan,
        };
        #[cfg(feature = "gpu")]
        let adapter = match options.device {
            Device::Auto => Some(AdapterKind::Hardware),
            Device::Gpu => Some(AdapterKind::Any),
            Device::Cpu | Device::Candle => None,
        };
        #[cfg(feature = "gpu")]
        let mut gpu = match adapter {
            Some(adapter) => {
                let gpu = (adapter, options.gpu_features());
                Some(Engine::prepare_gpu(gpu, &plan, &weights, dtype).await)
            }
            None => None,
        };
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
            parameters,
            head,
            warnings,
        })
    }

    /// Describes the model; the CPU engine of `backend` computes until a GPU is chosen.
    pub(super) fn info(
        &self,
        spec: &ModelSpec,
        weights: WeightsInfo,
        memory_bytes: u64,
        backend: Backend,
    ) -> Info {
        let config = &spec.checkpoint.config;
        Info {
            model_type: config.model_type,
            architecture: config.architecture.clone(),
            num_labels: self.head.num_labels(),
            activation: spec.checkpoint.activation.function,
            calibration: spec.checkpoint.activation.calibration,
            max_length: spec.max_length,
            parameters: self.parameters,
            hidden_size: config.hidden_size,
            layers: config.num_hidden_layers,
            weights,
            memory_bytes,
            backend,
            warnings: self.warnings.clone(),
        }
    }
}
