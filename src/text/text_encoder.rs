//! Token ids of single texts, in time and memory bounded by the number of ids that are kept.

use std::ops::Range;

use tokenizers::Encoding;

use super::error::failed;
use super::hf::Pipeline;
use crate::checkpoint::TruncationSide;
use crate::error::{Result, tokenizer};

/// Bytes before a cut within which a cluster of combining marks may still change.
const MAX_CLUSTER_BYTES: usize = 256;

/// Tokenizes single texts, without special tokens around them.
#[derive(Debug)]
pub(super) struct TextEncoder {
    pipeline: Pipeline,
    truncation_side: TruncationSide,
    /// Bytes before a cut within which an added token or a cluster of marks may still change.
    unstable_bytes: usize,
    /// Rows of the model's word embedding table.
    vocab_size: usize,
}

impl TextEncoder {
    pub(super) fn new(pipeline: Pipeline, truncation_side: TruncationSide, vocab_size: usize) -> Self {
        let added_tokens = pipeline.get_added_tokens_decoder();
        let max_added_token = added_tokens.values().map(|token| token.content.len()).max().unwrap_or(0);
        Self { pipeline, truncation_side, unstable_bytes: max_added_token + MAX_CLUSTER_BYTES, vocab_size }
    }

    /// Returns the approximate size of the tokenizer's tables in bytes.
    pub(super) fn table_bytes(&self) -> usize {
        self.pipeline.get_model().table_bytes()
    }

    /// Returns the id of a token, spelled as in the vocabulary.
    #[cfg(feature = "decoder")]
    pub(super) fn token_id(&self, token: &str) -> Option<u32> {
        self.pipeline.token_to_id(token)
    }

    /// Returns the number of tokens whose ids have no row in the model's embedding table.
    pub(super) fn tokens_beyond_vocabulary(&self) -> usize {
        let model = self.pipeline.get_model();
        let added_tokens = self.pipeline.get_added_tokens_decoder();
        let added_beyond = added_tokens.iter().filter(|(id, token)| {
            **id as usize >= self.vocab_size
                && tokenizers::Model::token_to_id(model, &token.content).is_none()
        });
        model.count_ids_from(self.vocab_size) + added_beyond.count()
    }

    /// Checks that the model has an embedding for every token.
    ///
    /// # Errors
    /// `tokenizer`, naming the first token without one.
    pub(super) fn check_ids(&self, ids: &[u32]) -> Result<()> {
        let Some(id) = ids.iter().find(|id| **id as usize >= self.vocab_size) else { return Ok(()) };
        let token = self.pipeline.id_to_token(*id).unwrap_or_default();
        Err(tokenizer(format!(
            "the token {token:?} has the id {id}, but the model's vocabulary has only {} tokens",
            self.vocab_size
        )))
    }

    /// Returns the range of tokens that remain when `total` tokens are truncated to `length`.
    pub(super) fn truncation_range(&self, total: usize, length: usize) -> Range<usize> {
        match self.truncation_side {
            TruncationSide::Right => 0..total.min(length),
            TruncationSide::Left => total.saturating_sub(length)..total,
        }
    }

    /// Truncates a text to at most `length` tokens.
    pub(super) fn truncate<'a>(&self, ids: &'a [u32], length: usize) -> &'a [u32] {
        &ids[self.truncation_range(ids.len(), length)]
    }

    /// Returns all tokens of a text with their byte offsets.
    pub(super) fn encode(&self, text: &str) -> Result<Encoding> {
        self.pipeline.encode(text, false).map_err(failed)
    }

    /// Returns all tokens of a text with their byte offsets, or of a long text at least the first `limit`.
    pub(super) fn encode_up_to(&self, text: &str, limit: usize) -> Result<Encoding> {
        self.stable_beginning(text, limit)?.map_or_else(|| self.encode(text), Ok)
    }

    /// Returns all token ids of a text.
    pub(super) fn ids(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.pipeline.encode_fast(text, false).map_err(failed)?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Returns either the first `limit` ids of a text and `false`, or all its ids and `true`.
    ///
    /// Only the beginning of a long text is tokenized. It grows until it holds `limit` tokens that the rest of the text
    /// cannot change. Truncation on the left needs the end of the text, so then all of it is tokenized.
    pub(super) fn ids_up_to(&self, text: &str, limit: usize) -> Result<(Vec<u32>, bool)> {
        match self.stable_beginning(text, limit)? {
            Some(encoding) => Ok((encoding.get_ids()[..limit].to_vec(), false)),
            None => Ok((self.ids(text)?, true)),
        }
    }

    /// Returns where the tokens of [`ids_up_to`](Self::ids_up_to) are in the text, in bytes.
    pub(super) fn offsets_up_to(&self, text: &str, limit: usize) -> Result<Vec<Range<usize>>> {
        let (encoding, length) = match self.stable_beginning(text, limit)? {
            Some(encoding) => (encoding, limit),
            None => (self.encode(text)?, usize::MAX),
        };
        let range =
            |&(start, end): &(usize, usize)| text.floor_char_boundary(start)..text.ceil_char_boundary(end);
        Ok(encoding.get_offsets().iter().take(length).map(range).collect())
    }

    /// Returns the end of the first `max_tokens` tokens of a text, in bytes.
    #[cfg(feature = "decoder")]
    pub(super) fn tokens_end(&self, text: &str, max_tokens: usize) -> Result<usize> {
        let offsets = self.offsets_up_to(text, max_tokens.saturating_add(1))?;
        Ok(offsets.get(max_tokens).map_or(text.len(), |next| next.start))
    }

    /// Tokenizes the beginning of a long text, so that its first `limit` tokens are those of the text; `None` for a text
    /// that has to be tokenized as a whole.
    fn stable_beginning(&self, text: &str, limit: usize) -> Result<Option<Encoding>> {
        let mut window = limit.saturating_mul(8).saturating_add(4 * self.unstable_bytes);
        while self.truncation_side == TruncationSide::Right && window < text.len() {
            let cut = text.floor_char_boundary(window);
            let encoding = self.encode(&text[..cut])?;
            let stable_end = last_boundary(&text[..text.floor_char_boundary(cut - self.unstable_bytes)]);
            if count_stable_tokens(&encoding, stable_end) >= limit {
                return Ok(Some(encoding));
            }
            window = window.saturating_mul(4);
        }
        Ok(None)
    }
}

/// Returns the byte offset of the last character that later text cannot affect. White space is none, because a run of
/// it may become one token; nor are combining marks, because normalization may reorder a run of them.
fn last_boundary(text: &str) -> usize {
    let is_boundary = |char: char| match char {
        '\0'..='\x7f' => !char.is_whitespace(),
        // Kana, CJK ideographs and Hangul syllables. Texts in other scripts contain ASCII spaces and punctuation.
        'ぁ'..='ゖ' | 'ァ'..='鿿' | '가'..='힣' => true,
        _ => false,
    };
    text.rfind(is_boundary).unwrap_or(0)
}

/// Returns the number of leading tokens that later text cannot change: those of words that end before `stable_end`
/// bytes, without the last one. A pattern such as GPT-4o's looks at all of the next word to find the end of a word.
fn count_stable_tokens(encoding: &Encoding, stable_end: usize) -> usize {
    let words = encoding.get_word_ids();
    // The normalizer may have removed all text after the boundary. Then later text could continue the last word.
    let Some(first_open) = encoding.get_offsets().iter().position(|(_, end)| *end > stable_end) else {
        return 0;
    };
    let word_start = |end: usize| {
        let Some(Some(word)) = words.get(end) else { return end };
        words[..end].iter().rposition(|other| *other != Some(*word)).map_or(0, |last| last + 1)
    };
    match word_start(first_open) {
        0 => 0,
        open_start => word_start(open_start - 1),
    }
}
