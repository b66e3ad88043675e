//! Reads the files named by arguments, with errors that name the file and the line.

use std::collections::HashMap;
use std::path::Path;

use ranklet::{Error, ErrorKind, Result};
use serde::Deserialize;

/// Relevance judgments: query id to document id to gain.
pub(crate) type Qrels = HashMap<String, HashMap<String, i32>>;

/// A query of a run with the results of the first stage.
#[derive(Debug, Deserialize)]
pub(crate) struct RunQuery {
    pub(crate) query: String,
    pub(crate) hits: Vec<Hit>,
}

/// A result of the first stage.
#[derive(Debug, Deserialize)]
pub(crate) struct Hit {
    qid: Id,
    pub(crate) docid: Id,
    pub(crate) score: f64,
    pub(crate) content: String,
}

/// An id, written as a string or as a number.
#[derive(Debug, Deserialize)]
#[serde(from = "RawId")]
pub(crate) struct Id(String);

#[derive(Deserialize)]
#[serde(untagged)]
enum RawId {
    Text(String),
    Number(i64),
}

impl From<RawId> for Id {
    fn from(written: RawId) -> Self {
        match written {
            RawId::Text(text) => Self(text),
            RawId::Number(number) => Self(number.to_string()),
        }
    }
}

impl Id {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl RunQuery {
    /// The id of the query, which its hits carry.
    pub(crate) fn id(&self) -> Option<&str> {
        self.hits.first().map(|hit| hit.qid.as_str())
    }
}

/// A document, written as a string or as an object with `text`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Text(String),
    Object { text: String },
}

impl Document {
    fn into_text(self) -> String {
        match self {
            Document::Text(text) | Document::Object { text } => text,
        }
    }
}

/// Reads the documents of a `.json`, `.jsonl` or `.txt` file, or of stdin (one per line).
pub(crate) fn documents(path: &Path) -> Result<Vec<String>> {
    let text = read(path)?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => {
            let documents: Vec<Document> = serde_json::from_str(&text).map_err(|error| {
                invalid(path, format!("not an array of strings or of objects with \"text\": {error}"))
            })?;
            Ok(documents.into_iter().map(Document::into_text).collect())
        }
        Some("jsonl") => json_lines(path, &text, "an object with \"text\"", |line| {
            serde_json::from_str(line).map(Document::into_text)
        }),
        Some("txt") => Ok(text.lines().map(str::to_owned).collect()),
        None if path == Path::new("-") => Ok(text.lines().map(str::to_owned).collect()),
        _ => Err(invalid(path, "unknown file type for documents: use .json, .jsonl, .txt or -")),
    }
}

/// Reads pairs, one JSON array of two strings per line.
pub(crate) fn pairs(path: &Path) -> Result<Vec<(String, String)>> {
    json_lines(path, &read(path)?, "[\"query\", \"document\"]", |line| serde_json::from_str(line))
}

/// Reads the results of a first stage.
pub(crate) fn run(path: &Path) -> Result<Vec<RunQuery>> {
    serde_json::from_str(&read(path)?).map_err(|error| invalid(path, error))
}

/// Reads TREC relevance judgments.
pub(crate) fn qrels(path: &Path) -> Result<Qrels> {
    let mut qrels = Qrels::new();
    for (number, line) in (1..).zip(read(path)?.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [query, _, document, gain] = fields[..] else {
            return Err(invalid(path, format!("line {number} is not \"query 0 document gain\"")));
        };
        let gain = gain
            .parse()
            .map_err(|_| invalid(path, format!("line {number}: the gain {gain:?} is not a number")))?;
        qrels.entry(query.to_owned()).or_default().insert(document.to_owned(), gain);
    }
    Ok(qrels)
}

fn json_lines<T>(
    path: &Path,
    text: &str,
    wanted: &str,
    parse: impl Fn(&str) -> serde_json::Result<T>,
) -> Result<Vec<T>> {
    (1..)
        .zip(text.lines())
        .filter(|(_, line): &(usize, &str)| !line.trim().is_empty())
        .map(|(number, line)| {
            parse(line).map_err(|error| invalid(path, format!("line {number} is not {wanted}: {error}")))
        })
        .collect()
}

/// Reads a file or stdin as text, without a byte order mark.
fn read(path: &Path) -> Result<String> {
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| invalid(path, error))?;
    match text.strip_prefix('\u{feff}') {
        Some(rest) => Ok(rest.to_owned()),
        None => Ok(text),
    }
}

fn invalid(path: &Path, problem: impl std::fmt::Display) -> Error {
    let name = if path == Path::new("-") { "stdin".into() } else { path.display().to_string() };
    Error::new(ErrorKind::Input, format!("{name}: {problem}"))
}
