//! The confidence of a mean over queries, and the significance of a difference of two means.

use crate::random::Random;

/// Resamples of the bootstrap, and random assignments of the permutation test.
const RESAMPLES: usize = 10_000;

/// The number of differences up to which the permutation test enumerates all assignments.
const MAX_ENUMERATED: usize = 16;

/// Computes a 95% confidence interval for the mean of `values`: the percentile bootstrap with 10,000 resamples from a
/// fixed seed (Efron 1979). Returns `(NaN, NaN)` without values.
pub fn bootstrap_interval(values: &[f64]) -> (f64, f64) {
    if values.is_empty() {
        return (f64::NAN, f64::NAN);
    }
    let mut random = Random(1);
    let resample =
        |_| values.iter().map(|_| values[random.below(values.len())]).sum::<f64>() / values.len() as f64;
    let mut means: Vec<f64> = (0..RESAMPLES).map(resample).collect();
    means.sort_unstable_by(f64::total_cmp);
    let percentile = |share: f64| means[((share * RESAMPLES as f64) as usize).min(RESAMPLES - 1)];
    (percentile(0.025), percentile(0.975))
}

/// Computes the two-sided p-value of the paired permutation test for equal means: the share of random swaps within the
/// pairs that give a mean difference at least as large as the observed one (Fisher 1935; Smucker, Allan and Carterette
/// 2007 recommend it for rankings).
///
/// Pairs without a difference change nothing and are left out. With at most 16 others, the result is exact; otherwise it
/// is estimated with 10,000 swaps from a fixed seed. `first` and `second` must have the same length.
pub fn permutation_test(first: &[f64], second: &[f64]) -> f64 {
    let differences: Vec<f64> =
        first.iter().zip(second).map(|(a, b)| a - b).filter(|difference| *difference != 0.0).collect();
    let observed = differences.iter().sum::<f64>().abs();
    // Sums that are equal in exact arithmetic may differ in the last bits.
    let threshold = observed * (1.0 - 1e-12);
    let sum_with = |mut negated: u64| {
        let signed = differences.iter().map(|difference| {
            let sign = if negated & 1 == 1 { -1.0 } else { 1.0 };
            negated >>= 1;
            sign * difference
        });
        signed.sum::<f64>().abs()
    };
    if differences.len() <= MAX_ENUMERATED {
        let all = 1u64 << differences.len();
        return (0..all).filter(|negated| sum_with(*negated) >= threshold).count() as f64 / all as f64;
    }
    let mut random = Random(2);
    let mut sum_of_random_signs = || {
        let signed =
            differences.iter().map(|difference| if random.below(2) == 1 { -difference } else { *difference });
        signed.sum::<f64>().abs()
    };
    let extreme = (0..RESAMPLES).filter(|_| sum_of_random_signs() >= threshold).count();
    // The observed assignment is one of the possible ones.
    (extreme + 1) as f64 / (RESAMPLES + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with scipy 1.17: permutation_test((a, b), statistic=mean of a - b, permutation_type="samples").
    #[test]
    fn small_permutation_tests_are_exact() {
        let a = [0.9, 0.4, 0.7, 0.8, 0.6, 0.5];
        let b = [0.5, 0.5, 0.2, 0.3, 0.6, 0.1];
        assert_eq!(permutation_test(&a, &b), 0.125);
        assert_eq!(permutation_test(&a, &a), 1.0);
    }

    /// With 40 differences of the same sign, almost no random assignment is as extreme.
    #[test]
    fn large_permutation_tests_are_sampled() {
        let (better, worse) = ([0.6; 40], [0.5; 40]);
        assert_eq!(permutation_test(&better, &worse), 1.0 / 10_001.0);
        let mixed: Vec<f64> = (0..40).map(|index| if index % 2 == 0 { 0.6 } else { 0.4 }).collect();
        assert!(permutation_test(&mixed, &worse) > 0.9);
    }

    /// The standard error of the mean of 0 and 1 in equal shares is 0.05 for 100 values, so the interval is about
    /// 0.5 - 1.96 * 0.05 to 0.5 + 1.96 * 0.05.
    #[test]
    fn the_bootstrap_interval_is_that_of_the_normal_approximation() {
        let values: Vec<f64> = (0..100).map(|index| f64::from(index % 2)).collect();
        let (low, high) = bootstrap_interval(&values);
        assert!((low - 0.402).abs() < 0.015 && (high - 0.598).abs() < 0.015, "{low} {high}");
        assert!(bootstrap_interval(&[]).0.is_nan());
    }
}
