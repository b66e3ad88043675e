//! What a tokenizer puts around and between the two texts of a pair.

use std::collections::HashMap;

use serde::Deserialize;

use super::Batch;
use super::error::malformed;
use crate::error::{Result, unsupported};

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

    /// `query document`, types 0 and 1: what a tokenizer without a template gives.
    fn bare() -> Self {
        Self { parts: vec![Part::Query { token_type: 0 }, Part::Document { token_type: 1 }] }
    }

    /// Reads the `post_processor` section of a `tokenizer.json`.
    ///
    /// # Errors
    /// `tokenizer` when it is malformed, `unsupported` when it is not one query, then one document.
    pub(super) fn parse(json: &str) -> Result<Self> {
        let processor: Option<PostProcessor> = serde_json::from_str(json).map_err(malformed)?;
        let parts = match processor.and_then(PostProcessor::decisive) {
            Some(PostProcessor::Template { pair, special_tokens }) => parts(pair, &special_tokens)?,
            Some(PostProcessor::Bert { cls, sep }) => return Ok(Self::bert(cls.1, sep.1)),
            Some(PostProcessor::Roberta { cls, sep }) => return Ok(Self::roberta(cls.1, sep.1)),
            Some(PostProcessor::ByteLevel) | None => return Ok(Self::bare()),
            Some(PostProcessor::Sequence { .. }) => Vec::new(),
        };
        let texts: Vec<_> = parts.iter().filter(|part| !matches!(part, Part::Special { .. })).collect();
        match texts[..] {
            [Part::Query { .. }, Part::Document { .. }] => Ok(Self { parts }),
            _ => Err(unsupported("tokenizer.json: the pair template is not one query, then one document")),
        }
    }

    /// `cls query sep sep document sep`, all of type 0, as `RobertaProcessing` builds it.
    pub(super) fn roberta(cls: u32, sep: u32) -> Self {
        let special = |id| Part::Special { id, token_type: 0 };
        let (query, document) = (Part::Query { token_type: 0 }, Part::Document { token_type: 0 });
        Self { parts: vec![special(cls), query, special(sep), special(sep), document, special(sep)] }
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

/// The post-processors that put a pair together.
#[derive(Deserialize)]
#[serde(tag = "type")]
enum PostProcessor {
    #[serde(rename = "TemplateProcessing")]
    Template {
        pair: Vec<Piece>,
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
    fn decisive(self) -> Option<Self> {
        let Self::Sequence { processors } = self else { return Some(self) };
        let mut adding: Vec<_> =
            processors.into_iter().filter(|part| !matches!(part, Self::ByteLevel)).collect();
        match adding.len() {
            0 => Some(Self::ByteLevel),
            1 => adding.pop(),
            _ => Some(Self::Sequence { processors: adding }),
        }
    }
}

#[derive(Deserialize)]
enum Piece {
    SpecialToken { id: String, type_id: u32 },
    Sequence { id: Sequence, type_id: u32 },
}

#[derive(Deserialize)]
enum Sequence {
    A,
    B,
}

#[derive(Deserialize)]
struct SpecialToken {
    ids: Vec<u32>,
}

/// Pieces can name one list of ids over and over: a small file would make a template of gigabytes. Real ones have five.
const MOST_PARTS: usize = 100;

fn parts(pieces: Vec<Piece>, special_tokens: &HashMap<String, SpecialToken>) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Sequence { id: Sequence::A, type_id } => parts.push(Part::Query { token_type: type_id }),
            Piece::Sequence { id: Sequence::B, type_id } => {
                parts.push(Part::Document { token_type: type_id })
            }
            Piece::SpecialToken { id, type_id } => {
                let token = special_tokens
                    .get(&id)
                    .ok_or_else(|| malformed(format!("the pair template has no special token {id:?}")))?;
                parts.extend(token.ids.iter().map(|&id| Part::Special { id, token_type: type_id }));
            }
        }
        if parts.len() > MOST_PARTS {
            return Err(unsupported(format!(
                "tokenizer.json: a pair template of more than {MOST_PARTS} tokens"
            )));
        }
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

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
            assert_eq!(PairTemplate::parse(json), Ok(PairTemplate::bare()), "{json}");
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
