//! What a tokenizer puts around and between the two texts of a pair.

use std::collections::HashMap;

use serde::Deserialize;

use super::Batch;
use super::error::malformed;
use crate::error::{Result, unsupported};

/// A pair template, e.g. `[CLS] query [SEP] document [SEP]` with the token type of every part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PairTemplate {
    pieces: Vec<TemplatePiece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TemplatePiece {
    Special { id: u32, token_type: u32 },
    Query { token_type: u32 },
    Document { token_type: u32 },
}

impl PairTemplate {
    /// `cls query sep document sep`, types 0 and 1, as HF's `BertTokenizer` builds it.
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

    /// `query document`, types 0 and 1: what a tokenizer without a template gives.
    fn without_special_tokens() -> Self {
        Self {
            pieces: vec![TemplatePiece::Query { token_type: 0 }, TemplatePiece::Document { token_type: 1 }],
        }
    }

    /// Reads the `post_processor` section of a `tokenizer.json`.
    ///
    /// # Errors
    /// `tokenizer` when it is malformed, `unsupported` when it is not one query, then one document.
    pub(super) fn parse(json: &str) -> Result<Self> {
        let processor: Option<PostProcessor> = serde_json::from_str(json).map_err(malformed)?;
        let pieces = match processor.and_then(PostProcessor::adding_tokens) {
            Some(PostProcessor::Template { pair, special_tokens }) => template_pieces(pair, &special_tokens)?,
            Some(PostProcessor::Bert { cls, sep }) => return Ok(Self::bert(cls.1, sep.1)),
            Some(PostProcessor::Roberta { cls, sep }) => return Ok(Self::roberta(cls.1, sep.1)),
            Some(PostProcessor::ByteLevel) | None => return Ok(Self::without_special_tokens()),
            Some(PostProcessor::Sequence { .. }) => Vec::new(),
        };
        let texts: Vec<_> =
            pieces.iter().filter(|piece| !matches!(piece, TemplatePiece::Special { .. })).collect();
        match texts[..] {
            [TemplatePiece::Query { .. }, TemplatePiece::Document { .. }] => Ok(Self { pieces }),
            _ => Err(unsupported("tokenizer.json: the pair template is not one query, then one document")),
        }
    }

    /// `cls query sep sep document sep`, all of type 0, as `RobertaProcessing` builds it.
    pub(super) fn roberta(cls: u32, sep: u32) -> Self {
        let special = |id| TemplatePiece::Special { id, token_type: 0 };
        let (query, document) =
            (TemplatePiece::Query { token_type: 0 }, TemplatePiece::Document { token_type: 0 });
        Self { pieces: vec![special(cls), query, special(sep), special(sep), document, special(sep)] }
    }

    /// How many tokens the template adds.
    pub(super) fn special_tokens(&self) -> usize {
        self.pieces.len() - 2
    }

    /// The largest token id and the largest token type the template itself uses.
    pub(super) fn max_ids(&self) -> (u32, u32) {
        self.pieces.iter().fold((0, 0), |(id, max_type), piece| match *piece {
            TemplatePiece::Special { id: special, token_type } => (id.max(special), max_type.max(token_type)),
            TemplatePiece::Query { token_type } | TemplatePiece::Document { token_type } => {
                (id, max_type.max(token_type))
            }
        })
    }

    /// The same template for a model that is not given token types and takes them all for zero.
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

    /// Adds one pair to a batch.
    pub(super) fn push(&self, batch: &mut Batch, query: &[u32], document: &[u32]) {
        for piece in &self.pieces {
            match *piece {
                TemplatePiece::Special { id, token_type } => batch.push(&[id], token_type),
                TemplatePiece::Query { token_type } => batch.push(query, token_type),
                TemplatePiece::Document { token_type } => batch.push(document, token_type),
            }
        }
        batch.end_pair();
    }
}

/// The post-processors that put a pair together.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum PostProcessor {
    #[serde(rename = "TemplateProcessing")]
    Template {
        pair: Vec<JsonPiece>,
        special_tokens: HashMap<String, SpecialToken>,
    },
    #[serde(rename = "BertProcessing")]
    Bert {
        cls: (String, u32),
        sep: (String, u32),
    },
    #[serde(rename = "RobertaProcessing")]
    Roberta {
        cls: (String, u32),
        sep: (String, u32),
    },
    /// Moves offsets, which nobody asks for.
    ByteLevel,
    Sequence {
        processors: Vec<PostProcessor>,
    },
}

impl PostProcessor {
    /// Of a sequence the only one that adds tokens; a sequence with more of them stays one.
    fn adding_tokens(self) -> Option<Self> {
        let Self::Sequence { processors } = self else { return Some(self) };
        let mut adding: Vec<_> =
            processors.into_iter().filter(|piece| !matches!(piece, Self::ByteLevel)).collect();
        match adding.len() {
            0 => Some(Self::ByteLevel),
            1 => adding.pop(),
            _ => Some(Self::Sequence { processors: adding }),
        }
    }
}

#[derive(Deserialize)]
enum JsonPiece {
    SpecialToken { id: String, type_id: u32 },
    Sequence { id: TextName, type_id: u32 },
}

#[derive(Deserialize)]
enum TextName {
    A,
    B,
}

#[derive(Deserialize)]
struct SpecialToken {
    ids: Vec<u32>,
}

/// Pieces can name one list of ids over and over: a small file would make a template of gigabytes. Real ones have five.
const MAX_PIECES: usize = 100;

fn template_pieces(
    json: Vec<JsonPiece>,
    special_tokens: &HashMap<String, SpecialToken>,
) -> Result<Vec<TemplatePiece>> {
    let mut pieces = Vec::new();
    for piece in json {
        match piece {
            JsonPiece::Sequence { id: TextName::A, type_id } => {
                pieces.push(TemplatePiece::Query { token_type: type_id })
            }
            JsonPiece::Sequence { id: TextName::B, type_id } => {
                pieces.push(TemplatePiece::Document { token_type: type_id })
            }
            JsonPiece::SpecialToken { id, type_id } => {
                let token = special_tokens
                    .get(&id)
                    .ok_or_else(|| malformed(format!("the pair template has no special token {id:?}")))?;
                pieces.extend(token.ids.iter().map(|&id| TemplatePiece::Special { id, token_type: type_id }));
            }
        }
        if pieces.len() > MAX_PIECES {
            return Err(unsupported(format!(
                "tokenizer.json: a pair template of more than {MAX_PIECES} tokens"
            )));
        }
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    const BERT: &str = r#"{"type": "TemplateProcessing", "single": [],
        "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [5], "tokens": ["[CLS]"]},
                           "[SEP]": {"id": "[SEP]", "ids": [6], "tokens": ["[SEP]"]}}}"#;

    #[test]
    fn post_processors_give_the_template_they_stand_for() {
        assert_eq!(PairTemplate::parse(BERT), Ok(PairTemplate::bert(5, 6)));
        let short = r#"{"type": "BertProcessing", "sep": ["[SEP]", 6], "cls": ["[CLS]", 5]}"#;
        assert_eq!(PairTemplate::parse(short), Ok(PairTemplate::bert(5, 6)));

        let roberta =
            r#"{"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": true}"#;
        let mut batch = Batch::default();
        PairTemplate::parse(roberta).unwrap().push(&mut batch, &[7, 8], &[9]);
        assert_eq!(batch.input_ids, [0, 7, 8, 2, 2, 9, 2]);

        let byte_level = r#"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false}"#;
        for json in ["null", byte_level, &format!(r#"{{"type": "Sequence", "processors": [{byte_level}]}}"#)]
        {
            assert_eq!(PairTemplate::parse(json), Ok(PairTemplate::without_special_tokens()), "{json}");
        }
        let both = format!(r#"{{"type": "Sequence", "processors": [{byte_level}, {BERT}]}}"#);
        assert_eq!(PairTemplate::parse(&both), Ok(PairTemplate::bert(5, 6)));
    }

    #[test]
    fn what_is_no_pair_template_is_refused() {
        for (json, kind) in [
            (format!(r#"{{"type": "Sequence", "processors": [{BERT}, {BERT}]}}"#), ErrorKind::Unsupported),
            (BERT.replace("\"A\"", "\"B\""), ErrorKind::Unsupported),
            (BERT.replace("\"A\"", "\"C\""), ErrorKind::Tokenizer),
            (BERT.replace("\"[CLS]\": {", "\"[ELSE]\": {"), ErrorKind::Tokenizer),
            (BERT.replace("TemplateProcessing", "Unheard"), ErrorKind::Tokenizer),
        ] {
            assert_eq!(PairTemplate::parse(&json).unwrap_err().kind(), kind, "{json}");
        }
    }
}
