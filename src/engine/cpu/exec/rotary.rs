//! Rotary position embeddings (RoPE, Su et al. 2021, arXiv 2104.09864).

use std::sync::{Arc, Mutex};

use crate::engine::positions::RotaryTable;
use crate::model::Rotary;

/// Minimum number of positions in a table.
const MIN_POSITIONS: usize = 512;

/// Cosines and sines for all layers with the same angles. The table grows to the longest pair seen, because models with
/// thousands of positions mostly read hundreds of tokens.
#[derive(Debug)]
pub(crate) struct RotaryCache {
    pub(crate) rotary: Rotary,
    pub(crate) head_dim: usize,
    /// (number of positions, table)
    table: Mutex<(usize, Arc<RotaryTable>)>,
}

impl RotaryCache {
    /// Bytes of the cosines and sines of `positions` positions.
    pub(crate) fn bytes_for(positions: u64, head_dim: u64) -> u64 {
        size_of::<f32>() as u64 * positions * head_dim
    }

    pub(crate) fn new(rotary: Rotary, head_dim: usize) -> Self {
        let table = (0, Arc::new(RotaryTable::new(&rotary, head_dim, 0)));
        Self { rotary, head_dim, table: Mutex::new(table) }
    }

    /// Returns a table of at least `positions` positions.
    pub(crate) fn at_least(&self, positions: usize) -> Arc<RotaryTable> {
        // Also valid after a panic: the table is replaced in one assignment.
        let mut table = self.table.lock().unwrap_or_else(|poison| poison.into_inner());
        if table.0 < positions {
            let count = positions.next_power_of_two().max(MIN_POSITIONS);
            *table = (count, Arc::new(RotaryTable::new(&self.rotary, self.head_dim, count)));
        }
        Arc::clone(&table.1)
    }
}

/// Rotates each head of `head_dim` values by the cosines and sines of one position, value `i` paired with
/// `i + head_dim / 2`. Plain arithmetic, each operation rounded: bit-identical on every processor.
pub(crate) fn rotate(heads: &mut [f32], head_dim: usize, (cos, sin): (&[f32], &[f32])) {
    for head in heads.chunks_exact_mut(head_dim) {
        let (front, back) = head.split_at_mut(head_dim / 2);
        for (((x, y), cos), sin) in front.iter_mut().zip(back).zip(cos).zip(sin) {
            (*x, *y) = (*x * cos - *y * sin, *y * cos + *x * sin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_multiplies_complex_numbers_made_of_the_halves() {
        let rotary = Rotary { theta: 100.0, divisor: 1.0 };
        let (head_dim, position) = (6, 5);
        let cache = RotaryCache::new(rotary, head_dim);
        let table = cache.at_least(position + 1);
        let before: Vec<f32> = (0..12_i8).map(|index| f32::from(index) * 0.7 - 3.0).collect();
        let mut after = before.clone();
        rotate(&mut after, head_dim, table.at(position));
        for head in [0, 6] {
            for index in 0..3 {
                let angle = position as f64 * 100_f64.powf(-2.0 * index as f64 / 6.0);
                let [x, y] = [head + index, head + index + 3].map(|at| f64::from(before[at]));
                let turned = [x * angle.cos() - y * angle.sin(), y * angle.cos() + x * angle.sin()];
                for (at, want) in [head + index, head + index + 3].into_iter().zip(turned) {
                    assert!((f64::from(after[at]) - want).abs() < 1e-5, "{at}: {} and {want}", after[at]);
                }
            }
        }
    }

    #[test]
    fn a_table_grows_without_changing_its_values() {
        let cache = RotaryCache::new(Rotary { theta: 10_000.0, divisor: 2.0 }, 8);
        let small = cache.at_least(1);
        let large = cache.at_least(5000);
        assert_eq!(small.at(MIN_POSITIONS - 1), large.at(MIN_POSITIONS - 1));
        assert!(Arc::ptr_eq(&large, &cache.at_least(8192)));
    }
}
