//! Vocabulary files of checkpoints without `tokenizer.json`: `vocab.txt`, or `vocab.json` with `merges.txt`.
//!
//! They become a `tokenizer.json` that has only the model. The tokenizer classes that read these files build everything
//! else themselves.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::TokenizerClass;
use crate::checkpoint::ModelFiles;
use crate::checkpoint::model_layout::missing_tokenizer;
use crate::error::{Result, tokenizer};
use crate::json_error::json_problem;

/// Takes `tokenizer.json` out of the files, or makes it from the vocabulary files that `class` reads.
///
/// # Errors
/// `tokenizer` if the files are missing or malformed.
pub(super) fn take_tokenizer_json(
    files: &mut ModelFiles,
    class: TokenizerClass,
) -> Result<Cow<'static, [u8]>> {
    if let Some(json) = files.take("tokenizer.json") {
        return Ok(json);
    }
    let model = match class {
        TokenizerClass::Bert | TokenizerClass::DistilBert | TokenizerClass::MpNet => {
            files.take("vocab.txt").map(|text| word_piece(&text)).transpose()?
        }
        TokenizerClass::Roberta | TokenizerClass::Qwen2 => {
            match (files.take("vocab.json"), files.take("merges.txt")) {
                (Some(vocab), Some(merges)) => Some(byte_pairs(&vocab, &merges)?),
                (Some(_), None) => return Err(tokenizer("merges.txt is missing; vocab.json needs it")),
                (None, _) => None,
            }
        }
        _ => None,
    };
    let model = model.ok_or_else(missing_tokenizer)?;
    Ok(json!({ "model": model }).to_string().into_bytes().into())
}

/// Reads `vocab.txt`, which has a token per line. The last of several equal tokens counts.
fn word_piece(text: &[u8]) -> Result<Value> {
    let tokens = utf8("vocab.txt", text)?.lines().map(str::trim_end).enumerate();
    let vocab: Map<String, Value> = tokens.map(|(id, token)| (token.to_owned(), json!(id))).collect();
    Ok(json!({
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": vocab,
    }))
}

/// Reads `vocab.json`, which has the id of each token, and `merges.txt`, which has a pair of tokens per line.
fn byte_pairs(vocab: &[u8], merges: &[u8]) -> Result<Value> {
    let vocab: Map<String, Value> = serde_json::from_slice(vocab)
        .map_err(|error| tokenizer(format!("vocab.json: {}", json_problem(&error))).with_source(error))?;
    let lines = utf8("merges.txt", merges)?.lines().enumerate();
    let pairs = lines.filter(|(_, line)| !line.starts_with("#version")).map(|(index, line)| {
        match line.split(' ').collect::<Vec<_>>()[..] {
            [first, second] => Ok([first, second]),
            _ => Err(tokenizer(format!(
                "merges.txt: line {} is not two tokens with a space between",
                index + 1
            ))),
        }
    });
    Ok(json!({ "type": "BPE", "vocab": vocab, "merges": pairs.collect::<Result<Vec<_>>>()? }))
}

fn utf8<'a>(name: &str, bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes).map_err(|error| tokenizer(format!("{name}: {error}")).with_source(error))
}
