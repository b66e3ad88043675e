//! The arguments of the command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
#[cfg(feature = "serve")]
use ranklet::ScoreCacheOptions;
use ranklet::eval::Measure;
use ranklet::hub::{self, HubOptions};
use ranklet::{
    Device, Dtype, Error, ErrorKind, GpuFeatures, ModelFiles, ModelSource, ModelSummary, Options, Reranker,
    Result, Scores, describe,
};

use crate::calibrate::CalibrateArguments;
use crate::eval::EvalFiles;
use crate::explain::ExplainArguments;
use crate::rank::RankArguments;
#[cfg(feature = "serve")]
use crate::serve::ServeArguments;

/// Rank documents for a query with a cross-encoder, on this machine.
#[derive(Debug, Parser)]
#[command(name = "ranklet", version, about)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Rank documents for a query, best first.
    Rank {
        #[command(flatten)]
        model: ModelArguments,
        #[command(flatten)]
        ranking: RankArguments,
    },
    /// Score pairs: one line per pair, in input order, labels separated by tabs.
    Score {
        #[command(flatten)]
        model: ModelArguments,
        /// .jsonl with one ["query", "document"] per line, or - for stdin.
        #[arg(long, value_name = "FILE")]
        pairs: PathBuf,
        #[command(flatten)]
        numbers: ScoreArguments,
    },
    /// Explain a score: show what each word or sentence adds to the logit.
    Explain {
        #[command(flatten)]
        model: ModelArguments,
        #[command(flatten)]
        explain: ExplainArguments,
    },
    /// Show a model, the steps that it computes and how much memory it would take, without reading its weights.
    Info {
        #[command(flatten)]
        model: ModelArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Check this machine's GPU against known scores of a model.
    Verify {
        #[command(flatten)]
        model: ModelArguments,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write a smaller copy of a model.
    Quantize {
        /// The folder of the model, or its id on the Hub. The models in this program are quantized already.
        #[arg(long, value_name = "DIR|ID")]
        model: String,
        /// The revision on the Hub: a branch, a tag, a commit or refs/pr/N. The default is main.
        #[arg(long, value_name = "REVISION")]
        revision: Option<String>,
        /// The file with the model's weights, or their index; see rank.
        #[arg(long, value_name = "FILE")]
        weights: Option<String>,
        /// q8: 7-bit matrices and 8-bit embeddings; q4: a little more than half the size of q8, unpacked
        /// to q8 on load.
        #[arg(long, value_parser = quantized_dtype)]
        dtype: Dtype,
        /// The folder to write. It is created if it does not exist.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Measure a model: rerank the results of a first stage and compare both orders by the judgments.
    Eval {
        #[command(flatten)]
        model: ModelArguments,
        #[command(flatten)]
        files: EvalFiles,
        /// Measures, separated by commas: ndcg@K, ndcg_exp@K, mrr@K, map, map@K, recall@K, p@K.
        #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "ndcg@10,mrr@10")]
        measures: Vec<Measure>,
        /// Folder or Hub id of a second model, or ranklet/small, to compare with the first.
        #[arg(long, value_name = "DIR|ID")]
        compare: Option<String>,
        /// The revision of the second model on the Hub. The default is main.
        #[arg(long, value_name = "REVISION", requires = "compare")]
        compare_revision: Option<String>,
        /// The instruction, for the models whose prompt contains one.
        #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
        instruction: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Calibrate a model: fit probabilities to judgments, and write the model with them.
    Calibrate {
        #[command(flatten)]
        model: ModelArguments,
        #[command(flatten)]
        calibration: CalibrateArguments,
    },
    /// Serve a model over HTTP, to the clients of Cohere, Jina, Voyage, Text Embeddings Inference and others.
    #[cfg(feature = "serve")]
    Serve {
        #[command(flatten)]
        model: ModelArguments,
        #[command(flatten)]
        server: ServeArguments,
    },
    /// Measure the speed of a model on generated passages, new ones in each repetition.
    Bench {
        #[command(flatten)]
        model: ModelArguments,
        /// Passages per repetition. A hundred have about ten thousand tokens.
        #[arg(long, value_name = "N", default_value = "100", value_parser = positive_integer)]
        documents: usize,
        /// The instruction, for a model whose prompt contains one.
        #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
        instruction: Option<String>,
        /// Number of measurements, after one repetition to warm up.
        #[arg(long, value_name = "N", default_value = "5", value_parser = positive_integer)]
        repetitions: usize,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Show only the time of each GPU kernel, for all passages in one batch.
        #[arg(long, conflicts_with_all = ["repetitions", "instruction"])]
        kernels: bool,
        /// For benchmark harnesses: read {"query", "documents"} lines from stdin, and answer each with a line of JSON.
        #[arg(long, conflicts_with_all = ["documents", "repetitions", "json", "kernels"])]
        serve: bool,
    },
}

#[derive(Debug, Clone, Args)]
pub(crate) struct ModelArguments {
    /// The folder of a model, or its id on the Hub, such as cross-encoder/ms-marco-MiniLM-L6-v2. ranklet/small is the
    /// small model in this program, and the default is the larger one.
    #[arg(long, value_name = "DIR|ID")]
    model: Option<String>,
    /// The revision on the Hub: a branch, a tag, a commit or refs/pr/N. The default is main.
    #[arg(long, value_name = "REVISION", requires = "model")]
    revision: Option<String>,
    /// The file of the model with its weights, or their index, such as onnx/model_quantized.onnx. By default, the first
    /// form that exists: model.safetensors, pytorch_model.bin, onnx/model.onnx and others.
    #[arg(long, value_name = "FILE", requires = "model")]
    weights: Option<String>,
    /// The engine: auto, cpu, gpu, candle.
    #[arg(long, default_value = "auto", value_parser = option::<Device>)]
    device: Device,
    /// The format of the weights in memory: auto, f32, f16, q8, q4.
    #[arg(long, default_value = "auto", value_parser = option::<Dtype>)]
    dtype: Dtype,
    /// The optional features of a GPU that kernels may use if they are faster with them: all, none, or some of f16,
    /// packed-dot and subgroups, separated by commas.
    #[arg(long, default_value = "all", value_name = "FEATURES", value_parser = gpu_features)]
    gpu_features: GpuFeatures,
    /// Maximum tokens of a pair. The default is the model's limit.
    #[arg(long, value_name = "TOKENS", value_parser = positive_integer)]
    max_length: Option<usize>,
    /// Number of threads, 1,024 at most. The default is the number that run in parallel on this machine.
    #[arg(long, value_name = "N", value_parser = threads)]
    threads: Option<NonZeroUsize>,
}

/// The location of a model's files.
pub(crate) enum ModelLocation {
    /// This program.
    Embedded(ModelFiles),
    /// A folder, which may be that of the cache.
    Folder(PathBuf),
}

#[derive(Debug, Args)]
pub(crate) struct ScoreArguments {
    /// The instruction, for a model whose prompt contains one.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) instruction: Option<String>,
    /// model: with the activation of the checkpoint; raw: logits; sigmoid: the sigmoid of the logits; probability:
    /// calibrated, of a model that ranklet calibrate wrote.
    #[arg(long, default_value = "model", value_parser = option::<Scores>)]
    pub(crate) scores: Scores,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

impl ModelArguments {
    /// Loads another model with the same options. The form of the weights is that of the first model alone.
    pub(crate) fn load_other(&self, model: String, revision: Option<String>) -> Result<Reranker> {
        Self { model: Some(model), revision, weights: None, ..self.clone() }.load()
    }

    /// Locates the model, after a download if the cache lacks it.
    pub(crate) fn location(&self) -> Result<ModelLocation> {
        let Some(model) = &self.model else {
            return Ok(ModelLocation::Embedded(ModelFiles::embedded()));
        };
        let (revision, weights) = (self.revision.as_deref(), self.weights.as_deref());
        let Some(files) = ModelFiles::embedded_as(model) else {
            let options = HubOptions { revision, weights, ..HubOptions::default() };
            return Ok(ModelLocation::Folder(hub::folder(model, options)?));
        };
        if revision.is_some() {
            let message =
                format!("{model} is part of this program and has no revisions: leave --revision out");
            return Err(Error::new(ErrorKind::Input, message));
        }
        Ok(ModelLocation::Embedded(files))
    }

    /// Loads the model.
    pub(crate) fn load(self) -> Result<Reranker> {
        let (source, options) = self.source_and_options()?;
        Reranker::load_blocking(source, options)
    }

    /// Loads the model with a cache of scores of up to some bytes.
    #[cfg(feature = "serve")]
    pub(crate) fn load_with_score_cache(self, max_bytes: Option<usize>) -> Result<Reranker> {
        let (source, options) = self.source_and_options()?;
        let score_cache = max_bytes.map(|max_bytes| ScoreCacheOptions { max_bytes });
        Reranker::load_blocking(source, Options { score_cache, ..options })
    }

    /// The name of the model, for people.
    #[cfg(feature = "serve")]
    pub(crate) fn name(&self) -> &str {
        self.model.as_deref().unwrap_or("ranklet")
    }

    /// Loads the model on a GPU.
    ///
    /// # Errors
    /// `input` if another device is requested.
    pub(crate) fn load_on_gpu(self) -> Result<Reranker> {
        match self.device {
            Device::Auto | Device::Gpu => Self { device: Device::Gpu, ..self }.load(),
            _ => Err(Error::new(
                ErrorKind::Input,
                "verify compares a GPU with known scores, so --device is gpu or auto; known scores are checked on every \
                 device whenever a model is loaded",
            )),
        }
    }

    /// Checks, before the weights are read, that the model reads documents in chunks.
    pub(crate) fn check_chunks(self) -> Result<()> {
        match self.describe()?.plan {
            Some(_) => Ok(()),
            None => Err(Error::new(
                ErrorKind::Unsupported,
                "--long-documents chunk: this model is a decoder, which reads query and document as one prompt: leave the \
                 option out",
            )),
        }
    }

    /// Summarizes the model.
    pub(crate) fn describe(self) -> Result<ModelSummary> {
        let (source, options) = self.source_and_options()?;
        describe(source, &options)
    }

    fn source_and_options(self) -> Result<(ModelSource, Options)> {
        let source = match self.location()? {
            ModelLocation::Embedded(files) => ModelSource::Files(files),
            ModelLocation::Folder(folder) => ModelSource::Directory(folder),
        };
        let options = Options {
            device: self.device,
            dtype: self.dtype,
            weights: self.weights,
            max_length: self.max_length,
            threads: self.threads,
            gpu_features: self.gpu_features,
            ..Options::default()
        };
        Ok((source, options))
    }
}

fn gpu_features(text: &str) -> Result<GpuFeatures, String> {
    let mut features = GpuFeatures::NONE;
    for name in text.split(',') {
        match name {
            "all" => features = GpuFeatures::default(),
            "none" => {}
            "f16" => features.f16 = true,
            "packed-dot" => features.packed_dot = true,
            "subgroups" => features.subgroups = true,
            _ => return Err(format!("{name:?} is none of all, none, f16, packed-dot and subgroups")),
        }
    }
    Ok(features)
}

fn quantized_dtype(text: &str) -> Result<Dtype, String> {
    match text {
        "q8" => Ok(Dtype::Q8),
        "q4" => Ok(Dtype::Q4),
        _ => Err("use q8 or q4".to_owned()),
    }
}

/// Reads an option of the library. Its errors have a kind, which the command line does not print here.
pub(crate) fn option<T: FromStr<Err = Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: Error| error.context().to_owned())
}

fn threads(text: &str) -> Result<NonZeroUsize, String> {
    positive_integer(text).and_then(|count| NonZeroUsize::try_from(count).map_err(|error| error.to_string()))
}

pub(crate) fn positive_integer(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| *number >= 1)
        .ok_or_else(|| "use a whole number of at least 1".to_owned())
}

/// Ends the program as for an option that cannot be parsed.
pub(crate) fn wrong_usage(error: &Error) -> ! {
    clap::Error::raw(clap::error::ErrorKind::ValueValidation, format!("{}\n", error.context())).exit()
}
