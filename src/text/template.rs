//! What a tokenizer puts around and between the two texts of a pair.

use tokenizers::{Encoding, Tokenizer};

use super::Batch;
use crate::error::{Result, tokenizer, unsupported};

/// A pair template, e.g. `[CLS] query [SEP] document [SEP]` with the token type of every part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PairTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Special { id: u32, token_type: u32 },
    Query { token_type: u32 },
    Document { token_type: u32 },
}

impl PairTemplate {
    /// `cls query sep document sep`, types 0 and 1, as HF's `BertTokenizer` builds it.
    pub(super) fn bert(cls: u32, sep: u32) -> Self {
        Self {
            parts: vec![
                Part::Special { id: cls, token_type: 0 },
                Part::Query { token_type: 0 },
                Part::Special { id: sep, token_type: 0 },
                Part::Document { token_type: 1 },
                Part::Special { id: sep, token_type: 1 },
            ],
        }
    }

    /// Asks the tokenizer's post-processor, by showing it a query and a document of one token each.
    ///
    /// # Errors
    /// `tokenizer` when it fails, `unsupported` when a text does not come out exactly once.
    pub(super) fn learn(tokenizer: &Tokenizer) -> Result<Self> {
        const QUERY: u32 = u32::MAX - 1;
        const DOCUMENT: u32 = u32::MAX;
        let text = |id| Encoding::from_tokens(vec![tokenizers::Token::new(id, String::new(), (0, 0))], 0);
        let pair = tokenizer
            .post_process(text(QUERY), Some(text(DOCUMENT)), true)
            .map_err(|error| self::tokenizer(format!("tokenizer.json: the pair template fails: {error}")))?;
        let parts: Vec<Part> = std::iter::zip(pair.get_ids(), pair.get_type_ids())
            .map(|(&id, &token_type)| match id {
                QUERY => Part::Query { token_type },
                DOCUMENT => Part::Document { token_type },
                id => Part::Special { id, token_type },
            })
            .collect();
        let texts: Vec<_> = parts.iter().filter(|part| !matches!(part, Part::Special { .. })).collect();
        match texts[..] {
            [Part::Query { .. }, Part::Document { .. }] => Ok(Self { parts }),
            _ => Err(unsupported("tokenizer.json: the pair template is not one query, then one document")),
        }
    }

    /// How many tokens the template adds.
    pub(super) fn special_tokens(&self) -> usize {
        self.parts.len() - 2
    }

    /// The largest token id and the largest token type the template itself uses.
    pub(super) fn largest(&self) -> (u32, u32) {
        self.parts.iter().fold((0, 0), |(id, largest_type), part| match *part {
            Part::Special { id: special, token_type } => (id.max(special), largest_type.max(token_type)),
            Part::Query { token_type } | Part::Document { token_type } => (id, largest_type.max(token_type)),
        })
    }

    /// The same template for a model that is not given token types and takes them all for zero.
    pub(super) fn without_token_types(mut self) -> Self {
        for part in &mut self.parts {
            match part {
                Part::Special { token_type, .. }
                | Part::Query { token_type }
                | Part::Document { token_type } => {
                    *token_type = 0;
                }
            }
        }
        self
    }

    /// Adds one pair to a batch.
    pub(super) fn push(&self, batch: &mut Batch, query: &[u32], document: &[u32]) {
        for part in &self.parts {
            match *part {
                Part::Special { id, token_type } => batch.push(&[id], token_type),
                Part::Query { token_type } => batch.push(query, token_type),
                Part::Document { token_type } => batch.push(document, token_type),
            }
        }
        batch.end_pair();
    }
}
