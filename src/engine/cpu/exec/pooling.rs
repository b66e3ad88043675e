//! Pooling: the rows of each pair to one row.

use std::mem::swap;
use std::ops::Range;

use super::ForwardPass;
use super::arena::{self, Arena};
use crate::model::{Pool, Pooling};

impl ForwardPass<'_> {
    pub(crate) fn pool(&mut self, pool: &Pool) {
        let width = self.width;
        let pooled_width = pool.poolings.len() * width;
        let Arena { x, wide, pooling_sums, .. } = &mut self.arena;
        let pooled = arena::rows(wide, self.batch.pairs(), pooled_width);
        for (to, rows) in pooled.chunks_exact_mut(pooled_width).zip(self.batch.ranges()) {
            let rows = &x[rows.start * width..rows.end * width];
            for (pooling, to) in pool.poolings.iter().zip(to.chunks_exact_mut(width)) {
                pool_rows(*pooling, rows, pool.skipped, to, pooling_sums);
            }
        }
        swap(x, wide);
        self.width = pooled_width;
        self.set_one_row_per_pair();
    }

    /// Keeps the first row of each pair in the residual stream.
    pub(crate) fn keep_cls_rows(&mut self) {
        move_rows_to_front(&mut self.arena.x, self.width, self.batch.ranges());
        self.set_one_row_per_pair();
    }

    fn set_one_row_per_pair(&mut self) {
        self.rows = self.batch.pairs();
        self.arena.cls_rows.clear();
        self.arena.cls_rows.extend(0..self.rows);
    }
}

/// Moves the first row of each pair to the front.
pub(crate) fn move_rows_to_front(x: &mut [f32], width: usize, pairs: impl Iterator<Item = Range<usize>>) {
    for (pair, rows) in pairs.enumerate() {
        x.copy_within(rows.start * width..(rows.start + 1) * width, pair * width);
    }
}

/// Reduces the rows of one pair, without the first `skipped`, to the row `to`. There must be more rows than that.
fn pool_rows(pooling: Pooling, rows: &[f32], skipped: usize, to: &mut [f32], sums: &mut Vec<f64>) {
    let width = to.len();
    let (from, count) = (&rows[skipped * width..], rows.len() / width);
    match pooling {
        Pooling::First => to.copy_from_slice(&from[..width]),
        Pooling::Last => to.copy_from_slice(&from[from.len() - width..]),
        Pooling::Max => {
            to.fill(f32::NEG_INFINITY);
            for row in from.chunks_exact(width) {
                to.iter_mut().zip(row).for_each(|(max, &value)| *max = nan_max(*max, value));
            }
        }
        Pooling::Mean => weighted_mean(from, to, sums, |_| 1.0, (count - skipped) as f64),
        Pooling::MeanSqrtLen => weighted_mean(from, to, sums, |_| 1.0, ((count - skipped) as f64).sqrt()),
        Pooling::WeightedMean => {
            let weights = |count: usize| count as f64 * (count as f64 + 1.0) / 2.0;
            let weight = |row| (skipped + row + 1) as f64;
            weighted_mean(from, to, sums, weight, weights(count) - weights(skipped));
        }
    }
}

/// Returns the larger number. The maximum with NaN is NaN.
fn nan_max(max: f32, value: f32) -> f32 {
    if value > max || value.is_nan() { value } else { max }
}

/// Writes `sum(weight(index) * row) / divisor` over all rows to `to`. Sums are f64, row by row: bit-identical
/// everywhere, and as accurate for thousands of rows as for a few.
fn weighted_mean(
    rows: &[f32],
    to: &mut [f32],
    sums: &mut Vec<f64>,
    weight: impl Fn(usize) -> f64,
    divisor: f64,
) {
    sums.clear();
    sums.resize(to.len(), 0.0);
    for (index, row) in rows.chunks_exact(to.len()).enumerate() {
        let weight = weight(index);
        sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += weight * f64::from(value));
    }
    to.iter_mut().zip(&*sums).for_each(|(pooled, sum)| *pooled = (sum / divisor) as f32);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(pooling: Pooling, rows: &[f32], width: usize, skipped: usize) -> Vec<f32> {
        let mut to = vec![f32::NAN; width];
        pool_rows(pooling, rows, skipped, &mut to, &mut Vec::new());
        to
    }

    #[test]
    fn each_pooling_reduces_columns() {
        let rows = [1.0, -2.0, 3.0, 4.0, 8.0, 1.0];
        assert_eq!(pooled(Pooling::First, &rows, 2, 0), [1.0, -2.0]);
        assert_eq!(pooled(Pooling::Last, &rows, 2, 0), [8.0, 1.0]);
        assert_eq!(pooled(Pooling::Max, &rows, 2, 0), [8.0, 4.0]);
        assert_eq!(pooled(Pooling::Mean, &rows, 2, 0), [4.0, 1.0]);
        assert_eq!(pooled(Pooling::WeightedMean, &rows, 2, 0), [31.0 / 6.0, 1.5]);
        assert_eq!(pooled(Pooling::MeanSqrtLen, &rows, 2, 0)[0], (12.0 / 3_f64.sqrt()) as f32);
    }

    /// Positions count from the start of the pair, as in sentence-transformers 6.2.
    #[test]
    fn skipped_rows_are_left_out_and_keep_their_positions() {
        let rows = [100.0, 3.0, 8.0];
        for pooling in [Pooling::First, Pooling::Mean, Pooling::WeightedMean, Pooling::Max, Pooling::Last] {
            let expected = match pooling {
                Pooling::First => 3.0,
                Pooling::Mean => 5.5,
                Pooling::WeightedMean => (2.0 * 3.0 + 3.0 * 8.0) / 5.0,
                _ => 8.0,
            };
            assert_eq!(pooled(pooling, &rows, 1, 1), [expected], "{pooling:?}");
        }
    }

    #[test]
    fn a_mean_of_thousands_of_rows_is_exact() {
        assert_eq!(pooled(Pooling::Mean, &vec![16.1_f32; 10_000], 1, 0), [16.1]);
        let rows = [5.0, 6.0, 7.0, 8.0, 0.0, -1e30];
        assert_eq!(pooled(Pooling::Mean, &rows, 2, 0), [4.0, (14.0 - 1e30_f64) as f32 / 3.0]);
    }

    #[test]
    fn a_maximum_keeps_nan() {
        let pooled = pooled(Pooling::Max, &[8.0, f32::NAN, 5.0, 6.0], 2, 0);
        assert_eq!(pooled[0], 8.0);
        assert!(pooled[1].is_nan());
    }

    #[test]
    fn first_rows_move_to_the_front() {
        let mut x: Vec<f32> = (0..8_u8).map(f32::from).collect();
        move_rows_to_front(&mut x, 2, [0..1, 1..3, 3..4].into_iter());
        assert_eq!(x[..6], [0.0, 1.0, 2.0, 3.0, 6.0, 7.0]);
    }
}
