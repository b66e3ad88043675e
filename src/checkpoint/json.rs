//! JSON objects whose errors name the file and the field.

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind, Result, unsupported};
use crate::json_error::json_problem;

/// Lengths from here on mean "no limit": HF writes 1e30.
const UNLIMITED_LENGTH: f64 = 1e9;

/// A parsed JSON object. It knows its file and field, for error messages.
#[derive(Debug)]
pub(crate) struct Object {
    /// The kind of errors about this object's fields.
    kind: ErrorKind,
    path: String,
    fields: Map<String, Value>,
}

impl Object {
    pub(crate) fn parse(kind: ErrorKind, file: &str, bytes: &[u8]) -> Result<Self> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self { kind, path: file.to_owned(), fields }),
            Ok(_) => Err(Error::new(kind, format!("{file} is not a JSON object"))),
            Err(error) => {
                Err(Error::new(kind, format!("{file} is not JSON: {}", json_problem(&error)))
                    .with_source(error))
            }
        }
    }

    /// Returns the value of a field. A `null` counts as absent, as in HF's libraries; [`reject_nulls`](Self::reject_nulls)
    /// is for the fields that are different.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// Returns whether the field exists, even as `null`.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    fn wrong_type(&self, name: &str, wanted: &str) -> Error {
        let found = self.fields.get(name).map_or_else(String::new, |value| shorten(&value.to_string()));
        Error::new(self.kind, format!("{}: {name} is {found}, not {wanted}", self.path))
    }

    /// Returns a whole number from `min` to `max`, or `default` if the field is absent.
    pub(crate) fn count(&self, name: &str, default: usize, min: usize, max: usize) -> Result<usize> {
        let Some(value) = self.get(name) else { return Ok(default) };
        value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| self.wrong_type(name, &format!("a whole number from {min} to {max}")))
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>> {
        self.get(name)
            .map(|value| value.as_f64().ok_or_else(|| self.wrong_type(name, "a number")))
            .transpose()
    }

    /// Returns a number of tokens; `None` if the field is absent or holds HF's value for "no limit".
    pub(crate) fn token_count(&self, name: &str) -> Result<Option<usize>> {
        let Some(length) = self.number(name)? else { return Ok(None) };
        if length >= UNLIMITED_LENGTH {
            return Ok(None);
        }
        if length < 1.0 || length.fract() != 0.0 {
            return Err(self.wrong_type(name, "a number of tokens"));
        }
        Ok(Some(length as usize))
    }

    pub(crate) fn string(&self, name: &str) -> Result<Option<&str>> {
        self.get(name)
            .map(|value| value.as_str().ok_or_else(|| self.wrong_type(name, "a string")))
            .transpose()
    }

    pub(crate) fn bool(&self, name: &str) -> Result<Option<bool>> {
        self.get(name)
            .map(|value| value.as_bool().ok_or_else(|| self.wrong_type(name, "true or false")))
            .transpose()
    }

    pub(crate) fn object(&self, name: &str) -> Result<Option<Object>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Object {
                kind: self.kind,
                path: format!("{}: {name}", self.path),
                fields: fields.clone(),
            })),
            Some(_) => Err(self.wrong_type(name, "an object")),
        }
    }

    /// Merges `other` into this object; its fields win. The list `joined` is appended without duplicates instead.
    pub(crate) fn merge(&mut self, other: Self, joined: &str) {
        for (name, value) in other.fields {
            match (self.fields.get_mut(&name), value) {
                (Some(Value::Array(items)), Value::Array(others)) if name == joined => {
                    let others: Vec<_> = others.into_iter().filter(|item| !items.contains(item)).collect();
                    items.extend(others);
                }
                (_, value) => drop(self.fields.insert(name, value)),
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// Returns the names and values of all fields.
    #[cfg(feature = "decoder")]
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns the names of the fields that are not `null`.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name.as_str())
    }

    /// Rejects an object that has fields outside `known`: fields that are read, or that cannot change a score.
    ///
    /// # Errors
    /// `unsupported`, naming the field.
    pub(crate) fn reject_other_fields(&self, known: &[&str]) -> Result<()> {
        match self.names().find(|name| !known.contains(name)) {
            None => Ok(()),
            Some(other) => {
                let other = shorten(other);
                Err(unsupported(format!("{}: {other} is not supported and may change scores", self.path)))
            }
        }
    }

    /// Rejects fields that are `null`, where HF's libraries do not read it as "absent".
    ///
    /// # Errors
    /// The object's kind, naming the field.
    pub(crate) fn reject_nulls(&self, names: &[&str]) -> Result<()> {
        match names.iter().find(|name| self.contains(name) && self.get(name).is_none()) {
            None => Ok(()),
            Some(name) => Err(Error::new(
                self.kind,
                format!("{}: {name} is null; give it a value, or remove it to get its default", self.path),
            )),
        }
    }

    /// Rejects a field whose value differs from `supported`. The field may be absent.
    ///
    /// # Errors
    /// `unsupported`, naming the field and its value; the object's kind if the value is not a string.
    pub(crate) fn require(&self, name: &str, supported: &str) -> Result<()> {
        match self.string(name)? {
            Some(other) if other != supported => {
                let other = shorten(other);
                Err(unsupported(format!(
                    "{}: {name} {other:?}; this build supports {supported:?}",
                    self.path
                )))
            }
            _ => Ok(()),
        }
    }

    /// Returns a list of strings.
    pub(crate) fn strings(&self, name: &str) -> Result<Option<Vec<&str>>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value
            .as_array()
            .and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>())
            .map(Some)
            .ok_or_else(|| self.wrong_type(name, "a list of strings"))
    }
}

/// Shortens a value from a file, so that it cannot fill an error message.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
