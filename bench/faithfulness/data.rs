//! Questions with documents and the positions of their answers.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::Value;

use crate::Result;

/// Questions, and all documents of their collection.
pub(crate) struct DataSet {
    pub(crate) documents: Vec<String>,
    pub(crate) questions: Vec<Question>,
}

impl DataSet {
    /// Keeps the questions with answers. The documents are those of all questions.
    fn new(mut questions: Vec<Question>) -> Self {
        let documents: BTreeSet<String> =
            questions.iter().map(|question| question.document.clone()).collect();
        questions.retain(|question| !question.answers.is_empty());
        Self { documents: documents.into_iter().collect(), questions }
    }
}

/// A question and a document with its answer.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) query: String,
    pub(crate) document: String,
    /// The ranges of bytes of the document that have an answer.
    pub(crate) answers: Vec<Range<usize>>,
    /// True if answers are phrases, false if they are whole sentences.
    pub(crate) has_spans: bool,
}

impl Question {
    /// Returns whether a part of the document overlaps an answer.
    pub(crate) fn has_answer(&self, part: Range<usize>) -> bool {
        self.answers.iter().any(|answer| part.start < answer.end && part.end > answer.start)
    }

    /// Cuts the document to a part of it.
    pub(crate) fn cut(&mut self, part: Range<usize>) {
        let moved = |end: usize| end.clamp(part.start, part.end) - part.start;
        self.answers.iter_mut().for_each(|answer| *answer = moved(answer.start)..moved(answer.end));
        self.answers.retain(|answer| !answer.is_empty());
        self.document = self.document[part].to_owned();
    }
}

/// Reads WikiQA: the sentences of an article are a document, and the sentences with label 1 are answers.
pub(crate) fn wikiqa(text: &str) -> Result<DataSet> {
    let mut questions: BTreeMap<&str, Question> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let &[id, query, _, _, _, sentence, label] = &line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(format!("not a line of WikiQA with labels: {line:?}").into());
        };
        let question = questions.entry(id).or_insert_with(|| Question {
            query: query.to_owned(),
            document: String::new(),
            answers: Vec::new(),
            has_spans: false,
        });
        if !question.document.is_empty() {
            question.document.push(' ');
        }
        let start = question.document.len();
        question.document.push_str(sentence.trim());
        if label.trim() == "1" {
            question.answers.push(start..question.document.len());
        }
    }
    Ok(DataSet::new(questions.into_values().collect()))
}

/// Reads SQuAD 1.1: the phrases of the answers are in the paragraph.
pub(crate) fn xquad(text: &str) -> Result<DataSet> {
    let value: Value = serde_json::from_str(text)?;
    let list = |value: &Value, field: &str| value[field].as_array().cloned().unwrap_or_default();
    let mut questions = Vec::new();
    for paragraph in list(&value, "data").iter().flat_map(|article| list(article, "paragraphs")) {
        let document = paragraph["context"].as_str().unwrap_or_default();
        let byte =
            |index: u64| document.char_indices().nth(index as usize).map_or(document.len(), |(byte, _)| byte);
        for question in list(&paragraph, "qas") {
            let answers = list(&question, "answers").into_iter().filter_map(|answer| {
                let start = byte(answer["answer_start"].as_u64()?);
                Some(start..start + answer["text"].as_str()?.len())
            });
            questions.push(Question {
                query: question["question"].as_str().unwrap_or_default().to_owned(),
                document: document.to_owned(),
                answers: answers.collect(),
                has_spans: true,
            });
        }
    }
    Ok(DataSet::new(questions))
}
