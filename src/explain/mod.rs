//! Explains a score: how much each word or sentence adds to the logit.
//!
//! Occlusion removes a unit from its context, and adds it to the context without units. A contribution is the mean of the two
//! changes of the logit. The context of a word is its sentence, and that of a sentence its text: parts of a text repeat each
//! other, so what is removed from all of it often changes little. Shapley values (Shapley 1953, sampled as by Štrumbelj and
//! Kononenko 2010) remove all units one after the other in random orders, so that units that say the same share their
//! contribution; their sum is the difference between the logit and the logit without any unit.

mod comparison;
mod explainer;
mod highlights;
mod plan;
mod units;

pub use comparison::Comparison;
pub use explainer::Explainer;
pub use highlights::{BestSentences, Highlight, HighlightPlan, Highlights};
#[cfg(target_arch = "wasm32")]
pub(crate) use plan::ExplanationPlan;

use serde::Serialize;

use crate::error::Result;
use crate::options::LongDocuments;
use crate::reranker::Reranker;
use crate::text::{OffsetUnit, Span};

/// How to explain a score.
#[derive(Debug, Clone, Copy)]
pub struct ExplainOptions<'a> {
    /// The units that contributions are computed for.
    pub unit: TextUnit,
    /// The texts whose units are explained.
    pub of: ExplainedTexts,
    /// Number of random orders to sample for Shapley values; 0 for occlusion.
    pub samples: usize,
    /// The part of a document that is explained if it does not fit in a pair with the query: its beginning, as by default in
    /// [`RankOptions`](crate::RankOptions), or its best chunk. A decoder always reads the beginning.
    pub long_documents: LongDocuments,
    /// The unit of the spans.
    pub offsets: OffsetUnit,
    /// The instruction, for a model whose prompt contains one; `None` for the default of the model's files.
    pub instruction: Option<&'a str>,
}

impl Default for ExplainOptions<'_> {
    fn default() -> Self {
        Self {
            unit: TextUnit::Word,
            of: ExplainedTexts::Document,
            samples: 0,
            long_documents: LongDocuments::default(),
            offsets: OffsetUnit::Byte,
            instruction: None,
        }
    }
}

/// A unit of a text, as Unicode Standard Annex 29 delimits it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextUnit {
    /// A word, without the punctuation around it. In scripts without spaces it may be a single character. Words that have
    /// a token in common are one unit.
    Word,
    /// A sentence.
    Sentence,
}

/// The texts of a pair that are explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExplainedTexts {
    /// The document.
    Document,
    /// The query.
    Query,
    /// The query and the document.
    Both,
}

/// A text of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PairText {
    /// The query.
    Query,
    /// The document.
    Document,
}

/// The contributions of the units of a pair.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// The logit of the pair.
    pub logit: f32,
    /// The logit without any of the units.
    pub base: f32,
    /// The units of the query, then those of the document, each in the order of its text.
    pub units: Vec<Contribution>,
    /// Number of pairs that were scored.
    pub variants: usize,
    /// The position of the chunk that the explanation is about, if the document was read in several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<Span>,
}

/// What a unit adds to the logit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Contribution {
    /// The text that the unit is in.
    pub text: PairText,
    /// Where the unit is in it.
    pub span: Span,
    /// The change of the logit by the unit. It is negative if the logit is higher without the unit.
    pub contribution: f32,
}

impl Explanation {
    /// Returns the difference between the sum of the contributions and that of the two logits.
    ///
    /// Shapley values add up to that difference, apart from the rounding of each to f32: the error is at most 2⁻²⁴ times
    /// the sum of the absolute values of the contributions. For occlusion of sentences, it shows how much they repeat or
    /// complement each other; for words, also how the logits of the sentences differ from that of the document.
    pub fn additivity_error(&self) -> f32 {
        let sum: f64 = self.units.iter().map(|unit| f64::from(unit.contribution)).sum();
        (sum - (f64::from(self.logit) - f64::from(self.base))) as f32
    }
}

impl Reranker {
    /// Computes what each word or sentence of a pair adds to its logit. [`Explainer`] shows the cost beforehand and runs
    /// in steps.
    ///
    /// Units beyond what the model reads add 0 and are not scored.
    ///
    /// # Errors
    /// As [`score`](Self::score); `input` for a model with several labels, or if more than 100,000 pairs would be scored;
    /// `unsupported` for an instruction that the model does not take.
    pub async fn explain(
        &self,
        query: &str,
        document: &str,
        options: ExplainOptions<'_>,
    ) -> Result<Explanation> {
        let mut explainer = Explainer::new(self, query, document, options)?;
        while explainer.step(self).await? {}
        Ok(explainer.explanation())
    }

    /// [`explain`](Self::explain), waiting for it.
    ///
    /// # Errors
    /// As [`explain`](Self::explain).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn explain_blocking(
        &self,
        query: &str,
        document: &str,
        options: ExplainOptions<'_>,
    ) -> Result<Explanation> {
        pollster::block_on(self.explain(query, document, options))
    }
}
