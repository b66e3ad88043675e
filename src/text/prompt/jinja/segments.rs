//! Splits a template into texts and tags, and removes the white space around tags.

use super::not_supported;
use crate::error::Result;

/// A text or the inside of a tag.
pub(super) enum Segment<'a> {
    Text(&'a str),
    Expression(&'a str),
    Statement(&'a str),
}

/// Splits a template into texts and tags. Removes white space around tags as in transformers' environment, which sets
/// `trim_blocks` and `lstrip_blocks`.
pub(super) fn segments(template: &str) -> Result<Vec<Segment<'_>>> {
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
        } else if let Some(stripped) = inner.strip_prefix('+') {
            // Keeps the white space before the tag.
            inner = stripped;
        } else if open != "{{" {
            let lines = before.trim_end_matches([' ', '\t']);
            if lines.ends_with('\n') || (lines.is_empty() && segments.is_empty()) {
                text = text.trim_end_matches([' ', '\t']);
            }
        }
        trim_start = inner.ends_with('-');
        newline_start = open != "{{" && !inner.ends_with('+');
        inner = inner.strip_suffix(['-', '+']).unwrap_or(inner).trim();
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
