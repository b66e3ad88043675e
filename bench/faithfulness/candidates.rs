//! Documents that compete with the one that has the answer.

use std::collections::{HashMap, HashSet};

use ranklet::{LongDocuments, RankOptions, Reranker, Scores};
use unicode_segmentation::UnicodeSegmentation;

use crate::Result;
use crate::data::Question;

/// Keeps the questions whose document ranks first among `count` documents: the document and the best ones of BM25. If the model
/// reads a document in several chunks, its best chunk replaces it, because explanations are about that chunk.
pub(crate) fn ranked_first(
    reranker: &Reranker,
    questions: Vec<Question>,
    documents: &[String],
    count: usize,
) -> Result<Vec<Question>> {
    let index = Bm25::new(documents);
    let mut first = Vec::new();
    for mut question in questions {
        let mut candidates = vec![question.document.as_str()];
        let others = index.ranked(&question.query).into_iter().map(|document| documents[document].as_str());
        candidates.extend(others.filter(|other| *other != question.document).take(count.saturating_sub(1)));
        let options = RankOptions {
            top_n: Some(1),
            scores: Scores::Raw,
            long_documents: LongDocuments::Chunk,
            ..RankOptions::default()
        };
        let best = reranker.rank_blocking(&question.query, &candidates, options)?[0];
        if best.index > 0 {
            continue;
        }
        if let Some(span) = best.span {
            question.cut(span.start..span.end);
        }
        first.push(question);
    }
    Ok(first)
}

/// BM25 with the parameters of Anserini, `k1` = 0.9 and `b` = 0.4, on words in lower case.
struct Bm25 {
    /// For each word, the documents that have it and how often.
    postings: HashMap<String, Vec<(usize, f64)>>,
    /// The length of each document as a share of the mean.
    lengths: Vec<f64>,
}

impl Bm25 {
    fn new(documents: &[String]) -> Self {
        let mut postings: HashMap<String, Vec<(usize, f64)>> = HashMap::new();
        let mut lengths = Vec::with_capacity(documents.len());
        for (document, text) in documents.iter().enumerate() {
            let mut counts: HashMap<String, f64> = HashMap::new();
            for word in text.unicode_words() {
                *counts.entry(word.to_lowercase()).or_default() += 1.0;
            }
            lengths.push(counts.values().sum());
            for (word, count) in counts {
                postings.entry(word).or_default().push((document, count));
            }
        }
        let mean = lengths.iter().sum::<f64>() / lengths.len().max(1) as f64;
        lengths.iter_mut().for_each(|length| *length /= mean);
        Self { postings, lengths }
    }

    /// Returns all documents, best first.
    fn ranked(&self, query: &str) -> Vec<usize> {
        let mut scores = vec![0.0; self.lengths.len()];
        let words: HashSet<String> = query.unicode_words().map(str::to_lowercase).collect();
        let mut words: Vec<String> = words.into_iter().collect();
        words.sort();
        for postings in words.iter().filter_map(|word| self.postings.get(word)) {
            let (all, with) = (self.lengths.len() as f64, postings.len() as f64);
            let idf = (1.0 + (all - with + 0.5) / (with + 0.5)).ln();
            for &(document, count) in postings {
                scores[document] += idf * count / (count + 0.9 * (1.0 - 0.4 + 0.4 * self.lengths[document]));
            }
        }
        let mut ranked: Vec<usize> = (0..scores.len()).collect();
        ranked.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        ranked
    }
}
