//! The best sentences of documents.

use std::ops::Range;

use serde::Serialize;

use super::units::spans;
use crate::error::Result;
use crate::options::DocumentOptions;
use crate::reranker::{Pairs, Reranker, ScoreOptions};
use crate::text::{Span, sentences};

/// A sentence of a document.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Highlight {
    /// The position of the sentence in the document.
    #[serde(flatten)]
    pub span: Span,
    /// The score of the sentence as a document of its own.
    pub score: f32,
}

/// The best sentences of documents.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Highlights {
    /// `[documents]`, the best sentences of each, best first.
    pub documents: Vec<Vec<Highlight>>,
    /// Number of tokens that the model has read.
    pub tokens: usize,
}

impl Reranker {
    /// Scores each sentence of some documents alone, and returns the `count` best of each document. Equal scores keep the
    /// order of the text. Sentences beyond what the model reads of a document do not count, nor do those that are not
    /// scored before the deadline.
    ///
    /// # Errors
    /// As [`score_pairs`](Self::score_pairs); `input` for a model with several labels.
    pub async fn highlights<D: AsRef<str>>(
        &self,
        query: &str,
        documents: &[D],
        count: usize,
        limits: DocumentOptions,
        options: ScoreOptions<'_>,
    ) -> Result<Highlights> {
        let documents: Vec<_> = documents.iter().map(|document| (document.as_ref(), None)).collect();
        self.highlights_of_scored(query, &documents, count, limits, options).await
    }

    /// [`highlights`](Self::highlights) of documents whose scores may be known. A document that is one sentence has the
    /// score of that sentence.
    pub(crate) async fn highlights_of_scored(
        &self,
        query: &str,
        documents: &[(&str, Option<f32>)],
        count: usize,
        limits: DocumentOptions,
        options: ScoreOptions<'_>,
    ) -> Result<Highlights> {
        self.check_rankable()?;
        let mut sentences_of = Vec::with_capacity(documents.len());
        let mut texts = Vec::new();
        for &(document, score) in documents {
            let sentences = self.sentence_ranges(query, document, limits, options.instruction)?;
            let is_sentence = matches!(&sentences[..], [only] if only.len() == document.len());
            let score = score.filter(|_| is_sentence);
            if score.is_none() {
                texts.extend(sentences.iter().map(|range| document[range.clone()].into()));
            }
            sentences_of.push((spans(document, &sentences, limits.unit), score));
        }
        let pairs = Pairs::OneQuery { query: query.into(), documents: texts, options: limits };
        let scored = self.score_pairs(pairs, options).await?;
        let tokens = scored.tokens();
        let mut scored = scored.pairs.into_iter();
        let best = sentences_of.into_iter().map(|(spans, score)| {
            if let Some(score) = score {
                return spans.into_iter().map(|span| Highlight { span, score }).collect();
            }
            let scored = scored.by_ref().take(spans.len());
            let highlight = |(span, pair): (Span, Option<crate::ScoredPair>)| {
                Some(Highlight { span, score: *pair?.scores.first()? })
            };
            let mut best: Vec<Highlight> = spans.into_iter().zip(scored).filter_map(highlight).collect();
            best.sort_by(|a, b| b.score.total_cmp(&a.score));
            best.truncate(count);
            best
        });
        Ok(Highlights { documents: best.collect(), tokens })
    }

    /// [`highlights`](Self::highlights), waiting for them.
    ///
    /// # Errors
    /// As [`highlights`](Self::highlights).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn highlights_blocking<D: AsRef<str>>(
        &self,
        query: &str,
        documents: &[D],
        count: usize,
        limits: DocumentOptions,
        options: ScoreOptions<'_>,
    ) -> Result<Highlights> {
        pollster::block_on(self.highlights(query, documents, count, limits, options))
    }

    /// Returns the sentences that [`highlights`](Self::highlights) scores, in the unit of the options.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn sentences(
        &self,
        query: &str,
        document: &str,
        limits: DocumentOptions,
    ) -> Result<Vec<Span>> {
        let sentences = self.sentence_ranges(query, document, limits, None)?;
        Ok(spans(document, &sentences, limits.unit))
    }

    /// Returns the sentences of a document that [`highlights`](Self::highlights) scores, in bytes: all of a document in
    /// chunks, and otherwise those before the cut.
    ///
    /// # Errors
    /// `tokenizer` if the tokenizer fails, `unsupported` for an instruction that the model does not take.
    pub fn sentence_ranges(
        &self,
        query: &str,
        document: &str,
        limits: DocumentOptions,
        instruction: Option<&str>,
    ) -> Result<Vec<Range<usize>>> {
        let mut sentences = sentences(document);
        if let Some(pair) = self.pair_tokens(query, document, limits, instruction)? {
            let read = pair.document_range();
            sentences.retain(|sentence| sentence.start < read.end && sentence.end > read.start);
        }
        Ok(sentences)
    }
}
