//! A JSON object whose errors name the file and the field.

use serde_json::{Map, Value};

use crate::error::{Result, config};

/// One parsed JSON object and the name of the file or field it came from.
#[derive(Debug)]
pub(crate) struct Object {
    place: String,
    fields: Map<String, Value>,
}

impl Object {
    pub(crate) fn parse(file: &str, bytes: &[u8]) -> Result<Self> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self { place: file.to_owned(), fields }),
            Ok(_) => Err(config(format!("{file} is not a JSON object"))),
            Err(error) => Err(config(format!("{file}: {error}"))),
        }
    }

    /// The value of a field; JSON's `null` counts as absent, as it does for HF.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// Whether a field is there, if only as `null`.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    fn wrong(&self, name: &str, wanted: &str) -> crate::Error {
        let found = self.fields.get(name).map_or_else(String::new, |value| shorten(&value.to_string()));
        config(format!("{}: {name} is {found}, not {wanted}", self.place))
    }

    /// A whole number from `least` to `most`, or `default` when the field is absent.
    pub(crate) fn count(&self, name: &str, default: usize, least: usize, most: usize) -> Result<usize> {
        let Some(value) = self.get(name) else { return Ok(default) };
        value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| self.wrong(name, &format!("a whole number from {least} to {most}")))
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<f64>> {
        self.get(name).map(|value| value.as_f64().ok_or_else(|| self.wrong(name, "a number"))).transpose()
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>> {
        self.get(name).map(|value| value.as_str().ok_or_else(|| self.wrong(name, "a string"))).transpose()
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>> {
        self.get(name)
            .map(|value| value.as_bool().ok_or_else(|| self.wrong(name, "true or false")))
            .transpose()
    }

    pub(crate) fn object(&self, name: &str) -> Result<Option<Object>> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => {
                Ok(Some(Object { place: format!("{}: {name}", self.place), fields: fields.clone() }))
            }
            Some(_) => Err(self.wrong(name, "an object")),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// A list of strings.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<&str>>> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value
            .as_array()
            .and_then(|items| items.iter().map(Value::as_str).collect::<Option<Vec<_>>>())
            .map(Some)
            .ok_or_else(|| self.wrong(name, "a list of strings"))
    }
}

/// Keeps hostile values from filling an error message.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
