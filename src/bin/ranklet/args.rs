//! What can be said on the command line.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::hub;
use clap::{Args, Parser, Subcommand};
use ranklet::{
    Device, Dtype, LongDocuments, ModelSource, ModelSummary, Options, Reranker, Result, Scores, describe,
};

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
        /// What is looked for.
        #[arg(long)]
        query: String,
        /// .json (array of strings), .jsonl (objects with "text"), .txt (a document a line), or - (stdin, likewise).
        #[arg(long, value_name = "FILE")]
        documents: PathBuf,
        /// Show only the best N.
        #[arg(long, value_name = "N", value_parser = positive_integer)]
        top_n: Option<usize>,
        /// truncate: cut the end of a document that does not fit; chunk: score it in chunks and show the best.
        #[arg(long, value_name = "WAY", default_value = "truncate")]
        long_documents: LongDocuments,
        #[command(flatten)]
        numbers: ScoreArguments,
    },
    /// Score pairs: one line a pair, in the same order, labels separated by tabs.
    Score {
        #[command(flatten)]
        model: ModelArguments,
        /// .jsonl, each line ["query", "document"], or - for stdin.
        #[arg(long, value_name = "FILE")]
        pairs: PathBuf,
        #[command(flatten)]
        numbers: ScoreArguments,
    },
    /// Show what a model is, what it computes and how much memory it would take. Reads all of it but the weights.
    Info {
        #[command(flatten)]
        model: ModelArguments,
        /// Machine-readable output.
        #[arg(long)]
        json: bool,
    },
    /// Hold the GPU of this machine against known scores of a model.
    Verify {
        #[command(flatten)]
        model: ModelArguments,
        /// Machine-readable output.
        #[arg(long)]
        json: bool,
    },
    /// Write a smaller copy of a model.
    Quantize {
        /// The folder of the model, or its id on the Hub; the default model is quantized already.
        #[arg(long, value_name = "DIR|ID")]
        model: String,
        /// q8: 7-bit matrices, 8-bit embeddings; q4: half the size to download, unpacked to q8 when it is loaded.
        #[arg(long, value_parser = quantized)]
        dtype: Dtype,
        /// The folder to write; made if it is not there.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Measure a model: rerank a first stage's results and show nDCG@10 and MRR@10 of both.
    Eval {
        #[command(flatten)]
        model: ModelArguments,
        /// .json: [{"query", "hits": [{"qid", "docid", "rank", "score", "content"}]}].
        #[arg(long, value_name = "FILE")]
        run: PathBuf,
        /// TREC judgements: query, 0, document, gain.
        #[arg(long, value_name = "FILE")]
        qrels: PathBuf,
        /// Machine-readable output.
        #[arg(long)]
        json: bool,
    },
    /// Measure the speed of a model: score made-up passages, new ones each repetition.
    Bench {
        #[command(flatten)]
        model: ModelArguments,
        /// Passages of a repetition. A hundred are about ten thousand tokens.
        #[arg(long, value_name = "N", default_value = "100", value_parser = positive_integer)]
        documents: usize,
        /// How often to measure, after one repetition to warm up.
        #[arg(long, value_name = "N", default_value = "5", value_parser = positive_integer)]
        repetitions: usize,
        /// Machine-readable output.
        #[arg(long)]
        json: bool,
        /// Show what each kernel of the GPU takes for the passages as one batch, and nothing else.
        #[arg(long, conflicts_with = "repetitions")]
        kernels: bool,
        /// For harnesses: score what stdin says, {"query", "documents"} a line, and answer each with a line of JSON.
        #[arg(long, conflicts_with_all = ["documents", "repetitions", "json"])]
        serve: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ModelArguments {
    /// The folder of a model, or its id on the Hub, such as cross-encoder/ms-marco-MiniLM-L6-v2. Without it: the model
    /// in this program.
    #[arg(long, value_name = "DIR|ID")]
    model: Option<String>,
    /// What computes: auto, cpu, gpu, candle.
    #[arg(long, default_value = "auto")]
    device: Device,
    /// How weights are held: auto, f32, f16, q8, q4.
    #[arg(long, default_value = "auto")]
    dtype: Dtype,
    /// Longest pair in tokens; the model's own limit without it.
    #[arg(long, value_name = "TOKENS", value_parser = positive_integer)]
    max_length: Option<usize>,
    /// Threads; as many as compute at the same time here without it.
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

#[derive(Debug, Args)]
pub(crate) struct ScoreArguments {
    /// What queries are asked for, of a model whose prompt has a place for it.
    #[arg(long, value_name = "TEXT")]
    pub(crate) instruction: Option<String>,
    /// model: as the checkpoint says; raw: logits; sigmoid: of the logits.
    #[arg(long, default_value = "model")]
    pub(crate) scores: Scores,
    /// Machine-readable output.
    #[arg(long)]
    pub(crate) json: bool,
}

impl ModelArguments {
    /// Loads the model that was asked for.
    pub(crate) fn load(self) -> Result<Reranker> {
        let (source, options) = self.source_and_options()?;
        Reranker::load_blocking(source, options)
    }

    /// Loads the model that was asked for on a GPU.
    pub(crate) fn load_on_gpu(self) -> Result<Reranker> {
        Self { device: Device::Gpu, ..self }.load()
    }

    /// Describes the model that was asked for.
    pub(crate) fn describe(self) -> Result<ModelSummary> {
        let (source, options) = self.source_and_options()?;
        describe(source, &options)
    }

    fn source_and_options(self) -> Result<(ModelSource, Options)> {
        let source = match &self.model {
            Some(model) => ModelSource::Directory(hub::folder(model)?),
            None => ModelSource::Embedded,
        };
        let options = Options {
            device: self.device,
            dtype: self.dtype,
            max_length: self.max_length,
            threads: self.threads,
            ..Options::default()
        };
        Ok((source, options))
    }
}

fn quantized(text: &str) -> Result<Dtype, String> {
    match text {
        "q8" => Ok(Dtype::Q8),
        "q4" => Ok(Dtype::Q4),
        _ => Err("neither q8 nor q4".to_owned()),
    }
}

fn positive_integer(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| *number >= 1)
        .ok_or_else(|| "not a whole number of at least 1".to_owned())
}
