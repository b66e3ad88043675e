//! Reads a WordPiece model in one pass.
//!
//! The library's own way needs three passes more: it refuses unknown fields, so these have to be found first. In WebAssembly,
//! each pass over a vocabulary takes milliseconds, because it runs before the runtime has optimized the code.

use std::fmt;

use ahash::AHashMap;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use tokenizers::models::wordpiece::WordPiece;

/// Number of tokens in the English vocabularies of BERT, whose tables therefore never grow.
const USUAL_TOKENS: usize = 30_522;

/// A model of the library.
#[derive(Debug)]
pub(in crate::text) struct WordPieceModel {
    pub(super) library: WordPiece,
    /// The largest id of a token.
    pub(super) max_id: u32,
}

/// The section `model` of `tokenizer.json`. Other fields are ignored, as in transformers.
#[derive(Deserialize)]
struct Fields {
    r#type: Option<String>,
    unk_token: String,
    continuing_subword_prefix: String,
    max_input_chars_per_word: usize,
    vocab: Vocab,
}

struct Vocab {
    ids: AHashMap<String, u32>,
    max_id: u32,
}

/// Parses the section `model` of `tokenizer.json`.
///
/// # Errors
/// For malformed JSON, a missing field, or another type.
pub(super) fn parse(json: &str) -> serde_json::Result<WordPieceModel> {
    let fields: Fields = serde_json::from_str(json)?;
    if fields.r#type.is_some_and(|name| name != "WordPiece") {
        return Err(Error::custom("the type is not WordPiece"));
    }
    let library = WordPiece::builder()
        .vocab(fields.vocab.ids)
        .unk_token(fields.unk_token)
        .continuing_subword_prefix(fields.continuing_subword_prefix)
        .max_input_chars_per_word(fields.max_input_chars_per_word)
        .build()
        .map_err(Error::custom)?;
    Ok(WordPieceModel { library, max_id: fields.vocab.max_id })
}

impl<'de> Deserialize<'de> for Vocab {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(VocabVisitor)
    }
}

struct VocabVisitor;

impl<'de> Visitor<'de> for VocabVisitor {
    type Value = Vocab;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a map from tokens to ids")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Vocab, M::Error> {
        let mut vocab = Vocab { ids: AHashMap::with_capacity(USUAL_TOKENS), max_id: 0 };
        while let Some((token, id)) = map.next_entry()? {
            vocab.max_id = vocab.max_id.max(id);
            vocab.ids.insert(token, id);
        }
        Ok(vocab)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn section() -> Value {
        let vocab = json!({"[UNK]": 0, "a": 1, "##b": 7, "\u{e9}\n\"": 3});
        json!({"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab})
    }

    #[test]
    fn a_model_is_that_of_the_library() {
        let json = section().to_string();
        let parsed = parse(&json).unwrap();
        assert_eq!(parsed.library, serde_json::from_str(&json).unwrap());
        assert_eq!(parsed.max_id, 7);
    }

    #[test]
    fn unknown_fields_are_ignored_and_known_ones_are_needed() {
        let mut with_others = section();
        with_others["dropout"] = Value::Null;
        assert_eq!(
            parse(&with_others.to_string()).unwrap().library,
            parse(&section().to_string()).unwrap().library
        );
        for name in ["unk_token", "continuing_subword_prefix", "max_input_chars_per_word", "vocab"] {
            let mut without = section();
            without.as_object_mut().unwrap().remove(name);
            assert!(parse(&without.to_string()).is_err(), "{name}");
        }
        let mut without_type = section();
        without_type.as_object_mut().unwrap().remove("type");
        assert!(parse(&without_type.to_string()).is_ok());
        without_type["type"] = json!("BPE");
        assert!(parse(&without_type.to_string()).is_err());
    }
}
