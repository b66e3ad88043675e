//! Scores the variants of a pair, and computes contributions from their logits.

use std::borrow::Cow;

use super::units::Units;
use super::{Contribution, ExplainOptions, ExplainedTexts, Explanation, PairText};
use crate::error::Result;
use crate::options::Scores;
use crate::random::Random;
use crate::reranker::{Pairs, PartialScores, Reranker, ScoringRun};
use crate::text::OffsetUnit;

/// An explanation, under way. All variants of the pair are in one run of packed batches.
#[derive(Debug)]
pub struct Explainer<'a> {
    query: Units<'a>,
    document: Units<'a>,
    offsets: OffsetUnit,
    /// The orders in which all units are left out, for Shapley values.
    orders: Vec<Vec<usize>>,
    run: ScoringRun<'a>,
    logits: PartialScores,
}

impl<'a> Explainer<'a> {
    /// Finds the units of a pair. Nothing is computed yet.
    pub fn new(query: &'a str, document: &'a str, options: ExplainOptions<'a>) -> Self {
        let units = |text, is_explained: bool| match is_explained {
            true => Units::find(text, options.unit),
            false => Units::none(text),
        };
        let query = units(query, options.of != ExplainedTexts::Document);
        let document = units(document, options.of != ExplainedTexts::Query);
        let count = query.len() + document.len();
        // A single unit has one order, which is what occlusion computes.
        let orders = orders(count, if count > 1 { options.samples } else { 0 });
        // The whole pair, the pair without units, and the other variants.
        let mut left_out = vec![vec![false; count], vec![true; count]];
        if orders.is_empty() {
            left_out.extend((0..count).map(|unit| (0..count).map(|other| other == unit).collect()));
        }
        for order in &orders {
            let mut without = vec![false; count];
            for unit in order.iter().take(count.saturating_sub(1)) {
                without[*unit] = true;
                left_out.push(without.clone());
            }
        }
        let pair = |without: &Vec<bool>| {
            let in_document = |unit: usize| without[query.len() + unit];
            (Cow::Owned(query.without(|unit| without[unit])), Cow::Owned(document.without(in_document)))
        };
        let run = ScoringRun::new(Pairs::truncated(left_out.iter().map(pair).collect()), Scores::Raw)
            .instruction(options.instruction);
        Self { query, document, offsets: options.offsets, orders, run, logits: PartialScores::default() }
    }

    /// Returns the number of pairs that are scored in all.
    pub fn variants(&self) -> usize {
        self.run.len()
    }

    /// Returns the number of pairs scored so far.
    pub fn scored(&self) -> usize {
        self.run.done()
    }

    /// Scores the next micro-batch. Returns whether there was one.
    ///
    /// # Errors
    /// As [`Reranker::explain`].
    pub async fn step(&mut self, reranker: &Reranker) -> Result<bool> {
        reranker.check_rankable()?;
        match self.run.step(reranker).await? {
            Some(scores) => {
                self.logits.append(scores);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Returns the contributions as far as they are known. Before the last step, those of units whose variants have yet
    /// to be scored are 0, and Shapley values are those of the orders that are complete.
    pub fn explanation(&self) -> Explanation {
        let logits = &self.logits.scores;
        let logit = |variant: usize| logits.get(variant).copied().unwrap_or_default();
        let (whole, base) = (logit(0), logit(1));
        let rest = logits.get(2..).unwrap_or_default();
        let count = self.query.len() + self.document.len();
        let mut contributions = vec![0.0; count];
        if self.orders.is_empty() {
            for (contribution, without) in contributions.iter_mut().zip(rest) {
                *contribution = f64::from(whole) - f64::from(*without);
            }
        }
        let complete = self.orders.iter().zip(rest.chunks_exact(count.saturating_sub(1).max(1)));
        let samples = complete.len() as f64;
        for (order, without) in complete {
            let mut before = whole;
            for (unit, after) in order.iter().zip(without.iter().copied().chain([base])) {
                contributions[*unit] += (f64::from(before) - f64::from(after)) / samples;
                before = after;
            }
        }
        let query = self.query.spans(self.offsets).into_iter().map(|span| (PairText::Query, span));
        let document = self.document.spans(self.offsets).into_iter().map(|span| (PairText::Document, span));
        let units = query.chain(document).zip(contributions).map(|((text, span), contribution)| {
            Contribution { text, span, contribution: contribution as f32 }
        });
        Explanation { logit: whole, base, units: units.collect(), variants: logits.len() }
    }
}

/// Returns `samples` orders of units: random ones, each followed by its reverse, which halves the variance for units
/// whose contribution depends on how much is left.
fn orders(units: usize, samples: usize) -> Vec<Vec<usize>> {
    let mut random = Random(0);
    let mut orders: Vec<Vec<usize>> = Vec::with_capacity(samples);
    for sample in 0..samples {
        let mut order: Vec<usize> = (0..units).collect();
        match orders.last().filter(|_| sample % 2 == 1) {
            Some(last) => order = last.iter().rev().copied().collect(),
            None => (1..units).rev().for_each(|end| order.swap(end, random.below(end + 1))),
        }
        orders.push(order);
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_permutations_in_pairs_of_opposites() {
        let orders = orders(20, 5);
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, (0..20).collect::<Vec<_>>());
        }
        assert!(orders[0].iter().eq(orders[1].iter().rev()) && orders[2].iter().eq(orders[3].iter().rev()));
        assert_ne!(orders[0], orders[2]);
    }

    #[test]
    fn the_cost_is_known_beforehand() {
        let cost = |samples| {
            let options = ExplainOptions { samples, of: ExplainedTexts::Both, ..Default::default() };
            Explainer::new("a b", "c d e", options).variants()
        };
        assert_eq!(cost(0), 2 + 5);
        assert_eq!(cost(3), 2 + 3 * 4);
        assert_eq!(Explainer::new("a", "...", ExplainOptions::default()).variants(), 2);
    }
}
