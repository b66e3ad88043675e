//! A call under way: pairs scored micro-batch by micro-batch, so that a caller can show progress, stop, or let
//! another call have its turn.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use super::{Collection, Reranker};
use crate::engine::Submission;
use crate::error::{Error, ErrorItem, ItemKind, Result, input, internal};
use crate::options::{DocumentOptions, RankOptions, Scores};
use crate::text::{Batch, Chunks, EncodedDocument, EncodedText, Span};

/// The pairs of a call.
#[derive(Debug, Clone)]
pub enum Pairs<'a> {
    /// One query with many documents.
    OneQuery {
        /// The query.
        query: Cow<'a, str>,
        /// The documents.
        documents: Vec<Cow<'a, str>>,
        /// How they become tokens.
        options: DocumentOptions,
    },
    /// Pairs of query and document.
    Each(Vec<(Cow<'a, str>, Cow<'a, str>)>),
    /// One query with documents tokenised before.
    Prepared {
        /// The query.
        query: Cow<'a, str>,
        /// The documents.
        collection: Arc<Collection>,
        /// The places in the collection of those to score, in the order of the scores; `None`: all, in order.
        candidates: Option<Vec<u32>>,
    },
}

/// A call under way. Texts are tokenised when their turn comes.
#[derive(Debug)]
pub struct ScoringRun<'a> {
    pairs: Pairs<'a>,
    scores: Scores,
    instruction: Option<Cow<'a, str>>,
    /// Up to where pairs are finished.
    done: Position,
    /// Up to where they are in batches.
    submitted: Position,
    /// A batch that a GPU is at already.
    prefetched: Option<InFlightBatch>,
    /// The best chunk of those.
    best: Option<(f32, Span)>,
    /// A document of which only some chunks had room in the last batch, so that it is tokenised once.
    partial_document: Option<(usize, Chunks)>,
    tokens: usize,
    /// Whether the reranker had fallen back when the call began, or began again.
    fallen_back: Option<bool>,
}

/// How far a call is.
#[derive(Debug, Clone, Default, PartialEq)]
struct Position {
    /// The first pair that is not through.
    next: usize,
    /// The last chunk of its document that is, where some are.
    last_chunk: Option<Range<usize>>,
}

/// A batch on its way through an engine.
#[derive(Debug)]
struct InFlightBatch {
    batch: Batch,
    rows: Vec<Row>,
    submission: Submission,
}

/// What a micro-batch has finished.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PartialScores {
    /// `[pairs, num_labels]`, row-major. There may be none: long documents in chunks take several micro-batches.
    pub scores: Vec<f32>,
    /// For documents in chunks, where the best one lies: `[pairs]`.
    pub spans: Option<Vec<Span>>,
    /// The call has begun again, with another engine: what it gave before is void.
    pub restarted: bool,
}

impl PartialScores {
    /// Puts the pairs of a later step behind these, or in the place of them where the call has begun again.
    pub fn append(&mut self, later: PartialScores) {
        if later.restarted {
            *self = PartialScores::default();
        }
        self.scores.extend(later.scores);
        if let Some(spans) = later.spans {
            self.spans.get_or_insert_default().extend(spans);
        }
    }
}

/// One pair of a batch.
#[derive(Debug)]
struct Row {
    /// Its place in the call.
    index: usize,
    /// The chunk of the document that it has.
    chunk: Option<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    tokens: Range<usize>,
    span: Span,
    /// Whether the document ends with it.
    last: bool,
}

impl Row {
    /// Where a call is when this pair is through.
    fn next_position(&self) -> Position {
        match &self.chunk {
            Some(Chunk { tokens, last: false, .. }) => {
                Position { next: self.index, last_chunk: Some(tokens.clone()) }
            }
            _ => Position { next: self.index + 1, last_chunk: None },
        }
    }
}

impl<'a> ScoringRun<'a> {
    /// Begins a call; nothing is computed yet.
    pub fn new(pairs: Pairs<'a>, scores: Scores) -> Self {
        Self {
            pairs,
            scores,
            instruction: None,
            done: Position::default(),
            submitted: Position::default(),
            prefetched: None,
            best: None,
            partial_document: None,
            tokens: 0,
            fallen_back: None,
        }
    }

    /// With an instruction, for a model whose prompt has a place for one.
    #[must_use]
    pub fn instruction<T: Into<Cow<'a, str>>>(mut self, instruction: Option<T>) -> Self {
        self.instruction = instruction.map(Into::into);
        self
    }

    /// Number of pairs in all.
    pub fn len(&self) -> usize {
        match &self.pairs {
            Pairs::OneQuery { documents, .. } => documents.len(),
            Pairs::Each(pairs) => pairs.len(),
            Pairs::Prepared { collection, candidates, .. } => {
                candidates.as_ref().map_or(collection.len(), Vec::len)
            }
        }
    }

    /// Whether there are no pairs at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Pairs scored so far.
    pub fn done(&self) -> usize {
        self.done.next
    }

    /// Tokens scored so far, special ones included.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Scores the next micro-batch; `None` when all are done.
    ///
    /// # Errors
    /// As [`Reranker::score`]; `unsupported` for an instruction that has no place, `input` for chunks with a model of several labels, of which none is the best. The pairs
    /// of a failed step stay unscored; the reranker can be used on.
    pub async fn step(&mut self, reranker: &Reranker) -> Result<Option<PartialScores>> {
        if self.done.next == self.len() {
            return Ok(None);
        }
        reranker.check_instruction(self.instruction.as_deref())?;
        let fallen_back = reranker.has_fallen_back();
        if *self.fallen_back.get_or_insert(fallen_back) != fallen_back {
            return Ok(Some(self.restart()));
        }
        let InFlightBatch { batch, rows, submission } = match self.prefetched.take() {
            Some(prefetched) => prefetched,
            None => self.start(reranker)?,
        };
        // The next batch is made while a GPU is at this one. What goes wrong with it is said when its turn comes.
        if submission.is_async() && self.submitted.next < self.len() {
            self.prefetched = self.start(reranker).ok();
        }
        match reranker.score_batch(&batch, submission, self.scores).await {
            Ok(scores) => {
                self.tokens += batch.tokens();
                Ok(Some(self.finish(rows, &scores)))
            }
            // Another call's error, a moment earlier, was this one's too.
            Err(error) if reranker.fall_back(&error) || reranker.has_fallen_back() != fallen_back => {
                Ok(Some(self.restart()))
            }
            Err(error) => {
                (self.submitted, self.prefetched, self.partial_document) = (self.done.clone(), None, None);
                Err(self.with_item(error, &rows))
            }
        }
    }

    /// Makes the next batch and hands it to the engine.
    fn start(&mut self, reranker: &Reranker) -> Result<InFlightBatch> {
        let before = self.submitted.clone();
        let made = self.next_batch(reranker);
        let (batch, rows) = made.inspect_err(|_| self.submitted = before)?;
        let submission = reranker.start(&batch);
        Ok(InFlightBatch { batch, rows, submission })
    }

    /// Begins again, for another engine.
    fn restart(&mut self) -> PartialScores {
        (self.done, self.submitted, self.tokens) = (Position::default(), Position::default(), 0);
        (self.prefetched, self.best, self.partial_document, self.fallen_back) = (None, None, None, None);
        PartialScores { restarted: true, ..PartialScores::default() }
    }

    /// Says which pairs of the call an error of a batch is about: one of its rows if the error knows it, else all.
    fn with_item(&self, error: Error, rows: &[Row]) -> Error {
        let row = error.item().and_then(|item| rows.get(item.range.start));
        let (first, last) = match row {
            Some(row) => (row.index, row.index),
            None => (self.done.next, rows.last().map_or(self.done.next, |row| row.index)),
        };
        error.about(ErrorItem { kind: self.item_kind(), range: first..last + 1 })
    }

    /// Pairs from where others have begun, in order, until the engine's token budget is full. A query that stands in several pairs
    /// in a row is tokenised once.
    fn next_batch(&mut self, reranker: &Reranker) -> Result<(Batch, Vec<Row>)> {
        let (mut batch, mut rows) = (Batch::default(), Vec::new());
        let mut partial_document = self.partial_document.take();
        let mut last: Option<(&str, EncodedText)> = None;
        let kind = self.item_kind();
        for index in self.submitted.next..self.len() {
            let query = self.query(index);
            let at = |error: Error| error.about(ErrorItem { kind, range: index..index + 1 });
            let encoded = match last.take() {
                Some((text, encoded)) if text == query => encoded,
                _ => reranker.encode_query(query, self.instruction.as_deref()).map_err(at)?,
            };
            let mut encoded_document = None;
            let document =
                match (self.prepared_document(reranker, index).map_err(at)?, partial_document.take()) {
                    (Some(document), _) => document,
                    (None, Some((of, chunks))) if of == index => {
                        encoded_document.insert(EncodedDocument::Chunked(chunks))
                    }
                    (None, _) => encoded_document.insert(self.encode(reranker, index).map_err(at)?),
                };
            match document {
                EncodedDocument::Truncated(text) => {
                    reranker.push(&mut batch, &encoded, text).map_err(at)?;
                    rows.push(Row { index, chunk: None });
                }
                EncodedDocument::Chunked(chunks) => {
                    self.push_chunks(reranker, &mut batch, &mut rows, &encoded, (index, chunks))
                        .map_err(at)?;
                }
            }
            if batch.tokens() >= reranker.batch_tokens() {
                partial_document = match encoded_document {
                    Some(EncodedDocument::Chunked(chunks)) => Some((index, chunks)),
                    _ => None,
                };
                break;
            }
            last = Some((query, encoded));
        }
        self.partial_document = partial_document;
        if let Some(row) = rows.last() {
            self.submitted = row.next_position();
        }
        Ok((batch, rows))
    }

    /// Adds a document's chunks from the next one on, as long as the batch has room.
    fn push_chunks(
        &self,
        reranker: &Reranker,
        batch: &mut Batch,
        rows: &mut Vec<Row>,
        query: &EncodedText,
        (index, chunks): (usize, &Chunks),
    ) -> Result<()> {
        if reranker.info().num_labels != 1 {
            return Err(input("a model with several labels has no best chunk: cut long documents instead"));
        }
        let mut last = self.submitted.last_chunk.clone().filter(|_| index == self.submitted.next);
        while let Some(tokens) = reranker.chunk_after(chunks, last.as_ref(), query) {
            reranker.push_chunk(batch, query, chunks.ids(&tokens))?;
            let chunk = Chunk {
                span: chunks.span(&tokens),
                last: tokens.end == chunks.len(),
                tokens: tokens.clone(),
            };
            rows.push(Row { index, chunk: Some(chunk) });
            if batch.tokens() >= reranker.batch_tokens() {
                break;
            }
            last = Some(tokens);
        }
        Ok(())
    }

    /// Takes the scores of a batch in, and gives those of the pairs it finished.
    fn finish(&mut self, rows: Vec<Row>, scores: &[f32]) -> PartialScores {
        let mut part = PartialScores::default();
        let labels = scores.len() / rows.len();
        for (row, scores) in rows.into_iter().zip(scores.chunks_exact(labels)) {
            self.done = row.next_position();
            let Some(Chunk { span, last, .. }) = row.chunk else {
                part.scores.extend_from_slice(scores);
                continue;
            };
            let spans = part.spans.get_or_insert_default();
            // Of equal chunks the first.
            let best = self.best.take().filter(|(best, _)| *best >= scores[0]).unwrap_or((scores[0], span));
            if last {
                part.scores.push(best.0);
                spans.push(best.1);
            } else {
                self.best = Some(best);
            }
        }
        part
    }

    fn query(&self, index: usize) -> &str {
        match &self.pairs {
            Pairs::OneQuery { query, .. } | Pairs::Prepared { query, .. } => query,
            Pairs::Each(pairs) => &pairs[index].0,
        }
    }

    /// The document at `index`, where a collection has its tokens.
    fn prepared_document(
        &self,
        reranker: &Reranker,
        index: usize,
    ) -> Result<Option<&EncodedDocument<'static>>> {
        let Pairs::Prepared { collection, candidates, .. } = &self.pairs else { return Ok(None) };
        let place = candidates.as_ref().map_or(index, |places| places[index] as usize);
        collection.document(reranker, place).map(Some)
    }

    /// Tokenises the document at `index`.
    fn encode(&self, reranker: &Reranker, index: usize) -> Result<EncodedDocument<'_>> {
        match &self.pairs {
            Pairs::OneQuery { documents, options, .. } => reranker.encode(&documents[index], *options),
            Pairs::Each(pairs) => reranker.encode(&pairs[index].1, RankOptions::default().into()),
            Pairs::Prepared { .. } => Err(internal("a prepared document has no text")),
        }
    }

    /// What the caller's input is a list of.
    fn item_kind(&self) -> ItemKind {
        match &self.pairs {
            Pairs::OneQuery { .. } | Pairs::Prepared { .. } => ItemKind::Document,
            Pairs::Each(_) => ItemKind::Pair,
        }
    }
}
