//! The best sentences of results.

use std::ops::Range;
use std::sync::Arc;

use ranklet::{DocumentOptions, Reranker, Result};
use serde_json::{Value, json};

/// The sentences of the results of a query.
pub(super) struct ResultSentences {
    query: Arc<str>,
    results: Vec<ResultText>,
}

struct ResultText {
    text: String,
    /// The sentences in bytes.
    sentences: Vec<Range<usize>>,
    /// The score of a text that is one sentence.
    score: Option<f32>,
}

impl ResultSentences {
    /// Finds the sentences of results, given as texts and scores.
    ///
    /// # Errors
    /// As [`Reranker::sentence_ranges`].
    pub(super) fn find(
        reranker: &Reranker,
        query: Arc<str>,
        results: Vec<(String, Option<f32>)>,
        options: DocumentOptions,
    ) -> Result<Self> {
        let result = |(text, score): (String, Option<f32>)| {
            let sentences = reranker.sentence_ranges(&query, &text, options, None)?;
            let is_sentence = matches!(&sentences[..], [only] if only.len() == text.len());
            Ok(ResultText { text, sentences, score: score.filter(|_| is_sentence) })
        };
        let results = results.into_iter().map(result).collect::<Result<_>>()?;
        Ok(Self { query, results })
    }

    /// Returns the pairs to score. A sentence that is its whole document already has a score, and is left out.
    pub(super) fn pairs(&self) -> Vec<(Arc<str>, String)> {
        let results = self.results.iter().filter(|result| result.score.is_none());
        let sentences = results.flat_map(|ResultText { text, sentences, .. }| {
            sentences.iter().map(|sentence| text[sentence.clone()].to_owned())
        });
        sentences.map(|sentence| (Arc::clone(&self.query), sentence)).collect()
    }

    /// Returns the `count` best sentences of each result by the scores of the first pairs, with offsets in UTF-16 code
    /// units; `None` for a result without all scores.
    pub(super) fn best(&self, scores: &[f32], count: usize) -> Vec<Option<Value>> {
        let mut scores = scores.iter().copied();
        let best = |ResultText { text, sentences, score }: &ResultText| {
            let scores: Vec<f32> = match score {
                Some(score) => vec![*score],
                None => scores.by_ref().take(sentences.len()).collect(),
            };
            if scores.len() < sentences.len() {
                return None;
            }
            let mut best: Vec<_> = sentences.iter().zip(scores).collect();
            best.sort_by(|a, b| b.1.total_cmp(&a.1));
            let offset = |byte: usize| text[..byte].encode_utf16().count();
            let row = |(sentence, score): (&Range<usize>, f32)| json!({ "start": offset(sentence.start), "end": offset(sentence.end), "score": score });
            Some(best.into_iter().take(count).map(row).collect())
        };
        self.results.iter().map(best).collect()
    }
}
