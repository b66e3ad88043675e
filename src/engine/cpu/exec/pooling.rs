//! Pooling: the rows of each pair to one row.

use std::ops::Range;

use super::ForwardPass;
use crate::model::Pooling;

impl ForwardPass<'_> {
    pub(crate) fn pool(&mut self, pooling: Pooling) {
        let (x, width, pairs) = (&mut self.arena.x, self.width, self.batch.ranges());
        let sums = &mut self.arena.pooling_sums;
        match pooling {
            Pooling::First => move_rows_to_front(x, width, pairs),
            Pooling::Last => move_rows_to_front(x, width, pairs.map(|rows| rows.end - 1..rows.end)),
            Pooling::Max => max_of_rows(x, width, pairs),
            Pooling::Mean => sum_rows(x, width, pairs, sums, |_| 1.0, |count| count),
            Pooling::MeanSqrtLen => sum_rows(x, width, pairs, sums, |_| 1.0, f64::sqrt),
            Pooling::WeightedMean => {
                let weights = |count| count * (count + 1.0) / 2.0;
                sum_rows(x, width, pairs, sums, |position| (position + 1) as f64, weights);
            }
        }
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

/// Moves the maximum of each column of each pair to the front. The maximum with NaN is NaN.
fn max_of_rows(x: &mut [f32], width: usize, pairs: impl Iterator<Item = Range<usize>>) {
    let nan_max = |max: f32, value: f32| if value > max || value.is_nan() { value } else { max };
    for (pair, rows) in pairs.enumerate() {
        for column in 0..width {
            let values = rows.clone().map(|row| x[row * width + column]);
            x[pair * width + column] = values.fold(f32::NEG_INFINITY, nan_max);
        }
    }
}

/// Moves `sum(weight(position) * row) / divisor(rows)` over the rows of each pair to the front. Sums are f64, row by
/// row: bit-identical everywhere, and as accurate for thousands of rows as for a few.
fn sum_rows(
    x: &mut [f32],
    width: usize,
    pairs: impl Iterator<Item = Range<usize>>,
    sums: &mut Vec<f64>,
    weight: impl Fn(usize) -> f64,
    divisor: impl Fn(f64) -> f64,
) {
    for (pair, rows) in pairs.enumerate() {
        sums.clear();
        sums.resize(width, 0.0);
        for (position, row) in x[rows.start * width..rows.end * width].chunks_exact(width).enumerate() {
            let weight = weight(position);
            sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += weight * f64::from(value));
        }
        let divisor = divisor(rows.len() as f64);
        let to = &mut x[pair * width..(pair + 1) * width];
        to.iter_mut().zip(&*sums).for_each(|(pooled, sum)| *pooled = (sum / divisor) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_over_the_rows_of_its_pair() {
        let mut x = vec![1.0, -2.0, 3.0, 4.0, 8.0, 1e30, 5.0, 6.0, 7.0, 8.0, 0.0, -1e30];
        sum_rows(&mut x, 2, [0..2, 2..3, 3..6].into_iter(), &mut Vec::new(), |_| 1.0, |count| count);
        assert_eq!(x[..6], [2.0, 1.0, 8.0, 1e30, 4.0, (14.0 - 1e30_f64 / 1.0) as f32 / 3.0]);
    }

    #[test]
    fn a_mean_of_thousands_of_rows_is_exact() {
        let mut x = vec![16.1_f32; 10_000];
        sum_rows(&mut x, 1, std::iter::once(0..10_000), &mut Vec::new(), |_| 1.0, |count| count);
        assert_eq!(x[0], 16.1);
    }

    #[test]
    fn a_maximum_is_over_the_rows_of_its_pair_and_keeps_nan() {
        let mut x = vec![-1.0, 2.0, -3.0, 4.0, 8.0, f32::NAN, 5.0, 6.0];
        max_of_rows(&mut x, 2, [0..2, 2..4].into_iter());
        assert_eq!(x[..3], [-1.0, 4.0, 8.0]);
        assert!(x[3].is_nan());
    }

    #[test]
    fn first_rows_move_to_the_front() {
        let mut x: Vec<f32> = (0..8_u8).map(f32::from).collect();
        move_rows_to_front(&mut x, 2, [0..1, 1..3, 3..4].into_iter());
        assert_eq!(x[..6], [0.0, 1.0, 2.0, 3.0, 6.0, 7.0]);
    }
}
