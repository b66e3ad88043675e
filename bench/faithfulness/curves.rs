//! Deletion and insertion curves (Petsiuk, Das and Saenko 2018), on words.

use std::ops::Range;

use ranklet::{Reranker, Scores, TextUnit};

use crate::data::Question;
use crate::random::Random;
use crate::{Method, Result, words};

/// Shares of the words that are deleted or inserted.
pub(crate) const SHARES: [f64; 8] = [0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0];

/// The mean curves of each order of words.
pub(crate) struct Curves {
    pub(crate) orders: Vec<(&'static str, [f64; SHARES.len()], [f64; SHARES.len()])>,
}

impl Curves {
    /// Measures the orders of some methods, of the overlap of words, and a random one. Words leave the text; a logit is
    /// given as its share between that of the text without words, 0, and that of the whole text, 1.
    pub(crate) fn measure(
        reranker: &Reranker,
        questions: &[Question],
        methods: &[Method],
        seed: u64,
    ) -> Result<Self> {
        let names = methods.iter().map(|method| method.name).chain(["words of the query first", "random"]);
        let zero = [0.0; SHARES.len()];
        let mut orders: Vec<_> = names.map(|name| (name, zero, zero)).collect();
        let mut random = Random(seed);
        for question in questions {
            let mut parts: Vec<Vec<Range<usize>>> = Vec::new();
            for method in methods {
                let explanation = method.explain(reranker, question, TextUnit::Word)?;
                let mut units = explanation.map(|explanation| explanation.units).unwrap_or_default();
                units.sort_by(|a, b| b.contribution.total_cmp(&a.contribution));
                parts.push(units.iter().map(|unit| unit.span.start..unit.span.end).collect());
            }
            let mut shuffled = words::words(&question.document);
            random.shuffle(&mut shuffled);
            let mut by_overlap = shuffled.clone();
            by_overlap.sort_by_key(|word| {
                std::cmp::Reverse(words::overlap(&question.query, &question.document[word.clone()]))
            });
            parts.extend([by_overlap, shuffled]);
            for ((_, deletion, insertion), order) in orders.iter_mut().zip(parts) {
                let (deleted, inserted) = logits(reranker, question, &order)?;
                let (whole, empty) = (deleted[0], inserted[0]);
                let share = |logit: f32| f64::from(logit - empty) / f64::from(whole - empty).max(1e-6);
                for step in 0..SHARES.len() {
                    deletion[step] += share(deleted[step]) / questions.len() as f64;
                    insertion[step] += share(inserted[step]) / questions.len() as f64;
                }
            }
        }
        Ok(Self { orders })
    }

    pub(crate) fn print(&self) {
        println!(
            "| order of the words | area under deletion, lower is better | area under insertion, higher is better |\n|---|---|---|"
        );
        for (name, deletion, insertion) in &self.orders {
            println!("| {name} | {:.3} | {:.3} |", area(deletion), area(insertion));
        }
    }
}

/// Returns the logits while words are deleted from the whole text, and while they are inserted into one without words.
fn logits(reranker: &Reranker, question: &Question, order: &[Range<usize>]) -> Result<(Vec<f32>, Vec<f32>)> {
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
    Ok((deleted, inserted))
}

/// Returns the area under a curve, by trapezoids.
fn area(curve: &[f64; SHARES.len()]) -> f64 {
    let steps = SHARES.windows(2).zip(curve.windows(2));
    steps.map(|(share, logit)| (share[1] - share[0]) * (logit[0] + logit[1]) / 2.0).sum()
}
