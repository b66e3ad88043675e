//! Deletion and insertion curves (Petsiuk, Das and Saenko 2018), on words.

use std::ops::Range;

use ranklet::{Reranker, Scores};

use crate::Result;
use crate::data::Question;
use crate::random::Random;
use crate::ways::{CHANCE, Weights};

/// Shares of the words that are deleted or inserted.
pub(crate) const SHARES: [f64; 8] = [0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0];

/// The mean logits of each order of words.
pub(crate) struct Curves {
    pub(crate) orders: Vec<(&'static str, [f64; SHARES.len()], [f64; SHARES.len()])>,
}

impl Curves {
    /// Measures the orders of some ways to weigh words. Words of equal weight are in a random order, which is that of chance.
    pub(crate) fn measure(
        reranker: &Reranker,
        questions: &[Question],
        ways: &[(&'static str, Vec<Weights>)],
        random: &mut Random,
    ) -> Result<Self> {
        let mut orders = Vec::new();
        for (name, weights) in ways {
            let mut means = [[0.0; SHARES.len()]; 2];
            for (weights, question) in weights.iter().zip(questions) {
                let mut words = weights.clone();
                random.shuffle(&mut words);
                words.sort_by(|a, b| b.1.total_cmp(&a.1));
                let words: Vec<Range<usize>> = words.into_iter().map(|(word, _)| word).collect();
                for (mean, logits) in means.iter_mut().zip(logits(reranker, question, &words)?) {
                    for (mean, logit) in mean.iter_mut().zip(logits) {
                        *mean += f64::from(logit) / questions.len() as f64;
                    }
                }
            }
            let [deletion, insertion] = means;
            orders.push((if *name == CHANCE { "random order" } else { name }, deletion, insertion));
        }
        Ok(Self { orders })
    }

    pub(crate) fn print(&self) {
        println!("| words first | mean logit while they are deleted | and inserted |\n|---|---|---|");
        for (name, deletion, insertion) in &self.orders {
            println!("| {name} | {:.2} | {:.2} |", mean(deletion), mean(insertion));
        }
    }
}

/// Returns the logits while words are deleted from the whole text, and while they are inserted into one without words.
fn logits(reranker: &Reranker, question: &Question, order: &[Range<usize>]) -> Result<[Vec<f32>; 2]> {
    let text = |removed: &[Range<usize>]| {
        let mut removed = removed.to_vec();
        removed.sort_by_key(|word| word.start);
        let mut rest = String::new();
        let mut end = 0;
        for word in removed {
            rest.push_str(&question.document[end..word.start]);
            end = word.end;
        }
        rest + &question.document[end..]
    };
    let count = |share: f64| (share * order.len() as f64).round() as usize;
    let deleted = SHARES.map(|share| text(&order[..count(share)]));
    let inserted = SHARES.map(|share| text(&order[count(share)..]));
    let pairs: Vec<_> =
        deleted.iter().chain(&inserted).map(|text| (question.query.as_str(), text.as_str())).collect();
    let mut deleted = reranker.score_blocking(&pairs, Scores::Raw)?;
    let inserted = deleted.split_off(SHARES.len());
    Ok([deleted, inserted])
}

/// Returns the mean of a curve over all shares: the area under it, by trapezoids.
fn mean(curve: &[f64; SHARES.len()]) -> f64 {
    let steps = SHARES.windows(2).zip(curve.windows(2));
    steps.map(|(share, logit)| (share[1] - share[0]) * (logit[0] + logit[1]) / 2.0).sum()
}
