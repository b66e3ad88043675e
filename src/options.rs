//! The options of loading, scoring and ranking.

#[cfg(not(target_arch = "wasm32"))]
use std::num::NonZeroUsize;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::checkpoint::{Format, ModelFiles};
use crate::error::{Error, Result, input, unsupported};
use crate::explain::{ExplainedTexts, TextUnit};
use crate::score_cache::ScoreCache;
use crate::text::OffsetUnit;

/// Maximum number of threads of an engine.
#[cfg(not(target_arch = "wasm32"))]
const MAX_THREADS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// The source of a model's files.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ModelSource {
    /// The default model compiled into this build.
    #[cfg(feature = "embedded")]
    Embedded,
    /// A folder with the files of a checkpoint.
    #[cfg(not(target_arch = "wasm32"))]
    Directory(std::path::PathBuf),
    /// The contents of the files.
    Files(ModelFiles),
}

/// Options of loading a model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The engine that computes.
    pub device: Device,
    /// The format of the weights in memory.
    pub dtype: Dtype,
    /// The file with the weights in the model's folder, or their index, such as `onnx/model_quantized.onnx`; `None` for
    /// the preferred form that exists.
    pub weights: Option<String>,
    /// Maximum tokens of a pair, special ones included; `None` for the maximum in the model's files.
    pub max_length: Option<usize>,
    /// Maximum memory of loading and scoring, in bytes, as predicted from sizes. A model that would take more is
    /// refused before its weights are read. `None` for no limit.
    pub max_memory_bytes: Option<u64>,
    /// Number of CPU engines that would share the work, for the choice between them and a GPU; `None` for one.
    pub cpu_workers: Option<u32>,
    /// Threads of the CPU engine, 1,024 at most: a larger number means 1,024. `None` for the available parallelism.
    /// WebAssembly always has one.
    #[cfg(not(target_arch = "wasm32"))]
    pub threads: Option<NonZeroUsize>,
    /// The optional features of a GPU that kernels may use if they are faster with them.
    #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
    pub gpu_features: crate::GpuFeatures,
    /// Keeps the scores of pairs for later calls; `None` for no cache. See [`Reranker::score_pairs`](crate::Reranker::score_pairs).
    #[cfg(not(target_arch = "wasm32"))]
    pub score_cache: Option<ScoreCacheOptions>,
}

/// Options of the cache of scores.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreCacheOptions {
    /// Maximum memory in bytes. A pair takes about 280. The least recently used pairs are removed first.
    pub max_bytes: usize,
}

impl Options {
    /// Checks, before the weights are read, that an engine of this build runs the model with these options.
    ///
    /// # Errors
    /// `unsupported`, naming the option.
    pub(crate) fn check_engine(&self, is_decoder: bool) -> Result<()> {
        if is_decoder { self.check_decoder(self.dtype) } else { self.check_encoder() }
    }

    fn check_encoder(&self) -> Result<()> {
        match self.device {
            #[cfg(not(feature = "candle"))]
            Device::Candle => {
                Err(unsupported("this build has no candle: use the device \"cpu\" or \"auto\""))
            }
            #[cfg(all(feature = "candle", not(target_arch = "wasm32")))]
            Device::Candle if self.threads.is_some() => Err(unsupported(
                "candle chooses its threads by itself: leave the option out, or use the device \"cpu\"",
            )),
            _ => Ok(()),
        }
    }

    /// Checks that a decoder runs with these options and this dtype.
    ///
    /// # Errors
    /// `unsupported` for the GPU and for any dtype but f32.
    pub(crate) fn check_decoder(&self, dtype: Dtype) -> Result<()> {
        let what = match (self.device, dtype) {
            (Device::Gpu, _) => "the device gpu: choose cpu or auto",
            (_, Dtype::F16) => "the dtype f16, which needs a GPU: choose f32 or auto",
            (_, Dtype::Q8 | Dtype::Q4) => "quantized weights: choose the dtype f32 or auto",
            (_, Dtype::Auto | Dtype::F32) => return Ok(()),
        };
        Err(unsupported(format!("this model is a decoder, which runs in f32 on the CPU and not with {what}")))
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn threads(&self) -> usize {
        let threads = self.threads.or_else(|| std::thread::available_parallelism().ok());
        threads.map_or(1, |threads| threads.min(MAX_THREADS).get())
    }

    /// The number of threads that the caller has chosen.
    #[cfg(feature = "decoder")]
    pub(crate) fn chosen_threads(&self) -> Option<NonZeroUsize> {
        self.threads.map(|threads| threads.min(MAX_THREADS))
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn threads(&self) -> usize {
        1
    }

    #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
    pub(crate) fn gpu_features(&self) -> crate::GpuFeatures {
        self.gpu_features
    }

    /// All that [`Gpu::open`](crate::engine::gpu::Gpu::open) finds.
    #[cfg(all(feature = "gpu", target_arch = "wasm32"))]
    pub(crate) fn gpu_features(&self) -> crate::GpuFeatures {
        crate::GpuFeatures::default()
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn score_cache(&self) -> Option<ScoreCache> {
        self.score_cache.map(|options| ScoreCache::new(options.max_bytes))
    }

    /// The package keeps scores in JavaScript, where all workers share them.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn score_cache(&self) -> Option<ScoreCache> {
        None
    }
}

/// The engine that computes scores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Device {
    /// The faster of GPU and CPU, measured at load; the CPU in a build without a GPU engine.
    #[default]
    Auto,
    /// The CPU engine.
    Cpu,
    /// The GPU engine.
    Gpu,
    /// The reference engine, on candle.
    Candle,
}

/// The format of weights in memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Dtype {
    /// The format of the file: q8 for q8 and q4 files, f32 for others.
    #[default]
    Auto,
    /// 32-bit floats; q8 and q4 files are dequantized.
    F32,
    /// 16-bit floats, on the GPU only.
    F16,
    /// Ranklet's 7-bit matrices and 8-bit embeddings; other files are quantized on load.
    Q8,
    /// Ranklet's 4-bit blocks, a format of files only: they are unpacked to q8 on load.
    Q4,
}

impl Dtype {
    pub(crate) fn resolve(self, format: &Format, device: Device) -> Result<Self> {
        match (self, format) {
            (Dtype::Auto | Dtype::Q4, Format::Q4(_)) | (Dtype::Auto, Format::Q8(_)) | (Dtype::Q8, _) => {
                Ok(Dtype::Q8)
            }
            (Dtype::Auto, Format::Plain | Format::Torch | Format::Onnx) | (Dtype::F32, _) => Ok(Dtype::F32),
            (Dtype::F16, _) if device == Device::Gpu => Ok(Dtype::F16),
            (Dtype::F16, _) => {
                Err(unsupported("the dtype f16 needs a GPU: choose that device, or the dtype f32 or q8"))
            }
            (Dtype::Q4, _) => Err(unsupported(
                "the dtype q4 needs a q4 file: make one with ranklet quantize --dtype q4, or use q8",
            )),
        }
    }
}

/// The kind of scores that a call returns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scores {
    /// Logits after the activation of the checkpoint.
    #[default]
    Model,
    /// The logits.
    Raw,
    /// The sigmoid of the logits, whatever the checkpoint's activation is.
    Sigmoid,
    /// Calibrated probabilities of a model that `ranklet calibrate` wrote.
    Probability,
}

/// Options of ranking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RankOptions<'a> {
    /// Number of results to return, the best first; `None` for all.
    pub top_n: Option<usize>,
    /// The kind of scores; they also decide the order.
    pub scores: Scores,
    /// Maximum tokens of a document, cut before the pair is cut to the maximum length of the model.
    pub max_tokens_per_document: Option<usize>,
    /// Treatment of documents that do not fit in a pair with the query.
    pub long_documents: LongDocuments,
    /// The instruction, for a model whose prompt contains one; `None` for the default of the model's files.
    pub instruction: Option<&'a str>,
}

/// Treatment of documents that do not fit in a pair with the query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LongDocuments {
    /// Cut them, as the model's tokenizer truncates pairs.
    #[default]
    Truncate,
    /// Score them in overlapping chunks; the score of the best chunk is that of the document.
    Chunk,
}

/// Options of tokenizing documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DocumentOptions {
    /// See [`RankOptions::max_tokens_per_document`].
    pub max_tokens_per_document: Option<usize>,
    /// See [`RankOptions::long_documents`].
    pub long_documents: LongDocuments,
    /// The unit of the spans of chunks.
    pub unit: OffsetUnit,
}

impl From<RankOptions<'_>> for DocumentOptions {
    fn from(options: RankOptions<'_>) -> Self {
        Self {
            max_tokens_per_document: options.max_tokens_per_document,
            long_documents: options.long_documents,
            unit: OffsetUnit::Byte,
        }
    }
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Error {
    input(format!("unknown {what} {name:?}: use one of {}", known.join(", ")))
}

/// Implements `FromStr` by the names that the command line and JavaScript use.
macro_rules! from_str {
    ($($type:ty, $what:literal: $($name:literal => $value:expr),* ;)*) => {$(
        impl FromStr for $type {
            type Err = Error;

            fn from_str(name: &str) -> Result<Self> {
                match name {
                    $($name => Ok($value),)*
                    _ => Err(unknown($what, name, &[$($name),*])),
                }
            }
        }
    )*};
}

from_str! {
    Device, "device": "auto" => Device::Auto, "cpu" => Device::Cpu, "gpu" => Device::Gpu, "candle" => Device::Candle;
    Dtype, "dtype": "auto" => Dtype::Auto, "f32" => Dtype::F32, "f16" => Dtype::F16, "q8" => Dtype::Q8, "q4" => Dtype::Q4;
    LongDocuments, "long-documents option": "truncate" => LongDocuments::Truncate, "chunk" => LongDocuments::Chunk;
    TextUnit, "unit": "word" => TextUnit::Word, "sentence" => TextUnit::Sentence;
    ExplainedTexts, "texts": "document" => ExplainedTexts::Document, "query" => ExplainedTexts::Query, "both" => ExplainedTexts::Both;
    Scores, "kind of scores": "model" => Scores::Model, "raw" => Scores::Raw, "sigmoid" => Scores::Sigmoid, "probability" => Scores::Probability;
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn threads_are_bounded() {
        for (chosen, threads) in [(1, 1), (1024, 1024), (1025, 1024), (usize::MAX, 1024)] {
            let options = Options { threads: NonZeroUsize::new(chosen), ..Options::default() };
            assert_eq!(options.threads(), threads, "{chosen}");
            #[cfg(feature = "decoder")]
            assert_eq!(options.chosen_threads(), NonZeroUsize::new(threads), "{chosen}");
        }
    }
}
