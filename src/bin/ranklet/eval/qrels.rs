//! Relevance judgments: TREC's four columns or BEIR's three with a header.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use ranklet::Result;

use crate::input::{invalid, read};
use crate::terminal;

/// Gains of one query by document id.
pub(crate) type Gains = HashMap<String, i32>;

/// Gains of all queries.
#[derive(Debug, Default)]
pub(crate) struct Qrels {
    by_query: BTreeMap<String, Gains>,
}

impl Qrels {
    /// Reads judgments.
    ///
    /// # Errors
    /// `input` for a line in another form, a gain that is not a whole number, a document with two different judgments, and
    /// a file without judgments.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = read(path)?;
        let mut qrels = Self::default();
        let mut repeated = 0;
        let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
        for (index, (number, line)) in lines.enumerate() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (query, document, gain) = match fields[..] {
                // BEIR's header, query-id corpus-id score, or one of four columns.
                [_, _, score] if index == 0 && score.parse::<f64>().is_err() => continue,
                [_, iteration, _, gain]
                    if index == 0 && [iteration, gain].iter().all(|field| field.parse::<f64>().is_err()) =>
                {
                    continue;
                }
                // TREC's second column, the iteration, is not used.
                [query, _, document, gain] => (query, document, gain),
                [query, document, gain] => (query, document, gain),
                _ => {
                    return Err(invalid(
                        path,
                        format!(
                            "line {number} is neither \"query 0 document gain\" nor \"query document gain\", with spaces \
                             or tabs between"
                        ),
                    ));
                }
            };
            let gain = parse_gain(gain).ok_or_else(|| {
                invalid(
                    path,
                    format!("line {number}: the gain {gain:?} is not a whole number of up to 31 bits"),
                )
            })?;
            let gains = qrels.by_query.entry(query.to_owned()).or_default();
            match gains.insert(document.to_owned(), gain) {
                Some(earlier) if earlier != gain => {
                    return Err(invalid(
                        path,
                        format!(
                            "line {number}: document {document} of query {query} is judged {gain} here and {earlier} \
                             earlier; keep one of the two"
                        ),
                    ));
                }
                Some(_) => repeated += 1,
                None => {}
            }
        }
        if qrels.by_query.is_empty() {
            return Err(invalid(path, "there are no judgments"));
        }
        if repeated > 0 {
            terminal::status(&format!(
                "ranklet: warning: {}: {repeated} judgments are there twice and count once",
                path.display()
            ));
        }
        Ok(qrels)
    }

    /// Removes and returns the gains of a query.
    pub(crate) fn take(&mut self, query: &str) -> Option<Gains> {
        self.by_query.remove(query)
    }

    /// Returns the ids of the queries that are left.
    pub(crate) fn into_ids(self) -> Vec<String> {
        self.by_query.into_keys().collect()
    }
}

/// Reads a gain. Some tools write whole numbers as `1.0`.
fn parse_gain(text: &str) -> Option<i32> {
    let whole = |number: &f64| number.fract() == 0.0 && number.abs() <= f64::from(i32::MAX);
    text.parse().ok().or_else(|| text.parse().ok().filter(whole).map(|number| number as i32))
}
