//! Documents that are read whole, however long: chunk by chunk.

use std::ops::Range;

use serde::Serialize;
use tokenizers::Encoding;

/// What places in a text are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OffsetUnit {
    /// Bytes of UTF-8, as Rust has them.
    Byte,
    /// Units of UTF-16, as JavaScript has them.
    Utf16,
}

/// A place in a text, in the unit that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

/// All tokens of a document, and where in its text each stands.
#[derive(Debug)]
pub struct Chunks {
    ids: Vec<u32>,
    /// Where each token begins and ends, without white space at its beginning.
    offsets: Vec<[u32; 2]>,
}

/// The most tokens that two neighbouring chunks have in common: some sentences. Short chunks have a quarter in common.
const MAX_OVERLAP: usize = 128;

impl Chunks {
    /// The tokens at `kept` of a text's encoding, whose offsets are bytes.
    pub(super) fn new(text: &str, encoding: &Encoding, tokens: Range<usize>, unit: OffsetUnit) -> Self {
        let ids = encoding.get_ids()[tokens.clone()].to_vec();
        let mut cursor = Utf16Cursor { text, byte: 0, utf16: 0 };
        let offsets = encoding.get_offsets()[tokens].iter().map(|&(start, end)| {
            let (start, end) = (text.floor_char_boundary(start), text.ceil_char_boundary(end));
            let token = text.get(start..end).unwrap_or_default();
            let blank = token.len() - token.trim_start().len();
            let start = if blank == token.len() { start } else { start + blank };
            [start, end].map(|byte| match unit {
                OffsetUnit::Byte => byte as u32,
                OffsetUnit::Utf16 => cursor.utf16_of(byte) as u32,
            })
        });
        Self { offsets: offsets.collect(), ids }
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The chunk of at most `room` tokens, which are one or more, that comes after the one at `last`, or the first.
    /// `None` when `last` has reached the end. All but the only one are full, or begin a little later, with a word.
    pub(crate) fn next(&self, last: Option<&Range<usize>>, max_tokens: usize) -> Option<Range<usize>> {
        let Some(last) = last else { return Some(0..max_tokens.min(self.len())) };
        if last.end >= self.len() {
            return None;
        }
        let overlap = (max_tokens / 4).min(MAX_OVERLAP);
        // The last chunk is as long as the others, for a few words alone say little.
        let start = (last.end - overlap).min(self.len() - max_tokens);
        let word = (start..start + overlap / 2).find(|&token| self.begins_word(token)).unwrap_or(start);
        Some(word..self.len().min(word + max_tokens))
    }

    /// Whether there is white space in front of a token.
    fn begins_word(&self, token: usize) -> bool {
        token.checked_sub(1).is_none_or(|before| self.offsets[before][1] < self.offsets[token][0])
    }

    /// The ids of a chunk.
    pub(crate) fn ids(&self, chunk: &Range<usize>) -> &[u32] {
        &self.ids[chunk.clone()]
    }

    /// Where a chunk lies in the text.
    pub(crate) fn span(&self, chunk: &Range<usize>) -> Span {
        let offsets = &self.offsets[chunk.clone()];
        let start = offsets.first().map_or(0, |[start, _]| *start);
        // Where normalisation changes the order of characters, the last token need not be the one that ends last.
        let end = offsets.iter().map(|[_, end]| *end).max().unwrap_or(start);
        Span { start: start as usize, end: end.max(start) as usize }
    }
}

/// A place in a text that is counted in bytes and in units of UTF-16 together.
struct Utf16Cursor<'a> {
    text: &'a str,
    byte: usize,
    utf16: usize,
}

impl Utf16Cursor<'_> {
    /// The units before `byte`, which lies between two characters; cheap for places near the last one.
    fn utf16_of(&mut self, byte: usize) -> usize {
        let units = |range: Range<usize>| self.text[range].chars().map(char::len_utf16).sum::<usize>();
        self.utf16 = if byte >= self.byte {
            self.utf16 + units(self.byte..byte)
        } else {
            self.utf16 - units(byte..self.byte)
        };
        self.byte = byte;
        self.utf16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens of one character each; a space between words of `word` of them.
    fn chunks(tokens: usize, word: usize) -> Chunks {
        let offset = |token: usize| (token + token / word) as u32;
        Chunks {
            ids: (0..tokens as u32).collect(),
            offsets: (0..tokens).map(|token| [offset(token), offset(token) + 1]).collect(),
        }
    }

    fn all(chunks: &Chunks, max_tokens: usize) -> Vec<Range<usize>> {
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
                    let list = all(&chunks(tokens, word), max_tokens);
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
    fn a_chunk_begins_with_a_word_where_one_is_near() {
        let document = chunks(100, 3);
        let list = all(&document, 20);
        assert!(list[1..].iter().all(|chunk| chunk.start.is_multiple_of(3)), "{list:?}");
        assert_eq!(document.span(&(3..6)), Span { start: 4, end: 7 });
    }
}
