//! The fields of requests, in any dialect.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use ranklet::{Fuse, FuseMethod, JsonValue, Scores, Selection, Structured};

use super::dialect::Dialect;
use super::documents::{self, text_of};
use super::http_error::HttpError;

/// The fields of a body that is a JSON object.
pub(super) type Body = HashMap<String, JsonValue>;

/// Returns a body without the object `inputs`, in which Hugging Face's text-ranking task has the query and the texts: its
/// fields come to those beside it. A body with a query stays as it is.
pub(super) fn without_inputs(mut body: Body) -> Body {
    if body.get("query").is_none_or(|query| *query == JsonValue::Null)
        && let Some(JsonValue::Object(inputs)) = body.remove("inputs")
    {
        body.extend(inputs);
    }
    body
}

type Result<T> = std::result::Result<T, HttpError>;

/// Each field is looked for in each document.
const MAX_RANK_FIELDS: usize = 100;
/// The instruction is a part of each pair.
const MAX_INSTRUCTION_BYTES: usize = 16 * 1024;

/// A request for a ranking.
#[derive(Debug)]
pub(super) struct RerankRequest {
    pub(super) query: String,
    /// The documents as they were sent.
    pub(super) documents: Vec<JsonValue>,
    /// The texts of the documents.
    pub(super) texts: Vec<String>,
    /// Maximum number of results; `None` for all.
    pub(super) top_n: Option<usize>,
    /// Whether each result includes its document.
    pub(super) return_documents: bool,
    pub(super) max_tokens_per_document: Option<usize>,
    /// The instruction; `None` for that of the server.
    pub(super) instruction: Option<Arc<str>>,
    pub(super) scores: Scores,
    /// Minimum score of a result.
    pub(super) min_score: Option<f64>,
    /// The time after which the answer has the documents scored so far.
    pub(super) deadline: Option<Duration>,
    /// The scores of a first stage, and how its order is fused with the model's.
    pub(super) fuse: Option<(Vec<Option<f64>>, FuseMethod)>,
    /// Maximum number of best sentences of each result; `None` for none.
    pub(super) highlights: Option<usize>,
}

impl RerankRequest {
    /// Reads a request. Each optional field may be `null`; unknown fields are left alone, because every client sends
    /// some of its own.
    ///
    /// # Errors
    /// 400 for a field with a wrong value (422 for Infinity and TEI), 413 for too many documents.
    pub(super) fn read(body: Body, dialect: Dialect, max_documents: usize) -> Result<Self> {
        let mut fields = Fields { body, dialect };
        let documents = fields.documents(if dialect == Dialect::Texts { "texts" } else { "documents" })?;
        check_number(documents.len(), max_documents, "documents")?;
        let rank_fields = fields.names("rank_fields")?;
        check_number(rank_fields.as_ref().map_or(0, Vec::len), MAX_RANK_FIELDS, "rank_fields")?;
        let structured = fields.structured()?;
        let top_n = match fields.count("top_n")? {
            Some(number) => Some(number),
            None => fields.count("top_k")?,
        };
        let texts = documents::texts(&documents, rank_fields.as_deref(), structured, dialect.wrong_field())?;
        let request = Self {
            query: fields.text("query")?,
            texts,
            documents,
            // The clients of TEI expect all texts back.
            top_n: top_n.filter(|_| dialect != Dialect::Texts),
            return_documents: fields
                .flag("return_documents")?
                .or(fields.flag("return_text")?)
                .unwrap_or(false),
            max_tokens_per_document: fields.count("max_tokens_per_doc")?,
            instruction: fields.instruction()?,
            scores: fields.scores()?,
            min_score: fields.number("min_score", "minScore", "a number", |_| true)?,
            deadline: fields.deadline()?,
            fuse: fields.fuse()?,
            highlights: fields.positive("highlights")?,
        };
        let check = request.selection().check(request.documents.len());
        check.map(|()| request).map_err(|error| HttpError::new(dialect.wrong_field(), error.context()))
    }

    /// The choice of results.
    pub(super) fn selection(&self) -> Selection<'_> {
        let fuse = self.fuse.as_ref().map(|(first_stage, method)| Fuse { first_stage, method: *method });
        Selection { top_n: self.top_n, min_score: self.min_score, fuse }
    }
}

/// A request for the scores of pairs.
#[derive(Debug)]
pub(super) struct ScoreRequest {
    /// Equal queries share their text.
    pub(super) pairs: Vec<(Arc<str>, String)>,
    /// The instruction; `None` for that of the server.
    pub(super) instruction: Option<Arc<str>>,
    pub(super) scores: Scores,
}

impl ScoreRequest {
    /// Reads a request for scores. Its queries are in `text_1`, `data_1`, `queries` or `query`, its documents in `text_2`,
    /// `data_2`, `documents` or `items`, as in vLLM. It has one query, or as many queries as documents.
    ///
    /// # Errors
    /// 400 for a field with a wrong value, 413 for too many pairs.
    pub(super) fn read(body: Body, max_documents: usize) -> Result<Self> {
        let mut fields = Fields { body, dialect: Dialect::Documents };
        let query_field = fields.first_of(&["text_1", "data_1", "queries", "query"]);
        let document_field = fields.first_of(&["text_2", "data_2", "documents", "items"]);
        let queries = fields.documents(query_field)?;
        let documents = fields.documents(document_field)?;
        check_number(documents.len(), max_documents, "pairs")?;
        if queries.len() != 1 && queries.len() != documents.len() {
            let message = format!(
                "{query_field} must have one text, or as many as {document_field}: {} and {} were sent",
                queries.len(),
                documents.len()
            );
            return Err(HttpError::new(StatusCode::BAD_REQUEST, message));
        }
        let (instruction, scores) = (fields.instruction()?, fields.scores()?);
        let queries = documents::texts(&queries, None, None, StatusCode::BAD_REQUEST)?;
        let texts = documents::texts(&documents, None, None, StatusCode::BAD_REQUEST)?;
        let mut shared: BTreeSet<Arc<str>> = BTreeSet::new();
        let queries = queries.into_iter().map(|query| match shared.get(query.as_str()) {
            Some(known) => Arc::clone(known),
            None => {
                let query = Arc::from(query);
                shared.insert(Arc::clone(&query));
                query
            }
        });
        let queries: Vec<Arc<str>> = queries.collect();
        let queries = queries.iter().cycle().take(texts.len()).cloned();
        Ok(Self { pairs: queries.zip(texts).collect(), instruction, scores })
    }
}

fn check_number(number: usize, max: usize, what: &str) -> Result<()> {
    if number <= max {
        return Ok(());
    }
    let message = format!("the request has {number} {what}, and the server takes {max} per request");
    Err(HttpError::new(StatusCode::PAYLOAD_TOO_LARGE, message))
}

/// The fields of a body. `null` counts as absent.
struct Fields {
    body: Body,
    dialect: Dialect,
}

impl Fields {
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

    fn deadline(&mut self) -> Result<Option<Duration>> {
        let ms = self.number("deadline_ms", "deadlineMs", "a number above 0", |ms| ms > 0.0)?;
        // A deadline too far away for a Duration is no deadline.
        Ok(ms.and_then(|ms| Duration::try_from_secs_f64(ms / 1e3).ok()))
    }

    fn structured(&mut self) -> Result<Option<Structured>> {
        let Some(value) = self.take("structured") else { return Ok(None) };
        match value.as_str().and_then(|name| name.parse().ok()) {
            Some(structured) => Ok(Some(structured)),
            None => Err(self.wrong("structured", "\"yaml\" or \"lines\"", Some(&value))),
        }
    }

    /// Takes the scores of a first stage, and the method of fusing.
    fn fuse(&mut self) -> Result<Option<(Vec<Option<f64>>, FuseMethod)>> {
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
    fn first_of(&self, names: &[&'static str]) -> &'static str {
        let is_present = |name: &&str| self.body.get(*name).is_some_and(|value| *value != JsonValue::Null);
        names.iter().copied().find(is_present).unwrap_or(names[0])
    }

    fn text(&mut self, name: &str) -> Result<String> {
        let value = self.take(name);
        let text = value.as_ref().and_then(text_of).map(str::to_owned);
        text.ok_or_else(|| self.wrong(name, "a string", value.as_ref()))
    }

    /// Takes an instruction. An empty one is the default of the server and the model.
    fn instruction(&mut self) -> Result<Option<Arc<str>>> {
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
    fn documents(&mut self, name: &str) -> Result<Vec<JsonValue>> {
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

    /// Takes a maximum number. 0 is no maximum, as vLLM has it.
    fn count(&mut self, name: &str) -> Result<Option<usize>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match whole_number(&value) {
            Some(number) => Ok(Some(number).filter(|number| *number > 0)),
            None => Err(self.wrong(name, "a whole number of 0 or more", Some(&value))),
        }
    }

    fn positive(&mut self, name: &str) -> Result<Option<usize>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match whole_number(&value) {
            Some(number) if number > 0 => Ok(Some(number)),
            _ => Err(self.wrong(name, "a whole number of 1 or more", Some(&value))),
        }
    }

    fn flag(&mut self, name: &str) -> Result<Option<bool>> {
        match self.take(name) {
            None => Ok(None),
            Some(JsonValue::Bool(flag)) => Ok(Some(flag)),
            other => Err(self.wrong(name, "true or false", other.as_ref())),
        }
    }

    /// Takes a list of names. An empty list is no list.
    fn names(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let name_of = |item: &JsonValue| item.as_str().map(str::to_owned);
        let names: Option<Vec<String>> = match &value {
            JsonValue::Array(items) => items.iter().map(name_of).collect(),
            _ => None,
        };
        match names {
            Some(names) => Ok(Some(names).filter(|names| !names.is_empty())),
            None => Err(self.wrong(name, "an array of strings", Some(&value))),
        }
    }

    /// Takes the kind of scores: `scores`, or the flags of TEI, Infinity and vLLM, whose clients always send them.
    fn scores(&mut self) -> Result<Scores> {
        let is_raw = self.flag("raw_scores")? == Some(true) || self.flag("use_activation")? == Some(false);
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
            Some(value) => format!("{name} must be {expected}, not {}", documents::kind_of(value)),
        };
        HttpError::new(self.dialect.wrong_field(), message)
    }
}

/// Returns a number without a fraction, which JSON may also write as 3.0.
fn whole_number(value: &JsonValue) -> Option<usize> {
    let number = as_number(value).filter(|number| number.fract() == 0.0 && (0.0..=9e15).contains(number))?;
    Some(number as usize)
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
