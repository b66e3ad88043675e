//! Rows of a pair to one.

use std::ops::Range;

use super::run::Run;
use crate::model::Pooling;

impl Run<'_> {
    pub(super) fn pool(&mut self, pooling: Pooling) {
        match pooling {
            Pooling::First => self.keep_first_rows(),
            Pooling::Mean => {
                let (x, ranges) = (&mut self.arena.x, self.batch.ranges());
                mean_rows(x, self.width, ranges, &mut self.arena.sums);
                self.one_row_a_pair();
            }
        }
    }

    /// Of the residual stream.
    pub(super) fn keep_first_rows(&mut self) {
        first_rows(&mut self.arena.x, self.width, self.batch.ranges());
        self.one_row_a_pair();
    }

    fn one_row_a_pair(&mut self) {
        self.rows = self.batch.pairs();
        self.arena.firsts.clear();
        self.arena.firsts.extend(0..self.rows);
    }
}

/// Moves the first row of each pair to the front.
pub(super) fn first_rows(x: &mut [f32], width: usize, pairs: impl Iterator<Item = Range<usize>>) {
    for (pair, rows) in pairs.enumerate() {
        x.copy_within(rows.start * width..(rows.start + 1) * width, pair * width);
    }
}

/// Puts the means of the rows of each pair to the front. Added in f64, row by row: the same bits everywhere, and as good
/// for thousands of rows as for a few.
fn mean_rows(x: &mut [f32], width: usize, pairs: impl Iterator<Item = Range<usize>>, sums: &mut Vec<f64>) {
    for (pair, rows) in pairs.enumerate() {
        sums.clear();
        sums.resize(width, 0.0);
        for row in x[rows.start * width..rows.end * width].chunks_exact(width) {
            sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        let to = &mut x[pair * width..(pair + 1) * width];
        to.iter_mut().zip(&*sums).for_each(|(mean, sum)| *mean = (sum / rows.len() as f64) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_of_a_pairs_own_rows() {
        let mut x = vec![1.0, -2.0, 3.0, 4.0, 8.0, 1e30, 5.0, 6.0, 7.0, 8.0, 0.0, -1e30];
        mean_rows(&mut x, 2, [0..2, 2..3, 3..6].into_iter(), &mut Vec::new());
        assert_eq!(x[..6], [2.0, 1.0, 8.0, 1e30, 4.0, (14.0 - 1e30_f64 / 1.0) as f32 / 3.0]);
    }

    #[test]
    fn thousands_of_rows_lose_nothing() {
        let mut x = vec![16.1_f32; 10_000];
        mean_rows(&mut x, 1, std::iter::once(0..10_000), &mut Vec::new());
        assert_eq!(x[0], 16.1);
    }

    #[test]
    fn first_rows_move_to_the_front() {
        let mut x: Vec<f32> = (0..8_u8).map(f32::from).collect();
        first_rows(&mut x, 2, [0..1, 1..3, 3..4].into_iter());
        assert_eq!(x[..6], [0.0, 1.0, 2.0, 3.0, 6.0, 7.0]);
    }
}
