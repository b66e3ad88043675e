//! JSON values whose objects keep the order of their fields, as the texts of documents need it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::{Number, Value};

/// A JSON value whose objects keep the order of their fields. `serde_json::Value` sorts them.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonValue {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<JsonValue>),
    /// An object: names and values, each name once.
    Object(Vec<(String, JsonValue)>),
}

impl JsonValue {
    /// Returns the field of an object.
    pub fn get(&self, name: &str) -> Option<&JsonValue> {
        match self {
            JsonValue::Object(fields) => {
                fields.iter().find_map(|(field, value)| (field == name).then_some(value))
            }
            _ => None,
        }
    }

    /// Returns the value of a field, named or by a path with dots, such as `author.name`. A field whose own name has the
    /// dots wins, and the longer name over the shorter one. A path goes through the items of arrays, and gives an array of
    /// all values there.
    pub fn at(&self, path: &str) -> Option<Cow<'_, JsonValue>> {
        match self {
            JsonValue::Array(items) => items_at(items, path).map(Cow::Owned),
            JsonValue::Object(_) => match self.get(path) {
                Some(field) => Some(Cow::Borrowed(field)),
                None => {
                    let mut dots = path.rmatch_indices('.').map(|(at, _)| at);
                    dots.find_map(|at| self.get(&path[..at])?.at(&path[at + 1..]))
                }
            },
            _ => None,
        }
    }

    /// Returns whether the value has no text: `null`, or an array of nothing else.
    pub(super) fn is_missing(&self) -> bool {
        match self {
            JsonValue::Null => true,
            JsonValue::Array(items) => items.iter().all(Self::is_missing),
            _ => false,
        }
    }

    /// Returns the text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            JsonValue::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns a name of the value for error messages: "must be a list, not NAME".
    pub(super) fn kind(&self) -> String {
        match self {
            JsonValue::Null => "null".to_owned(),
            JsonValue::Bool(value) => value.to_string(),
            JsonValue::Number(number) => number.to_string(),
            JsonValue::String(_) => "a string".to_owned(),
            JsonValue::Array(_) => "an array".to_owned(),
            JsonValue::Object(_) => "an object".to_owned(),
        }
    }
}

fn items_at(items: &[JsonValue], path: &str) -> Option<JsonValue> {
    let mut found = None;
    for value in items.iter().filter_map(|item| item.at(path)) {
        let values: &mut Vec<JsonValue> = found.get_or_insert_default();
        match value.into_owned() {
            JsonValue::Array(inner) => values.extend(inner),
            other => values.push(other),
        }
    }
    found.map(JsonValue::Array)
}

impl From<Value> for JsonValue {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => JsonValue::Null,
            Value::Bool(value) => JsonValue::Bool(value),
            Value::Number(number) => JsonValue::Number(number),
            Value::String(text) => JsonValue::String(text),
            Value::Array(items) => JsonValue::Array(items.into_iter().map(Self::from).collect()),
            Value::Object(fields) => {
                JsonValue::Object(fields.into_iter().map(|(name, value)| (name, value.into())).collect())
            }
        }
    }
}

impl Serialize for JsonValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            JsonValue::Null => serializer.serialize_unit(),
            JsonValue::Bool(value) => serializer.serialize_bool(*value),
            JsonValue::Number(number) => number.serialize(serializer),
            JsonValue::String(text) => serializer.serialize_str(text),
            JsonValue::Array(items) => serializer.collect_seq(items),
            JsonValue::Object(fields) => {
                serializer.collect_map(fields.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

impl<'de> Deserialize<'de> for JsonValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = JsonValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<JsonValue, E> {
        Ok(JsonValue::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<JsonValue, E> {
        Ok(JsonValue::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<JsonValue, E> {
        Ok(JsonValue::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<JsonValue, E> {
        Ok(JsonValue::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<JsonValue, E> {
        Number::from_f64(value).map(JsonValue::Number).ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<JsonValue, E> {
        Ok(JsonValue::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<JsonValue, E> {
        Ok(JsonValue::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<JsonValue, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element()? {
            values.push(value);
        }
        Ok(JsonValue::Array(values))
    }

    /// The last of several fields with the same name counts, at the position of the first.
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<JsonValue, A::Error> {
        let mut values: Vec<(String, JsonValue)> = Vec::new();
        let mut indices = std::collections::HashMap::new();
        while let Some((name, value)) = fields.next_entry::<String, JsonValue>()? {
            match indices.get(&name) {
                Some(&index) => values[index] = (name, value),
                None => {
                    indices.insert(name.clone(), values.len());
                    values.push((name, value));
                }
            }
        }
        Ok(JsonValue::Object(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_the_last_of_equal_names_counts() {
        let value: JsonValue = serde_json::from_str(r#"{"b": 1, "a": [null, 2.5], "b": "x"}"#).unwrap();
        let array = vec![JsonValue::Null, JsonValue::Number(Number::from_f64(2.5).unwrap())];
        let fields = [("b", JsonValue::String("x".to_owned())), ("a", JsonValue::Array(array))];
        assert_eq!(value, JsonValue::Object(fields.map(|(name, value)| (name.to_owned(), value)).into()));
    }
}
