//! The subset of Jinja that the chat templates of rerankers use.
//!
//! Running a template could take any amount of memory and time, so it is only parsed, into the pieces that it writes:
//! texts, `messages` selected by role, `default`, `set` and `if add_generation_prompt`. Anything else is an error that
//! names it. An interpreter such as `minijinja` would add about 150 kB and need limits of its own; it is worth it once
//! decoders of other families have templates outside this subset.

use std::collections::HashMap;

use crate::error::{Error, Result, unsupported};

/// A piece of the text that a template writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PromptPiece {
    /// Literal text.
    Text(String),
    /// The message of the role "system", or this default.
    Instruction(Option<String>),
    /// The message of the role "query".
    Query,
    /// The message of the role "document".
    Document,
}

/// The value of an expression.
#[derive(Debug, Clone)]
enum Value {
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

/// Maximum size of a template and of the text it writes. A template could otherwise double a variable until memory is
/// full.
const MAX_BYTES: usize = 1 << 16;
/// Maximum number of nested ifs or parentheses.
const MAX_DEPTH: usize = 32;

/// Parses a template into the pieces that it writes for a pair.
///
/// # Errors
/// `unsupported` for anything outside the subset.
pub(super) fn parse(template: &str, add_generation_prompt: bool) -> Result<Vec<PromptPiece>> {
    if template.len() > MAX_BYTES {
        return Err(not_supported(&format!("it has more than {MAX_BYTES} bytes")));
    }
    let template = template.replace("\r\n", "\n");
    let mut reader = TemplateReader {
        variables: HashMap::new(),
        add_generation_prompt,
        branches: Vec::new(),
        out: Vec::new(),
    };
    for segment in segments(template.strip_suffix('\n').unwrap_or(&template))? {
        reader.read_segment(segment)?;
    }
    if reader.branches.is_empty() { Ok(reader.out) } else { Err(not_supported("an if has no endif")) }
}

fn not_supported(what: &str) -> Error {
    unsupported(format!("the chat template is not supported: {what}"))
}

enum Segment<'a> {
    Text(&'a str),
    Expression(&'a str),
    Statement(&'a str),
}

/// Splits a template into texts and tags. Removes white space around tags as in transformers' environment, which sets
/// `trim_blocks` and `lstrip_blocks`.
fn segments(template: &str) -> Result<Vec<Segment<'_>>> {
    let mut segments = Vec::new();
    let (mut rest, mut trim_start, mut newline_start) = (template, false, false);
    loop {
        let start = ["{{", "{%", "{#"].into_iter().filter_map(|tag| rest.find(tag)).min();
        let before = &rest[..start.unwrap_or(rest.len())];
        let mut text = before;
        if trim_start {
            text = text.trim_start();
        } else if newline_start {
            text = text.strip_prefix('\n').unwrap_or(text);
        }
        let Some(start) = start else {
            segments.push(Segment::Text(text));
            return Ok(segments);
        };
        let (open, body) = rest[start..].split_at(2);
        let close = match open {
            "{{" => "}}",
            "{%" => "%}",
            _ => "#}",
        };
        let end = end_of_tag(body, close).ok_or_else(|| not_supported(&format!("{open} has no {close}")))?;
        let mut inner = &body[..end];
        rest = &body[end + 2..];
        if let Some(stripped) = inner.strip_prefix('-') {
            (inner, text) = (stripped, text.trim_end());
        } else if open != "{{" && !inner.starts_with('+') {
            let lines = before.trim_end_matches([' ', '\t']);
            if lines.ends_with('\n') || (lines.is_empty() && segments.is_empty()) {
                text = text.trim_end_matches([' ', '\t']);
            }
        }
        trim_start = inner.ends_with('-');
        newline_start = open != "{{";
        inner = inner.strip_suffix('-').unwrap_or(inner).trim();
        segments.push(Segment::Text(text));
        match open {
            "{{" => segments.push(Segment::Expression(inner)),
            "{%" => segments.push(Segment::Statement(inner)),
            _ => {}
        }
    }
}

/// Returns the offset of the end of a tag. Skips quoted text, except in a comment.
fn end_of_tag(body: &str, close: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (index, char) in body.char_indices() {
        match quote {
            _ if escaped => escaped = false,
            Some(_) if char == '\\' => escaped = true,
            Some(open) if char == open => quote = None,
            Some(_) => {}
            None if body[index..].starts_with(close) => return Some(index),
            None if close != "#}" && (char == '"' || char == '\'') => quote = Some(char),
            None => {}
        }
    }
    None
}

struct TemplateReader {
    variables: HashMap<String, Value>,
    add_generation_prompt: bool,
    /// Whether the current branch of each enclosing if is active.
    branches: Vec<bool>,
    out: Vec<PromptPiece>,
}

impl TemplateReader {
    fn read_segment(&mut self, segment: Segment) -> Result<()> {
        let active = self.branches.iter().all(|active| *active);
        match segment {
            Segment::Text(text) if active => self.write(vec![PromptPiece::Text(text.to_owned())]),
            Segment::Expression(text) if active => {
                let value = self.value(text)?;
                self.write(pieces(value)?)
            }
            Segment::Statement(text) => self.statement(text, active),
            Segment::Text(_) | Segment::Expression(_) => Ok(()),
        }
    }

    fn statement(&mut self, text: &str, active: bool) -> Result<()> {
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        match name {
            "if" if self.branches.len() < MAX_DEPTH => {
                let truth = match rest.trim() {
                    "add_generation_prompt" => self.add_generation_prompt,
                    "not add_generation_prompt" => !self.add_generation_prompt,
                    other => {
                        return Err(not_supported(&format!("the condition {:?} is unknown", excerpt(other))));
                    }
                };
                self.branches.push(truth);
                Ok(())
            }
            "else" => {
                let branch = self.branches.last_mut().ok_or_else(|| not_supported("an else has no if"))?;
                *branch = !*branch;
                Ok(())
            }
            "endif" => self.branches.pop().map(drop).ok_or_else(|| not_supported("an endif has no if")),
            "set" if !active => Ok(()),
            "set" => {
                let (name, value) = rest
                    .split_once('=')
                    .ok_or_else(|| not_supported(&format!("{:?} assigns nothing", excerpt(text))))?;
                let value = self.value(value)?;
                self.variables.insert(name.trim().to_owned(), value);
                Ok(())
            }
            _ => Err(not_supported(&format!("the statement {:?} is unknown", excerpt(text)))),
        }
    }

    fn value(&self, text: &str) -> Result<Value> {
        let mut expression = Expression { rest: text, variables: &self.variables };
        let value = expression.concatenation(0)?;
        if expression.rest.trim_start().is_empty() { Ok(value) } else { Err(expression.unexpected()) }
    }

    fn write(&mut self, pieces: Vec<PromptPiece>) -> Result<()> {
        self.out.extend(pieces);
        check_length(&self.out)
    }
}

fn pieces(value: Value) -> Result<Vec<PromptPiece>> {
    match value {
        Value::Pieces(pieces) => Ok(pieces),
        _ => Err(not_supported("it uses messages as a text")),
    }
}

fn check_length(pieces: &[PromptPiece]) -> Result<()> {
    let length = |piece: &PromptPiece| match piece {
        PromptPiece::Text(text) | PromptPiece::Instruction(Some(text)) => text.len(),
        _ => 1,
    };
    if pieces.len() > MAX_BYTES || pieces.iter().map(length).sum::<usize>() > MAX_BYTES {
        return Err(not_supported(&format!("it writes more than {MAX_BYTES} bytes")));
    }
    Ok(())
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
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
