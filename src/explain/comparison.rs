//! Two documents of one query, compared.

use super::{Contribution, ExplainOptions, Explanation};
use crate::error::Result;
use crate::reranker::Reranker;

/// The difference between two documents of one query.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The logit of the first document minus that of the second.
    pub difference: f32,
    /// The first document.
    pub a: Explanation,
    /// The second document.
    pub b: Explanation,
}

impl Comparison {
    /// Compares two explanations of one query.
    pub fn new(a: Explanation, b: Explanation) -> Self {
        Self { difference: a.logit - b.logit, a, b }
    }

    /// Returns what each unit of the first document adds to the difference, then what those of the second do: their
    /// contributions with the opposite sign.
    pub fn lifts(&self) -> impl Iterator<Item = (&Contribution, f32)> {
        let a = self.a.units.iter().map(|unit| (unit, unit.contribution));
        a.chain(self.b.units.iter().map(|unit| (unit, -unit.contribution)))
    }
}

impl Reranker {
    /// Explains what puts document `a` above or below document `b`.
    ///
    /// # Errors
    /// As [`explain`](Self::explain).
    pub async fn compare(
        &self,
        query: &str,
        a: &str,
        b: &str,
        options: ExplainOptions<'_>,
    ) -> Result<Comparison> {
        let a = self.explain(query, a, options).await?;
        Ok(Comparison::new(a, self.explain(query, b, options).await?))
    }

    /// [`compare`](Self::compare), waiting for it.
    ///
    /// # Errors
    /// As [`compare`](Self::compare).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn compare_blocking(
        &self,
        query: &str,
        a: &str,
        b: &str,
        options: ExplainOptions<'_>,
    ) -> Result<Comparison> {
        pollster::block_on(self.compare(query, a, b, options))
    }
}
