//! The values that a template computes with.

use std::rc::Rc;

use super::{MAX_BYTES, not_supported};
use crate::error::Result;

/// A piece of the text that a template writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::text::prompt) enum PromptPiece {
    /// Literal text.
    Text(String),
    /// A text of the pair.
    Content {
        /// The text.
        source: Source,
        /// Whether white space at both ends is removed.
        trim: bool,
    },
}

impl PromptPiece {
    /// Returns the size of the piece in bytes, without that of a text of the pair.
    pub(super) fn bytes(&self) -> usize {
        match self {
            PromptPiece::Text(text) => text.len(),
            PromptPiece::Content { .. } => 1,
        }
    }
}

/// The texts that a prompt contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::text::prompt) enum Source {
    /// The instruction.
    Instruction,
    /// The query.
    Query,
    /// The document.
    Document,
}

/// A value. The texts of the pair are not known while the template runs, so a value may be [`Unknown`](Self::Unknown).
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Undefined,
    None,
    Bool(bool),
    Int(i64),
    Text(Rc<Vec<PromptPiece>>),
    List(Rc<Vec<Value>>),
    /// The result of a filter that can be read once, as Python's generators.
    Generator(Rc<Vec<Value>>),
    Map(Rc<Vec<(String, Value)>>),
    /// An object of `namespace()`, by its index.
    Namespace(usize),
    /// Depends on the texts of the pair.
    Unknown,
}

impl Value {
    pub(super) fn text(text: &str) -> Self {
        let pieces = if text.is_empty() { Vec::new() } else { vec![PromptPiece::Text(text.to_owned())] };
        Value::Text(Rc::new(pieces))
    }

    pub(super) fn content(source: Source) -> Self {
        Value::Text(Rc::new(vec![PromptPiece::Content { source, trim: false }]))
    }

    pub(super) fn map(entries: &[(&str, Value)]) -> Self {
        let entry = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
        Value::Map(Rc::new(entries.iter().map(entry).collect()))
    }

    pub(super) fn list(values: Vec<Value>) -> Self {
        Value::List(Rc::new(values))
    }

    /// Returns the text, if no part of it comes from the pair.
    pub(super) fn literal(&self) -> Option<&str> {
        match self {
            Value::Text(pieces) => match pieces.as_slice() {
                [] => Some(""),
                [PromptPiece::Text(text)] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    /// Returns the truth, as Python does; `None` if it depends on the texts of the pair. An instruction is never empty.
    pub(super) fn truth(&self) -> Option<bool> {
        Some(match self {
            Value::Undefined | Value::None => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::List(items) => !items.is_empty(),
            Value::Map(entries) => !entries.is_empty(),
            Value::Namespace(_) | Value::Generator(_) => true,
            Value::Unknown => return None,
            Value::Text(pieces) => {
                let is_certain = |piece: &PromptPiece| match piece {
                    PromptPiece::Text(text) => !text.is_empty(),
                    PromptPiece::Content { source, trim } => *source == Source::Instruction && !trim,
                };
                if !pieces.is_empty() && !pieces.iter().any(is_certain) {
                    return None;
                }
                !pieces.is_empty()
            }
        })
    }

    /// Returns whether two values are equal, as Python does; `None` if that depends on the texts of the pair.
    pub(super) fn equals(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Value::Unknown, _) | (_, Value::Unknown) => None,
            (Value::Text(a), Value::Text(b)) => match (self.literal(), other.literal()) {
                (Some(a), Some(b)) => Some(a == b),
                _ => (a == b).then_some(true),
            },
            (Value::Bool(flag), Value::Int(number)) | (Value::Int(number), Value::Bool(flag)) => {
                Some(*number == i64::from(*flag))
            }
            (Value::List(_) | Value::Map(_), Value::List(_) | Value::Map(_)) => {
                (self == other).then_some(true)
            }
            _ => Some(self == other),
        }
    }

    /// Returns what `{{ value }}` writes.
    ///
    /// # Errors
    /// `unsupported` for a value that is no text or number, or that depends on the texts of the pair.
    pub(super) fn printed(&self) -> Result<Vec<PromptPiece>> {
        let text = match self {
            Value::Text(pieces) => return Ok(pieces.to_vec()),
            Value::Undefined => return Ok(Vec::new()),
            Value::None => "None".to_owned(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Int(value) => value.to_string(),
            Value::Unknown => return Err(depends_on_the_texts()),
            Value::List(_) | Value::Generator(_) | Value::Map(_) | Value::Namespace(_) => {
                return Err(not_supported("it writes a list or an object"));
            }
        };
        Ok(vec![PromptPiece::Text(text)])
    }

    /// Removes white space at both ends, as Python's `strip()` does.
    pub(super) fn trimmed(&self) -> Self {
        if let Some(text) = self.literal() {
            return Self::text(text.trim_matches(is_space));
        }
        let Value::Text(pieces) = self else { return Value::Unknown };
        let mut pieces = pieces.to_vec();
        if let [PromptPiece::Content { trim, .. }] = pieces.as_mut_slice() {
            *trim = true;
            return Value::Text(Rc::new(pieces));
        }
        let mut trims = true;
        if let Some(PromptPiece::Text(text)) = pieces.first_mut() {
            *text = text.trim_start_matches(is_space).to_owned();
            trims &= !text.is_empty();
        } else {
            trims = false;
        }
        match pieces.last_mut() {
            Some(PromptPiece::Text(text)) => {
                *text = text.trim_end_matches(is_space).to_owned();
                trims &= !text.is_empty();
            }
            _ => trims = false,
        }
        // At a text of the pair, the white space to remove is unknown.
        if trims { Value::Text(Rc::new(pieces)) } else { Value::Unknown }
    }
}

/// Returns whether Python counts a character as white space.
pub(in crate::text::prompt) fn is_space(char: char) -> bool {
    char.is_whitespace() || ('\x1c'..='\x1f').contains(&char)
}

/// Appends pieces, and joins literal texts.
///
/// # Errors
/// `unsupported` for a text of more than 64 kB.
pub(super) fn append(pieces: &mut Vec<PromptPiece>, more: &[PromptPiece]) -> Result<()> {
    for piece in more {
        match (pieces.last_mut(), piece) {
            (Some(PromptPiece::Text(text)), PromptPiece::Text(next)) => text.push_str(next),
            _ => pieces.push(piece.clone()),
        }
    }
    if pieces.iter().map(PromptPiece::bytes).sum::<usize>() > MAX_BYTES {
        return Err(not_supported(&format!("it writes more than {MAX_BYTES} bytes")));
    }
    Ok(())
}

pub(super) fn depends_on_the_texts() -> crate::Error {
    not_supported("what it writes depends on the words of query or document")
}

/// Makes a value of a truth that may be unknown.
pub(super) fn flag(truth: Option<bool>) -> Value {
    truth.map_or(Value::Unknown, Value::Bool)
}

/// Joins the printed forms of values.
pub(super) fn joined(values: &[Value]) -> Result<Value> {
    let mut pieces = Vec::new();
    for value in values {
        if *value == Value::Unknown {
            return Ok(Value::Unknown);
        }
        append(&mut pieces, &value.printed()?)?;
    }
    Ok(Value::Text(Rc::new(pieces)))
}
