//! Expands a `.wgsl` template to WGSL: variables, conditions and unrolled loops.
//!
//! Loops over registers are unrolled here because most drivers keep an array that is indexed by a variable in memory.
//! A line that begins with `#` is a directive:
//!
//! - `#for I in 0..ROWS` or `#for C in x y z w`, up to `#end`: repeats the lines once per value of `I`;
//! - `#if GATE` or `#if not GATE`, up to `#else` or `#end`: keeps the lines if the flag is true, or false.
//!
//! Elsewhere `{I}` is replaced by the value of `I`. A name that is not declared is an error everywhere.

use std::collections::BTreeMap;

use crate::error::{Result, internal};

/// The names that a template may use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Variables(BTreeMap<String, Value>);

#[derive(Debug, Clone)]
enum Value {
    /// The condition of `#if`.
    Flag(bool),
    /// The replacement of `{NAME}`, or a bound of `#for`.
    Text(String),
}

impl Variables {
    /// Declares a name that is replaced by `value`.
    pub(crate) fn text(&mut self, name: &str, value: impl ToString) {
        self.0.insert(name.to_owned(), Value::Text(value.to_string()));
    }

    /// Declares a condition.
    pub(crate) fn flag(&mut self, name: &str, value: bool) {
        self.0.insert(name.to_owned(), Value::Flag(value));
    }

    /// Declares several conditions. Only `chosen` is true; with `None`, all are false.
    pub(crate) fn one_of(&mut self, names: &[&str], chosen: Option<&str>) {
        for name in names {
            self.flag(name, chosen == Some(*name));
        }
    }

    fn get(&self, name: &str) -> Result<&Value> {
        self.0
            .get(name)
            .ok_or_else(|| internal(format!("the shader template uses the unknown name {name:?}")))
    }

    fn get_text(&self, name: &str) -> Result<&str> {
        match self.get(name)? {
            Value::Text(text) => Ok(text),
            Value::Flag(_) => Err(internal(format!("the shader template uses the flag {name:?} as text"))),
        }
    }

    fn get_flag(&self, name: &str) -> Result<bool> {
        match self.get(name)? {
            Value::Flag(flag) => Ok(*flag),
            Value::Text(_) => Err(internal(format!("the shader template uses the text {name:?} as a flag"))),
        }
    }
}

/// Expands a template.
///
/// # Errors
/// `internal` for a directive that is malformed or has no `#end`, and for a name that is not declared.
pub(crate) fn expand(template: &str, mut variables: Variables) -> Result<String> {
    let lines: Vec<&str> = template.lines().collect();
    let mut text = String::new();
    expand_lines(&lines, &mut variables, &mut text)?;
    Ok(text)
}

fn expand_lines(lines: &[&str], variables: &mut Variables, text: &mut String) -> Result<()> {
    let mut index = 0;
    while let Some(line) = lines.get(index) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["#for", name, "in", values @ ..] => {
                let block = Block::find(&lines[index..])?;
                for value in loop_values(values, variables)? {
                    let outer = variables.0.insert((*name).to_owned(), Value::Text(value));
                    expand_lines(block.first, variables, text)?;
                    match outer {
                        Some(outer) => variables.0.insert((*name).to_owned(), outer),
                        None => variables.0.remove(*name),
                    };
                }
                index += block.length;
            }
            ["#if", condition @ ..] => {
                let block = Block::find(&lines[index..])?;
                let chosen = if holds(condition, variables)? { block.first } else { block.second };
                expand_lines(chosen, variables, text)?;
                index += block.length;
            }
            [directive, ..] if directive.starts_with('#') => {
                return Err(internal(format!("the shader template has a malformed line {line:?}")));
            }
            _ => {
                substitute(line, variables, text)?;
                text.push('\n');
                index += 1;
            }
        }
    }
    Ok(())
}

/// The values of a loop: of a range, or listed.
fn loop_values(values: &[&str], variables: &Variables) -> Result<Vec<String>> {
    let bound = |word: &str| -> Result<usize> {
        match word.parse() {
            Ok(number) => Ok(number),
            Err(_) => variables.get_text(word)?.parse().map_err(|_| {
                internal(format!("the shader template has a loop up to {word:?}, not a number"))
            }),
        }
    };
    match values {
        [range] if range.contains("..") => {
            let (start, end) = range.split_once("..").unwrap_or_default();
            Ok((bound(start)?..bound(end)?).map(|value| value.to_string()).collect())
        }
        values => Ok(values.iter().map(|value| (*value).to_owned()).collect()),
    }
}

fn holds(condition: &[&str], variables: &Variables) -> Result<bool> {
    match condition {
        ["not", name] => variables.get_flag(name).map(|flag| !flag),
        [name] => variables.get_flag(name),
        _ => Err(internal(format!("the shader template has the malformed condition {condition:?}"))),
    }
}

/// The lines between a directive and its `#end`.
struct Block<'a> {
    /// Up to `#else`, or all.
    first: &'a [&'a str],
    /// After `#else`.
    second: &'a [&'a str],
    /// Number of lines, with the directive and its `#end`.
    length: usize,
}

impl<'a> Block<'a> {
    /// Finds the end of the block that begins with the first line, past blocks within it.
    fn find(lines: &'a [&'a str]) -> Result<Self> {
        let mut depth = 0;
        let mut middle = None;
        for (index, line) in lines.iter().enumerate() {
            match line.split_whitespace().next() {
                Some("#for" | "#if") => depth += 1,
                Some("#else") if depth == 1 => middle = Some(index),
                Some("#end") if depth == 1 => {
                    let middle = middle.unwrap_or(index);
                    let second = &lines[(middle + 1).min(index)..index];
                    return Ok(Self { first: &lines[1..middle], second, length: index + 1 });
                }
                Some("#end") => depth -= 1,
                _ => {}
            }
        }
        Err(internal(format!("the shader template has no #end for {:?}", lines[0])))
    }
}

/// Appends a line with every `{NAME}` replaced. Names are in capitals; other braces are WGSL.
fn substitute(line: &str, variables: &Variables, text: &mut String) -> Result<()> {
    let is_name = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_uppercase())
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        match after.split_once('}') {
            Some((name, tail)) if is_name(name) => {
                text.push_str(variables.get_text(name)?);
                rest = tail;
            }
            _ => {
                text.push('{');
                rest = after;
            }
        }
    }
    text.push_str(rest);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(texts: &[(&str, &str)], flags: &[(&str, bool)]) -> Variables {
        let mut variables = Variables::default();
        texts.iter().for_each(|(name, value)| variables.text(name, value));
        flags.iter().for_each(|(name, value)| variables.flag(name, *value));
        variables
    }

    fn expanded(template: &str, texts: &[(&str, &str)], flags: &[(&str, bool)]) -> String {
        expand(template, variables(texts, flags)).unwrap()
    }

    #[test]
    fn loops_are_unrolled_and_may_be_nested() {
        let template = "a\n#for I in 0..N\n  #for C in x y\n  r{I}.{C};\n  #end\n#end\nb {N}";
        let expected = "a\n  r0.x;\n  r0.y;\n  r1.x;\n  r1.y;\nb 2\n";
        assert_eq!(expanded(template, &[("N", "2")], &[]), expected);
        assert_eq!(expanded("#for I in 0..N\nx\n#end", &[("N", "0")], &[]), "");
    }

    #[test]
    fn conditions_choose_between_two_blocks() {
        let template = "#if GATE\n#if not DEEP\ng\n#end\n#else\nn\n#end\n.";
        let expanded = |gate, deep| expanded(template, &[], &[("GATE", gate), ("DEEP", deep)]);
        assert_eq!(expanded(true, false), "g\n.\n");
        assert_eq!(expanded(true, true), ".\n");
        assert_eq!(expanded(false, false), "n\n.\n");
    }

    #[test]
    fn braces_of_wgsl_stay() {
        assert_eq!(expanded("fn f() { return {N}u; }", &[("N", "3")], &[]), "fn f() { return 3u; }\n");
    }

    #[test]
    fn unknown_names_and_open_blocks_are_errors() {
        for template in [
            "{M}",
            "#for I in 0..M\n#end",
            "#for I in 0..{N}\n#end",
            "#if M\n#end",
            "#if N\n#end",
            "#if not M\n#end",
            "{FLAG}",
            "#if FLAG",
            "#for I in 0..N",
            "#end",
            "#unless FLAG\n#end",
            "#if FLAG and FLAG\n#end",
            "#for I in 0..2\n#end\n{I}",
        ] {
            let error = expand(template, variables(&[("N", "x")], &[("FLAG", true)]));
            assert!(error.is_err(), "{template:?} expands to {error:?}");
        }
    }
}
