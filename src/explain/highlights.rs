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

/// The sentences of documents, before they are scored.
#[derive(Debug)]
pub struct HighlightPlan {
    /// The sentences of each document, and their score if the document is one sentence with a known score.
    documents: Vec<(Vec<Span>, Option<f32>)>,
    /// The other sentences.
    texts: Vec<String>,
}

/// The best sentences of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct BestSentences {
    /// Best first.
    pub highlights: Vec<Highlight>,
    /// False if a sentence has no score.
    pub is_complete: bool,
}

impl HighlightPlan {
    /// Takes the texts to score as documents of the query.
    pub fn take_texts(&mut self) -> Vec<String> {
        std::mem::take(&mut self.texts)
    }

    /// Returns the `count` best sentences of each document by the scores of the texts, in their order. Texts without a score
    /// count as not scored.
    pub fn best(self, scores: impl IntoIterator<Item = Option<f32>>, count: usize) -> Vec<BestSentences> {
        let mut scores = scores.into_iter();
        let best = |(spans, known): (Vec<Span>, Option<f32>)| {
            let sentences = spans.len();
            let score = |span| Some(Highlight { span, score: known.or_else(|| scores.next().flatten())? });
            let mut highlights: Vec<Highlight> = spans.into_iter().filter_map(score).collect();
            let is_complete = highlights.len() == sentences;
            highlights.sort_by(|a, b| b.score.total_cmp(&a.score));
            highlights.truncate(count);
            BestSentences { highlights, is_complete }
        };
        self.documents.into_iter().map(best).collect()
    }
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

    /// [`highlights`](Self::highlights) of documents, each given with its score if that is known. The sentence of a document
    /// of one sentence has the score of the document.
    ///
    /// # Errors
    /// As [`highlights`](Self::highlights).
    pub async fn highlights_of_scored<D: AsRef<str>>(
        &self,
        query: &str,
        documents: &[(D, Option<f32>)],
        count: usize,
        limits: DocumentOptions,
        options: ScoreOptions<'_>,
    ) -> Result<Highlights> {
        self.check_rankable()?;
        let mut plan = self.plan_highlights(query, documents, limits, options.instruction)?;
        let documents = plan.take_texts().into_iter().map(Into::into).collect();
        let pairs = Pairs::OneQuery { query: query.into(), documents, options: limits };
        let scored = self.score_pairs(pairs, options).await?;
        let scores = scored.pairs.iter().map(|pair| pair.as_ref()?.scores.first().copied());
        let documents = plan.best(scores, count).into_iter().map(|best| best.highlights).collect();
        Ok(Highlights { documents, tokens: scored.tokens() })
    }

    /// Finds the sentences of documents, each given with its score if that is known. A document that is one sentence has the
    /// score of that sentence. The spans have the unit of the limits.
    ///
    /// # Errors
    /// `tokenizer` if the tokenizer fails, `unsupported` for an instruction that the model does not take.
    pub fn plan_highlights(
        &self,
        query: &str,
        documents: &[(impl AsRef<str>, Option<f32>)],
        limits: DocumentOptions,
        instruction: Option<&str>,
    ) -> Result<HighlightPlan> {
        let mut plan = HighlightPlan { documents: Vec::with_capacity(documents.len()), texts: Vec::new() };
        for (document, score) in documents {
            let document = document.as_ref();
            let sentences = self.sentence_ranges(query, document, limits, instruction)?;
            let is_sentence = matches!(&sentences[..], [only] if only.len() == document.len());
            let score = score.filter(|_| is_sentence);
            if score.is_none() {
                plan.texts.extend(sentences.iter().map(|range| document[range.clone()].to_owned()));
            }
            plan.documents.push((spans(document, &sentences, limits.unit), score));
        }
        Ok(plan)
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
    fn sentence_ranges(
        &self,
        query: &str,
        document: &str,
        limits: DocumentOptions,
        instruction: Option<&str>,
    ) -> Result<Vec<Range<usize>>> {
        let read = match self.pair_tokens(query, document, limits, instruction)? {
            Some(pair) => pair.document_range(),
            None => 0..self.document_end(query, document, limits.max_tokens_per_document, instruction)?,
        };
        let mut sentences = sentences(document);
        sentences.retain(|sentence| sentence.start < read.end && sentence.end > read.start);
        Ok(sentences)
    }
}
