//! SentencePiece's Unigram model: the most likely cut of a word into pieces.
//!
//! The same pieces as those of the `tokenizers` library (`models/unigram`), whose trie takes hundreds of megabytes for
//! XLM-RoBERTa's 250,002 pieces. Here they lie sorted in one string, and those that begin alike lie together.

use std::borrow::Cow;
use std::ops::Range;

use tokenizers::Token;

use crate::error::{Result, tokenizer, unsupported};

/// What an unknown character costs beyond the least likely piece, as a logarithm.
const UNKNOWN_PENALTY: f64 = 10.0;

/// Every place of a text is tried with pieces up to the longest, so its length bounds the time. XLM-RoBERTa's has 48.
const MAX_PIECE_BYTES: usize = 1000;

/// A vocabulary of pieces and their log probabilities.
#[derive(Debug)]
pub(in crate::text) struct Unigram {
    /// The pieces in the order of their bytes, end to end.
    pieces: String,
    /// Where each piece begins, and at last where the last one ends: `[pieces + 1]`.
    starts: Vec<u32>,
    /// The id of each piece, in that order.
    ids: Vec<u32>,
    /// The log probability of each piece, in that order.
    scores: Vec<f64>,
    /// The place of the piece with each id: `[vocabulary]`.
    index_of_id: Vec<u32>,
    /// The places of the pieces that begin with each byte: `first_byte_starts[byte]..first_byte_starts[byte + 1]`.
    first_byte_starts: Vec<u32>,
    unk_id: u32,
    unk_score: f64,
}

/// The best way to cut the text up to one place.
#[derive(Clone, Copy)]
struct BestPath {
    score: f64,
    /// Where the last piece begins; [`UNREACHED`] while nothing ends here.
    start: usize,
    /// The id of the last piece.
    id: u32,
}

const UNREACHED: usize = usize::MAX;

impl Unigram {
    /// A model of pieces and their log probabilities, in the order of their ids.
    ///
    /// # Errors
    /// `tokenizer` when there is no piece with the id `unk_id`, `unsupported` for a piece of more than 1000 bytes.
    pub(super) fn new(vocab: &[(Cow<str>, f64)], unk_id: usize) -> Result<Self> {
        if unk_id >= vocab.len() {
            return Err(tokenizer(format!(
                "tokenizer.json: unk_id {unk_id} of a vocabulary of {} pieces",
                vocab.len()
            )));
        }
        if let Some((piece, _)) = vocab.iter().find(|(piece, _)| piece.len() > MAX_PIECE_BYTES) {
            return Err(unsupported(format!("tokenizer.json: a piece of {} bytes", piece.len())));
        }
        let bytes: usize = vocab.iter().map(|(piece, _)| piece.len()).sum();
        let too_large = |_| unsupported("tokenizer.json: a vocabulary of more than 4 GB");
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

    /// Adds the next piece in order. Of a piece that stands twice the last one counts.
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

    /// Cuts a word into pieces. Neighbouring unknown characters become one token.
    pub(super) fn tokenize(&self, text: &str) -> Vec<Token> {
        let best = self.best_paths(text);
        let mut tokens: Vec<Token> = Vec::new();
        let (mut end, mut unknown_end) = (text.len(), None);
        while end > 0 {
            let BestPath { start, id, .. } = best[end];
            if id == self.unk_id {
                unknown_end.get_or_insert(end);
            } else {
                tokens.extend(unknown_end.take().map(|unknown_end| self.unknown(text, end..unknown_end)));
                tokens.push(token(id, start..end));
            }
            end = start;
        }
        tokens.extend(unknown_end.map(|unknown_end| self.unknown(text, 0..unknown_end)));
        tokens.reverse();
        tokens
    }

    /// The best last piece for every place at which one can end: `[bytes + 1]`.
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

    /// Calls `found` with the length and the place of every piece that `text` begins with, short ones first.
    fn for_each_prefix(&self, text: &[u8], mut found: impl FnMut(usize, usize)) {
        let Some(&first) = text.first() else { return };
        let [low, high] =
            [first as usize, first as usize + 1].map(|byte| self.first_byte_starts[byte] as usize);
        let mut range = low..high;
        for (depth, byte) in text.iter().enumerate() {
            // The pieces of `places` have the bytes before in common; one that ends there comes first.
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

    /// The first of `places` whose piece is not `before`, all that are being at the front.
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

    /// Unknown characters; together they may happen to be a piece.
    fn unknown(&self, text: &str, range: Range<usize>) -> Token {
        token(self.token_to_id(&text[range.clone()]).unwrap_or(self.unk_id), range)
    }
}

/// A token without its text, which nobody asks for.
fn token(id: u32, range: Range<usize>) -> Token {
    Token::new(id, String::new(), (range.start, range.end))
}
