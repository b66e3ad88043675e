//! Requests for rankings and for scores.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use ranklet::{Fuse, FuseMethod, JsonValue, Scores, Selection};

use super::dialect::Dialect;
use super::fields::{Fields, JsonObject, check_number};
use super::http_error::HttpError;

type Result<T> = std::result::Result<T, HttpError>;

/// The limits of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) documents: usize,
    /// Bytes of the texts of all documents together.
    pub(super) text_bytes: usize,
}

/// Returns a body without the object `inputs`, in which Hugging Face's text-ranking task has the query and the texts: its
/// fields come to those beside it. A body with a query stays as it is.
pub(super) fn without_inputs(mut body: JsonObject) -> JsonObject {
    if body.get("query").is_none_or(|query| *query == JsonValue::Null)
        && let Some(JsonValue::Object(inputs)) = body.remove("inputs")
    {
        body.extend(inputs);
    }
    body
}

/// A request for a ranking.
#[derive(Debug)]
pub(super) struct RerankRequest {
    pub(super) query: String,
    /// The documents as they were sent.
    pub(super) documents: Vec<JsonValue>,
    /// The name of the field that has them.
    pub(super) documents_field: &'static str,
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
    /// 400 for a field with a wrong value (422 for Infinity and TEI), 413 for too many documents and too long texts.
    pub(super) fn read(body: JsonObject, dialect: Dialect, limits: Limits) -> Result<Self> {
        let mut fields = Fields::new(body, dialect);
        let documents_field = if dialect == Dialect::Texts { "texts" } else { "documents" };
        let documents = fields.documents(documents_field)?;
        check_number(documents.len(), limits.documents, "documents")?;
        let options = fields.text_options()?;
        let top_n = match fields.top_n("top_n")? {
            Some(number) => Some(number),
            None => fields.top_n("top_k")?,
        };
        let texts = options.texts(&documents, documents_field, limits.text_bytes, dialect.wrong_field())?;
        let request = Self {
            query: fields.text("query")?,
            texts,
            documents,
            documents_field,
            // The clients of TEI expect all texts back.
            top_n: top_n.filter(|_| dialect != Dialect::Texts),
            return_documents: fields
                .flag("return_documents")?
                .or(fields.flag("return_text")?)
                .unwrap_or(false),
            max_tokens_per_document: fields.max_tokens_per_document()?,
            instruction: fields.instruction()?,
            scores: fields.scores()?,
            min_score: fields.min_score()?,
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
    /// The name of the field that has the documents.
    pub(super) documents_field: &'static str,
    pub(super) max_tokens_per_document: Option<usize>,
    /// The instruction; `None` for that of the server.
    pub(super) instruction: Option<Arc<str>>,
    pub(super) scores: Scores,
}

impl ScoreRequest {
    /// Reads a request for scores. Its queries are in `text_1`, `data_1`, `queries` or `query`, its documents in `text_2`,
    /// `data_2`, `documents` or `items`, as in vLLM. It has one query, or as many queries as documents.
    ///
    /// # Errors
    /// 400 for a field with a wrong value and for a field of rankings, 413 for too many pairs and too long texts.
    pub(super) fn read(body: JsonObject, limits: Limits) -> Result<Self> {
        let mut fields = Fields::new(body, Dialect::Documents);
        fields.refuse_ranking()?;
        let query_field = fields.first_of(&["text_1", "data_1", "queries", "query"]);
        let documents_field = fields.first_of(&["text_2", "data_2", "documents", "items"]);
        let queries = fields.queries(query_field)?;
        let documents = fields.documents(documents_field)?;
        check_number(documents.len(), limits.documents, "pairs")?;
        if queries.len() != 1 && queries.len() != documents.len() {
            let message = format!(
                "{query_field} must have one text, or as many as {documents_field}: {} and {} were sent",
                queries.len(),
                documents.len()
            );
            return Err(HttpError::new(StatusCode::BAD_REQUEST, message));
        }
        let max_tokens_per_document = fields.max_tokens_per_document()?;
        let (instruction, scores) = (fields.instruction()?, fields.scores()?);
        let options = fields.text_options()?;
        let texts = options.texts(&documents, documents_field, limits.text_bytes, StatusCode::BAD_REQUEST)?;
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
        let pairs = queries.zip(texts).collect();
        Ok(Self { pairs, documents_field, max_tokens_per_document, instruction, scores })
    }
}
