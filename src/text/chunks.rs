//! Long documents that are scored chunk by chunk.

use std::ops::Range;

use serde::Serialize;
use tokenizers::Encoding;

use super::TextTokens;

/// The unit of the offsets in a [`Span`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OffsetUnit {
    /// UTF-8 bytes, as in Rust strings.
    Byte,
    /// UTF-16 code units, as in JavaScript strings.
    Utf16,
    /// Unicode code points, as in Python strings.
    #[cfg(not(target_arch = "wasm32"))]
    CodePoint,
}

/// A part of a text, in the [`OffsetUnit`] that the caller chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Offset of its first character.
    pub start: usize,
    /// Offset after its last character.
    pub end: usize,
}

/// All tokens of a document with their offsets in its text.
#[derive(Debug)]
pub(crate) struct Chunks {
    ids: Vec<u32>,
    /// `[start, end]` of each token, without its leading white space.
    offsets: Vec<[u32; 2]>,
}

/// Maximum number of tokens that neighboring chunks share: a few sentences. Short chunks share a quarter.
const MAX_OVERLAP: usize = 128;

impl Chunks {
    /// Takes a range of the tokens of a text. `encoding` has byte offsets.
    pub(super) fn new(text: &str, encoding: &Encoding, tokens: Range<usize>, unit: OffsetUnit) -> Self {
        let ids = encoding.get_ids()[tokens.clone()].to_vec();
        let mut cursor = OffsetCursor::new(text, unit);
        let offsets = encoding.get_offsets()[tokens].iter().map(|&(start, end)| {
            let (start, end) = (text.floor_char_boundary(start), text.ceil_char_boundary(end));
            let token = text.get(start..end).unwrap_or_default();
            let white_space = token.len() - token.trim_start().len();
            let start = if white_space == token.len() { start } else { start + white_space };
            [start, end].map(|byte| cursor.offset(byte) as u32)
        });
        Self { offsets: offsets.collect(), ids }
    }

    /// Returns the number of tokens.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Returns the token range of the chunk after `last`, or of the first chunk; `None` at the end of the document.
    ///
    /// Chunks have `max_tokens` (at least 1) tokens. A chunk may start a little later, to start with a word, which makes
    /// the last one a few tokens shorter. A short document is one chunk with all its tokens.
    pub(crate) fn next(&self, last: Option<&Range<usize>>, max_tokens: usize) -> Option<Range<usize>> {
        let Some(last) = last else { return Some(0..max_tokens.min(self.len())) };
        if last.end >= self.len() {
            return None;
        }
        let overlap = (max_tokens / 4).min(MAX_OVERLAP);
        // The last chunk overlaps more instead of being short, because a few words alone say little.
        let start = (last.end - overlap).min(self.len() - max_tokens);
        let word_start = (start..start + overlap / 2).find(|&token| self.begins_word(token)).unwrap_or(start);
        Some(word_start..self.len().min(word_start + max_tokens))
    }

    /// Returns whether a token follows white space, or is the first one.
    fn begins_word(&self, token: usize) -> bool {
        token.checked_sub(1).is_none_or(|previous| self.offsets[previous][1] < self.offsets[token][0])
    }

    /// Returns the token ids of a chunk.
    pub(crate) fn ids(&self, chunk: &Range<usize>) -> &[u32] {
        &self.ids[chunk.clone()]
    }

    /// Returns all tokens, if their offsets are in bytes.
    pub(super) fn into_tokens(self) -> TextTokens {
        let offsets = self.offsets.iter().map(|&[start, end]| start as usize..end as usize).collect();
        TextTokens { ids: self.ids, offsets }
    }

    /// Returns the part of the text that a chunk covers.
    pub(crate) fn span(&self, chunk: &Range<usize>) -> Span {
        let offsets = &self.offsets[chunk.clone()];
        let start = offsets.first().map_or(0, |[start, _]| *start);
        // Normalization may reorder characters, so the last token need not have the maximum end.
        let end = offsets.iter().map(|[_, end]| *end).max().unwrap_or(start);
        Span { start: start as usize, end: end.max(start) as usize }
    }
}

/// Converts byte offsets of a text to a unit, starting from the last one it converted.
#[derive(Debug)]
pub(crate) struct OffsetCursor<'a> {
    text: &'a str,
    unit: OffsetUnit,
    byte: usize,
    offset: usize,
}

impl<'a> OffsetCursor<'a> {
    pub(crate) fn new(text: &'a str, unit: OffsetUnit) -> Self {
        Self { text, unit, byte: 0, offset: 0 }
    }

    /// Returns the offset of a character at `byte`. The cost grows with the distance from the last call's offset.
    pub(crate) fn offset(&mut self, byte: usize) -> usize {
        let length = |range: Range<usize>| match self.unit {
            OffsetUnit::Byte => range.len(),
            OffsetUnit::Utf16 => self.text[range].chars().map(char::len_utf16).sum(),
            #[cfg(not(target_arch = "wasm32"))]
            OffsetUnit::CodePoint => self.text[range].chars().count(),
        };
        self.offset = if byte >= self.byte {
            self.offset + length(self.byte..byte)
        } else {
            self.offset - length(byte..self.byte)
        };
        self.byte = byte;
        self.offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a document of one-character tokens, with a space after every `word` of them.
    fn chunks(tokens: usize, word: usize) -> Chunks {
        let offset = |token: usize| (token + token / word) as u32;
        Chunks {
            ids: (0..tokens as u32).collect(),
            offsets: (0..tokens).map(|token| [offset(token), offset(token) + 1]).collect(),
        }
    }

    fn all_chunks(chunks: &Chunks, max_tokens: usize) -> Vec<Range<usize>> {
        let mut list: Vec<Range<usize>> = Vec::new();
        while let Some(next) = chunks.next(list.last(), max_tokens) {
            list.push(next);
        }
        list
    }

    #[test]
    fn chunks_cover_the_document_and_overlap() {
        for tokens in 0..70 {
            for max_tokens in 1..40 {
                for word in [1, 3, 100] {
                    let list = all_chunks(&chunks(tokens, word), max_tokens);
                    assert_eq!(
                        (list[0].start, list[list.len() - 1].end),
                        (0, tokens),
                        "{tokens} {max_tokens} {word}"
                    );
                    assert!(list.iter().all(|chunk| chunk.len() <= max_tokens));
                    assert_eq!(list.len() == 1, tokens <= max_tokens);
                    let overlap = max_tokens / 4;
                    for pair in list.windows(2) {
                        assert!(
                            pair[0].end - pair[1].start.min(pair[0].end) >= overlap - overlap / 2,
                            "{list:?}"
                        );
                        assert!(pair[1].start > pair[0].start && pair[1].start <= pair[0].end, "{list:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_chunk_begins_with_a_word_if_one_is_near() {
        let document = chunks(100, 3);
        let list = all_chunks(&document, 20);
        assert!(list[1..].iter().all(|chunk| chunk.start.is_multiple_of(3)), "{list:?}");
        assert_eq!(document.span(&(3..6)), Span { start: 4, end: 7 });
    }
}
