//! Ways to weigh the units of a document.

use std::ops::Range;

use ranklet::{ExplainOptions, LongDocuments, Reranker, Scores, TextUnit};

use crate::Result;
use crate::data::Question;
use crate::words;

/// The weights of a document's units in bytes.
pub(crate) type Weights = Vec<(Range<usize>, f64)>;

pub(crate) const REMOVED: &str = "removed from the document";
pub(crate) const ADDED: &str = "added to a document without any";
pub(crate) const MEAN: &str = "mean of removed and added";
pub(crate) const OCCLUSION: &str = "occlusion";
pub(crate) const OVERLAP: &str = "words of the query";
pub(crate) const CHANCE: &str = "chance";

/// Ways to weigh units.
pub(crate) struct Ways<'a> {
    pub(crate) reranker: &'a Reranker,
    pub(crate) mask: &'a str,
    pub(crate) unknown: &'a str,
    pub(crate) samples: usize,
}

impl Ways<'_> {
    /// Returns the names of the ways, each with the weights of every question.
    pub(crate) fn of_all(
        &self,
        questions: &[Question],
        unit: TextUnit,
    ) -> Result<Vec<(&'static str, Vec<Weights>)>> {
        let mut all: Vec<(&'static str, Vec<Weights>)> = Vec::new();
        for question in questions {
            for (row, (name, weights)) in self.of(question, unit)?.into_iter().enumerate() {
                if row == all.len() {
                    all.push((name, Vec::new()));
                }
                all[row].1.push(weights);
            }
        }
        Ok(all)
    }

    /// Returns the weights of a document's units in each way.
    fn of(&self, question: &Question, unit: TextUnit) -> Result<Vec<(&'static str, Weights)>> {
        let Question { query, document, .. } = question;
        let units = if unit == TextUnit::Word { words::words } else { words::sentences }(document);
        let remove = |removed: &dyn Fn(usize) -> bool, token: &str| without(document, &units, removed, token);
        let each = |token| (0..units.len()).map(move |unit| remove(&|other| other == unit, token));
        let texts = [remove(&|_| false, ""), remove(&|_| true, "")].into_iter();
        let texts = texts.chain(each("")).chain(each(self.mask)).chain(each(self.unknown));
        let texts = texts.chain((0..units.len()).map(|unit| remove(&|other| other != unit, "")));
        let pairs: Vec<(&str, String)> = texts.map(|text| (query.as_str(), text)).collect();
        let logits = self.reranker.score_blocking(&pairs, Scores::Raw)?;
        let (whole, base) = (logits[0], logits[1]);
        let variants = |block: usize| logits[2 + block * units.len()..].iter().take(units.len());
        let removed = |block| variants(block).map(move |logit| f64::from(whole - logit));
        let added = || variants(3).map(move |logit| f64::from(logit - base));
        let mean = removed(0).zip(added()).map(|(removed, added)| (removed + added) / 2.0);
        let overlap = units.iter().map(|unit| words::overlap(query, &document[unit.clone()]) as f64);
        let weights = |weights: &mut dyn Iterator<Item = f64>| units.iter().cloned().zip(weights).collect();
        Ok(vec![
            (REMOVED, weights(&mut removed(0))),
            ("replaced by the mask token", weights(&mut removed(1))),
            ("replaced by the unknown token", weights(&mut removed(2))),
            (ADDED, weights(&mut added())),
            (MEAN, weights(&mut mean.into_iter())),
            (OCCLUSION, self.explained(question, unit, 0)?),
            ("Shapley values", self.explained(question, unit, self.samples)?),
            (OVERLAP, weights(&mut overlap.into_iter())),
            (CHANCE, weights(&mut units.iter().map(|_| 1.0))),
        ])
    }

    /// Returns the contributions of an explanation.
    fn explained(&self, question: &Question, unit: TextUnit, samples: usize) -> Result<Weights> {
        // As the document is ranked.
        let long_documents = LongDocuments::Chunk;
        let options = ExplainOptions { unit, samples, long_documents, ..ExplainOptions::default() };
        let explanation = self.reranker.explain_blocking(&question.query, &question.document, options)?;
        let weight =
            |unit: &ranklet::Contribution| (unit.span.start..unit.span.end, f64::from(unit.contribution));
        Ok(explanation.units.iter().map(weight).collect())
    }
}

/// Returns a text without some of its units and without the white space after each, or with a token for each of their words.
fn without(text: &str, units: &[Range<usize>], removed: impl Fn(usize) -> bool, token: &str) -> String {
    let mut rest = String::with_capacity(text.len());
    let mut end = 0;
    for (_, unit) in units.iter().enumerate().filter(|(index, _)| removed(*index)) {
        rest.push_str(&text[end..unit.start]);
        end = unit.end;
        if token.is_empty() {
            end += text[end..].len() - text[end..].trim_start().len();
        } else {
            let tokens = vec![token; words::words(&text[unit.clone()]).len()];
            rest.push_str(&tokens.join(" "));
        }
    }
    rest.push_str(&text[end..]);
    rest
}
