//! The subset of Jinja that chat templates use.
//!
//! A template is run once, when a model is loaded, with placeholders for the texts of the pair, and gives the pieces of
//! the prompt. So the time and memory that it takes are bounded by its own size. A template whose result depends on the
//! words of the texts, or that uses anything outside the subset, is an error that names it.

mod expression;
mod filters;
mod interpreter;
mod segments;
mod template;
#[cfg(test)]
mod tests;
mod tokens;
mod value;

use crate::error::{Error, Result, unsupported};
use interpreter::Interpreter;
use value::Value;
pub(super) use value::{PromptPiece, Source, is_space};

/// Maximum size of a template and of the texts it writes. A template could otherwise double a variable until memory is
/// full.
const MAX_BYTES: usize = 1 << 16;
/// Maximum size of all texts that variables are set to.
const MAX_SET_BYTES: usize = 16 * MAX_BYTES;
/// Maximum number of nested blocks or parentheses.
const MAX_DEPTH: usize = 32;
/// Maximum number of operations in an expression, each of which can nest it once.
const MAX_OPERATIONS: usize = 200;
/// Maximum number of steps of a run: statements, items of loops and operations.
const MAX_STEPS: usize = 20_000;

/// A message for a template: its role and content.
pub(super) type Message = (&'static str, Source);

/// How messages and variables are passed to a template.
#[derive(Debug, Clone, Copy)]
pub(super) struct TemplateInput<'a> {
    /// The messages.
    pub(super) messages: &'a [Message],
    /// Whether contents are lists of typed parts.
    pub(super) structured: bool,
    /// Variables by name.
    pub(super) variables: &'a [(String, serde_json::Value)],
}

/// Runs a template.
///
/// # Errors
/// `unsupported` for anything outside the subset, and for a template that rejects the messages.
pub(super) fn render(template: &str, input: TemplateInput) -> Result<Vec<PromptPiece>> {
    if template.len() > MAX_BYTES {
        return Err(not_supported(&format!("it has more than {MAX_BYTES} bytes")));
    }
    let template = template.replace("\r\n", "\n");
    let nodes = template::parse(template.strip_suffix('\n').unwrap_or(&template))?;
    let content = |source| match input.structured {
        false => Value::content(source),
        true => {
            Value::list(vec![Value::map(&[("type", Value::text("text")), ("text", Value::content(source))])])
        }
    };
    let message =
        |(role, source): &Message| Value::map(&[("role", Value::text(role)), ("content", content(*source))]);
    let messages = Value::list(input.messages.iter().map(message).collect());
    let mut variables = vec![("messages".to_owned(), messages)];
    for name in ["tools", "documents"] {
        variables.push((name.to_owned(), Value::None));
    }
    for (name, value) in input.variables {
        variables.push((name.clone(), variable(name, value)?));
    }
    Interpreter::new(variables).run(&nodes)
}

/// Converts a variable from JSON.
fn variable(name: &str, value: &serde_json::Value) -> Result<Value> {
    match value {
        serde_json::Value::Null => Ok(Value::None),
        serde_json::Value::Bool(flag) => Ok(Value::Bool(*flag)),
        serde_json::Value::String(text) => Ok(Value::text(text)),
        serde_json::Value::Number(number) if number.as_i64().is_some() => {
            Ok(Value::Int(number.as_i64().unwrap_or_default()))
        }
        _ => Err(unsupported(format!(
            "the variable {} of the chat template is no text or flag",
            excerpt(name)
        ))),
    }
}

fn not_supported(what: &str) -> Error {
    unsupported(format!("the chat template is not supported: {what}"))
}

fn excerpt(text: &str) -> String {
    text.chars().take(60).collect()
}
