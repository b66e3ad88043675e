//! Parses the expressions inside tags.

use std::collections::HashMap;

use super::{MAX_DEPTH, PromptPiece, check_length, excerpt, not_supported};
use crate::error::{Error, Result};

/// The value of an expression.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Pieces(Vec<PromptPiece>),
    /// All messages.
    Messages,
    /// The messages of a role, as the piece of the first one.
    MessagesOfRole(PromptPiece),
    /// The contents of the messages of a role.
    ContentsOfRole(PromptPiece),
    /// The first message of a role.
    FirstMessage(PromptPiece),
}

/// Parses an expression to its value.
///
/// # Errors
/// `unsupported` for anything outside the subset.
pub(super) fn parse(text: &str, variables: &HashMap<String, Value>) -> Result<Value> {
    let mut expression = Expression { rest: text, variables };
    let value = expression.concatenation(0)?;
    if expression.rest.trim_start().is_empty() { Ok(value) } else { Err(expression.unexpected()) }
}

/// A parser of expressions.
struct Expression<'a> {
    /// The text that is not yet parsed.
    rest: &'a str,
    variables: &'a HashMap<String, Value>,
}

impl<'a> Expression<'a> {
    fn unexpected(&self) -> Error {
        not_supported(&format!("{:?} is unexpected", excerpt(self.rest.trim_start())))
    }

    fn eat(&mut self, token: &str) -> bool {
        let Some(rest) = self.rest.trim_start().strip_prefix(token) else { return false };
        self.rest = rest;
        true
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(self.unexpected()) }
    }

    fn name(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let end = rest.find(|char: char| !char.is_ascii_alphanumeric() && char != '_').unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let name = (!name.is_empty()).then_some(name)?;
        self.rest = rest;
        Some(name)
    }

    fn string(&mut self) -> Result<Option<String>> {
        let rest = self.rest.trim_start();
        let Some(quote) = rest.chars().next().filter(|char| ['"', '\''].contains(char)) else {
            return Ok(None);
        };
        let mut text = String::new();
        let mut chars = rest[1..].char_indices();
        while let Some((index, char)) = chars.next() {
            match char {
                '\\' => text.push(match chars.next() {
                    Some((_, 'n')) => '\n',
                    Some((_, 't')) => '\t',
                    Some((_, 'r')) => '\r',
                    Some((_, char @ ('\\' | '"' | '\''))) => char,
                    _ => return Err(not_supported("a string has an unknown escape")),
                }),
                char if char == quote => {
                    self.rest = &rest[index + 2..];
                    return Ok(Some(text));
                }
                char => text.push(char),
            }
        }
        Err(not_supported("a string has no end"))
    }

    /// Parses values joined by `+` or `~`.
    fn concatenation(&mut self, depth: usize) -> Result<Value> {
        let mut value = self.filtered(depth)?;
        while self.eat("+") || self.eat("~") {
            let mut joined = pieces(value)?;
            joined.extend(pieces(self.filtered(depth)?)?);
            check_length(&joined)?;
            value = Value::Pieces(joined);
        }
        Ok(value)
    }

    /// Parses a value followed by filters and attributes.
    fn filtered(&mut self, depth: usize) -> Result<Value> {
        let mut value = self.primary(depth)?;
        loop {
            if self.eat("|") {
                let name = self.name().ok_or_else(|| self.unexpected())?;
                value = self.filter(name, value)?;
            } else if self.eat(".") {
                self.expect("content")?;
                value = content(value)?;
            } else if self.eat("[") {
                if self.string()?.as_deref() != Some("content") {
                    return Err(self.unexpected());
                }
                self.expect("]")?;
                value = content(value)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn primary(&mut self, depth: usize) -> Result<Value> {
        if depth > MAX_DEPTH {
            return Err(not_supported("parentheses are nested too deeply"));
        }
        if let Some(text) = self.string()? {
            return Ok(Value::Pieces(vec![PromptPiece::Text(text)]));
        }
        if self.eat("(") {
            let value = self.concatenation(depth + 1)?;
            self.expect(")")?;
            return Ok(value);
        }
        let name = self.name().ok_or_else(|| self.unexpected())?;
        match self.variables.get(name) {
            Some(value) => Ok(value.clone()),
            None if name == "messages" => Ok(Value::Messages),
            None => Err(not_supported(&format!("the name {} is unknown", excerpt(name)))),
        }
    }

    fn filter(&mut self, name: &str, value: Value) -> Result<Value> {
        match (name, value) {
            ("selectattr", Value::Messages) => self.role().map(Value::MessagesOfRole),
            ("map", Value::MessagesOfRole(piece)) => {
                self.expect("(")?;
                self.expect("attribute")?;
                self.expect("=")?;
                if self.string()?.as_deref() != Some("content") {
                    return Err(self.unexpected());
                }
                self.expect(")")?;
                Ok(Value::ContentsOfRole(piece))
            }
            ("list", value) => Ok(value),
            ("first", Value::MessagesOfRole(piece)) => Ok(Value::FirstMessage(piece)),
            ("first", Value::ContentsOfRole(piece)) => Ok(Value::Pieces(vec![piece])),
            ("default" | "d", Value::Pieces(pieces)) => {
                self.expect("(")?;
                let default = self.string()?.ok_or_else(|| self.unexpected())?;
                self.expect(")")?;
                Ok(Value::Pieces(match pieces[..] {
                    [PromptPiece::Instruction(None)] => vec![PromptPiece::Instruction(Some(default))],
                    _ => pieces,
                }))
            }
            (name, _) => Err(not_supported(&format!("the filter {} cannot be used here", excerpt(name)))),
        }
    }

    /// Parses the arguments of `selectattr`, such as `("role", "eq", "query")`, and returns the piece of that role.
    fn role(&mut self) -> Result<PromptPiece> {
        self.expect("(")?;
        let attribute = self.string()?;
        self.expect(",")?;
        let test = self.string()?;
        self.expect(",")?;
        let role = self.string()?;
        self.expect(")")?;
        match (attribute.as_deref(), test.as_deref(), role.as_deref()) {
            (Some("role"), Some("eq" | "equalto" | "=="), Some(role)) => match role {
                "query" => Ok(PromptPiece::Query),
                "document" => Ok(PromptPiece::Document),
                "system" => Ok(PromptPiece::Instruction(None)),
                other => Err(not_supported(&format!("messages have the unknown role {:?}", excerpt(other)))),
            },
            _ => Err(not_supported("messages may only be selected by their role")),
        }
    }
}

/// Returns the content of a message.
fn content(value: Value) -> Result<Value> {
    match value {
        // The system message may be missing, and Jinja fails for the content of a missing message.
        Value::FirstMessage(piece @ (PromptPiece::Query | PromptPiece::Document)) => {
            Ok(Value::Pieces(vec![piece]))
        }
        _ => Err(not_supported("only messages of the query and the document have a content")),
    }
}

/// Returns the pieces of a value that is a text.
pub(super) fn pieces(value: Value) -> Result<Vec<PromptPiece>> {
    match value {
        Value::Pieces(pieces) => Ok(pieces),
        _ => Err(not_supported("it uses messages as a text")),
    }
}
