//! Documents as lines `path: value`.

use std::borrow::Cow;

use super::bounded_text::BoundedText;
use super::json_value::JsonValue;

/// Writes a line per leaf of some fields: the names from the root joined by dots, and the value. The values of an array of
/// scalars are on one line. `null` and empty arrays are left out.
pub(super) fn write_lines<'a>(
    fields: impl Iterator<Item = (&'a str, Cow<'a, JsonValue>)>,
    text: &mut BoundedText,
) {
    let mut path = String::new();
    for (name, value) in fields {
        name.clone_into(&mut path);
        write_leaves(&mut path, &value, text);
        if text.is_over() {
            break;
        }
    }
}

/// Writes the leaves of a value. `path` is the same afterwards.
fn write_leaves(path: &mut String, value: &JsonValue, text: &mut BoundedText) {
    match value {
        _ if text.is_over() || value.is_missing() => {}
        JsonValue::Object(fields) => {
            let parent = path.len();
            for (name, value) in fields {
                // An empty name at the root adds no dot, like a name that is not there.
                if parent > 0 {
                    path.push('.');
                }
                path.push_str(name);
                write_leaves(path, value, text);
                path.truncate(parent);
            }
        }
        JsonValue::Array(items) if items.iter().any(is_container) => {
            items.iter().for_each(|item| write_leaves(path, item, text));
        }
        _ => {
            text.start_line();
            text.push_str(path);
            text.push_str(": ");
            write_flat(value, text);
        }
    }
}

/// Returns whether a value is a scalar, or an array of scalars.
pub(super) fn is_flat(value: &JsonValue) -> bool {
    let is_scalar = |value: &JsonValue| !is_container(value) && *value != JsonValue::Null;
    match value {
        JsonValue::Array(items) => items.iter().all(|item| item.is_missing() || is_scalar(item)),
        other => is_scalar(other),
    }
}

/// Writes a scalar, or the items of an array of scalars.
pub(super) fn write_flat(value: &JsonValue, text: &mut BoundedText) {
    match value {
        JsonValue::Array(items) => {
            let items = items.iter().filter(|item| !item.is_missing());
            for (index, item) in items.enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                write_scalar(item, text);
            }
        }
        other => write_scalar(other, text),
    }
}

fn is_container(value: &JsonValue) -> bool {
    matches!(value, JsonValue::Array(_) | JsonValue::Object(_))
}

fn write_scalar(value: &JsonValue, text: &mut BoundedText) {
    match value {
        JsonValue::String(string) => text.push_str(string),
        JsonValue::Number(number) => text.push_str(&number.to_string()),
        JsonValue::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        JsonValue::Null | JsonValue::Array(_) | JsonValue::Object(_) => {}
    }
}
