//! Splits the inside of a tag into tokens.

use super::{excerpt, not_supported};
use crate::error::Result;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    Name(String),
    Int(i64),
    Text(String),
    Operator(&'static str),
}

/// Longer operators first.
const OPERATORS: [&str; 26] = [
    "==", "!=", "<=", ">=", "//", "**", "<", ">", "(", ")", "[", "]", "{", "}", ".", "|", "~", "+", "-", "*",
    "/", "%", ",", ":", "=", ";",
];

pub(super) fn tokens(mut rest: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        if first == '"' || first == '\'' {
            let (text, length) = quoted(rest, first)?;
            rest = &rest[length..];
            match tokens.last_mut() {
                // Literals that follow each other are one.
                Some(Token::Text(before)) => before.push_str(&text),
                _ => tokens.push(Token::Text(text)),
            }
        } else if first.is_ascii_digit() {
            let end = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
            let number = rest[..end].parse().map_err(|_| not_supported("a number is too large"))?;
            tokens.push(Token::Int(number));
            rest = &rest[end..];
        } else if first.is_ascii_alphabetic() || first == '_' {
            let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
            let end = rest.find(|char| !is_part(char)).unwrap_or(rest.len());
            tokens.push(Token::Name(rest[..end].to_owned()));
            rest = &rest[end..];
        } else {
            let operator = OPERATORS.into_iter().find(|operator| rest.starts_with(operator));
            let operator =
                operator.ok_or_else(|| not_supported(&format!("{:?} is unexpected", excerpt(rest))))?;
            tokens.push(Token::Operator(operator));
            rest = &rest[operator.len()..];
        }
    }
}

/// Reads a quoted text at the beginning of `rest`. Returns it and its length with the quotes.
fn quoted(rest: &str, quote: char) -> Result<(String, usize)> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((index, char)) = chars.next() {
        match char {
            '\\' => text.push(match chars.next() {
                Some((_, 'n')) => '\n',
                Some((_, 't')) => '\t',
                Some((_, 'r')) => '\r',
                Some((_, char @ ('\\' | '"' | '\''))) => char,
                _ => return Err(not_supported("a string has an unknown escape")),
            }),
            char if char == quote => return Ok((text, index + 1)),
            char => text.push(char),
        }
    }
    Err(not_supported("a string has no end"))
}
