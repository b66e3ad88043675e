//! Results of a first stage: Ranklet's JSON or JSON Lines with texts, or a TREC run whose texts are in a collection.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use ranklet::Result;
use ranklet::internals::{json_problem, parse_json};
use serde::Deserialize;

use super::collection::Collection;
use crate::input::{Id, invalid, json_lines, read};

/// The form of a query in JSON, for messages.
const QUERY_FORM: &str = r#"{"query", "qid", "hits": [{"docid", "score", "content"}]}"#;

/// The queries of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) queries: Vec<RunQuery>,
}

/// A query with the results of the first stage.
#[derive(Debug)]
pub(crate) struct RunQuery {
    pub(crate) id: String,
    pub(crate) text: String,
    pub(crate) hits: Vec<Hit>,
}

/// A result of the first stage.
#[derive(Debug)]
pub(crate) struct Hit {
    pub(crate) docid: String,
    pub(crate) score: f64,
    pub(crate) content: String,
}

impl RunQuery {
    pub(crate) fn first_stage_scores(&self) -> Vec<f64> {
        self.hits.iter().map(|hit| hit.score).collect()
    }
}

#[derive(Deserialize)]
struct JsonQuery {
    query: String,
    /// Needed for a query without hits; otherwise the hits have it.
    qid: Option<Id>,
    hits: Vec<JsonHit>,
}

#[derive(Deserialize)]
struct JsonHit {
    qid: Option<Id>,
    docid: Id,
    score: f64,
    #[serde(alias = "text", alias = "contents")]
    content: String,
}

impl Run {
    /// Reads a run.
    ///
    /// # Errors
    /// `input` for a malformed file, a query without an id, a query or document that occurs twice, a score that is not a
    /// number, and for a TREC run without a collection or with ids that the collection lacks.
    pub(crate) fn read(path: &Path, collection: &Collection) -> Result<Self> {
        let text = read(path)?;
        let queries = match text.trim_start().chars().next() {
            Some('[') => read_json(path, &text)?,
            Some('{') => read_json_lines(path, &text)?,
            _ => read_trec(path, &text, collection)?,
        };
        let run = Self { queries };
        run.check_unique(path)?;
        Ok(run)
    }

    /// trec_eval refuses duplicates too: each would count again, and measures could exceed 1.
    fn check_unique(&self, path: &Path) -> Result<()> {
        let mut query_ids = HashSet::new();
        for query in &self.queries {
            if !query_ids.insert(&query.id) {
                return Err(invalid(path, format!("query {} is in the run twice", query.id)));
            }
            let mut document_ids = HashSet::new();
            for hit in &query.hits {
                if !document_ids.insert(&hit.docid) {
                    return Err(invalid(
                        path,
                        format!(
                            "document {} is in the hits of query {} twice; remove one",
                            hit.docid, query.id
                        ),
                    ));
                }
            }
        }
        Ok(())
    }
}

fn read_json(path: &Path, text: &str) -> Result<Vec<RunQuery>> {
    let queries: Vec<JsonQuery> = parse_json(text.as_bytes())
        .map_err(|error| invalid(path, format!("not an array of {QUERY_FORM}: {}", json_problem(&error))))?;
    queries.into_iter().map(|query| checked(path, query)).collect()
}

/// Reads one query per line.
fn read_json_lines(path: &Path, text: &str) -> Result<Vec<RunQuery>> {
    let queries = json_lines(path, text, QUERY_FORM, |line| parse_json(line.as_bytes()))?;
    queries.into_iter().map(|query| checked(path, query)).collect()
}

fn checked(path: &Path, query: JsonQuery) -> Result<RunQuery> {
    let ids = query.qid.iter().chain(query.hits.iter().filter_map(|hit| hit.qid.as_ref()));
    let mut ids = ids.map(Id::as_str);
    let Some(id) = ids.next().map(str::to_owned) else {
        return Err(invalid(
            path,
            format!("the query {:?} has no \"qid\", neither its own nor in a hit", query.query),
        ));
    };
    if let Some(other) = ids.find(|other| *other != id) {
        return Err(invalid(path, format!("the query {:?} has two ids, {id} and {other}", query.query)));
    }
    let hits = query.hits.into_iter().map(|hit| Hit {
        docid: hit.docid.as_str().to_owned(),
        score: hit.score,
        content: hit.content,
    });
    Ok(RunQuery { id, text: query.query, hits: hits.collect() })
}

/// Reads TREC's six columns: query id, Q0, document id, rank, score, run name. The rank is not used, as in trec_eval.
fn read_trec(path: &Path, text: &str, collection: &Collection) -> Result<Vec<RunQuery>> {
    let mut queries: Vec<RunQuery> = Vec::new();
    let mut index_of: HashMap<String, usize> = HashMap::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [query, _, document, _, score, _] = fields[..] else {
            return Err(invalid(
                path,
                format!(
                    "line {number} is not a TREC run's \"query Q0 document rank score name\", and the file is not JSON"
                ),
            ));
        };
        if !collection.is_complete() {
            return Err(invalid(
                path,
                "this is a TREC run, which has no texts: give them with --corpus and --queries (.jsonl or .tsv)",
            ));
        }
        let score =
            score.parse().ok().filter(|score: &f64| score.is_finite()).ok_or_else(|| {
                invalid(path, format!("line {number}: the score {score:?} is not a number"))
            })?;
        let index = match index_of.get(query) {
            Some(index) => *index,
            None => {
                let text = collection.query(query).ok_or_else(|| {
                    invalid(path, format!("line {number}: the file of --queries has no query {query}"))
                })?;
                queries.push(RunQuery { id: query.to_owned(), text: text.to_owned(), hits: Vec::new() });
                index_of.insert(query.to_owned(), queries.len() - 1);
                queries.len() - 1
            }
        };
        let content = collection.document(document).ok_or_else(|| {
            invalid(path, format!("line {number}: the file of --corpus has no document {document}"))
        })?;
        queries[index].hits.push(Hit { docid: document.to_owned(), score, content: content.to_owned() });
    }
    if queries.is_empty() {
        return Err(invalid(path, "the run is empty"));
    }
    Ok(queries)
}
