//! A model in pipeline stages: engines that each compute some steps of the Plan, on workers that pass the hidden states on.
//!
//! The first stage is a [`Reranker`] with the tokenizer and the embeddings. It makes the batches, and the scores from their
//! logits. Each of the others is a [`PipelineStage`]; the last one has the head.

use std::ops::Range;

use super::loader::Loader;
use super::scoring_run::{InFlightBatch, PartialScores, ScoringRun};
use super::{Reranker, Session};
use crate::checkpoint::{Checkpoint, Index, ModelConfig, ModuleChain, WeightsReader};
use crate::engine::{Engine, EngineConfig, non_finite_activation};
use crate::error::{Result, input};
use crate::model::{self, Head, Plan};
use crate::options::{Dtype, Options};
use crate::text::Batch;

/// How a model would be split.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Split {
    /// Predicted peak memory of the whole model in one engine, in bytes.
    pub(crate) whole_bytes: u64,
    /// Predicted peak memory of all stages together.
    pub(crate) split_bytes: u64,
    /// The options that each later stage is loaded with.
    pub(crate) options: PipelineOptions,
}

/// The facts that all stages of a model share.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PipelineOptions {
    /// Number of rows at the start of each pair that pooling leaves out.
    pub(crate) unpooled_rows: usize,
    /// The first steps of the second stage and the following ones, ascending.
    pub(crate) split_points: Vec<usize>,
}

/// A batch after a stage of the Plan.
#[derive(Debug)]
pub(crate) struct StageBatch {
    /// The hidden states (the residual stream), `[tokens, hidden_size]`.
    pub(crate) hidden_states: Vec<f32>,
    /// Index of the first token of each pair, followed by the number of tokens.
    pub(crate) cu_seqlens: Vec<usize>,
}

impl PipelineOptions {
    /// Returns the steps of a stage.
    ///
    /// # Errors
    /// `input` for split points that the Plan does not have.
    fn steps(&self, plan: &Plan, stage: usize) -> Result<Range<usize>> {
        let possible = plan.split_points();
        let is_possible = |point: &usize| possible.contains(point);
        if stage > self.split_points.len()
            || !self.split_points.iter().all(is_possible)
            || !self.split_points.is_sorted()
        {
            return Err(input("the model has no such stage"));
        }
        let start = stage.checked_sub(1).map_or(0, |before| self.split_points[before]);
        Ok(start..self.split_points.get(stage).copied().unwrap_or(plan.steps.len()))
    }
}

impl Loader {
    /// Plans how to split the model into at most `stages` stages that take about the same time.
    ///
    /// # Errors
    /// `unsupported` for a model without a Plan.
    pub(crate) fn split(&self, stages: usize) -> Result<Split> {
        let (spec, config) = (self.spec(), &self.spec().checkpoint.config);
        let plan = collapsed_plan(config)?;
        let split_points = plan.balanced_split_points(stages);
        let options = PipelineOptions { unpooled_rows: config.unpooled_rows, split_points };
        let mut split_bytes = 0;
        for stage in 0..=options.split_points.len() {
            let steps = options.steps(&plan, stage)?;
            let stage = collapsed_plan(config)?.stage(steps.clone());
            split_bytes += spec.stage_memory(&plan, &stage, &steps, self.dtype());
        }
        Ok(Split { whole_bytes: self.memory_bytes(), split_bytes, options })
    }

    /// Prepares only the first stage of the model. Must be called before the weights are read.
    ///
    /// # Errors
    /// `input` for split points that the model does not have.
    pub(crate) fn keep_first_stage(&mut self, options: &PipelineOptions) -> Result<()> {
        let steps = options.steps(&collapsed_plan(&self.spec().checkpoint.config)?, 0)?;
        self.keep_stage(steps)
    }
}

/// Returns the Plan that the engine of a whole model most likely has.
///
/// # Errors
/// `unsupported` for a decoder.
#[inline(never)]
fn collapsed_plan(config: &ModelConfig) -> Result<Plan> {
    Ok(model::likely_plan(config)?.collapse_last_layer())
}

/// Loads a stage of a model after the first.
#[derive(Debug)]
pub(crate) struct StageLoader {
    options: Options,
    config: ModelConfig,
    chain: Option<ModuleChain>,
    steps: Range<usize>,
    is_last: bool,
    weights: WeightsReader,
}

impl StageLoader {
    /// Begins with all files but the weights.
    ///
    /// # Errors
    /// `input` for a stage that the model does not have.
    pub(crate) fn new(
        checkpoint: Checkpoint,
        index: Option<Index>,
        options: Options,
        stage: usize,
        pipeline: &PipelineOptions,
    ) -> Result<Self> {
        let Checkpoint { mut config, chain, .. } = checkpoint;
        config.unpooled_rows = pipeline.unpooled_rows;
        let plan = collapsed_plan(&config)?;
        let steps = pipeline.steps(&plan, stage)?;
        let expected = model::expected_tensors(&config, chain.as_ref(), options.dtype == Dtype::Q8)?;
        let mut weights = WeightsReader::new(index, expected);
        weights.keep_tensors(model::stage_tensors(&config, &steps)?);
        let is_last = steps.end == plan.steps.len();
        Ok(Self { options, config, chain, steps, is_last, weights })
    }

    /// Takes the name of a weights file before it is opened, as [`Loader::expect_file`] does.
    pub(crate) fn expect_file(&mut self, name: &str) {
        if self.options.dtype == Dtype::Auto && name.ends_with(".onnx") {
            self.options.dtype = Dtype::F32;
        }
    }

    /// The reader to push the weights into.
    pub(crate) fn weights(&mut self) -> &mut WeightsReader {
        &mut self.weights
    }

    /// Prepares the engine.
    ///
    /// # Errors
    /// The errors of [`Reranker::load`] about the weights.
    pub(crate) fn finish(self) -> Result<PipelineStage> {
        let Self { options, config, chain, steps, is_last, weights } = self;
        let weights = weights.finish()?;
        let dtype = options.dtype.resolve(weights.format(), options.device)?;
        let (plan, head) = model::build(&config, chain.as_ref(), &weights)?;
        let plan = plan.collapse_last_layer().stage(steps);
        let engine = Engine::prepare_cpu(&plan, weights, EngineConfig { threads: 1, dtype })?;
        Ok(PipelineStage { engine, hidden_size: plan.hidden_size, head: is_last.then_some(head) })
    }
}

/// A stage of a model after the first.
#[derive(Debug)]
pub(crate) struct PipelineStage {
    engine: Engine,
    hidden_size: usize,
    /// The head, if this is the last stage.
    head: Option<Head>,
}

impl PipelineStage {
    /// Runs a batch. Returns its hidden states, or its logits after the last stage; nothing if an activation is not finite.
    ///
    /// # Errors
    /// `input` if the hidden states do not have a row for each token.
    pub(crate) fn run(&self, batch: StageBatch) -> Result<Vec<f32>> {
        let StageBatch { hidden_states, cu_seqlens } = batch;
        let tokens = cu_seqlens.last().copied().unwrap_or(0);
        let is_valid = cu_seqlens.first() == Some(&0) && cu_seqlens.is_sorted();
        if !is_valid || tokens == 0 || hidden_states.len() != tokens * self.hidden_size {
            return Err(input("the hidden states do not have a row for each token"));
        }
        let batch = Batch { input_ids: vec![0; tokens], token_type_ids: vec![0; tokens], cu_seqlens };
        let Ok(values) = self.engine.run_stage(&batch, Some(&hidden_states)) else { return Ok(Vec::new()) };
        Ok(match &self.head {
            Some(head) => head.logits(&values, values.len() / batch.pairs()),
            None => values,
        })
    }
}

impl ScoringRun<'_> {
    /// Runs the first stage of the model for the next micro-batch. Returns `None` if all pairs are in batches. Several batches
    /// can be under way; [`finish_batch`](Self::finish_batch) takes their logits in order.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub(crate) fn begin_batch(&mut self, reranker: &Reranker) -> Result<Option<StageBatch>> {
        let session = reranker.session();
        if self.progress.submitted.next == self.len() {
            return Ok(None);
        }
        session.check_instruction(self.instruction.as_deref(), self.is_prompt)?;
        session.activation.of(self.scores)?;
        let in_flight = self.submit_next(session)?;
        match session.engine().run_stage(&in_flight.batch, None) {
            Ok(hidden_states) => {
                let cu_seqlens = in_flight.batch.cu_seqlens.clone();
                self.progress.in_flight.push_back(in_flight);
                Ok(Some(StageBatch { hidden_states, cu_seqlens }))
            }
            Err(error) => {
                let error = self.with_item(error, &in_flight.rows);
                self.rewind();
                Err(error)
            }
        }
    }

    /// Takes the logits of the first batch that is under way, none if an activation is not finite.
    ///
    /// # Errors
    /// `internal` for logits that are not finite; `input` if there is no such batch, or the logits are not its own.
    pub(crate) fn finish_batch(&mut self, reranker: &Reranker, logits: Vec<f32>) -> Result<PartialScores> {
        let session = reranker.session();
        let function = session.activation.of(self.scores)?;
        let Some(InFlightBatch { batch, rows, .. }) = self.progress.in_flight.pop_front() else {
            return Err(input("no batch is under way"));
        };
        match finite_logits(session, logits, &batch) {
            Ok(logits) => {
                self.progress.tokens += batch.tokens();
                let scores = session.scores(logits, function);
                Ok(self.finish(rows, &batch, &scores))
            }
            Err(error) => {
                let error = self.with_item(error, &rows);
                self.rewind();
                Err(error)
            }
        }
    }
}

impl Reranker {
    /// Runs the first stage of the model for a golden pair of the weights file. Returns `None` after the last pair.
    ///
    /// # Errors
    /// As [`score`](Self::score).
    pub(crate) fn golden_batch(&self, pair: usize) -> Result<Option<StageBatch>> {
        let session = self.session();
        let golden = session.unverified.as_ref().and_then(|golden| golden.pairs.get(pair));
        let Some(pair) = golden else { return Ok(None) };
        let batch = session.batch_of(&[(&pair.query, &pair.document)])?;
        let hidden_states = session.engine().run_stage(&batch, None)?;
        Ok(Some(StageBatch { hidden_states, cu_seqlens: batch.cu_seqlens }))
    }

    /// Compares the logits of a golden pair.
    ///
    /// # Errors
    /// `integrity` if they differ by more than the engine's tolerance.
    pub(crate) fn check_golden(&self, pair: usize, logits: &[f32]) -> Result<()> {
        let session = self.session();
        let golden = session.unverified.as_ref().and_then(|golden| golden.pairs.get(pair));
        golden.map_or(Ok(()), |pair| session.check_golden(pair, logits))
    }
}

fn finite_logits(session: &Session, logits: Vec<f32>, batch: &Batch) -> Result<Vec<f32>> {
    if logits.is_empty() {
        return Err(non_finite_activation());
    }
    if logits.len() != batch.pairs() * session.head.num_labels() {
        return Err(input("the logits are not those of the batch"));
    }
    session.check_logits(&logits)?;
    Ok(logits)
}

#[cfg(test)]
mod tests;
