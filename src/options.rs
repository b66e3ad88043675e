//! What a caller can ask for.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::checkpoint::{Format, ModelFiles, ScoreActivation};
use crate::error::{Error, Result, input, unsupported};
use crate::text::OffsetUnit;

/// Where a model comes from.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ModelSource {
    /// The default model compiled into this build.
    #[cfg(feature = "embedded")]
    Embedded,
    /// A folder with the files of a checkpoint.
    #[cfg(not(target_arch = "wasm32"))]
    Directory(std::path::PathBuf),
    /// The files themselves.
    Files(ModelFiles),
}

/// How to load a model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// What computes.
    pub device: Device,
    /// How weights are held.
    pub dtype: Dtype,
    /// Longest pair in tokens, special ones included; `None`: what the model's files say.
    pub max_length: Option<usize>,
    /// Refuse a model that is predicted to take more memory than so many bytes, loading and scoring; `None`: try.
    pub max_memory_bytes: Option<u64>,
    /// How many engines like this one would share the work on a CPU, for the choice between them and a GPU; `None`: one.
    pub cpu_workers: Option<u32>,
    /// Threads of the CPU engine; `None`: as many as compute at the same time here. In WebAssembly there is one.
    #[cfg(not(target_arch = "wasm32"))]
    pub threads: Option<std::num::NonZeroUsize>,
}

impl Options {
    /// Checks that this build has the engine for an encoder on this device, and that it takes these options.
    ///
    /// # Errors
    /// `unsupported` if not.
    pub(crate) fn check_encoder(&self) -> Result<()> {
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

    /// Checks that a decoder runs with these options and this resolved dtype.
    ///
    /// # Errors
    /// `unsupported` for the GPU, for any dtype but f32, and for a number of threads.
    #[cfg(feature = "decoder")]
    pub(crate) fn check_decoder(&self, dtype: Dtype) -> Result<()> {
        if self.device == Device::Gpu {
            return Err(unsupported("a decoder does not run on a GPU: use the device \"cpu\" or \"auto\""));
        }
        if dtype != Dtype::F32 {
            return Err(unsupported("a decoder is not quantised: its dtype is f32"));
        }
        #[cfg(not(target_arch = "wasm32"))]
        if self.threads.is_some() {
            return Err(unsupported(
                "candle, which runs decoders, chooses its threads by itself: leave the option out",
            ));
        }
        Ok(())
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn threads(&self) -> usize {
        self.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, usize::from)
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) fn threads(&self) -> usize {
        1
    }
}

/// What computes the scores.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Device {
    /// The fastest this build has.
    #[default]
    Auto,
    /// The fastest CPU engine of this build.
    Cpu,
    /// The GPU.
    Gpu,
    /// The reference engine.
    Candle,
}

/// How weights are held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Dtype {
    /// As the file has them: q8 and q4 files as q8, others as f32.
    #[default]
    Auto,
    /// 32-bit floats; q8 and q4 files are dequantised.
    F32,
    /// 16-bit floats.
    F16,
    /// Our 7-bit matrices and 8-bit embeddings; other files are quantised while loading.
    Q8,
    /// Our 4-bit blocks, which only a file has: they are unpacked to q8 while loading.
    Q4,
}

impl Dtype {
    pub(crate) fn resolve(self, format: &Format, device: Device) -> Result<Self> {
        match (self, format) {
            (Dtype::Auto | Dtype::Q4, Format::Q4(_)) | (Dtype::Auto, Format::Q8(_)) | (Dtype::Q8, _) => {
                Ok(Dtype::Q8)
            }
            (Dtype::Auto, Format::Plain | Format::Torch) | (Dtype::F32, _) => Ok(Dtype::F32),
            (Dtype::F16, _) if device == Device::Gpu => Ok(Dtype::F16),
            (Dtype::F16, _) => {
                Err(unsupported("the dtype f16 is for the GPU alone: ask for that device, or use f32 or q8"))
            }
            (Dtype::Q4, _) => Err(unsupported(
                "the dtype q4 needs a q4 file: make one with ranklet quantize --dtype q4, or use q8",
            )),
        }
    }
}

/// Which numbers a call gives back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Scores {
    /// After the activation the checkpoint names.
    #[default]
    Model,
    /// The logits.
    Raw,
    /// Sigmoid of the logits, whatever the checkpoint names.
    Sigmoid,
}

impl Scores {
    pub(crate) fn activation(self, model: ScoreActivation) -> ScoreActivation {
        match self {
            Scores::Model => model,
            Scores::Raw => ScoreActivation::Identity,
            Scores::Sigmoid => ScoreActivation::Sigmoid,
        }
    }
}

/// How to rank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RankOptions<'a> {
    /// Keep the best so many; `None`: all.
    pub top_n: Option<usize>,
    /// Which numbers come back. The order is theirs.
    pub scores: Scores,
    /// Cut every document to so many tokens before the pair is cut to the model's length.
    pub max_tokens_per_document: Option<usize>,
    /// What happens to documents that do not fit beside the query.
    pub long_documents: LongDocuments,
    /// What the query is asked for, of a model whose prompt has a place for it; `None`: what the model's files say.
    pub instruction: Option<&'a str>,
}

/// What happens to documents that do not fit beside the query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LongDocuments {
    /// Their end is cut, as the model's tokenizer cuts pairs.
    #[default]
    Truncate,
    /// They are scored in chunks that overlap; the best chunk's score is the document's.
    Chunk,
}

/// How documents become tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentOptions {
    /// See [`RankOptions::max_tokens_per_document`].
    pub max_tokens_per_document: Option<usize>,
    /// See [`RankOptions::long_documents`].
    pub long_documents: LongDocuments,
    /// What the places of chunks are counted in.
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

macro_rules! from_str {
    ($($type:ty, $what:literal: $($name:literal => $value:expr),* ;)*) => {$(
        impl FromStr for $type {
            type Err = Error;

            fn from_str(name: &str) -> Result<Self> {
                match name {
                    $($name => Ok($value),)*
                    _ => Err(input(format!(concat!($what, " {:?} is not one of ", $($name, " ",)*), name))),
                }
            }
        }
    )*};
}

from_str! {
    Device, "the device": "auto" => Device::Auto, "cpu" => Device::Cpu, "gpu" => Device::Gpu, "candle" => Device::Candle;
    Dtype, "the dtype": "auto" => Dtype::Auto, "f32" => Dtype::F32, "f16" => Dtype::F16, "q8" => Dtype::Q8, "q4" => Dtype::Q4;
    LongDocuments, "the way with long documents": "truncate" => LongDocuments::Truncate, "chunk" => LongDocuments::Chunk;
    Scores, "the scores": "model" => Scores::Model, "raw" => Scores::Raw, "sigmoid" => Scores::Sigmoid;
}
