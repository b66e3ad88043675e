//! Micro-batches of a scoring run: which pairs, or chunks of their documents, the rows of a batch are.

use std::ops::Range;

use super::session::Session;
use crate::error::{Result, input};
use crate::text::{Batch, Chunks, EncodedDocument, EncodedText, PairVariants, Span};

/// Tokens after which the first micro-batch of an explanation ends: a third of what one thread takes at once.
const FIRST_VARIANT_TOKENS: usize = 160;

/// A position in a scoring run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Position {
    /// The first pair that is not finished.
    pub(super) next: usize,
    /// The last finished chunk of that pair's document, in tokens, if some of its chunks are finished.
    pub(super) last_chunk: Option<Range<usize>>,
}

/// A row of a batch.
#[derive(Debug)]
pub(super) struct Row {
    /// Index of the pair in the run.
    pub(super) index: usize,
    /// The chunk of the document in this row; `None` for a document that is not chunked.
    pub(super) chunk: Option<Chunk>,
}

/// A chunk of a document.
#[derive(Debug)]
pub(super) struct Chunk {
    tokens: Range<usize>,
    /// The position of the chunk in the text.
    pub(super) span: Span,
    /// Whether the document has no further chunk.
    pub(super) is_last: bool,
}

impl Row {
    /// The position of the run after this row.
    pub(super) fn next_position(&self) -> Position {
        match &self.chunk {
            Some(Chunk { tokens, is_last: false, .. }) => {
                Position { next: self.index, last_chunk: Some(tokens.clone()) }
            }
            _ => Position { next: self.index + 1, last_chunk: None },
        }
    }
}

/// A batch that is being filled, up to a token budget: that of the engine, or of the run if it is smaller.
pub(super) struct MicroBatchBuilder<'a> {
    session: &'a Session,
    max_tokens: usize,
    pub(super) batch: Batch,
    pub(super) rows: Vec<Row>,
}

impl<'a> MicroBatchBuilder<'a> {
    pub(super) fn new(session: &'a Session, max_tokens: usize) -> Self {
        let max_tokens = session.engine().batch_tokens().min(max_tokens);
        Self { session, max_tokens, batch: Batch::default(), rows: Vec::new() }
    }

    /// Whether the batch has reached its token budget.
    pub(super) fn is_full(&self) -> bool {
        self.batch.tokens() >= self.max_tokens
    }

    /// Returns true if the batch ends after `last_variant` of a pair, although the engine takes more tokens. The first batch has
    /// few variants, so that the first contribution arrives early. Each later batch has at least as many as all before it.
    pub(super) fn ends_early(&self, variants: &PairVariants, last_variant: usize) -> bool {
        let earlier = (last_variant + 1).saturating_sub(self.rows.len());
        last_variant >= variants.first_contribution()
            && self.rows.len() >= earlier
            && self.batch.tokens() >= FIRST_VARIANT_TOKENS
    }

    /// Adds the pair at `index`. Of a chunked document it adds chunks after `last_chunk` until the batch is full.
    pub(super) fn push(
        &mut self,
        index: usize,
        query: &EncodedText,
        document: &EncodedDocument,
        last_chunk: Option<Range<usize>>,
    ) -> Result<()> {
        match document {
            EncodedDocument::Truncated(text) => {
                self.session.push_pair(&mut self.batch, query, text)?;
                self.rows.push(Row { index, chunk: None });
                Ok(())
            }
            EncodedDocument::Chunked(chunks) => self.push_chunks(index, query, chunks, last_chunk),
        }
    }

    /// Adds a variant of a pair, which is the pair at `index` of the run.
    pub(super) fn push_variant(
        &mut self,
        index: usize,
        variants: &PairVariants,
        variant: usize,
        instruction: Option<&str>,
    ) -> Result<()> {
        self.session.push_variant(&mut self.batch, variants, variant, instruction)?;
        self.rows.push(Row { index, chunk: None });
        Ok(())
    }

    fn push_chunks(
        &mut self,
        index: usize,
        query: &EncodedText,
        chunks: &Chunks,
        mut last_chunk: Option<Range<usize>>,
    ) -> Result<()> {
        if self.session.head.num_labels() != 1 {
            return Err(input("a model with several labels has no best chunk: cut long documents instead"));
        }
        while let Some(tokens) = self.session.next_chunk(chunks, last_chunk.as_ref(), query) {
            self.session.push_chunk(&mut self.batch, query, chunks.ids(&tokens))?;
            let (span, is_last) = (chunks.span(&tokens), tokens.end == chunks.len());
            self.rows.push(Row { index, chunk: Some(Chunk { tokens: tokens.clone(), span, is_last }) });
            if self.is_full() {
                break;
            }
            last_chunk = Some(tokens);
        }
        Ok(())
    }
}
