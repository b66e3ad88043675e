//! The fields of requests, in any dialect.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use ranklet::{FuseMethod, JsonValue, Scores, text_field};

use super::dialect::Dialect;
use super::documents::{TextOptions, kind_of, text_of};
use super::http_error::HttpError;

/// The fields of a body that is a JSON object.
pub(super) type JsonObject = HashMap<String, JsonValue>;

type Result<T> = std::result::Result<T, HttpError>;

/// Each field is looked for in each document.
const MAX_RANK_FIELDS: usize = 100;
/// A name is compared with the names of each document's fields, and so is each part of it that ends before a dot.
const MAX_RANK_FIELD_BYTES: usize = 256;
const MAX_RANK_FIELD_DOTS: usize = 32;
/// The instruction is a part of each pair.
const MAX_INSTRUCTION_BYTES: usize = 16 * 1024;

/// Checks a number of things in a request.
///
/// # Errors
/// 413 for more than the maximum.
pub(super) fn check_number(number: usize, max: usize, what: &str) -> Result<()> {
    if number <= max {
        return Ok(());
    }
    let message = format!("the request has {number} {what}, and the server takes {max} per request");
    Err(HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, message))
}

/// The fields of a body. `null` counts as absent.
pub(super) struct Fields {
    body: JsonObject,
    dialect: Dialect,
}

impl Fields {
    pub(super) fn new(body: JsonObject, dialect: Dialect) -> Self {
        Self { body, dialect }
    }

    fn take(&mut self, name: &str) -> Option<JsonValue> {
        self.body.remove(name).filter(|value| *value != JsonValue::Null)
    }

    /// Takes a field that has no name in any dialect, in snake_case or in camelCase.
    fn take_own(&mut self, name: &str, camel_case: &str) -> Option<JsonValue> {
        self.take(name).or_else(|| self.take(camel_case))
    }

    fn number(
        &mut self,
        name: &str,
        camel_case: &str,
        expected: &str,
        is_valid: impl Fn(f64) -> bool,
    ) -> Result<Option<f64>> {
        let Some(value) = self.take_own(name, camel_case) else { return Ok(None) };
        match as_number(&value).filter(|number| is_valid(*number)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(name, expected, Some(&value))),
        }
    }

    pub(super) fn min_score(&mut self) -> Result<Option<f64>> {
        self.number("min_score", "minScore", "a number", |_| true)
    }

    pub(super) fn deadline(&mut self) -> Result<Option<Duration>> {
        let ms = self.number("deadline_ms", "deadlineMs", "a number above 0", |ms| ms > 0.0)?;
        // A deadline too far away for a Duration is no deadline.
        Ok(ms.and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok()))
    }

    /// Takes the fields that say what the texts of documents are.
    pub(super) fn text_options(&mut self) -> Result<TextOptions> {
        let rank_fields = self.rank_fields()?;
        let structured = match self.take("structured") {
            None => None,
            Some(value) => match value.as_str().and_then(|name| name.parse().ok()) {
                Some(structured) => Some(structured),
                None => return Err(self.wrong("structured", "\"yaml\" or \"lines\"", Some(&value))),
            },
        };
        Ok(TextOptions { rank_fields, structured })
    }

    /// Takes the scores of a first stage, and the method of fusing.
    pub(super) fn fuse(&mut self) -> Result<Option<(Vec<Option<f64>>, FuseMethod)>> {
        let body = match self.take("fuse") {
            None => return Ok(None),
            Some(JsonValue::Object(fields)) => fields.into_iter().collect(),
            Some(other) => return Err(self.wrong("fuse", "an object", Some(&other))),
        };
        let mut fields = Self { body, dialect: self.dialect };
        let scores = fields.take_own("first_stage", "firstStage");
        let first_stage = scores.as_ref().and_then(first_stage).ok_or_else(|| {
            self.wrong(
                "fuse.first_stage",
                "an array of numbers and null, one for each document",
                scores.as_ref(),
            )
        })?;
        let method = fields.take("method");
        let name = method.as_ref().and_then(JsonValue::as_str);
        let name = name.ok_or_else(|| self.wrong("fuse.method", "\"rrf\" or \"linear\"", method.as_ref()))?;
        let k = fields.number("k", "k", "a number", |_| true)?;
        let weight = fields.number("weight", "weight", "a number", |_| true)?;
        if let Some(name) = fields.body.keys().min() {
            let message = format!("fuse.{name} is unknown: fuse has first_stage, method, k and weight");
            return Err(HttpError::new(self.dialect.wrong_field(), message));
        }
        match FuseMethod::named(name, k, weight) {
            Ok(method) => Ok(Some((first_stage, method))),
            Err(error) => Err(HttpError::new(self.dialect.wrong_field(), error.context())),
        }
    }

    /// The first of these fields that the body has; else the first name.
    pub(super) fn first_of(&self, names: &[&'static str]) -> &'static str {
        let is_present = |name: &&str| self.body.get(*name).is_some_and(|value| *value != JsonValue::Null);
        names.iter().copied().find(is_present).unwrap_or(names[0])
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String> {
        let value = self.take(name);
        let text = value.as_ref().and_then(text_of).map(str::to_owned);
        text.ok_or_else(|| self.wrong(name, "a string", value.as_ref()))
    }

    /// Takes the queries of pairs.
    pub(super) fn queries(&mut self, name: &str) -> Result<Vec<String>> {
        let queries = self.documents(name)?.into_iter().enumerate().map(|(index, query)| match &query {
            JsonValue::String(text) => Ok(text.clone()),
            other => match text_field(other) {
                Some((_, text)) => Ok(text.to_owned()),
                None => {
                    let expected = "a string or an object with a string in text";
                    Err(self.wrong(&format!("{name}[{index}]"), expected, Some(other)))
                }
            },
        });
        queries.collect()
    }

    /// Refuses fields that only requests for rankings have.
    ///
    /// # Errors
    /// A field with a wrong value.
    pub(super) fn refuse_ranking(&mut self) -> Result<()> {
        for name in ["deadline_ms", "deadlineMs", "min_score", "minScore", "fuse", "highlights"] {
            if self.take(name).is_some() {
                let message = format!("{name} belongs to /rerank, and /score cannot obey it: leave it out");
                return Err(HttpError::new(self.dialect.wrong_field(), message));
            }
        }
        Ok(())
    }

    /// Takes an instruction. An empty one is the default of the server and the model.
    pub(super) fn instruction(&mut self) -> Result<Option<Arc<str>>> {
        match self.take("instruction") {
            None => Ok(None),
            Some(JsonValue::String(text)) if text.is_empty() => Ok(None),
            Some(JsonValue::String(text)) => {
                check_number(text.len(), MAX_INSTRUCTION_BYTES, "bytes of instruction")?;
                Ok(Some(text.into()))
            }
            other => Err(self.wrong("instruction", "a string", other.as_ref())),
        }
    }

    /// Takes a list of strings and objects. One string is a list of one.
    pub(super) fn documents(&mut self, name: &str) -> Result<Vec<JsonValue>> {
        let documents = match self.take(name) {
            Some(JsonValue::Array(documents)) => documents,
            Some(text @ JsonValue::String(_)) => vec![text],
            other => return Err(self.wrong(name, "an array of strings or objects", other.as_ref())),
        };
        let is_document =
            |document: &JsonValue| matches!(document, JsonValue::String(_) | JsonValue::Object(_));
        match documents.iter().position(|document| !is_document(document)) {
            Some(index) => {
                Err(self.wrong(&format!("{name}[{index}]"), "a string or an object", documents.get(index)))
            }
            None => Ok(documents),
        }
    }

    /// Takes the maximum number of results. As in vLLM, a number below 1 means all.
    pub(super) fn top_n(&mut self, name: &str) -> Result<Option<usize>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match whole_number(&value) {
            Some(number) => Ok(usize::try_from(number).ok().filter(|number| *number > 0)),
            None => Err(self.wrong(name, "a whole number", Some(&value))),
        }
    }

    /// Takes the maximum number of tokens of a document. As in vLLM, 0 means no limit.
    pub(super) fn max_tokens_per_document(&mut self) -> Result<Option<usize>> {
        let name = "max_tokens_per_doc";
        let Some(value) = self.take(name) else { return Ok(None) };
        match whole_number(&value).and_then(|number| usize::try_from(number).ok()) {
            Some(number) => Ok(Some(number).filter(|number| *number > 0)),
            None => Err(self.wrong(name, "a whole number of 0 or more", Some(&value))),
        }
    }

    pub(super) fn positive(&mut self, name: &str) -> Result<Option<usize>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match whole_number(&value).and_then(|number| usize::try_from(number).ok()) {
            Some(number) if number > 0 => Ok(Some(number)),
            _ => Err(self.wrong(name, "a whole number of 1 or more", Some(&value))),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(JsonValue::Bool(flag)) => Ok(Some(flag)),
            other => Err(self.wrong(name, "true or false", other.as_ref())),
        }
    }

    /// Takes the names of the fields that are scored. An empty list is no list.
    fn rank_fields(&mut self) -> Result<Option<Vec<String>>> {
        let Some(value) = self.take("rank_fields") else { return Ok(None) };
        let name_of = |item: &JsonValue| item.as_str().map(str::to_owned);
        let names: Option<Vec<String>> = match &value {
            JsonValue::Array(items) => items.iter().map(name_of).collect(),
            _ => None,
        };
        let Some(names) = names else {
            return Err(self.wrong("rank_fields", "an array of strings", Some(&value)));
        };
        check_number(names.len(), MAX_RANK_FIELDS, "rank_fields")?;
        let is_long = |name: &String| {
            name.len() > MAX_RANK_FIELD_BYTES || name.matches('.').count() > MAX_RANK_FIELD_DOTS
        };
        if let Some(index) = names.iter().position(is_long) {
            let message = format!(
                "rank_fields[{index}] must have at most {MAX_RANK_FIELD_BYTES} bytes and {MAX_RANK_FIELD_DOTS} dots"
            );
            return Err(HttpError::new(self.dialect.wrong_field(), message));
        }
        Ok(Some(names).filter(|names| !names.is_empty()))
    }

    /// Takes the kind of scores: `scores`, or the flags of TEI, Infinity and vLLM, whose clients always send them.
    /// `activation` is vLLM's older name of `use_activation`.
    pub(super) fn scores(&mut self) -> Result<Scores> {
        let use_activation = self.flag("use_activation")?.or(self.flag("activation")?);
        let is_raw = self.flag("raw_scores")? == Some(true) || use_activation == Some(false);
        let Some(value) = self.take("scores") else {
            return Ok(if is_raw { Scores::Raw } else { Scores::Sigmoid });
        };
        let name = value.as_str().unwrap_or_default();
        match name.parse() {
            Ok(scores) if is_raw && scores != Scores::Raw => {
                let message =
                    format!("scores is \"{name}\", and raw_scores or use_activation asks for logits");
                Err(HttpError::new(self.dialect.wrong_field(), message))
            }
            Ok(scores) => Ok(scores),
            Err(_) => {
                Err(self.wrong("scores", "\"model\", \"raw\", \"sigmoid\" or \"probability\"", Some(&value)))
            }
        }
    }

    fn wrong(&self, name: &str, expected: &str, value: Option<&JsonValue>) -> HttpError {
        let message = match value {
            None => format!("{name} is missing; it must be {expected}"),
            Some(value) => format!("{name} must be {expected}, not {}", kind_of(value)),
        };
        HttpError::new(self.dialect.wrong_field(), message)
    }
}

/// Returns a number without a fraction, which JSON may also write as 3.0.
fn whole_number(value: &JsonValue) -> Option<i64> {
    let number = as_number(value).filter(|number| number.fract() == 0.0 && number.abs() <= 9e15)?;
    Some(number as i64)
}

fn as_number(value: &JsonValue) -> Option<f64> {
    match value {
        JsonValue::Number(number) => number.as_f64(),
        _ => None,
    }
}

/// Reads the scores of a first stage: numbers, and `null` for a document that it did not return.
fn first_stage(value: &JsonValue) -> Option<Vec<Option<f64>>> {
    let score = |item: &JsonValue| match item {
        JsonValue::Null => Some(None),
        other => as_number(other).map(Some),
    };
    match value {
        JsonValue::Array(items) => items.iter().map(score).collect(),
        _ => None,
    }
}
