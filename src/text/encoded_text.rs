//! Tokenized queries and documents, before they are joined into pairs.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::Chunks;

/// The token ids of one text, as many as a pair can use.
#[derive(Debug)]
pub struct EncodedText<'a> {
    pub(super) text: Cow<'a, str>,
    pub(super) ids: Vec<u32>,
    /// Whether `ids` holds every token of the text that a pair may use.
    pub(super) is_complete: bool,
    /// Maximum number of tokens of the text that a pair may use.
    pub(super) max_tokens: usize,
    /// Number of tokens of the whole text, at most `max_tokens`. Counted only if it decides which text of a pair is
    /// longer.
    pub(super) full_length: OnceLock<usize>,
}

/// The tokens of a document.
#[derive(Debug)]
pub(crate) enum EncodedDocument<'a> {
    /// Makes one pair, truncated if it is too long.
    Truncated(EncodedText<'a>),
    /// Makes a pair for each chunk of the document.
    Chunked(Chunks),
}

impl EncodedText<'_> {
    /// Wraps a text that is tokenized later, together with the other text of its pair.
    #[cfg(feature = "decoder")]
    pub(super) fn deferred(text: Cow<'_, str>) -> EncodedText<'_> {
        EncodedText {
            text,
            ids: Vec::new(),
            is_complete: false,
            max_tokens: usize::MAX,
            full_length: OnceLock::new(),
        }
    }

    /// Returns a copy that borrows nothing. The text itself is kept only if it may have to be read again.
    pub(crate) fn into_owned(mut self) -> EncodedText<'static> {
        self.ids.shrink_to_fit();
        let text = if self.is_complete { String::new() } else { self.text.into_owned() };
        EncodedText {
            text: text.into(),
            ids: self.ids,
            is_complete: self.is_complete,
            max_tokens: self.max_tokens,
            full_length: self.full_length,
        }
    }
}

impl EncodedDocument<'_> {
    /// Returns a copy that borrows nothing.
    pub(crate) fn into_owned(self) -> EncodedDocument<'static> {
        match self {
            EncodedDocument::Truncated(text) => EncodedDocument::Truncated(text.into_owned()),
            EncodedDocument::Chunked(chunks) => EncodedDocument::Chunked(chunks),
        }
    }
}
