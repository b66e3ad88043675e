//! The tokens of a pair that a model reads, with their positions in its texts.

use std::ops::Range;

use super::{EncodedText, OffsetUnit, PairTokenizer};
use crate::error::Result;

/// Tokens of a text.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextTokens {
    pub(crate) ids: Vec<u32>,
    /// The position of each token in the text, in bytes; empty for a token of the prompt before a query.
    pub(crate) offsets: Vec<Range<usize>>,
}

/// The tokens of a pair that a model reads, at once or in chunks of the document.
#[derive(Debug)]
pub(crate) struct PairTokens {
    pub(crate) query: TextTokens,
    pub(crate) document: TextTokens,
    pub(crate) chunks: Vec<PairChunk>,
}

/// The tokens that a model reads at once.
#[derive(Debug, Clone)]
pub(crate) struct PairChunk {
    pub(crate) query: Range<usize>,
    pub(crate) document: Range<usize>,
}

impl TextTokens {
    /// Returns the part of the text that some tokens cover.
    pub(crate) fn range(&self, tokens: &Range<usize>) -> Range<usize> {
        let offsets = &self.offsets[tokens.clone()];
        let start = offsets.first().map_or(0, |first| first.start);
        // Normalization may reorder characters, so the last token need not have the maximum end.
        start..offsets.iter().map(|token| token.end).max().unwrap_or(start).max(start)
    }
}

impl PairTokens {
    /// Returns the part of the document that the model reads.
    pub(crate) fn document_range(&self) -> Range<usize> {
        let starts = self.chunks.first().map_or(0, |chunk| chunk.document.start);
        let ends = self.chunks.last().map_or(0, |chunk| chunk.document.end);
        self.document.range(&(starts..ends))
    }
}

impl PairTokenizer {
    /// Returns the tokens of a pair that is truncated to `max_length` tokens.
    ///
    /// # Errors
    /// `tokenizer` if the tokenizer fails, `unsupported` if pairs are written into a prompt.
    pub(crate) fn truncated_pair(
        &self,
        query: &str,
        prefix: &str,
        document: &str,
        max_length: usize,
        max_tokens_per_document: Option<usize>,
    ) -> Result<PairTokens> {
        let query_text = self.encode_query(query, max_length, prefix)?;
        let document_text = self.encode(document, max_length, max_tokens_per_document)?;
        let (first, second) = self.truncated_lengths([&query_text, &document_text], max_length)?;
        let query = self.with_offsets(query_text, prefix.len(), max_length)?;
        let document = self.with_offsets(document_text, 0, max_length)?;
        let chunk = PairChunk {
            query: self.encoder.truncation_range(query.ids.len(), first),
            document: self.encoder.truncation_range(document.ids.len(), second),
        };
        Ok(PairTokens { query, document, chunks: vec![chunk] })
    }

    /// Returns the tokens of a pair whose document is read in chunks if it does not fit.
    ///
    /// # Errors
    /// As [`encode_chunks`](Self::encode_chunks).
    pub(crate) fn chunked_pair(
        &self,
        query: &str,
        prefix: &str,
        document: &str,
        max_length: usize,
        max_tokens_per_document: Option<usize>,
    ) -> Result<PairTokens> {
        let query_text = self.encode_query(query, max_length, prefix)?;
        let document = self.encode_chunks(document, max_tokens_per_document, OffsetUnit::Byte)?;
        let max_tokens = self.max_text_tokens(max_length);
        let max_chunk_tokens = self.max_chunk_tokens(&query_text, max_length);
        let query = self.with_offsets(query_text, prefix.len(), max_length)?;
        let mut chunks: Vec<PairChunk> = Vec::new();
        while let Some(chunk) = document.next(chunks.last().map(|last| &last.document), max_chunk_tokens) {
            let query_tokens = max_tokens.saturating_sub(chunk.len());
            let query = self.encoder.truncation_range(query.ids.len(), query_tokens);
            chunks.push(PairChunk { query, document: chunk });
        }
        Ok(PairTokens { query, document: document.into_tokens(), chunks })
    }

    /// Finds the tokens of an encoded text that begins with a prefix of some bytes.
    fn with_offsets(&self, encoded: EncodedText, prefix: usize, max_length: usize) -> Result<TextTokens> {
        let EncodedText { text, ids, max_tokens, .. } = encoded;
        let limit = (self.max_text_tokens(max_length) + 1).min(max_tokens.saturating_add(1));
        let all = self.encoder.offsets_up_to(&text, limit)?;
        let offsets = all[self.encoder.truncation_range(all.len(), ids.len())].iter();
        let offsets =
            offsets.map(|range| range.start.saturating_sub(prefix)..range.end.saturating_sub(prefix));
        Ok(TextTokens { offsets: offsets.collect(), ids })
    }
}
