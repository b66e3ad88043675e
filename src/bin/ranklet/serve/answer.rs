//! The bodies of answers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use ranklet::{Highlight, JsonValue, Ranked};
use serde_json::{Value, json};

use super::dialect::Dialect;
use super::documents::text_of;
use super::requests::RerankRequest;
use super::scheduler::Scored;

/// The number of documents that Cohere counts as one search.
const DOCUMENTS_PER_SEARCH: usize = 100;

/// Returns the body of a ranking. One object has the fields that all clients read: `results` of Cohere, Jina and others,
/// `data` and `usage` of Voyage, `meta` of Cohere. TEI's clients expect a bare array. `highlights` are those of each result.
pub(super) fn rerank_body(
    dialect: Dialect,
    request: &RerankRequest,
    (ranking, highlights): (&[Ranked], &[Option<Vec<Highlight>>]),
    scored: &Scored,
    model: &str,
) -> Value {
    let tokens = scored.tokens;
    let (score_name, document_name) = match dialect {
        Dialect::Texts => ("score", "text"),
        Dialect::Documents | Dialect::Infinity | Dialect::Voyage => ("relevance_score", "document"),
    };
    let rows = ranking.iter().enumerate().map(|(position, ranked)| {
        let mut row = json!({ "index": ranked.index, score_name: ranked.score });
        if let Some(score) = ranked.model_score {
            row["model_score"] = json!(score);
        }
        if request.return_documents {
            row[document_name] = echo(dialect, &request.documents[ranked.index]);
        }
        if let Some(Some(highlights)) = highlights.get(position) {
            row["highlights"] = json!(highlights);
        }
        row
    });
    let rows: Value = rows.collect();
    if dialect == Dialect::Texts {
        return rows;
    }
    let mut body = json!({
        "id": unique_id(),
        "object": "rerank",
        "model": model,
        "created": seconds_since_1970(),
        "results": rows,
        "data": rows,
        "usage": usage(tokens),
        "meta": {
            "api_version": { "version": "2" },
            "billed_units": { "search_units": request.documents.len().div_ceil(DOCUMENTS_PER_SEARCH) },
            "tokens": { "input_tokens": tokens },
        },
    });
    if request.deadline.is_some() {
        // Documents are scored in input order.
        body["unscored"] = (scored.scores.len()..request.documents.len()).collect();
    }
    body
}

/// Returns the body of scores in input order, as vLLM has it.
pub(super) fn score_body(scores: &[f32], tokens: usize, model: &str) -> Value {
    let rows = scores
        .iter()
        .enumerate()
        .map(|(index, score)| json!({ "index": index, "object": "score", "score": score }));
    json!({
        "id": unique_id(),
        "object": "list",
        "model": model,
        "created": seconds_since_1970(),
        "data": rows.collect::<Value>(),
        "usage": usage(tokens),
    })
}

/// Returns the body that lists the model. `/models` is the path of Infinity, whose client needs `stats` and knows one value of
/// `owned_by`, its own.
pub(super) fn models_body(path: &str, model: &str) -> Value {
    let mut row = json!({
        "id": model,
        "object": "model",
        "created": 0,
        "backend": "ranklet",
        "capabilities": ["rerank"],
    });
    if path == "/models" {
        row["stats"] = json!({});
    } else {
        row["owned_by"] = json!("ranklet");
    }
    json!({ "object": "list", "data": [row] })
}

fn usage(tokens: usize) -> Value {
    json!({ "prompt_tokens": tokens, "completion_tokens": 0, "total_tokens": tokens })
}

/// Returns a document as the dialect's clients read it: Voyage, Infinity and TEI a string, the others an object.
fn echo(dialect: Dialect, document: &JsonValue) -> Value {
    match dialect {
        Dialect::Texts => json!(text_of(document)),
        Dialect::Voyage | Dialect::Infinity => text_of(document).map_or_else(|| json!(document), Value::from),
        Dialect::Documents if document.as_str().is_some() => json!({ "text": document }),
        Dialect::Documents => json!(document),
    }
}

/// Returns an id that no other answer of this process has.
fn unique_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("rerank-{:x}-{:x}", seconds_since_1970(), NEXT.fetch_add(1, Ordering::Relaxed))
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
