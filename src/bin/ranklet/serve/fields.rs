//! The fields of requests, in any dialect.

use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::dialect::Dialect;
use super::documents::{self, text_of};
use super::http_error::HttpError;

type Result<T> = std::result::Result<T, HttpError>;

/// A request for a ranking.
#[derive(Debug)]
pub(super) struct RerankRequest {
    pub(super) query: String,
    /// The documents as they were sent.
    pub(super) documents: Vec<Value>,
    /// The texts of the documents.
    pub(super) texts: Vec<String>,
    /// Maximum number of results; `None` for all.
    pub(super) top_n: Option<usize>,
    /// Whether each result includes its document.
    pub(super) return_documents: bool,
    pub(super) max_tokens_per_document: Option<usize>,
    /// Whether scores are logits.
    pub(super) raw_scores: bool,
}

impl RerankRequest {
    /// Reads a request. Each optional field may be `null`; unknown fields are left alone, because every client sends
    /// some of its own.
    ///
    /// # Errors
    /// 400 for a field with a wrong value (422 for Infinity and TEI), 413 for too many documents.
    pub(super) fn read(body: Map<String, Value>, dialect: Dialect, max_documents: usize) -> Result<Self> {
        let mut fields = Fields { body, dialect };
        let documents = fields.documents(if dialect == Dialect::Texts { "texts" } else { "documents" })?;
        check_number(documents.len(), max_documents, "documents")?;
        let rank_fields = fields.names("rank_fields")?;
        let top_n = match fields.count("top_n")? {
            Some(number) => Some(number),
            None => fields.count("top_k")?,
        };
        Ok(Self {
            query: fields.text("query")?,
            texts: documents::texts(&documents, rank_fields.as_deref(), dialect.wrong_field())?,
            documents,
            // The clients of TEI expect all texts back.
            top_n: top_n.filter(|_| dialect != Dialect::Texts),
            return_documents: fields
                .flag("return_documents")?
                .or(fields.flag("return_text")?)
                .unwrap_or(false),
            max_tokens_per_document: fields.positive("max_tokens_per_doc")?,
            raw_scores: fields.raw_scores()?,
        })
    }
}

/// A request for the scores of pairs.
#[derive(Debug)]
pub(super) struct ScoreRequest {
    pub(super) pairs: Vec<(String, String)>,
    pub(super) raw_scores: bool,
}

impl ScoreRequest {
    /// Reads a request as vLLM has it (`text_1`, `text_2`), or with `query` or `queries` and `documents`: one query and
    /// several documents, or as many queries as documents.
    ///
    /// # Errors
    /// 400 for a field with a wrong value, 413 for too many pairs.
    pub(super) fn read(body: Map<String, Value>, max_documents: usize) -> Result<Self> {
        let mut fields = Fields { body, dialect: Dialect::Documents };
        let query_field = fields.first_of(&["text_1", "queries", "query"]);
        let document_field = fields.first_of(&["text_2", "documents"]);
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
        let raw_scores = fields.raw_scores()?;
        let queries = documents::texts(&queries, None, StatusCode::BAD_REQUEST)?;
        let texts = documents::texts(&documents, None, StatusCode::BAD_REQUEST)?;
        let queries = queries.iter().cycle().take(texts.len()).cloned();
        Ok(Self { pairs: queries.zip(texts).collect(), raw_scores })
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
    body: Map<String, Value>,
    dialect: Dialect,
}

impl Fields {
    fn take(&mut self, name: &str) -> Option<Value> {
        self.body.remove(name).filter(|value| !value.is_null())
    }

    /// The first of these fields that the body has; else the first name.
    fn first_of(&self, names: &[&'static str]) -> &'static str {
        names.iter().copied().find(|name| self.body.contains_key(*name)).unwrap_or(names[0])
    }

    fn text(&mut self, name: &str) -> Result<String> {
        let value = self.take(name);
        let text = value.as_ref().and_then(text_of).map(str::to_owned);
        text.ok_or_else(|| self.wrong(name, "a string", value.as_ref()))
    }

    /// Takes a list of strings and objects. One string is a list of one.
    fn documents(&mut self, name: &str) -> Result<Vec<Value>> {
        let documents = match self.take(name) {
            Some(Value::Array(documents)) => documents,
            Some(text @ Value::String(_)) => vec![text],
            other => return Err(self.wrong(name, "an array of strings or objects", other.as_ref())),
        };
        match documents.iter().position(|document| !document.is_string() && !document.is_object()) {
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
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            other => Err(self.wrong(name, "true or false", other.as_ref())),
        }
    }

    /// Takes a list of names. An empty list is no list.
    fn names(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match serde_json::from_value::<Vec<String>>(value.clone()) {
            Ok(names) => Ok(Some(names).filter(|names| !names.is_empty())),
            Err(_) => Err(self.wrong(name, "an array of strings", Some(&value))),
        }
    }

    fn raw_scores(&mut self) -> Result<bool> {
        Ok(self.flag("raw_scores")? == Some(true) || self.flag("use_activation")? == Some(false))
    }

    fn wrong(&self, name: &str, expected: &str, value: Option<&Value>) -> HttpError {
        let message = match value {
            None => format!("{name} is missing; it must be {expected}"),
            Some(value) => format!("{name} must be {expected}, not {}", documents::kind_of(value)),
        };
        HttpError::new(self.dialect.wrong_field(), message)
    }
}

/// Returns a number without a fraction, which JSON may also write as 3.0.
fn whole_number(value: &Value) -> Option<usize> {
    let number = value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=9e15).contains(number))?;
    Some(number as usize)
}
