//! Ranking measures as trec_eval computes them.

/// Returns the normalized discounted cumulative gain (nDCG) of the first `depth` ranks with linear gain:
/// `sum(gain_i / log2(i + 1))` over the ranks `i`, divided by the same sum for the ideal order.
///
/// `ranked` holds the gains in ranked order, `judged` the gains of all judged documents of the query in any order.
/// Negative gains count as zero. A query without a relevant document gives 0, as in trec_eval.
pub fn ndcg(ranked: &[i32], judged: &[i32], depth: usize) -> f64 {
    let mut ideal = judged.to_vec();
    ideal.sort_unstable_by(|a, b| b.cmp(a));
    let ideal = dcg(&ideal, depth);
    if ideal > 0.0 { dcg(ranked, depth) / ideal } else { 0.0 }
}

fn dcg(gains: &[i32], depth: usize) -> f64 {
    gains
        .iter()
        .take(depth)
        .enumerate()
        .map(|(index, &gain)| f64::from(gain.max(0)) / (index as f64 + 2.0).log2())
        .sum()
}

/// Returns 1 / rank of the first relevant document (gain of at least 1), or 0 if none is in the first `depth` ranks.
pub fn reciprocal_rank(ranked: &[i32], depth: usize) -> f64 {
    let first = ranked.iter().take(depth).position(|&gain| gain >= 1);
    first.map_or(0.0, |index| 1.0 / (index as f64 + 1.0))
}

/// Returns the indices of documents in the order of trec_eval: by descending score, ties by descending document id.
pub fn trec_order(scores: &[f64], document_ids: &[&str]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len().min(document_ids.len())).collect();
    order
        .sort_by(|&a, &b| scores[b].total_cmp(&scores[a]).then_with(|| document_ids[b].cmp(document_ids[a])));
    order
}

/// Returns Kendall's tau-b of two lists of scores for the same items: 1 for the same order, -1 for the opposite one.
///
/// Pairs tied in one list lower it, pairs tied in both do not count. It is 0 if one list ties all items. Source: M. G.
/// Kendall, "The treatment of ties in ranking problems", Biometrika 33 (1945).
pub fn kendall_tau(first: &[f32], second: &[f32]) -> f64 {
    let (mut agreement, mut untied_first, mut untied_second) = (0i64, 0i64, 0i64);
    for i in 0..first.len().min(second.len()) {
        for j in 0..i {
            let a = first[i].total_cmp(&first[j]) as i64;
            let b = second[i].total_cmp(&second[j]) as i64;
            agreement += a * b;
            untied_first += a.abs();
            untied_second += b.abs();
        }
    }
    match untied_first * untied_second {
        0 => 0.0,
        _ => agreement as f64 / ((untied_first as f64) * (untied_second as f64)).sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expected values are computed by hand from the definitions.
    #[test]
    fn measures_agree_with_the_definitions() {
        // DCG of (0, 3, 1): 3 / log2(3) + 1 / log2(4); ideal (3, 2, 1): 3 + 2 / log2(3) + 1 / 2.
        let expected = (3.0 / 3f64.log2() + 0.5) / (3.0 + 2.0 / 3f64.log2() + 0.5);
        assert!((ndcg(&[0, 3, 1], &[1, 2, 3, 0, -1], 10) - expected).abs() < 1e-12);
        assert_eq!(ndcg(&[3, 2, 1], &[1, 2, 3], 10), 1.0);
        assert_eq!(ndcg(&[0, 0, 3], &[3], 2), 0.0);
        assert_eq!(ndcg(&[0], &[0], 10), 0.0);
        assert_eq!(reciprocal_rank(&[0, 0, 2], 10), 1.0 / 3.0);
        assert_eq!(reciprocal_rank(&[0, 0, 2], 2), 0.0);
    }

    #[test]
    fn trec_order_breaks_ties_by_descending_document_id() {
        assert_eq!(trec_order(&[1.0, 2.0, 1.0, 3.0], &["a", "b", "c", "d"]), [3, 1, 2, 0]);
    }

    #[test]
    fn kendall_tau_runs_from_minus_one_to_one() {
        assert_eq!(kendall_tau(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]), 1.0);
        assert_eq!(kendall_tau(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        // One of six pairs swapped: (5 - 1) / 6.
        assert!((kendall_tau(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0]) - 4.0 / 6.0).abs() < 1e-12);
        assert_eq!(kendall_tau(&[1.0, 1.0], &[1.0, 2.0]), 0.0);
    }
}
