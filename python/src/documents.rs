//! The texts of documents.

use pyo3::prelude::*;
use ranklet::{Error, ErrorKind, JsonValue, Structured};

use crate::error::{NativeError, caught};

/// Returns the texts of documents, given as a JSON array. `structured` is `"yaml"` or `"lines"`.
#[pyfunction]
#[pyo3(signature = (documents, rank_fields, structured))]
pub(crate) fn document_texts(
    documents: &str,
    rank_fields: Option<Vec<String>>,
    structured: Option<&str>,
) -> Result<Vec<String>, NativeError> {
    caught(|| {
        let documents: Vec<JsonValue> = serde_json::from_str(documents).map_err(|error| {
            Error::new(ErrorKind::Input, format!("documents: {error}")).with_source(error)
        })?;
        let structured: Option<Structured> = structured.map(str::parse).transpose()?;
        ranklet::document_texts(&documents, rank_fields.as_deref(), structured, None)
    })
}
