//! Parses the `post_processor` of a `tokenizer.json`, which holds the pair template.

use std::collections::HashMap;

use serde::Deserialize;

use crate::error::{Result, unsupported};
use crate::text::error::malformed;
use crate::text::pair_template::{PairTemplate, TemplatePiece};

/// Parses the `post_processor` section of a `tokenizer.json`.
///
/// # Errors
/// `tokenizer` if it is malformed, `unsupported` unless its template is one query followed by one document.
pub(super) fn parse(json: &str) -> Result<PairTemplate> {
    let processor: Option<PostProcessor> = serde_json::from_str(json).map_err(malformed)?;
    match processor.and_then(PostProcessor::adding_tokens) {
        Some(PostProcessor::Template { pair, special_tokens }) => {
            PairTemplate::new(template_pieces(pair, &special_tokens)?)
        }
        Some(PostProcessor::Bert { cls, sep }) => Ok(PairTemplate::bert(cls.1, sep.1)),
        Some(PostProcessor::Roberta { cls, sep }) => Ok(PairTemplate::roberta(cls.1, sep.1)),
        Some(PostProcessor::ByteLevel) | None => Ok(PairTemplate::without_special_tokens()),
        Some(PostProcessor::Sequence { .. }) => PairTemplate::new(Vec::new()),
    }
}

/// The post-processors that add special tokens to a pair, and `ByteLevel`, which adds none.
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
    /// Changes offsets only.
    ByteLevel,
    Sequence {
        processors: Vec<PostProcessor>,
    },
}

impl PostProcessor {
    /// Returns the only processor of a sequence that adds tokens. A sequence with several of them stays a sequence.
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

/// Published templates have five pieces. Without a limit, a small file that repeats a long list of ids could make a
/// template of gigabytes.
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
                let token = special_tokens.get(&id).ok_or_else(|| {
                    malformed(format!("the pair template uses {id:?}, which special_tokens does not list"))
                })?;
                pieces.extend(token.ids.iter().map(|&id| TemplatePiece::Special { id, token_type: type_id }));
            }
        }
        if pieces.len() > MAX_PIECES {
            return Err(unsupported(format!(
                "tokenizer.json: the pair template has more than {MAX_PIECES} tokens"
            )));
        }
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::text::Batch;

    const BERT: &str = r#"{"type": "TemplateProcessing", "single": [],
        "pair": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}},
                 {"SpecialToken": {"id": "[SEP]", "type_id": 1}}],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [5], "tokens": ["[CLS]"]},
                           "[SEP]": {"id": "[SEP]", "ids": [6], "tokens": ["[SEP]"]}}}"#;

    #[test]
    fn each_post_processor_is_read_as_its_template() {
        assert_eq!(parse(BERT), Ok(PairTemplate::bert(5, 6)));
        let short = r#"{"type": "BertProcessing", "sep": ["[SEP]", 6], "cls": ["[CLS]", 5]}"#;
        assert_eq!(parse(short), Ok(PairTemplate::bert(5, 6)));

        let roberta =
            r#"{"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0], "trim_offsets": true}"#;
        let mut batch = Batch::default();
        parse(roberta).unwrap().push(&mut batch, &[7, 8], &[9]).unwrap();
        assert_eq!(batch.input_ids, [0, 7, 8, 2, 2, 9, 2]);

        let byte_level = r#"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false}"#;
        for json in ["null", byte_level, &format!(r#"{{"type": "Sequence", "processors": [{byte_level}]}}"#)]
        {
            assert_eq!(parse(json), Ok(PairTemplate::without_special_tokens()), "{json}");
        }
        let both = format!(r#"{{"type": "Sequence", "processors": [{byte_level}, {BERT}]}}"#);
        assert_eq!(parse(&both), Ok(PairTemplate::bert(5, 6)));
    }

    #[test]
    fn templates_without_one_query_and_one_document_are_refused() {
        for (json, kind) in [
            (format!(r#"{{"type": "Sequence", "processors": [{BERT}, {BERT}]}}"#), ErrorKind::Unsupported),
            (BERT.replace("\"A\"", "\"B\""), ErrorKind::Unsupported),
            (BERT.replace("\"A\"", "\"C\""), ErrorKind::Tokenizer),
            (BERT.replace("\"[CLS]\": {", "\"[ELSE]\": {"), ErrorKind::Tokenizer),
            (BERT.replace("TemplateProcessing", "Unheard"), ErrorKind::Tokenizer),
        ] {
            assert_eq!(parse(&json).unwrap_err().kind(), kind, "{json}");
        }
    }
}
