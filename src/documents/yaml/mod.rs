//! YAML as PyYAML 6.0.3 writes it with `safe_dump(value, sort_keys=False, allow_unicode=True, width=inf)`.
//!
//! PyYAML's emitter decides by the column and by what it wrote last whether a line breaks; [`Emitter`] has the same
//! state. Names of its methods are those of PyYAML.

mod scalar;

use std::borrow::Cow;

use serde_json::Number;

use super::borrowed;
use super::bounded_text::BoundedText;
use super::json_value::JsonValue;
use scalar::Scalar;

const INDENT: usize = 2;
/// Keys from this length on, with the length of the tag `!!str`, are written after a question mark.
const MAX_SIMPLE_KEY: usize = 128 - "!!str".len();

/// Writes fields as a document.
pub(super) fn write_document<'a>(
    fields: impl Iterator<Item = (&'a str, Cow<'a, JsonValue>)>,
    text: &mut BoundedText,
) {
    let mut emitter = Emitter::new(text);
    emitter.mapping(fields);
    emitter.write_line_break_at_end();
}

struct Emitter<'a> {
    out: &'a mut BoundedText,
    column: usize,
    /// Whether the last character separates tokens.
    whitespace: bool,
    /// Whether the line has nothing but indentation and indicators.
    indention: bool,
    /// The indentation of the current collection; `None` outside the root.
    indent: Option<usize>,
}

impl<'a> Emitter<'a> {
    fn new(out: &'a mut BoundedText) -> Self {
        Self { out, column: 0, whitespace: true, indention: true, indent: None }
    }

    fn node(&mut self, value: &JsonValue, in_mapping: bool) {
        match value {
            JsonValue::Null => self.plain("null"),
            JsonValue::Bool(value) => self.plain(if *value { "true" } else { "false" }),
            JsonValue::Number(number) => self.plain(&number_text(number)),
            JsonValue::String(text) => self.string(text),
            JsonValue::Array(items) => self.sequence(items, in_mapping),
            JsonValue::Object(fields) => self.mapping(borrowed(fields)),
        }
    }

    fn sequence(&mut self, items: &[JsonValue], in_mapping: bool) {
        if items.is_empty() {
            self.write_indicator("[", true, false);
            return self.write_indicator("]", false, false);
        }
        let outer = self.indent;
        let is_indentless = in_mapping && !self.indention;
        self.increase_indent(is_indentless);
        for item in items {
            if self.out.is_over() {
                break;
            }
            self.write_indent();
            self.write_indicator("-", true, true);
            self.node(item, false);
        }
        self.indent = outer;
    }

    fn mapping<'v>(&mut self, fields: impl Iterator<Item = (&'v str, Cow<'v, JsonValue>)>) {
        let mut fields = fields.peekable();
        if fields.peek().is_none() {
            self.write_indicator("{", true, false);
            return self.write_indicator("}", false, false);
        }
        let outer = self.indent;
        self.increase_indent(false);
        for (name, value) in fields {
            if self.out.is_over() {
                break;
            }
            self.write_indent();
            let is_simple = !name.is_empty()
                && name.chars().count() < MAX_SIMPLE_KEY
                && !name.contains(scalar::is_line_break);
            if is_simple {
                self.string(name);
                self.write_indicator(":", false, false);
            } else {
                self.write_indicator("?", true, true);
                self.string(name);
                self.write_indent();
                self.write_indicator(":", true, true);
            }
            self.node(&value, true);
        }
        self.indent = outer;
    }

    fn increase_indent(&mut self, is_indentless: bool) {
        self.indent = match self.indent {
            None => Some(0),
            Some(indent) if is_indentless => Some(indent),
            Some(indent) => Some(indent + INDENT),
        };
    }

    fn string(&mut self, text: &str) {
        let outer = self.indent;
        self.indent = Some(outer.map_or(INDENT, |indent| indent + INDENT));
        match scalar::choose_style(text) {
            Scalar::Plain => self.plain(text),
            Scalar::SingleQuoted => self.single_quoted(text),
            Scalar::DoubleQuoted => {
                self.write_indicator("\"", true, false);
                self.write(&scalar::escaped(text));
                self.write_indicator("\"", false, false);
            }
        }
        self.indent = outer;
    }

    /// Writes a text of one line.
    fn plain(&mut self, text: &str) {
        if !self.whitespace {
            self.write(" ");
        }
        (self.whitespace, self.indention) = (false, false);
        self.write(text);
    }

    fn single_quoted(&mut self, text: &str) {
        self.write_indicator("'", true, false);
        let mut rest = text;
        while let Some(start) = rest.find(scalar::is_line_break) {
            self.write(&rest[..start].replace('\'', "''"));
            rest = &rest[start..];
            let end = rest.find(|char| !scalar::is_line_break(char)).unwrap_or(rest.len());
            // A single line break would be read as a space.
            if rest.starts_with('\n') {
                self.write_line_break('\n');
            }
            rest[..end].chars().for_each(|line_break| self.write_line_break(line_break));
            self.write_indent();
            rest = &rest[end..];
        }
        self.write(&rest.replace('\'', "''"));
        self.write_indicator("'", false, false);
    }

    fn write(&mut self, text: &str) {
        self.column += text.chars().count();
        self.out.push_str(text);
    }

    fn write_indicator(&mut self, indicator: &str, needs_whitespace: bool, keeps_indention: bool) {
        if !self.whitespace && needs_whitespace {
            self.write(" ");
        }
        self.whitespace = indicator == "[" || indicator == "{";
        self.indention &= keeps_indention;
        self.write(indicator);
    }

    fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || self.column == indent && !self.whitespace {
            self.write_line_break('\n');
        }
        if self.column < indent {
            self.whitespace = true;
            self.write(&" ".repeat(indent - self.column));
        }
    }

    fn write_line_break(&mut self, line_break: char) {
        (self.whitespace, self.indention, self.column) = (true, true, 0);
        self.out.push_str(line_break.encode_utf8(&mut [0; 4]));
    }

    /// Ends the document.
    fn write_line_break_at_end(&mut self) {
        self.indent = None;
        self.write_indent();
    }
}

/// Writes a number as Python does, with a decimal point before an exponent.
fn number_text(number: &Number) -> String {
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) => float_text(float),
        None => number.to_string(),
    }
}

/// Writes the shortest digits that give the number: with an exponent below 1e-4 and from 1e16 on.
fn float_text(float: f64) -> String {
    let scientific = format!("{float:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) || float == 0.0 {
        return format!("{float:?}");
    }
    let point = if digits.contains('.') { "" } else { ".0" };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}{point}e{sign}{:02}", exponent.abs())
}
