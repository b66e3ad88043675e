//! SentencePiece's Unigram model (Kudo, 2018, arXiv:1804.10959): the most likely segmentation of a word into pieces.
//!
//! Gives the same pieces as the `tokenizers` library (`models/unigram`), whose trie takes hundreds of megabytes for
//! XLM-RoBERTa's 250,002 pieces (see huggingface/tokenizers#2039). Here the pieces are sorted in one string, so that
//! pieces with a common prefix are neighbors and binary search finds them.

use std::borrow::Cow;
use std::ops::Range;

use tokenizers::Token;

use crate::error::{Result, tokenizer, unsupported};

/// Log probability of an unknown character below that of the least likely piece.
const UNKNOWN_PENALTY: f64 = 10.0;

/// Maximum length of a piece. Pieces of every length are tried at each character of a text, so this bounds the time.
/// XLM-RoBERTa's longest piece has 48 bytes.
const MAX_PIECE_BYTES: usize = 1000;

/// A vocabulary of pieces and their log probabilities.
#[derive(Debug)]
pub(in crate::text) struct Unigram {
    /// The pieces in byte order, concatenated.
    pieces: String,
    /// Offset of each piece, followed by the total length: `[pieces + 1]`.
    starts: Vec<u32>,
    /// Id of each piece, in the same order.
    ids: Vec<u32>,
    /// Log probability of each piece, in the same order.
    scores: Vec<f64>,
    /// Index of the piece with each id: `[vocabulary]`.
    index_of_id: Vec<u32>,
    /// Pieces that start with a byte have the indices `first_byte_starts[byte]..first_byte_starts[byte + 1]`.
    first_byte_starts: Vec<u32>,
    unk_id: u32,
    unk_score: f64,
    /// Ids of the pieces `<0x00>` to `<0xFF>`, which replace characters that are not in the vocabulary.
    byte_ids: Option<Box<[Option<u32>; 256]>>,
}

/// The most likely segmentation of the text up to some offset.
#[derive(Clone, Copy)]
struct BestPath {
    score: f64,
    /// Offset of its last piece; [`UNREACHED`] if no piece ends here.
    start: usize,
    /// Id of its last piece.
    id: u32,
}

const UNREACHED: usize = usize::MAX;

impl Unigram {
    /// Makes a model of pieces with their log probabilities. The index of a piece is its id.
    ///
    /// # Errors
    /// `tokenizer` if `unk_id` is out of range, `unsupported` for a piece of more than 1000 bytes or a vocabulary of
    /// more than 4 GB.
    pub(super) fn new(vocab: &[(Cow<str>, f64)], unk_id: usize) -> Result<Self> {
        if unk_id >= vocab.len() {
            return Err(tokenizer(format!(
                "tokenizer.json: unk_id {unk_id} is out of range: the vocabulary has {} pieces",
                vocab.len()
            )));
        }
        if let Some((piece, _)) = vocab.iter().find(|(piece, _)| piece.len() > MAX_PIECE_BYTES) {
            return Err(unsupported(format!(
                "tokenizer.json: the vocabulary has a piece of {} bytes; this build reads up to {MAX_PIECE_BYTES}",
                piece.len()
            )));
        }
        let bytes: usize = vocab.iter().map(|(piece, _)| piece.len()).sum();
        let too_large = |_| unsupported("tokenizer.json: the vocabulary has more than 4 GB");
        u32::try_from(bytes.max(vocab.len())).map_err(too_large)?;
        let mut order: Vec<u32> = (0..vocab.len() as u32).collect();
        order.sort_unstable_by_key(|id| (vocab[*id as usize].0.as_bytes(), *id));
        let min_score = vocab.iter().fold(f64::INFINITY, |min_score, (_, score)| min_score.min(*score));
        let mut model = Self {
            pieces: String::with_capacity(bytes),
            starts: Vec::with_capacity(vocab.len() + 1),
            ids: Vec::with_capacity(vocab.len()),
            scores: Vec::with_capacity(vocab.len()),
            index_of_id: vec![0; vocab.len()],
            first_byte_starts: Vec::with_capacity(257),
            unk_id: unk_id as u32,
            unk_score: min_score - UNKNOWN_PENALTY,
            byte_ids: None,
        };
        for id in order {
            let (piece, score) = &vocab[id as usize];
            model.push(piece, id, *score);
        }
        model.starts.push(model.pieces.len() as u32);
        let all = 0..model.ids.len();
        for byte in 0..=256_u16 {
            let index =
                model.partition(all.clone(), |piece| piece.first().map(|&b| u16::from(b)) < Some(byte));
            model.first_byte_starts.push(index as u32);
        }
        Ok(model)
    }

    /// Appends the next piece in byte order. The last of several equal pieces wins.
    fn push(&mut self, piece: &str, id: u32, score: f64) {
        let is_duplicate = self.starts.last().is_some_and(|start| &self.pieces[*start as usize..] == piece);
        if is_duplicate {
            self.ids.pop();
            self.scores.pop();
        } else {
            self.starts.push(self.pieces.len() as u32);
            self.pieces.push_str(piece);
        }
        self.index_of_id[id as usize] = self.ids.len() as u32;
        self.ids.push(id);
        self.scores.push(score);
    }

    /// Replaces unknown characters with the pieces of their UTF-8 bytes, if the vocabulary has all of them.
    pub(super) fn with_byte_fallback(mut self) -> Self {
        let ids = std::array::from_fn(|byte| self.token_to_id(&format!("<0x{byte:02X}>")));
        self.byte_ids = Some(Box::new(ids));
        self
    }

    pub(super) fn len(&self) -> usize {
        self.index_of_id.len()
    }

    pub(super) fn token_to_id(&self, piece: &str) -> Option<u32> {
        let range = 0..self.ids.len();
        let index = self.partition(range.clone(), |other| other < piece.as_bytes());
        (range.contains(&index) && self.piece(index) == piece).then(|| self.ids[index])
    }

    pub(super) fn id_to_token(&self, id: u32) -> Option<&str> {
        self.index_of_id.get(id as usize).map(|index| self.piece(*index as usize))
    }

    /// Segments a word into pieces, backward along the best path. Neighboring unknown characters become one token.
    pub(super) fn tokenize(&self, text: &str) -> Vec<Token> {
        let best = self.best_paths(text);
        let mut tokens: Vec<Token> = Vec::new();
        let (mut end, mut unknown_end) = (text.len(), None);
        while end > 0 {
            let BestPath { start, id, .. } = best[end];
            if id == self.unk_id {
                unknown_end.get_or_insert(end);
            } else {
                if let Some(unknown_end) = unknown_end.take() {
                    self.push_unknown(&mut tokens, text, end..unknown_end);
                }
                tokens.push(token(id, start..end));
            }
            end = start;
        }
        if let Some(unknown_end) = unknown_end {
            self.push_unknown(&mut tokens, text, 0..unknown_end);
        }
        tokens.reverse();
        tokens
    }

    /// Returns the best path to every offset at which a piece can end: `[bytes + 1]` (Viterbi).
    fn best_paths(&self, text: &str) -> Vec<BestPath> {
        let mut best = vec![BestPath { score: 0.0, start: UNREACHED, id: self.unk_id }; text.len() + 1];
        for (start, char) in text.char_indices() {
            let score = best[start].score;
            let mut try_piece = |length: usize, piece_score: f64, id: u32| {
                let target = &mut best[start + length];
                if target.start == UNREACHED || score + piece_score > target.score {
                    *target = BestPath { score: score + piece_score, start, id };
                }
            };
            let mut has_character = false;
            self.for_each_prefix(&text.as_bytes()[start..], |length, index| {
                try_piece(length, self.scores[index], self.ids[index]);
                has_character |= length == char.len_utf8();
            });
            if !has_character {
                try_piece(char.len_utf8(), self.unk_score, self.unk_id);
            }
        }
        best
    }

    /// Calls `found` with the length and the index of every piece that is a prefix of `text`, shortest first.
    fn for_each_prefix(&self, text: &[u8], mut found: impl FnMut(usize, usize)) {
        let Some(&first) = text.first() else { return };
        let [low, high] =
            [first as usize, first as usize + 1].map(|byte| self.first_byte_starts[byte] as usize);
        let mut range = low..high;
        for (depth, byte) in text.iter().enumerate() {
            // All pieces in `range` start with `text[..depth]`, and a piece that equals it comes first.
            if depth > 0 {
                range.start = self.partition(range.clone(), |piece| piece.get(depth) < Some(byte));
                range.end = self.partition(range.clone(), |piece| piece.get(depth) == Some(byte));
            }
            if range.is_empty() {
                return;
            }
            if self.piece(range.start).len() == depth + 1 {
                found(depth + 1, range.start);
            }
        }
    }

    /// Returns the first index in `range` whose piece is not `before`. All pieces that are `before` must come first.
    fn partition(&self, range: Range<usize>, before: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let middle = low.midpoint(high);
            if before(self.piece(middle).as_bytes()) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn piece(&self, index: usize) -> &str {
        &self.pieces[self.starts[index] as usize..self.starts[index + 1] as usize]
    }

    /// Appends the tokens of unknown characters, last one first. Together the characters may form a piece.
    fn push_unknown(&self, tokens: &mut Vec<Token>, text: &str, range: Range<usize>) {
        let characters = &text[range.clone()];
        if let Some(id) = self.token_to_id(characters) {
            return tokens.push(token(id, range));
        }
        let byte_id = |byte: u8| self.byte_ids.as_ref().and_then(|ids| ids[usize::from(byte)]);
        match characters.bytes().rev().map(byte_id).collect::<Option<Vec<_>>>() {
            Some(ids) => tokens.extend(ids.into_iter().map(|id| token(id, range.clone()))),
            None => tokens.push(token(self.unk_id, range)),
        }
    }
}

/// Makes a token without its text, which is never read.
fn token(id: u32, range: Range<usize>) -> Token {
    Token::new(id, String::new(), (range.start, range.end))
}

#[cfg(test)]
mod tests {
    use tokenizers::Model;
    use tokenizers::models::unigram::Unigram as LibraryUnigram;

    use super::*;

    /// Characters of one to four bytes; some share their first bytes.
    const ALPHABET: [char; 8] = ['a', 'b', 'é', 'è', '▁', '漢', '😀', '😁'];

    /// Marsaglia's xorshift64.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 20) as usize % bound
        }

        fn text(&mut self, max_chars: usize) -> String {
            (0..self.below(max_chars + 1)).map(|_| ALPHABET[self.below(ALPHABET.len())]).collect()
        }

        /// Adds the pieces of all bytes, or of most of them, to a vocabulary.
        fn add_bytes(&mut self, vocab: &mut Vec<(String, f64)>) {
            let missing = self.below(512);
            let bytes = (0..256).filter(|byte| *byte != missing);
            vocab.extend(bytes.map(|byte| (format!("<0x{byte:02X}>"), -9.0)));
        }

        /// Few distinct scores, which floats represent exactly, so that many segmentations tie.
        fn vocabulary(&mut self) -> Vec<(String, f64)> {
            let pieces = 1 + self.below(40);
            (0..pieces).map(|_| (self.text(4), -0.5 * self.below(8) as f64)).collect()
        }
    }

    #[test]
    fn tokens_are_those_of_the_tokenizers_library() {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut compared = 0;
        for _ in 0..2000 {
            let mut vocab = random.vocabulary();
            let unk_id = random.below(vocab.len());
            let has_bytes = random.below(3) == 0;
            if has_bytes {
                random.add_bytes(&mut vocab);
            }
            let library = LibraryUnigram::from(vocab.clone(), Some(unk_id), has_bytes).unwrap();
            let borrowed: Vec<_> = vocab.iter().map(|(piece, score)| (piece.into(), *score)).collect();
            let ours = Unigram::new(&borrowed, unk_id).unwrap();
            let ours = if has_bytes { ours.with_byte_fallback() } else { ours };
            for _ in 0..10 {
                let text = random.text(24);
                let expected = library.tokenize(&text).unwrap();
                let expected: Vec<_> = expected.iter().map(|token| (token.id, token.offsets)).collect();
                let tokens = ours.tokenize(&text);
                let tokens: Vec<_> = tokens.iter().map(|token| (token.id, token.offsets)).collect();
                assert_eq!(tokens, expected, "{text:?} with the unknown token {unk_id} of {vocab:?}");
                compared += tokens.len();
            }
        }
        assert!(compared > 20_000, "only {compared} tokens");
    }
}
