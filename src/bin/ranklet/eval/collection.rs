//! Texts of a TREC run: documents and queries by id, as BEIR's `corpus.jsonl` and `queries.jsonl`, or as `.tsv`.

use std::collections::HashMap;
use std::path::Path;

use ranklet::Result;
use ranklet::internals::parse_json;
use serde::Deserialize;

use crate::input::{Id, invalid, json_lines, read, with_title};

/// Texts by id; empty if the run has its own.
#[derive(Debug, Default)]
pub(crate) struct Collection {
    documents: Option<HashMap<String, String>>,
    queries: Option<HashMap<String, String>>,
}

/// A line of `corpus.jsonl` or `queries.jsonl`.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "_id", alias = "id", alias = "docid", alias = "qid")]
    id: Id,
    title: Option<String>,
    #[serde(alias = "contents", alias = "content", alias = "query")]
    text: String,
}

impl Collection {
    /// Reads the files that are given.
    ///
    /// # Errors
    /// `input` for a malformed file, or an id with two different texts.
    pub(crate) fn read(corpus: Option<&Path>, queries: Option<&Path>) -> Result<Self> {
        Ok(Self { documents: corpus.map(texts).transpose()?, queries: queries.map(texts).transpose()? })
    }

    /// Whether both documents and queries are given.
    pub(crate) fn is_complete(&self) -> bool {
        self.documents.is_some() && self.queries.is_some()
    }

    pub(crate) fn document(&self, id: &str) -> Option<&str> {
        self.documents.as_ref()?.get(id).map(String::as_str)
    }

    pub(crate) fn query(&self, id: &str) -> Option<&str> {
        self.queries.as_ref()?.get(id).map(String::as_str)
    }
}

fn texts(path: &Path) -> Result<HashMap<String, String>> {
    let content = read(path)?;
    let is_tsv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tsv"));
    let entries: Vec<(String, String)> = if is_tsv {
        let lines = (1..).zip(content.lines()).filter(|(_, line)| !line.trim().is_empty());
        lines
            .map(|(number, line)| {
                let (id, text) = line
                    .split_once('\t')
                    .ok_or_else(|| invalid(path, format!("line {number} is not an id, a tab and a text")))?;
                Ok((id.to_owned(), text.to_owned()))
            })
            .collect::<Result<_>>()?
    } else {
        json_lines(path, &content, "an object with \"_id\" and \"text\"", |line| {
            parse_json::<Entry>(line.as_bytes())
                .map(|entry| (entry.id.as_str().to_owned(), with_title(entry.title.as_deref(), &entry.text)))
        })?
    };
    let mut texts = HashMap::with_capacity(entries.len());
    for (id, text) in entries {
        if let Some(earlier) = texts.insert(id.clone(), text)
            && texts.get(&id) != Some(&earlier)
        {
            return Err(invalid(path, format!("the id {id} has two different texts")));
        }
    }
    Ok(texts)
}
