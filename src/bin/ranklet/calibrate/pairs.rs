//! Judged pairs in JSON Lines.

use std::path::Path;

use ranklet::Result;
use ranklet::internals::parse_json;
use serde::Deserialize;

use super::JudgedPairs;
use crate::input;

#[derive(Deserialize)]
struct JudgedPair {
    query: String,
    document: String,
    relevant: Share,
}

/// From 0, not relevant, to 1.
#[derive(Deserialize)]
#[serde(from = "Relevance")]
struct Share(f64);

#[derive(Deserialize)]
#[serde(untagged, expecting = "\"relevant\" must be true, false or a number from 0 to 1")]
enum Relevance {
    Bool(bool),
    Share(f64),
}

impl From<Relevance> for Share {
    fn from(relevance: Relevance) -> Self {
        match relevance {
            Relevance::Bool(relevant) => Self(f64::from(u8::from(relevant))),
            Relevance::Share(share) => Self(share),
        }
    }
}

impl Share {
    fn is_valid(&self) -> bool {
        (0.0..=1.0).contains(&self.0)
    }
}

/// Reads pairs.
///
/// # Errors
/// `input` for a malformed file, and for a judgment outside 0..1.
pub(super) fn read(path: &Path) -> Result<JudgedPairs> {
    let text = input::read(path)?;
    let wanted = r#"{"query", "document", "relevant"}"#;
    let pairs: Vec<JudgedPair> = input::json_lines(path, &text, wanted, |line| parse_json(line.as_bytes()))?;
    if let Some(Share(share)) = pairs.iter().map(|pair| &pair.relevant).find(|share| !share.is_valid()) {
        return Err(input::invalid(
            path,
            format!("\"relevant\" is {share}; it must be a number from 0 to 1"),
        ));
    }
    let relevant = pairs.iter().map(|pair| pair.relevant.0).collect();
    Ok(JudgedPairs { texts: pairs.into_iter().map(|pair| (pair.query, pair.document)).collect(), relevant })
}
