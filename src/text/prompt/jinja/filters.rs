//! Filters, tests, methods and operators.

use super::interpreter::Interpreter;
use super::value::{PromptPiece, Value, depends_on_the_texts, flag, is_space, joined};
use super::{excerpt, not_supported};
use crate::error::Result;

impl Interpreter {
    pub(super) fn filter(
        &mut self,
        value: Value,
        name: &str,
        arguments: &[Value],
        named: &[(String, Value)],
    ) -> Result<Value> {
        let get = |wanted: &str| named.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        match (name, &value) {
            ("default" | "d", _) => {
                let default = arguments.first().or(get("default_value")).cloned().unwrap_or(Value::text(""));
                let is_empty = match arguments.get(1).or(get("boolean")).map(Value::truth) {
                    Some(Some(true)) => value.truth().map(|truth| !truth),
                    _ => Some(value == Value::Undefined),
                };
                Ok(match is_empty {
                    Some(true) => default,
                    Some(false) => value,
                    None => Value::Unknown,
                })
            }
            (_, Value::Unknown) => Ok(Value::Unknown),
            ("selectattr" | "rejectattr", Value::List(items) | Value::Generator(items)) => {
                let mut selected = Vec::new();
                for item in items.iter() {
                    let attribute = arguments.first().and_then(Value::literal).unwrap_or_default();
                    let attribute = self.attribute(item, attribute)?;
                    let truth = match arguments.get(1).map(Value::literal) {
                        None => attribute.truth(),
                        Some(Some(name)) => test(&attribute, name, &arguments[2..])?,
                        Some(None) => return Err(not_supported("a test has no name")),
                    };
                    if truth.ok_or_else(depends_on_the_texts)? == (name == "selectattr") {
                        selected.push(item.clone());
                    }
                }
                self.generator(selected)
            }
            ("map", Value::List(items) | Value::Generator(items)) => {
                let attribute = get("attribute").and_then(Value::literal);
                let attribute = attribute.ok_or_else(|| not_supported("map has no attribute"))?;
                let mapped = items.iter().map(|item| {
                    Ok(match (self.attribute(item, attribute)?, get("default")) {
                        (Value::Undefined, Some(default)) => default.clone(),
                        (value, _) => value,
                    })
                });
                let mapped = mapped.collect::<Result<Vec<_>>>()?;
                self.generator(mapped)
            }
            ("list", Value::List(items) | Value::Generator(items)) => Ok(Value::List(items.clone())),
            ("string", Value::Text(_)) => Ok(value),
            ("first", Value::List(items) | Value::Generator(items)) => {
                Ok(items.first().cloned().unwrap_or(Value::Undefined))
            }
            ("last", Value::List(items)) => Ok(items.last().cloned().unwrap_or(Value::Undefined)),
            ("reverse", Value::List(items)) => self.generator(items.iter().rev().cloned().collect()),
            ("length" | "count", _) => length(&value),
            ("trim", Value::Text(_)) if arguments.is_empty() => Ok(value.trimmed()),
            ("join", Value::List(items) | Value::Generator(items)) => {
                let separator = arguments.first().or(get("d")).cloned().unwrap_or(Value::text(""));
                let mut parts = Vec::new();
                for item in items.iter() {
                    if !parts.is_empty() {
                        parts.push(separator.clone());
                    }
                    parts.push(item.clone());
                }
                joined(&parts)
            }
            ("upper" | "lower" | "replace", Value::Text(_)) => method(&value, name, arguments),
            _ => Err(not_supported(&format!("the filter {} cannot be used here", excerpt(name)))),
        }
    }
}

fn length(value: &Value) -> Result<Value> {
    Ok(match value {
        Value::List(items) => Value::Int(items.len() as i64),
        Value::Map(entries) => Value::Int(entries.len() as i64),
        Value::Undefined => Value::Int(0),
        Value::Text(_) => {
            value.literal().map_or(Value::Unknown, |text| Value::Int(text.chars().count() as i64))
        }
        Value::Unknown => Value::Unknown,
        _ => return Err(not_supported("a value has no length")),
    })
}

/// Returns the truth of a test; `None` if it depends on the texts of the pair.
pub(super) fn test(value: &Value, name: &str, arguments: &[Value]) -> Result<Option<bool>> {
    let other = || arguments.first().ok_or_else(|| not_supported("a test has no value to compare with"));
    if *value == Value::Unknown {
        return Ok(None);
    }
    let truth = match name {
        "defined" => *value != Value::Undefined,
        "undefined" => *value == Value::Undefined,
        "none" => *value == Value::None,
        "string" => matches!(value, Value::Text(_)),
        "mapping" => matches!(value, Value::Map(_)),
        "iterable" if matches!(value, Value::Generator(_)) => true,
        // A value that is undefined has no items.
        "sequence" | "iterable" => {
            matches!(value, Value::Text(_) | Value::List(_) | Value::Map(_) | Value::Undefined)
        }
        "boolean" => matches!(value, Value::Bool(_)),
        "number" => matches!(value, Value::Int(_) | Value::Bool(_)),
        "integer" => matches!(value, Value::Int(_)),
        "true" => *value == Value::Bool(true),
        "false" => *value == Value::Bool(false),
        "eq" | "equalto" | "==" => return Ok(value.equals(other()?)),
        "ne" | "!=" => return Ok(value.equals(other()?).map(|equal| !equal)),
        "in" => return contains(other()?, value),
        _ => return Err(not_supported(&format!("the test {} is unknown", excerpt(name)))),
    };
    Ok(Some(truth))
}

/// Returns whether a text or a list contains a value.
fn contains(whole: &Value, part: &Value) -> Result<Option<bool>> {
    match (whole, part) {
        (Value::Unknown, _) | (_, Value::Unknown) => Ok(None),
        (Value::Text(_), Value::Text(_)) => Ok(match (whole.literal(), part.literal()) {
            (Some(whole), Some(part)) => Some(whole.contains(part)),
            _ => None,
        }),
        (Value::List(items), _) => {
            let equal: Vec<Option<bool>> = items.iter().map(|item| item.equals(part)).collect();
            Ok(match equal.contains(&Some(true)) {
                true => Some(true),
                false if equal.contains(&None) => None,
                false => Some(false),
            })
        }
        (Value::Map(entries), Value::Text(_)) => {
            Ok(part.literal().map(|name| entries.iter().any(|(key, _)| key == name)))
        }
        _ => Err(not_supported("\"in\" is not before a text or a list")),
    }
}

/// Calls a method of a text or an object.
pub(super) fn method(value: &Value, name: &str, arguments: &[Value]) -> Result<Value> {
    let argument = |index: usize| arguments.get(index).and_then(Value::literal);
    match (value, name) {
        (Value::Unknown, _) => Ok(Value::Unknown),
        (Value::Map(entries), "get") => {
            let key = argument(0).ok_or_else(|| not_supported("get has no name"))?;
            let found = entries.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone());
            Ok(found.or_else(|| arguments.get(1).cloned()).unwrap_or(Value::None))
        }
        (Value::Text(_), "strip") if arguments.is_empty() => Ok(value.trimmed()),
        (Value::Text(pieces), "startswith" | "endswith") => {
            let affix = argument(0).ok_or_else(|| not_supported(&format!("{name} has no text")))?;
            let is_start = name == "startswith";
            let end = if is_start { pieces.first() } else { pieces.last() };
            Ok(match (value.literal(), end) {
                (Some(text), _) if is_start => Value::Bool(text.starts_with(affix)),
                (Some(text), _) => Value::Bool(text.ends_with(affix)),
                (None, Some(PromptPiece::Text(text))) if text.len() >= affix.len() => {
                    Value::Bool(if is_start { text.starts_with(affix) } else { text.ends_with(affix) })
                }
                _ => Value::Unknown,
            })
        }
        (Value::Text(_), "strip" | "lstrip" | "rstrip" | "upper" | "lower" | "replace" | "split") => {
            let Some(text) = value.literal() else { return Ok(Value::Unknown) };
            let is_stripped = |char: char| argument(0).map_or(is_space(char), |set| set.contains(char));
            Ok(match (name, argument(0), argument(1)) {
                ("strip", ..) => Value::text(text.trim_matches(is_stripped)),
                ("lstrip", ..) => Value::text(text.trim_start_matches(is_stripped)),
                ("rstrip", ..) => Value::text(text.trim_end_matches(is_stripped)),
                ("upper", None, None) => Value::text(&text.to_uppercase()),
                ("lower", None, None) => Value::text(&text.to_lowercase()),
                ("replace", Some(from), Some(to)) if !from.is_empty() => {
                    joined(&[Value::text(&text.replace(from, to))])?
                }
                ("split", Some(at), None) if !at.is_empty() => {
                    Value::list(text.split(at).map(Value::text).collect())
                }
                _ => return Err(not_supported(&format!("{name} has other arguments"))),
            })
        }
        _ => Err(not_supported(&format!("the method {} cannot be called", excerpt(name)))),
    }
}

/// Computes the slice of a list or a text from start to end with a step.
pub(super) fn slice(value: &Value, parts: [Option<Value>; 3]) -> Result<Value> {
    let items = match value {
        Value::List(items) => items.as_slice(),
        Value::Text(_) | Value::Unknown => return Ok(Value::Unknown),
        _ => return Err(not_supported("a slice is not of a list")),
    };
    let count = items.len() as i64;
    let mut bounds = [None; 3];
    for (bound, part) in bounds.iter_mut().zip(&parts) {
        *bound = match part {
            None | Some(Value::None) => None,
            Some(Value::Int(number)) => Some(*number),
            Some(Value::Unknown) => return Ok(Value::Unknown),
            Some(_) => return Err(not_supported("a slice has a bound that is no number")),
        };
    }
    let at = |bound: Option<i64>, default: i64| {
        let bound = bound.unwrap_or(default);
        (if bound < 0 { bound.saturating_add(count) } else { bound }).clamp(0, count) as usize
    };
    match bounds {
        [start, end, None | Some(1)] => {
            let (start, end) = (at(start, 0), at(end, count));
            Ok(Value::list(items.get(start..end).unwrap_or_default().to_vec()))
        }
        [None, None, Some(-1)] => Ok(Value::list(items.iter().rev().cloned().collect())),
        _ => Err(not_supported("a slice has another step")),
    }
}

/// Computes an operator of two values.
pub(super) fn binary(operator: &str, left: &Value, right: &Value) -> Result<Value> {
    let numbers = match (left, right) {
        (Value::Int(left), Value::Int(right)) => Some((*left, *right)),
        _ => None,
    };
    let is_unknown = [left, right].contains(&&Value::Unknown);
    let value = match (operator, numbers) {
        ("==", _) => flag(left.equals(right)),
        ("!=", _) => flag(left.equals(right).map(|equal| !equal)),
        ("in", _) => flag(contains(right, left)?),
        ("not in", _) => flag(contains(right, left)?.map(|contained| !contained)),
        _ if is_unknown => Value::Unknown,
        ("<", Some((left, right))) => Value::Bool(left < right),
        ("<=", Some((left, right))) => Value::Bool(left <= right),
        (">", Some((left, right))) => Value::Bool(left > right),
        (">=", Some((left, right))) => Value::Bool(left >= right),
        ("+", Some((left, right))) => Value::Int(left.saturating_add(right)),
        ("-", Some((left, right))) => Value::Int(left.saturating_sub(right)),
        ("*", Some((left, right))) => Value::Int(left.saturating_mul(right)),
        ("//", Some((left, right))) if right > 0 => Value::Int(left.div_euclid(right)),
        ("%", Some((left, right))) if right > 0 => Value::Int(left.rem_euclid(right)),
        ("+", None) if matches!((left, right), (Value::Text(_), Value::Text(_))) => {
            joined(&[left.clone(), right.clone()])?
        }
        ("~", _) => joined(&[left.clone(), right.clone()])?,
        _ => return Err(not_supported(&format!("{operator:?} cannot be used between these values"))),
    };
    Ok(value)
}
