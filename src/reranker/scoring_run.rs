//! A scoring run: pairs scored micro-batch by micro-batch, so that a caller can show progress, stop, or let another run
//! continue in between.

use std::borrow::Cow;
#[cfg(any(test, target_arch = "wasm32"))]
use std::collections::VecDeque;
use std::time::Duration;

use super::Reranker;
use super::deadline::{Deadline, ScoringSpeed};
use super::micro_batch::{Chunk, MicroBatchBuilder, Position, Row};
use super::pairs::{Pairs, RunDocument};
use super::session::Session;
use crate::engine::Submission;
use crate::engine::clock::now_ms;
use crate::error::{Error, Result};
use crate::options::Scores;
use crate::text::{Batch, Chunks, EncodedDocument, EncodedText, Span};

/// The scoring of some pairs, under way. Texts are tokenized just before they are scored.
#[derive(Debug)]
pub struct ScoringRun<'a> {
    pairs: Pairs<'a>,
    pub(super) scores: Scores,
    pub(super) instruction: Option<Cow<'a, str>>,
    /// Whether the instruction was given as a prompt, which every model takes.
    pub(super) is_prompt: bool,
    max_batch_tokens: usize,
    deadline: Option<Deadline>,
    pub(super) progress: Progress,
}

/// The state of a run; the default is that of a run that has not begun.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The end of the pairs that are scored.
    done: Position,
    /// The end of the pairs that are in batches.
    pub(super) submitted: Position,
    /// The next batch, submitted while a GPU computes the current one.
    prefetched: Option<InFlightBatch>,
    /// The score and the span of the best chunk so far of the pair at `done`.
    best_chunk: Option<(f32, Span)>,
    /// Tokens of the chunks so far of the pair at `done`.
    chunk_tokens: usize,
    /// The index of a pair and its document, if some of its chunks did not fit in the last batch.
    partial_document: Option<(usize, Chunks)>,
    /// Tokens of the pairs that are scored.
    pub(super) tokens: usize,
    /// The speed so far, if there is a deadline.
    speed: ScoringSpeed,
    /// The time until which the speed is counted, and the tokens that were scored by then.
    counted: Option<(f64, usize)>,
    /// Whether the session had fallen back when the run began.
    fallen_back: Option<bool>,
    /// The batches that other engines compute, in order.
    #[cfg(any(test, target_arch = "wasm32"))]
    pub(super) in_flight: VecDeque<InFlightBatch>,
}

/// A batch that an engine computes.
#[derive(Debug)]
pub(super) struct InFlightBatch {
    pub(super) batch: Batch,
    pub(super) rows: Vec<Row>,
    submission: Submission,
}

/// The scores of the pairs that a step has finished.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PartialScores {
    /// `[pairs, num_labels]`, row-major. May be empty: a long document in chunks can take several micro-batches.
    pub scores: Vec<f32>,
    /// `[pairs]`, where the best chunk of each document is; `None` if documents are not chunked.
    pub spans: Option<Vec<Span>>,
    /// `[pairs]`, the number of tokens of each, special ones included; of all chunks together.
    pub tokens: Vec<usize>,
    /// The run has begun again on another engine: earlier scores are void.
    pub restarted: bool,
}

impl PartialScores {
    /// Returns where the best chunk of a document is.
    pub(crate) fn span(&self, pair: usize) -> Option<Span> {
        self.spans.as_ref()?.get(pair).copied()
    }

    /// Appends the scores of a later step, or replaces these by them if the run has begun again.
    pub fn append(&mut self, later: PartialScores) {
        if later.restarted {
            *self = PartialScores::default();
        }
        self.scores.extend(later.scores);
        self.tokens.extend(later.tokens);
        if let Some(spans) = later.spans {
            self.spans.get_or_insert_default().extend(spans);
        }
    }
}

impl<'a> ScoringRun<'a> {
    /// Creates a run; nothing is computed yet.
    pub fn new(pairs: Pairs<'a>, scores: Scores) -> Self {
        Self {
            pairs,
            scores,
            instruction: None,
            is_prompt: false,
            max_batch_tokens: usize::MAX,
            deadline: None,
            progress: Progress::default(),
        }
    }

    /// Sets the instruction, for models whose prompt contains one.
    #[must_use]
    pub fn instruction<T: Into<Cow<'a, str>>>(mut self, instruction: Option<T>) -> Self {
        self.instruction = instruction.map(Into::into);
        self
    }

    /// Ends the run some time from now, though not all pairs are scored then: the next step returns `None`. Micro-batches
    /// become small enough to end soon after it.
    #[must_use]
    pub fn deadline(self, limit: Option<Duration>) -> Self {
        self.until(limit.map(Deadline::after))
    }

    pub(super) fn until(mut self, deadline: Option<Deadline>) -> Self {
        self.deadline = deadline;
        self
    }

    /// Sets the text before every query in place of the prompt in the model's files; for a decoder, its instruction.
    #[must_use]
    pub fn prompt<T: Into<Cow<'a, str>>>(mut self, prompt: Option<T>) -> Self {
        self.is_prompt = prompt.is_some();
        self.instruction(prompt)
    }

    /// Limits the tokens of later micro-batches, so that a step takes less time. The scores do not depend on it. A
    /// micro-batch with one pair may exceed the limit.
    pub fn set_max_batch_tokens(&mut self, tokens: usize) {
        self.max_batch_tokens = tokens;
    }

    /// Number of pairs.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of pairs scored so far.
    pub fn done(&self) -> usize {
        self.progress.done.next
    }

    /// Number of tokens scored so far, special ones included.
    pub fn tokens(&self) -> usize {
        self.progress.tokens
    }

    /// Scores the next micro-batch; returns `None` after the last one, and after the deadline.
    ///
    /// If the GPU fails and the CPU takes over, the run begins again: see [`PartialScores::restarted`].
    ///
    /// # Errors
    /// As [`Reranker::score`]; `unsupported` if the model's activation is unknown and its own scores are requested,
    /// or for an instruction that the model does not take; `input` for chunks with a model of several labels, whose chunks
    /// have no order. The pairs of a failed step stay unscored; the reranker stays usable.
    pub async fn step(&mut self, reranker: &Reranker) -> Result<Option<PartialScores>> {
        let session = reranker.session();
        if self.done() == self.len() || self.deadline.is_some_and(|deadline| deadline.has_passed()) {
            return Ok(None);
        }
        session.check_instruction(self.instruction.as_deref(), self.is_prompt)?;
        let function = session.activation.of(self.scores)?;
        let fallen_back = session.has_fallen_back();
        if *self.progress.fallen_back.get_or_insert(fallen_back) != fallen_back {
            return Ok(Some(self.restart()));
        }
        let InFlightBatch { batch, rows, submission } = match self.progress.prefetched.take() {
            Some(prefetched) => prefetched,
            None => self.submit_next(session)?,
        };
        // Fill the next batch while the GPU computes this one. If that fails, the next step tries again and reports it.
        if submission.is_async() && self.progress.submitted.next < self.len() {
            self.progress.prefetched = self.submit_next(session).ok();
        }
        match session.score_batch(&batch, submission, function).await {
            Ok(scores) => {
                self.progress.tokens += batch.tokens();
                Ok(Some(self.finish(rows, &batch, &scores)))
            }
            // A concurrent run may have caused the fallback a moment earlier.
            Err(error) if session.fall_back(&error) || session.has_fallen_back() != fallen_back => {
                Ok(Some(self.restart()))
            }
            Err(error) => {
                let error = self.with_item(error, &rows);
                self.rewind();
                Err(error)
            }
        }
    }

    /// Fills the next batch and hands it to the engine. After an error the same pairs can be tried again.
    #[inline(never)]
    pub(super) fn submit_next(&mut self, session: &Session) -> Result<InFlightBatch> {
        let (batch, rows) = self.next_batch(session)?;
        if let Some(row) = rows.last() {
            self.progress.submitted = row.next_position();
        }
        let submission = session.submit(&batch);
        Ok(InFlightBatch { batch, rows, submission })
    }

    /// Begins the run again, for another engine.
    fn restart(&mut self) -> PartialScores {
        self.progress = Progress::default();
        PartialScores { restarted: true, ..PartialScores::default() }
    }

    /// Forgets batches that are submitted and not scored.
    #[inline(never)]
    pub(super) fn rewind(&mut self) {
        self.progress.submitted = self.progress.done.clone();
        self.progress.prefetched = None;
        self.progress.partial_document = None;
        #[cfg(any(test, target_arch = "wasm32"))]
        self.progress.in_flight.clear();
    }

    /// Sets the item of a batch's error: the pair of one row if the error names a row, else the pairs of all rows.
    #[inline(never)]
    pub(super) fn with_item(&self, error: Error, rows: &[Row]) -> Error {
        let row = error.item().and_then(|item| rows.get(item.range.start));
        let first = row.map_or(self.done(), |row| row.index);
        let last = row.or(rows.last()).map_or(first, |row| row.index);
        error.about(self.pairs.item(first, last))
    }

    /// The maximum number of tokens of the next micro-batch.
    fn batch_tokens(&mut self) -> usize {
        let Some(deadline) = self.deadline else { return self.max_batch_tokens };
        let Progress { speed, counted, tokens, .. } = &mut self.progress;
        let now = now_ms();
        let (since, earlier_tokens) = *counted.get_or_insert((now, *tokens));
        if *tokens > earlier_tokens {
            speed.count(*tokens - earlier_tokens, Duration::from_secs_f64((now - since).max(0.0) / 1e3));
            *counted = Some((now, *tokens));
        }
        deadline.batch_tokens(*speed).min(self.max_batch_tokens)
    }

    /// Fills a batch with the next pairs, in order, up to the token budget of the engine or the run. Consecutive pairs with the
    /// same query share its tokens.
    fn next_batch(&mut self, session: &Session) -> Result<(Batch, Vec<Row>)> {
        let mut builder = MicroBatchBuilder::new(session, self.batch_tokens());
        let mut partial_document = self.progress.partial_document.take();
        let mut last_chunk = self.progress.submitted.last_chunk.clone();
        let mut last_query: Option<(&str, EncodedText)> = None;
        for index in self.progress.submitted.next..self.len() {
            let about = |error: Error| error.about(self.pairs.item(index, index));
            if let Some((variants, variant)) = self.pairs.variant(index) {
                builder.push_variant(index, variants, variant, self.instruction.as_deref()).map_err(about)?;
                if builder.is_full() || builder.ends_early(variants, variant) {
                    break;
                }
                continue;
            }
            let query = self.pairs.query(index);
            let tokens = match last_query.take() {
                Some((text, tokens)) if text == query => tokens,
                _ => session.encode_query(query, self.instruction.as_deref()).map_err(about)?,
            };
            let document = match partial_document.take() {
                Some((partial, chunks)) if partial == index => {
                    RunDocument::Encoded(EncodedDocument::Chunked(chunks))
                }
                _ => self.pairs.document(session, index).map_err(about)?,
            };
            builder.push(index, &tokens, document.get(), last_chunk.take()).map_err(about)?;
            if builder.is_full() {
                if let RunDocument::Encoded(EncodedDocument::Chunked(chunks)) = document {
                    partial_document = Some((index, chunks));
                }
                break;
            }
            last_query = Some((query, tokens));
        }
        self.progress.partial_document = partial_document;
        Ok((builder.batch, builder.rows))
    }

    /// Takes the scores of a batch, `[rows, num_labels]`, and returns those of the pairs that it finished.
    #[inline(never)]
    pub(super) fn finish(&mut self, rows: Vec<Row>, batch: &Batch, scores: &[f32]) -> PartialScores {
        let mut finished = PartialScores::default();
        let num_labels = scores.len() / rows.len();
        for ((row, tokens), scores) in
            rows.into_iter().zip(batch.ranges()).zip(scores.chunks_exact(num_labels))
        {
            self.progress.done = row.next_position();
            match row.chunk {
                None => {
                    finished.scores.extend_from_slice(scores);
                    finished.tokens.push(tokens.len());
                }
                Some(chunk) => {
                    self.progress.chunk_tokens += tokens.len();
                    self.finish_chunk(&chunk, scores[0], &mut finished);
                }
            }
        }
        finished
    }

    /// Keeps the better of a chunk and the best one so far (the first of equal ones); after the last chunk of a
    /// document the best one is its score.
    fn finish_chunk(&mut self, chunk: &Chunk, score: f32, finished: &mut PartialScores) {
        let best = self.progress.best_chunk.take().filter(|(best, _)| *best >= score);
        let (score, span) = best.unwrap_or((score, chunk.span));
        let spans = finished.spans.get_or_insert_default();
        if chunk.is_last {
            finished.scores.push(score);
            finished.tokens.push(std::mem::take(&mut self.progress.chunk_tokens));
            spans.push(span);
        } else {
            self.progress.best_chunk = Some((score, span));
        }
    }
}
