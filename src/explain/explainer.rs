//! Explains a pair in steps.

use std::sync::Arc;

use super::plan::{ExplanationPlan, PairUnits};
use super::{ExplainOptions, Explanation};
use crate::error::Result;
use crate::options::{DocumentOptions, LongDocuments, Scores};
use crate::reranker::{Pairs, PartialScores, Reranker, ScoringRun};

/// An explanation, under way.
#[derive(Debug)]
pub struct Explainer<'a> {
    units: PairUnits<'a>,
    instruction: Option<&'a str>,
    plan: ExplanationPlan,
    /// Scores the chunks of a long document, then the variants.
    run: ScoringRun<'a>,
    /// Number of chunks that are scored before the variants.
    chunks: usize,
    /// The logits of the variants so far.
    logits: PartialScores,
}

impl<'a> Explainer<'a> {
    /// Finds the units of a pair. Nothing is scored yet.
    ///
    /// # Errors
    /// As [`Reranker::explain`].
    pub fn new(
        reranker: &Reranker,
        query: &'a str,
        document: &'a str,
        options: ExplainOptions<'a>,
    ) -> Result<Self> {
        reranker.check_rankable()?;
        let units = PairUnits::find(reranker, query, document, options)?;
        let plan = units.plan(None)?;
        let chunks = plan.chunks();
        let pairs = match chunks {
            0 => variants(&plan),
            _ => Pairs::OneQuery {
                query: query.into(),
                documents: vec![document.into()],
                options: DocumentOptions {
                    max_tokens_per_document: None,
                    long_documents: LongDocuments::Chunk,
                    unit: options.offsets,
                },
            },
        };
        let run = ScoringRun::new(pairs, Scores::Raw).instruction(options.instruction);
        let logits = PartialScores::default();
        Ok(Self { units, instruction: options.instruction, plan, run, chunks, logits })
    }

    /// Returns the number of pairs that are scored in all. For a document in chunks, it is the maximum until the best
    /// chunk is known.
    pub fn variants(&self) -> usize {
        self.chunks + self.plan.variants().len()
    }

    /// Returns the number of pairs scored so far.
    pub fn scored(&self) -> usize {
        if self.plan.chunks() > 0 { 0 } else { self.chunks + self.run.done() }
    }

    /// Scores the next micro-batch. Returns whether there was one.
    ///
    /// # Errors
    /// As [`Reranker::explain`].
    pub async fn step(&mut self, reranker: &Reranker) -> Result<bool> {
        let Some(scores) = self.run.step(reranker).await? else { return Ok(false) };
        if self.plan.chunks() == 0 {
            self.logits.append(scores);
        } else if let Some(best) = scores.span(0) {
            self.plan = self.units.plan(Some(best))?;
            self.run = ScoringRun::new(variants(&self.plan), Scores::Raw).instruction(self.instruction);
        }
        Ok(true)
    }

    /// Returns the contributions as far as they are known. Those of units whose variants have yet to be scored are 0.
    pub fn explanation(&self) -> Explanation {
        let explanation = self.plan.explanation(&self.logits.scores);
        Explanation { variants: self.scored(), ..explanation }
    }
}

fn variants(plan: &ExplanationPlan) -> Pairs<'static> {
    Pairs::Variants { variants: Arc::clone(plan.variants()), candidates: None }
}
