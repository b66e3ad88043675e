//! Fields of documents by name or path.

use super::json_value::JsonValue;
use std::borrow::Cow;

/// Returns the value of a field, named or by a path with dots. A field whose own name has the dots wins, and the longer
/// name over the shorter one. A path goes through the items of arrays, and gives an array of all values there.
pub(super) fn lookup<'a>(value: &'a JsonValue, path: &str) -> Option<Cow<'a, JsonValue>> {
    match value {
        JsonValue::Array(items) => lookup_in_items(items, path).map(Cow::Owned),
        JsonValue::Object(_) => match value.get(path) {
            Some(field) => Some(Cow::Borrowed(field)),
            None => {
                let mut dots = path.rmatch_indices('.').map(|(at, _)| at);
                dots.find_map(|at| lookup(value.get(&path[..at])?, &path[at + 1..]))
            }
        },
        _ => None,
    }
}

fn lookup_in_items(items: &[JsonValue], path: &str) -> Option<JsonValue> {
    let mut found = None;
    for value in items.iter().filter_map(|item| lookup(item, path)) {
        let values: &mut Vec<JsonValue> = found.get_or_insert_default();
        match value.into_owned() {
            JsonValue::Array(inner) => values.extend(inner),
            other => values.push(other),
        }
    }
    found.map(JsonValue::Array)
}

/// Returns whether a value has no text: `null`, or an array of nothing else.
pub(super) fn is_missing(value: &JsonValue) -> bool {
    match value {
        JsonValue::Null => true,
        JsonValue::Array(items) => items.iter().all(is_missing),
        _ => false,
    }
}
