//! The measures themselves. A document is relevant if its gain is at least 1, trec_eval's default.

/// The weight of a judged relevance in [`ndcg`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gain {
    /// The relevance itself, as in trec_eval (Järvelin and Kekäläinen 2002).
    Linear,
    /// `2^relevance - 1` (Burges et al. 2005), as many learning-to-rank papers have it.
    Exponential,
}

impl Gain {
    /// Returns the weight of a relevance, for exponential gains divided by `2^max`, so that it is finite for every
    /// relevance up to `max`. Relevances below zero weigh nothing.
    fn weight(self, relevance: i32, max: i32) -> f64 {
        let [relevance, max] = [relevance, max].map(|relevance| f64::from(relevance.max(0)));
        match self {
            Gain::Linear => relevance,
            Gain::Exponential => (relevance - max).exp2() - (-max).exp2(),
        }
    }
}

/// Computes the normalized discounted cumulative gain of the first `depth` ranks: `sum(weight_i / log2(i + 1))` over the
/// ranks `i`, divided by the same sum for the best possible order.
///
/// `ranked` has the gains in ranked order, `judged` those of all judged documents of the query, in any order. A query
/// without a relevant document gives 0, as in trec_eval.
pub fn ndcg(ranked: &[i32], judged: &[i32], depth: usize, gain: Gain) -> f64 {
    let mut ideal = judged.to_vec();
    ideal.sort_unstable_by(|a, b| b.cmp(a));
    let dcg = |gains: &[i32]| -> f64 {
        let max = ideal.first().copied().unwrap_or(0);
        let ranks = gains.iter().take(depth).enumerate();
        let terms =
            ranks.map(|(index, &relevance)| gain.weight(relevance, max) / (index as f64 + 2.0).log2());
        // The `sum` of no terms is -0.0, which a report would print.
        terms.fold(0.0, |sum, term| sum + term)
    };
    let best = dcg(&ideal);
    if best > 0.0 { dcg(ranked) / best } else { 0.0 }
}

/// Computes one over the rank of the first relevant document; 0 if none of the first `depth` documents is relevant.
pub fn reciprocal_rank(ranked: &[i32], depth: usize) -> f64 {
    let first = ranked.iter().take(depth).position(|&gain| gain >= 1);
    first.map_or(0.0, |index| 1.0 / (index as f64 + 1.0))
}

/// Computes the average precision of the first `depth` ranks: the sum of the precision at each relevant document, divided
/// by the number of relevant documents in `judged`. 0 without a relevant document.
pub fn average_precision(ranked: &[i32], judged: &[i32], depth: usize) -> f64 {
    let mut found = 0.0;
    let mut sum = 0.0;
    for (index, _) in ranked.iter().take(depth).enumerate().filter(|(_, gain)| **gain >= 1) {
        found += 1.0;
        sum += found / (index as f64 + 1.0);
    }
    divide(sum, relevant(judged))
}

/// Computes the share of the relevant documents in `judged` that the first `depth` ranks have; 0 if there are none.
pub fn recall(ranked: &[i32], judged: &[i32], depth: usize) -> f64 {
    divide(relevant(&ranked[..depth.min(ranked.len())]), relevant(judged))
}

/// Computes the share of relevant documents among the first `depth` ranks. Ranks that the ranking lacks count as not
/// relevant, as in trec_eval.
pub fn precision(ranked: &[i32], depth: usize) -> f64 {
    divide(relevant(&ranked[..depth.min(ranked.len())]), depth as f64)
}

fn relevant(gains: &[i32]) -> f64 {
    gains.iter().filter(|gain| **gain >= 1).count() as f64
}

fn divide(dividend: f64, divisor: f64) -> f64 {
    if divisor > 0.0 { dividend / divisor } else { 0.0 }
}

/// Sorts documents as trec_eval does: by falling score, equal scores by falling document id. Returns indices of the input.
///
/// trec_eval holds scores as f32, so scores that differ only in f64 are equal.
pub fn trec_order(scores: &[f64], document_ids: &[&str]) -> Vec<usize> {
    let score = |index: usize| scores[index] as f32;
    let mut order: Vec<usize> = (0..scores.len().min(document_ids.len())).collect();
    order.sort_by(|&a, &b| score(b).total_cmp(&score(a)).then_with(|| document_ids[b].cmp(document_ids[a])));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values are computed by hand from the definitions.
    #[test]
    fn measures_agree_with_the_definitions() {
        // DCG of (0, 3, 1): 3 / log2(3) + 1 / log2(4); ideal (3, 2, 1): 3 + 2 / log2(3) + 1 / 2.
        let expected = (3.0 / 3f64.log2() + 0.5) / (3.0 + 2.0 / 3f64.log2() + 0.5);
        assert!((ndcg(&[0, 3, 1], &[1, 2, 3, 0, -1], 10, Gain::Linear) - expected).abs() < 1e-12);
        assert_eq!(ndcg(&[3, 2, 1], &[1, 2, 3], 10, Gain::Linear), 1.0);
        assert_eq!(ndcg(&[0, 0, 3], &[3], 2, Gain::Linear), 0.0);
        assert_eq!(ndcg(&[0], &[0], 10, Gain::Linear), 0.0);
        assert_eq!(ndcg(&[], &[1], 10, Gain::Linear).to_bits(), 0.0_f64.to_bits(), "0.0 and not -0.0");
        // Exponential gains of (1, 3) are 1 and 7.
        let expected = (1.0 + 7.0 / 3f64.log2()) / (7.0 + 1.0 / 3f64.log2());
        assert!((ndcg(&[1, 3], &[3, 1], 10, Gain::Exponential) - expected).abs() < 1e-12);
        assert_eq!(ndcg(&[2000, 0], &[2000, 0], 10, Gain::Exponential), 1.0);
        assert_eq!(reciprocal_rank(&[0, 0, 2], 10), 1.0 / 3.0);
        assert_eq!(reciprocal_rank(&[0, 0, 2], 2), 0.0);
        assert_eq!(average_precision(&[1, 0, 2], &[2, 1, 1], 10), (1.0 + 2.0 / 3.0) / 3.0);
        assert_eq!(recall(&[1, 0, 2], &[2, 1, 1, 0], 2), 1.0 / 3.0);
        assert_eq!(precision(&[1, 0, 2], 10), 0.2);
    }

    #[test]
    fn trec_order_breaks_ties_by_falling_document_id() {
        assert_eq!(trec_order(&[1.0, 2.0, 1.0, 3.0], &["a", "b", "c", "d"]), [3, 1, 2, 0]);
    }

    /// The two scores are different numbers in f64 and the same in f32.
    #[test]
    fn trec_order_compares_scores_as_f32() {
        assert_eq!(trec_order(&[1.000_000_01, 1.0], &["a", "b"]), [1, 0]);
    }
}
