//! One document of `ranklet rank`: its text, its id, and its score in a first stage.

use ranklet::{JsonValue, Structured, document_texts, text_field, text_fields};

use super::json_kind;

const ID_FIELDS: [&str; 4] = ["_id", "id", "docid", "doc_id"];
/// The fields in which other programs put a whole document: LangChain's dumps, LlamaIndex's scored nodes, results of
/// rerank services, and hits of Elasticsearch.
const WRAPPERS: [&str; 4] = ["kwargs", "node", "document", "_source"];

/// A document and, if its object has one, its id.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) id: Option<String>,
    pub(crate) text: String,
    /// Its score in the first stage, if that is read.
    pub(crate) first_stage: Option<f64>,
}

/// The fields of documents that are read.
#[derive(Debug, Default)]
pub(crate) struct DocumentFields {
    /// The fields that are scored, by name or path; `None` for the text.
    pub(crate) rank_fields: Option<Vec<String>>,
    pub(crate) structured: Option<Structured>,
    /// The field with the first stage's score, by name or path; `None` if it is not read.
    pub(crate) first_stage: Option<String>,
}

/// The problem with a document, or with all.
pub(super) struct Problem {
    pub(super) index: Option<usize>,
    pub(super) message: String,
}

impl DocumentFields {
    /// Reads documents.
    pub(super) fn read(&self, values: Vec<JsonValue>) -> Result<Vec<Document>, Problem> {
        let scores = values.iter().enumerate().map(|(index, value)| {
            self.first_stage_score(value).map_err(|message| Problem { index: Some(index), message })
        });
        let scores = scores.collect::<Result<Vec<_>, _>>()?;
        let mut documents = match (&self.rank_fields, self.structured) {
            (None, None) => {
                let documents = values.iter().enumerate().map(|(index, value)| {
                    plain(value).map_err(|message| Problem { index: Some(index), message })
                });
                documents.collect::<Result<Vec<_>, _>>()?
            }
            (rank_fields, structured) => {
                let texts =
                    document_texts(&values, rank_fields.as_deref(), structured, None).map_err(|error| {
                        Problem {
                            index: error.item().map(|item| item.range.start),
                            message: error.context().to_owned(),
                        }
                    })?;
                let document = |(value, text)| Document { id: id(value), text, first_stage: None };
                values.iter().zip(texts).map(document).collect()
            }
        };
        for (document, score) in documents.iter_mut().zip(scores) {
            document.first_stage = score;
        }
        Ok(documents)
    }

    /// Returns the first stage's score of a document; `None` if it has none.
    fn first_stage_score(&self, value: &JsonValue) -> Result<Option<f64>, String> {
        let Some(field) = &self.first_stage else { return Ok(None) };
        match value.at(field).as_deref() {
            None | Some(JsonValue::Null) => Ok(None),
            Some(JsonValue::Number(number)) => Ok(number.as_f64()),
            Some(other) => Err(format!("has no score: its {field:?} is {}", json_kind(other))),
        }
    }
}

fn id(value: &JsonValue) -> Option<String> {
    ID_FIELDS.iter().find_map(|name| match value.get(name) {
        Some(JsonValue::String(id)) => Some(id.clone()),
        Some(JsonValue::Number(id)) => Some(id.to_string()),
        _ => None,
    })
}

/// Reads a document with its text, or says what is wrong with it.
pub(super) fn plain(value: &JsonValue) -> Result<Document, String> {
    let fields = match value {
        JsonValue::String(text) => return Ok(Document { id: None, text: text.clone(), first_stage: None }),
        JsonValue::Object(fields) => fields,
        other => {
            return Err(format!(
                "is {}; a document is a string or an object with \"text\"",
                json_kind(other)
            ));
        }
    };
    let id = id(value);
    let Some((name, text)) = text_field(value) else {
        let is_object = |inner: &&JsonValue| matches!(inner, JsonValue::Object(_));
        if let Some(inner) = WRAPPERS.iter().find_map(|name| value.get(name).filter(is_object)) {
            let inner = plain(inner)?;
            return Ok(Document { id: id.or(inner.id), ..inner });
        }
        if let Some((name, value)) = text_fields().iter().find_map(|name| Some((name, value.get(name)?))) {
            return Err(format!("has no text: its {name:?} is {}", json_kind(value)));
        }
        let mut found: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        found.sort_unstable();
        let found = if found.is_empty() { "no field".to_owned() } else { found.join(", ") };
        return Err(format!("has no \"text\" (it has {found})"));
    };
    // A document of a BEIR corpus is its title and its text.
    let title = value.get("title").and_then(JsonValue::as_str);
    let title = title.filter(|_| name != "title" && value.get("_id").is_some());
    Ok(Document { id, text: with_title(title, text), first_stage: None })
}

/// Joins the title and the text of a document as BEIR does for rerankers.
pub(crate) fn with_title(title: Option<&str>, text: &str) -> String {
    match title.filter(|title| !title.is_empty()) {
        Some(title) => format!("{title} {text}").trim().to_owned(),
        None => text.to_owned(),
    }
}
