//! The special tokens around and between the two texts of a pair.

use super::Batch;
use super::hf::Pipeline;
use crate::checkpoint::ModelLimits;
use crate::error::{Result, config, tokenizer, unsupported};

/// A pair template, e.g. `[CLS] query [SEP] document [SEP]`, with a token type for each piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PairTemplate {
    pieces: Vec<TemplatePiece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TemplatePiece {
    Special { id: u32, token_type: u32 },
    Query { token_type: u32 },
    Document { token_type: u32 },
}

impl PairTemplate {
    /// Makes a template of any pieces.
    ///
    /// # Errors
    /// `unsupported` unless the texts are one query followed by one document.
    pub(super) fn new(pieces: Vec<TemplatePiece>) -> Result<Self> {
        let texts: Vec<_> =
            pieces.iter().filter(|piece| !matches!(piece, TemplatePiece::Special { .. })).collect();
        match texts[..] {
            [TemplatePiece::Query { .. }, TemplatePiece::Document { .. }] => Ok(Self { pieces }),
            _ => Err(unsupported(
                "tokenizer.json: the pair template is not one query followed by one document",
            )),
        }
    }

    /// Returns the template of HF's `BertTokenizer`: `cls query sep document sep`, with types 0 and 1.
    pub(super) fn bert(cls: u32, sep: u32) -> Self {
        Self {
            pieces: vec![
                TemplatePiece::Special { id: cls, token_type: 0 },
                TemplatePiece::Query { token_type: 0 },
                TemplatePiece::Special { id: sep, token_type: 0 },
                TemplatePiece::Document { token_type: 1 },
                TemplatePiece::Special { id: sep, token_type: 1 },
            ],
        }
    }

    /// Returns the template of a tokenizer without special tokens: `query document`, with types 0 and 1.
    pub(super) fn without_special_tokens() -> Self {
        Self {
            pieces: vec![TemplatePiece::Query { token_type: 0 }, TemplatePiece::Document { token_type: 1 }],
        }
    }

    /// Returns the template of HF's `RobertaProcessing`: `cls query sep sep document sep`, all of type 0.
    pub(super) fn roberta(cls: u32, sep: u32) -> Self {
        let special = |id| TemplatePiece::Special { id, token_type: 0 };
        let (query, document) =
            (TemplatePiece::Query { token_type: 0 }, TemplatePiece::Document { token_type: 0 });
        Self { pieces: vec![special(cls), query, special(sep), special(sep), document, special(sep)] }
    }

    /// Returns the number of tokens that the template adds to a pair.
    pub(super) fn special_tokens(&self) -> usize {
        self.pieces.len() - 2
    }

    /// Returns whether a special token of the template has this id.
    pub(super) fn has(&self, wanted: u32) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, TemplatePiece::Special { id, .. } if *id == wanted))
    }

    /// Returns the number of tokens before the query.
    pub(super) fn tokens_before_query(&self) -> usize {
        self.pieces.iter().take_while(|piece| matches!(piece, TemplatePiece::Special { .. })).count()
    }

    /// Checks that a model has rows for the template's tokens and token types.
    ///
    /// # Errors
    /// `tokenizer` for a token without a row, `config` for a token type without one.
    pub(super) fn check(&self, limits: ModelLimits, pipeline: &Pipeline) -> Result<()> {
        let (id, token_type) = self.max_ids();
        if id as usize >= limits.vocab_size {
            let token = pipeline.id_to_token(id).unwrap_or_default();
            return Err(tokenizer(format!(
                "tokenizer.json: the pair template uses {token:?} with the id {id}, but the model's vocabulary has only                  {} tokens",
                limits.vocab_size
            )));
        }
        if token_type > 0 && token_type as usize >= limits.token_types {
            return Err(config(format!(
                "tokenizer.json gives the token type {token_type}, but config.json has type_vocab_size {}; for a model \
                 without token types, leave token_type_ids out of model_input_names in tokenizer_config.json",
                limits.token_types
            )));
        }
        Ok(())
    }

    /// Returns the maximum token id and the maximum token type of the template.
    fn max_ids(&self) -> (u32, u32) {
        self.pieces.iter().fold((0, 0), |(id, max_type), piece| match *piece {
            TemplatePiece::Special { id: special, token_type } => (id.max(special), max_type.max(token_type)),
            TemplatePiece::Query { token_type } | TemplatePiece::Document { token_type } => {
                (id, max_type.max(token_type))
            }
        })
    }

    /// Returns the template with all token types zero, for a model that does not read them.
    pub(super) fn without_token_types(mut self) -> Self {
        for piece in &mut self.pieces {
            match piece {
                TemplatePiece::Special { token_type, .. }
                | TemplatePiece::Query { token_type }
                | TemplatePiece::Document { token_type } => {
                    *token_type = 0;
                }
            }
        }
        self
    }

    /// Adds a pair to a batch.
    ///
    /// # Errors
    /// `input` for a pair without tokens.
    pub(super) fn push(&self, batch: &mut Batch, query: &[u32], document: &[u32]) -> Result<()> {
        for piece in &self.pieces {
            match *piece {
                TemplatePiece::Special { id, token_type } => batch.push(&[id], token_type),
                TemplatePiece::Query { token_type } => batch.push(query, token_type),
                TemplatePiece::Document { token_type } => batch.push(document, token_type),
            }
        }
        batch.end_pair()
    }
}
