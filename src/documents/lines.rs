//! Documents as lines `path: value`.

use super::json_value::JsonValue;

/// Writes a line per leaf of an object: the names from the root joined by dots, and the value. The values of an array of
/// scalars are on one line. `null` and empty arrays are left out.
pub(super) fn lines(fields: &[(String, JsonValue)]) -> String {
    let mut lines = Vec::new();
    for (name, value) in fields {
        push_leaves(name, value, &mut lines);
    }
    lines.join("\n")
}

fn push_leaves(path: &str, value: &JsonValue, lines: &mut Vec<String>) {
    match value {
        _ if value.is_missing() => {}
        JsonValue::Object(fields) => {
            for (name, value) in fields {
                // An empty name at the root adds no dot, like a name that is not there.
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                push_leaves(&path, value, lines);
            }
        }
        JsonValue::Array(items) if items.iter().any(is_container) => {
            items.iter().for_each(|item| push_leaves(path, item, lines));
        }
        _ => lines.extend(flat_text(value).map(|text| format!("{path}: {text}"))),
    }
}

/// Returns the text of a scalar, or of an array of scalars; `None` for any other value.
pub(super) fn flat_text(value: &JsonValue) -> Option<String> {
    match value {
        JsonValue::Array(items) => scalars_text(items),
        other => scalar_text(other),
    }
}

/// Joins the items of an array; `None` if one is an array or an object.
fn scalars_text(items: &[JsonValue]) -> Option<String> {
    let texts = items.iter().filter(|item| !item.is_missing()).map(scalar_text);
    Some(texts.collect::<Option<Vec<String>>>()?.join(", "))
}

fn is_container(value: &JsonValue) -> bool {
    matches!(value, JsonValue::Array(_) | JsonValue::Object(_))
}

fn scalar_text(value: &JsonValue) -> Option<String> {
    match value {
        JsonValue::String(text) => Some(text.clone()),
        JsonValue::Number(number) => Some(number.to_string()),
        JsonValue::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}
