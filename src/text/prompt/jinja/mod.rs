//! The subset of Jinja that the chat templates of rerankers use.
//!
//! Running a template could take any amount of memory and time, so it is only parsed, into the pieces that it writes:
//! texts, `messages` selected by role, `default`, `set` and `if add_generation_prompt`. Anything else is an error that
//! names it. An interpreter such as `minijinja` would add about 150 kB and need limits of its own; it is worth it once
//! decoders of other families have templates outside this subset.

mod expression;
mod segments;

use std::collections::HashMap;

use crate::error::{Error, Result, unsupported};
use expression::{Value, pieces};
use segments::{Segment, segments};

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
                let value = expression::parse(text, &self.variables)?;
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
                let value = expression::parse(value, &self.variables)?;
                self.variables.insert(name.trim().to_owned(), value);
                Ok(())
            }
            _ => Err(not_supported(&format!("the statement {:?} is unknown", excerpt(text)))),
        }
    }

    fn write(&mut self, pieces: Vec<PromptPiece>) -> Result<()> {
        self.out.extend(pieces);
        check_length(&self.out)
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
