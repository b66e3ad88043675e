//! A model without its weights: the start of loading, and all that a summary needs.

#[cfg(any(test, target_arch = "wasm32"))]
use std::ops::Range;

use crate::checkpoint::{Checkpoint, Numbering};
use crate::error::{Result, out_of_memory, unsupported};
use crate::memory::{DecoderMemoryEstimate, MemoryEstimate};
use crate::model::{self, Plan};
use crate::options::{Dtype, Options};
use crate::text::PairTokenizer;

/// The checked configuration of a model, its tokenizer, and the sizes from which memory is estimated.
#[derive(Debug)]
pub(super) struct ModelSpec {
    /// The checkpoint, without the contents of `tokenizer.json`.
    pub(super) checkpoint: Checkpoint,
    /// The Plan that the model most likely has, before its tensors are known by name; `None` for a decoder.
    pub(super) likely_plan: Option<Plan>,
    pub(super) tokenizer: PairTokenizer,
    /// Maximum tokens of a pair.
    pub(super) max_length: usize,
    /// Number of parameters of the head.
    pub(super) head_parameters: u64,
    /// Total bytes of the weights files.
    pub(super) weights_bytes: u64,
    /// Whether these are ONNX files, whose 8-bit integers are kept as floats unless the dtype is q8.
    pub(super) has_onnx_weights: bool,
    /// Bytes of `tokenizer.json`.
    tokenizer_json_bytes: usize,
    threads: usize,
}

impl ModelSpec {
    /// Builds the tokenizer and frees its file.
    ///
    /// # Errors
    /// The errors of [`Reranker::load`](crate::Reranker::load) about the tokenizer and the maximum length.
    pub(super) fn new(mut checkpoint: Checkpoint, weights_bytes: u64, options: &Options) -> Result<Self> {
        let tokenizer = PairTokenizer::read(
            &checkpoint.tokenizer_json,
            &checkpoint.tokenizer_config,
            checkpoint.limits(),
        )?;
        #[cfg(feature = "decoder")]
        let tokenizer = tokenizer.with_prompt(checkpoint.prompt_config.as_ref(), &checkpoint.prompt)?;
        let tokenizer = match &checkpoint.chain {
            Some(chain) if chain.excludes_prompt && !checkpoint.prompt.is_empty() => {
                tokenizer.without_pooling_prompt(&checkpoint.prompt)?
            }
            _ => tokenizer,
        };
        checkpoint.config.unpooled_rows = tokenizer.unpooled_tokens();
        let tokenizer_json_bytes = std::mem::take(&mut checkpoint.tokenizer_json).len();
        if let Some(max_length) = options.max_length {
            tokenizer.check_max_length(max_length)?;
        }
        let config = &checkpoint.config;
        if let Some(Numbering::PastPadding { padding }) = config.position_table
            && tokenizer.puts_token(padding)
        {
            return Err(unsupported(format!(
                "config.json: pad_token_id {padding} is also a token around the texts of every pair, so positions would \
                 not be counted; set it to the id of the padding token"
            )));
        }
        let likely_plan = match config.decoder {
            Some(_) => None,
            None => Some(model::likely_plan(config)?),
        };
        Ok(Self {
            likely_plan,
            max_length: options.max_length.unwrap_or(tokenizer.model_max_length()),
            head_parameters: model::head_parameters(config, checkpoint.chain.as_ref())?,
            checkpoint,
            tokenizer,
            weights_bytes,
            has_onnx_weights: false,
            tokenizer_json_bytes,
            threads: options.threads(),
        })
    }

    /// Estimates the peak memory of loading and scoring on the CPU, in bytes.
    pub(super) fn peak_memory(&self, dtype: Dtype) -> u64 {
        match &self.likely_plan {
            Some(plan) => self.encoder_memory(plan, dtype),
            None => self.decoder_memory(),
        }
    }

    fn encoder_memory(&self, plan: &Plan, dtype: Dtype) -> u64 {
        self.encoder_estimate(plan, dtype).peak()
    }

    fn encoder_estimate<'a>(&self, plan: &'a Plan, dtype: Dtype) -> MemoryEstimate<'a> {
        let parameters = plan.parameters() + self.head_parameters;
        let is_of_integers = self.has_onnx_weights && 2 * self.weights_bytes < 3 * parameters;
        MemoryEstimate {
            plan,
            head_parameters: self.head_parameters,
            tokenizer: self.tokenizer_bytes(),
            weights: if is_of_integers && dtype != Dtype::Q8 { 4 * parameters } else { self.weights_bytes },
            dtype,
            max_length: self.max_length,
            threads: self.threads,
        }
    }

    /// Estimates the peak memory of an engine for a `stage` of `plan`, in bytes.
    #[cfg(any(test, target_arch = "wasm32"))]
    pub(super) fn stage_memory(&self, plan: &Plan, stage: &Plan, steps: &Range<usize>, dtype: Dtype) -> u64 {
        let whole = self.encoder_estimate(plan, dtype);
        let mut estimate = MemoryEstimate { plan: stage, ..whole };
        if steps.end < plan.steps.len() {
            estimate.head_parameters = 0;
        }
        if steps.start > 0 {
            // The file is read with the others and freed.
            estimate.tokenizer[1] = 0;
        }
        let parameters = |plan: &Plan, head: u64| (plan.parameters() + head) as f64;
        let share = parameters(stage, estimate.head_parameters) / parameters(plan, self.head_parameters);
        estimate.weights = (whole.weights as f64 * share) as u64;
        estimate.peak() + estimate.hidden_states_bytes()
    }

    fn decoder_memory(&self) -> u64 {
        let config = &self.checkpoint.config;
        let estimate = |decoder| DecoderMemoryEstimate {
            config,
            decoder,
            head_parameters: self.head_parameters,
            tokenizer: self.tokenizer_bytes(),
            weights: self.weights_bytes,
            max_length: self.max_length,
        };
        config.decoder.as_ref().map_or(0, |decoder| estimate(decoder).peak())
    }

    /// Bytes of `tokenizer.json`, and of the tables of the tokenizer.
    fn tokenizer_bytes(&self) -> [usize; 2] {
        [self.tokenizer_json_bytes, self.tokenizer.table_bytes()]
    }

    /// Checks that loading and scoring would take at most `limit` bytes.
    ///
    /// # Errors
    /// `out-of-memory` otherwise, with both figures.
    pub(super) fn check_memory(&self, dtype: Dtype, limit: u64) -> Result<()> {
        let peak = self.peak_memory(dtype);
        if peak <= limit {
            return Ok(());
        }
        let (dtype, smaller) = match (peak == self.peak_memory(Dtype::F32), self.dtypes()) {
            (true, [.., Dtype::Q8]) => ("f32", "the dtype q8, "),
            (true, _) => ("f32", ""),
            (false, _) => ("q8", ""),
        };
        Err(out_of_memory(format!(
            "this model would take about {:.1} MB of memory in {dtype}, with pairs of up to {} tokens; the limit is \
             {:.1} MB: choose {smaller}a smaller maximum length or another model",
            megabytes(peak),
            self.max_length,
            megabytes(limit)
        )))
    }

    /// The dtypes that the model can have on the CPU, from the largest to the smallest.
    pub(super) fn dtypes(&self) -> &'static [Dtype] {
        match self.likely_plan {
            Some(_) => &[Dtype::F32, Dtype::Q8],
            None => &[Dtype::F32],
        }
    }
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
