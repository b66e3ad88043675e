//! Position encodings of attention as plain numbers, the same for every engine and platform.
//!
//! Angles and logarithms grow with the position, so their rounding to f32 changes scores. Every value here is rounded at
//! the same point as in transformers, and functions come from `libm`, not from the platform.

use crate::model::{Disentangled, Rotary};

/// Cosines and sines of rotary positions (Su et al., 2021, arXiv:2104.09864), for heads whose halves are paired.
#[derive(Debug)]
pub(crate) struct RotaryTable {
    /// `[positions, half]`.
    cos: Vec<f32>,
    /// `[positions, half]`.
    sin: Vec<f32>,
    /// Half of `head_dim`.
    half: usize,
}

impl RotaryTable {
    /// Computes the table for the positions `0..positions`. `head_dim` must be even.
    pub(crate) fn new(rotary: &Rotary, head_dim: usize, positions: usize) -> Self {
        let half = head_dim / 2;
        let frequencies: Vec<f32> = (0..half).map(|index| frequency(rotary, index, head_dim)).collect();
        let mut table = Self {
            cos: Vec::with_capacity(positions * half),
            sin: Vec::with_capacity(positions * half),
            half,
        };
        for position in 0..positions {
            for frequency in &frequencies {
                // transformers rounds the angle to f32; at position 8,000 that changes it by up to 2e-4.
                let angle = f64::from(position as f32 * frequency);
                table.cos.push(libm::cos(angle) as f32);
                table.sin.push(libm::sin(angle) as f32);
            }
        }
        table
    }

    /// Returns the cosines and sines of a position within the table, `[half]` each. Rotation turns the elements `x[i]`
    /// and `x[i + half]` of a head into `x[i] cos[i] - x[i + half] sin[i]` and `x[i + half] cos[i] + x[i] sin[i]`.
    pub(crate) fn at(&self, position: usize) -> (&[f32], &[f32]) {
        let range = position * self.half..(position + 1) * self.half;
        (&self.cos[range.clone()], &self.sin[range])
    }
}

/// Returns `theta^(-2 index / head_dim) / divisor`. As in transformers, exponent, power and reciprocal are rounded to
/// f32.
fn frequency(rotary: &Rotary, index: usize, head_dim: usize) -> f32 {
    let exponent = (2 * index) as f32 / head_dim as f32;
    let power = libm::pow(rotary.theta, f64::from(exponent)) as f32;
    1.0 / power / rotary.divisor as f32
}

/// Returns ALiBi's slope of each head (Press et al., 2022, arXiv:2108.12409): `2^(-8 (h + 1) / n)` for `n` heads if `n`
/// is a power of two. Otherwise the slopes of the power of two below `n`, then every second one of the power above.
pub(crate) fn alibi_slopes(heads: usize) -> Vec<f32> {
    let slopes =
        |count: usize| (1..=count).map(move |head| libm::exp2(-8.0 * head as f64 / count as f64) as f32);
    let below = if heads.is_power_of_two() { heads } else { heads.next_power_of_two() / 2 };
    slopes(below).chain(slopes(2 * below).step_by(2)).take(heads).collect()
}

/// Buckets of distances that have a bias of their own, half of them in each direction (transformers' `num_buckets`).
const BIAS_BUCKETS: usize = 32;
/// Greater distances have the biases of this one (transformers' `max_distance`).
pub(crate) const MAX_BIAS_DISTANCE: usize = 128;
/// Biases of a head: one for each distance from `-MAX_BIAS_DISTANCE` to `MAX_BIAS_DISTANCE`.
pub(crate) const BIAS_COLUMNS: usize = 2 * MAX_BIAS_DISTANCE + 1;

/// Returns the bias of each head and distance, `[heads, BIAS_COLUMNS]`. `table` has a bias for each bucket and head,
/// `[buckets, heads]`, with at least [`BIAS_BUCKETS`] rows.
pub(crate) fn distance_biases(table: &[f32], heads: usize) -> Vec<f32> {
    let max = MAX_BIAS_DISTANCE.cast_signed();
    let biases = |head| (-max..=max).map(move |distance| table[bias_bucket(distance) * heads + head]);
    (0..heads).flat_map(biases).collect()
}

/// Returns the column of the bias for the distance from a key row to a query row.
#[inline(always)]
pub(crate) fn bias_column(query: usize, key: usize) -> usize {
    (query + MAX_BIAS_DISTANCE).saturating_sub(key).min(2 * MAX_BIAS_DISTANCE)
}

/// Returns the bucket of a distance `i - j`, as T5 and MPNet count them: in each direction, short distances have a
/// bucket of their own, and longer ones share buckets by their logarithm. Rounds to f32 where transformers does.
fn bias_bucket(distance: isize) -> usize {
    const PER_SIDE: usize = BIAS_BUCKETS / 2;
    const EXACT: usize = PER_SIDE / 2;
    let side = if distance < 0 { PER_SIDE } else { 0 };
    let distance = distance.unsigned_abs();
    if distance < EXACT {
        return side + distance;
    }
    let logarithm = |x: f64| libm::log(x) as f32;
    let fraction = logarithm(distance as f64 / EXACT as f64)
        / logarithm(MAX_BIAS_DISTANCE as f64 / EXACT as f64)
        * (PER_SIDE - EXACT) as f32;
    side + (EXACT + fraction as usize).min(PER_SIDE - 1)
}

impl Disentangled {
    /// Returns the row of the table for the distance `i - j` from a key row `j` to a query row `i`.
    pub(crate) fn row(&self, distance: isize) -> usize {
        let span = self.table.rows / 2;
        let bucket = self.buckets.map_or(distance, |buckets| bucket(distance, buckets, self.max_distance));
        bucket.saturating_add_unsigned(span).clamp(0, 2 * span as isize - 1) as usize
    }
}

/// Maps a distance to its bucket: short distances to themselves, longer ones by their logarithm. Rounds to f32 where
/// transformers does.
fn bucket(distance: isize, buckets: usize, max_distance: usize) -> isize {
    let middle = buckets / 2;
    if distance.unsigned_abs() <= middle {
        return distance;
    }
    let logarithm = |x: f32| libm::log(f64::from(x)) as f32;
    let fraction = logarithm(distance.unsigned_abs() as f32 / middle as f32)
        / logarithm(((max_distance - 1) as f64 / middle as f64) as f32);
    let steps = (fraction * (middle - 1) as f32).ceil() as isize;
    (middle as isize).saturating_add(steps) * distance.signum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Table;

    /// Expected: the bits of torch 2.15 for `1.0 / (theta ** (torch.arange(0, 64, 2, dtype=torch.float) / 64))`, times
    /// 8191.0, and the cosines and sines of that.
    #[test]
    fn rotary_tables_have_the_bits_of_transformers() {
        let rotary = Rotary { theta: 160_000.0, divisor: 1.0 };
        let frequencies = [1, 5, 16, 31].map(|index| frequency(&rotary, index, 64));
        assert_eq!(frequencies, [0.687_656_04, 0.153_764_56, 0.002_5, 9.088_847e-6]);
        let table = RotaryTable::new(&rotary, 64, 8192);
        let (cos, sin) = table.at(8191);
        assert_eq!(
            [0, 1, 5, 31].map(|index| cos[index]),
            [-0.646_390_5, -0.959_715_7, -0.957_329_6, 0.997_230_1]
        );
        assert_eq!(
            [0, 1, 5, 31].map(|index| sin[index]),
            [-0.763_006_8, 0.280_972_78, 0.288_998_43, 0.074_378]
        );
    }

    #[test]
    fn slopes_of_head_counts_between_powers_of_two_come_from_both() {
        assert_eq!(alibi_slopes(4), [0.25, 0.0625, 0.015_625, 0.003_906_25]);
        assert_eq!(alibi_slopes(6), [0.25, 0.0625, 0.015_625, 0.003_906_25, 0.5, 0.125]);
        assert_eq!(alibi_slopes(1), [0.003_906_25]);
        assert_eq!(alibi_slopes(12).len(), 12);
    }

    /// Expected: the distances where `MPNetEncoder.relative_position_bucket` of transformers 5.24 (torch 2.15) begins a
    /// new bucket, and the buckets of some distances.
    #[test]
    fn distances_share_biases_as_in_transformers() {
        let begins: Vec<isize> =
            (1..2000).filter(|&distance| bias_bucket(distance) != bias_bucket(distance - 1)).collect();
        assert_eq!(begins, [1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91]);
        assert_eq!([-2000, -91, -90, -1, 0, 1, 8, 2000].map(bias_bucket), [31, 31, 30, 17, 0, 1, 8, 15]);
    }

    #[test]
    fn a_bias_is_found_by_the_distance_from_key_to_query() {
        let table: Vec<f32> = (0..64_u8).map(f32::from).collect();
        let biases = distance_biases(&table, 2);
        for (query, key) in [(0, 0), (5, 2), (2, 5), (0, 4000), (4000, 0), (300, 172)] {
            let bucket = bias_bucket(query as isize - key as isize);
            for head in [0, 1] {
                let bias = biases[head * BIAS_COLUMNS + bias_column(query, key)];
                assert_eq!(bias, table[2 * bucket + head], "{query} and {key}");
            }
        }
    }

    fn positions(rows: usize, buckets: Option<usize>, max_distance: usize) -> Disentangled {
        let table = Table { weight: String::new(), rows, width: 4 };
        Disentangled { table, norm: None, key: None, query: None, buckets, max_distance }
    }

    /// Expected: the distances where `make_log_bucket_position` of transformers 5.23 (torch 2.15), clamped to the table,
    /// begins a new row.
    #[test]
    fn distances_share_table_rows_as_in_transformers() {
        let begins = |positions: &Disentangled| -> Vec<isize> {
            (1..700).filter(|&distance| positions.row(distance) != positions.row(distance - 1)).collect()
        };
        let small = positions(64, Some(32), 128);
        let expected = [17, 19, 22, 25, 28, 32, 37, 43, 49, 56, 64, 74, 84, 97, 111];
        assert_eq!(begins(&small), (1..=16).chain(expected).collect::<Vec<_>>());
        assert_eq!(begins(&positions(20, Some(10), 20)), [1, 2, 3, 4, 5, 6, 7, 10, 14]);
        let real = begins(&positions(512, Some(256), 512));
        assert_eq!(real[128..].len(), 127);
        assert_eq!(real[128..].iter().sum::<isize>(), 35007);
        assert_eq!(real[252..], [495, 500, 506]);
    }

    #[test]
    fn every_distance_maps_to_a_row_of_the_table() {
        for positions in [positions(64, Some(32), 128), positions(64, None, 32)] {
            assert_eq!(positions.row(0), 32);
            assert_eq!(positions.row(-5), 27);
            assert_eq!([isize::MIN + 1, isize::MAX].map(|far| positions.row(far)), [0, 63]);
        }
    }
}
