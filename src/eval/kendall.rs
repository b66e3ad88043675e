//! The agreement of two orders.

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
    use super::kendall_tau;

    #[test]
    fn kendall_tau_runs_from_minus_one_to_one() {
        assert_eq!(kendall_tau(&[1.0, 2.0, 3.0], &[10.0, 20.0, 30.0]), 1.0);
        assert_eq!(kendall_tau(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        // One of six pairs swapped: (5 - 1) / 6.
        assert!((kendall_tau(&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0]) - 4.0 / 6.0).abs() < 1e-12);
        assert_eq!(kendall_tau(&[1.0, 1.0], &[1.0, 2.0]), 0.0);
    }
}
