//! Tests of attention against f64: every kind of position, with and without a window, on every instruction set.

use super::super::tests::{Random, assert_close, bits, each, oracle};
use super::super::{AttentionCall, AttentionScratch, Kernels, Positions, Qkv, RowsView};
use super::RelativePositions;
use crate::engine::cpu::arch::MAX_TILE_ROWS;
use crate::engine::positions::BIAS_COLUMNS;
use crate::model::{self, Disentangled};

/// Tokens, heads and `head_dim`: below, at and above the sizes of tiles and panels, and primes.
const SHAPES: [[usize; 3]; 8] =
    [[1, 1, 1], [2, 3, 5], [17, 2, 32], [40, 1, 16], [33, 2, 24], [7, 4, 9], [64, 1, 8], [97, 2, 10]];

/// Rows before the pair that are not part of it.
const BEFORE: usize = 3;

/// The input of one test case.
struct Case {
    shape: [usize; 3],
    /// Query, key and value side by side, of the pair and the rows around it.
    projections: Vec<f32>,
    queries: usize,
    window: Option<usize>,
}

impl Case {
    fn new(shape: [usize; 3], queries: usize, window: Option<usize>) -> Self {
        let [tokens, heads, head_dim] = shape;
        let mut random = Random(5);
        let count = (tokens + BEFORE + MAX_TILE_ROWS) * 3 * heads * head_dim;
        let projections = (0..count).map(|_| random.value().clamp(-3.0, 3.0)).collect();
        Self { shape, projections, queries, window }
    }

    fn pair(&self) -> Qkv<'_> {
        let [tokens, heads, head_dim] = self.shape;
        let part = |part: usize, count: usize| RowsView {
            values: &self.projections[part * heads * head_dim..],
            stride: 3 * heads * head_dim,
            first: BEFORE,
            count,
        };
        let (query, key, value) = (part(0, self.queries), part(1, tokens), part(2, tokens));
        Qkv { query, key, value, heads, key_value_heads: heads, head_dim, window: self.window }
    }

    fn run(
        &self,
        attend: impl Fn(AttentionCall),
        positions: Positions,
        scratch: &mut AttentionScratch,
    ) -> Vec<f32> {
        let mut context = vec![0.0; self.queries * self.shape[1] * self.shape[2]];
        attend(AttentionCall { qkv: self.pair(), positions, context: &mut context, scratch });
        context
    }

    /// Computes the result in f64. `bias(head, row, key)` is what positions add to a logit, `terms` the number of
    /// products in a logit, and `scaled` whether the bias is divided by the root as the product is.
    fn exact(&self, scaled: bool, terms: usize, bias: impl Fn(usize, usize, usize) -> f64) -> Vec<f64> {
        let [tokens, heads, head_dim] = self.shape;
        let root = ((head_dim * terms) as f64).sqrt();
        let mut context = Vec::new();
        for row in 0..self.queries {
            for head in 0..heads {
                let visible = |key: &usize| self.window.is_none_or(|window| key.abs_diff(row) <= window);
                let logit = |key: usize| {
                    let product = dot(&self.vector(0, row, head), &self.vector(1, key, head));
                    let bias = bias(head, row, key);
                    (key, if scaled { (product + bias) / root } else { product / root + bias })
                };
                let logits: Vec<(usize, f64)> = (0..tokens).filter(visible).map(logit).collect();
                let max = logits.iter().map(|(_, logit)| *logit).fold(f64::MIN, f64::max);
                let exponentials: Vec<(usize, f64)> =
                    logits.iter().map(|(key, logit)| (*key, (logit - max).exp())).collect();
                let sum: f64 = exponentials.iter().map(|(_, power)| power).sum();
                let mean = |column: usize| {
                    exponentials
                        .iter()
                        .map(|(key, power)| power / sum * self.vector(2, *key, head)[column])
                        .sum::<f64>()
                };
                context.extend((0..head_dim).map(mean));
            }
        }
        context
    }

    /// Returns a head of a query, key or value row.
    fn vector(&self, part: usize, row: usize, head: usize) -> Vec<f64> {
        let [_, heads, head_dim] = self.shape;
        let first = ((BEFORE + row) * 3 + part) * heads * head_dim + head * head_dim;
        self.projections[first..][..head_dim].iter().map(|&value| f64::from(value)).collect()
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Cases of all query rows and of one, without a window and with narrow and wide ones.
fn cases() -> impl Iterator<Item = Case> {
    let windows = [None, Some(0), Some(1), Some(4), Some(9), Some(40), Some(usize::MAX)];
    SHAPES.into_iter().flat_map(move |shape| {
        windows
            .into_iter()
            .flat_map(move |window| [shape[0], 1].map(|queries| Case::new(shape, queries, window)))
    })
}

/// Runs a case with `kernels` and with the oracle: q8 gives the same bits, and q8 and f32 are close to `want`.
fn check(
    kernels: &dyn Kernels,
    case: &Case,
    positions: [Positions; 3],
    want: &[f64],
    scratch: &mut AttentionScratch,
) {
    let [of_kernels, of_oracle, in_f32] = positions;
    let what = format!("{} {:?} {:?} {}", kernels.name(), case.shape, case.window, case.queries);
    let got = case.run(|call| kernels.attend_i16(call), of_kernels, scratch);
    let same = case.run(|call| oracle().attend_i16(call), of_oracle, &mut AttentionScratch::default());
    assert_eq!(bits(&got), bits(&same), "{what}");
    assert_close(&got, want, 3e-3, &what);
    assert_close(&case.run(|call| kernels.attend_f32(call), in_f32, scratch), want, 1e-5, &what);
}

#[test]
fn attention_is_bit_identical_everywhere_and_right() {
    each(|kernels| {
        let mut scratch = AttentionScratch::default();
        for case in cases() {
            let want = case.exact(true, 1, |_, _, _| 0.0);
            check(kernels, &case, [Positions::Absent; 3], &want, &mut scratch);
        }
        let nothing = Case::new([0, 2, 8], 0, None);
        assert!(nothing.run(|call| kernels.attend_i16(call), Positions::Absent, &mut scratch).is_empty());
    });
}

#[test]
fn alibi_lowers_logits_by_distance_times_the_slope_of_the_head() {
    each(|kernels| {
        let (slopes, mut scratch) = ([0.5, 0.03, 0.7, 0.0], AttentionScratch::default());
        for case in cases() {
            let positions = Positions::Alibi(&slopes[..case.shape[1]]);
            let want =
                case.exact(false, 1, |head, row, key| -f64::from(slopes[head]) * row.abs_diff(key) as f64);
            check(kernels, &case, [positions; 3], &want, &mut scratch);
        }
    });
}

#[test]
fn learned_biases_are_added_by_head_and_distance() {
    each(|kernels| {
        let mut scratch = AttentionScratch::default();
        for case in cases() {
            let mut random = Random(13);
            let biases: Vec<f32> =
                (0..case.shape[1] * BIAS_COLUMNS).map(|_| random.value().clamp(-2.0, 2.0)).collect();
            let want = case.exact(false, 1, |head, row, key| {
                let distance = row.cast_signed() - key.cast_signed();
                let column = (distance + 128).clamp(0, 256).unsigned_abs();
                f64::from(biases[head * BIAS_COLUMNS + column])
            });
            check(kernels, &case, [Positions::Bucketed(&biases); 3], &want, &mut scratch);
        }
    });
}

/// Heads that share keys and values give the bits that copies of these keys and values give.
#[test]
fn heads_share_keys_and_values_in_groups() {
    each(|kernels| {
        let mut scratch = AttentionScratch::default();
        for (tokens, [heads, key_heads], head_dim) in [(17, [4, 2], 6), (40, [6, 1], 9), (33, [6, 3], 16)] {
            for window in [None, Some(4)] {
                let case = Case::new([tokens, heads, head_dim], tokens, window);
                let (wide, width) = (case.pair(), heads * head_dim);
                let columns = |head: usize| head * head_dim..(head + 1) * head_dim;
                let mut copies = case.projections.clone();
                let mut shared = Vec::new();
                for row in copies.chunks_exact_mut(3 * width) {
                    shared.extend_from_slice(&row[..width + key_heads * head_dim]);
                    shared.extend_from_slice(&row[2 * width..2 * width + key_heads * head_dim]);
                    for part in [width, 2 * width] {
                        let of_groups = row[part..part + width].to_vec();
                        for head in 0..heads {
                            let group = head / (heads / key_heads);
                            row[part..part + width][columns(head)]
                                .copy_from_slice(&of_groups[columns(group)]);
                        }
                    }
                }
                let copies = Case { projections: copies, ..case };
                let stride = width + 2 * key_heads * head_dim;
                let part = |column: usize| RowsView {
                    values: &shared[column..],
                    stride,
                    first: BEFORE,
                    count: tokens,
                };
                let (query, key, value) = (part(0), part(width), part(width + key_heads * head_dim));
                let qkv = Qkv { query, key, value, key_value_heads: key_heads, ..wide };
                for attend in [Kernels::attend_i16, Kernels::attend_f32] {
                    let want = copies.run(|call| attend(kernels, call), Positions::Absent, &mut scratch);
                    let mut context = vec![0.0; tokens * width];
                    let call = AttentionCall {
                        qkv,
                        positions: Positions::Absent,
                        context: &mut context,
                        scratch: &mut scratch,
                    };
                    attend(kernels, call);
                    assert_eq!(bits(&context), bits(&want), "{} {heads} {key_heads}", kernels.name());
                }
            }
        }
    });
}

/// Rows of the table of relative positions. Distances beyond 20 share a row, and so do 19 and 20, as in DeBERTa.
const TABLE: usize = 40;

/// Returns the row of the table for a distance.
fn row_of(distance: isize) -> usize {
    (distance + 20).clamp(0, 39).unsigned_abs()
}

/// One of the kernels that pack relative positions.
type Pack<'a> = &'a dyn Fn(RowsView, usize, usize) -> super::PackedPositions;

/// Relative positions `[TABLE, heads * head_dim]` for the terms of a case.
struct Table {
    keys: Option<Vec<f32>>,
    queries: Option<Vec<f32>>,
}

impl Table {
    fn new(case: &Case, keys: bool, queries: bool) -> Self {
        let hidden = case.shape[1] * case.shape[2];
        let mut random = Random(11);
        let mut values =
            || (0..(TABLE + MAX_TILE_ROWS) * hidden).map(|_| random.value().clamp(-2.0, 2.0)).collect();
        Self { keys: keys.then(&mut values), queries: queries.then(&mut values) }
    }

    fn packed(&self, case: &Case, pack: Pack) -> RelativePositions {
        let [_, heads, head_dim] = case.shape;
        let packed = |values: &Vec<f32>| {
            pack(RowsView { values, stride: heads * head_dim, first: 0, count: TABLE }, heads, head_dim)
        };
        let table = model::Table { weight: String::new(), rows: TABLE, width: heads * head_dim };
        RelativePositions {
            keys: self.keys.as_ref().map(packed),
            queries: self.queries.as_ref().map(packed),
            distance_rows: Disentangled {
                table,
                norm: None,
                key: None,
                query: None,
                buckets: None,
                max_distance: TABLE / 2,
            },
        }
    }

    fn terms(&self) -> usize {
        1 + usize::from(self.keys.is_some()) + usize::from(self.queries.is_some())
    }

    fn bias(&self, case: &Case, head: usize, row: usize, key: usize) -> f64 {
        let [_, heads, head_dim] = case.shape;
        let first = row_of(row.cast_signed() - key.cast_signed()) * heads * head_dim + head * head_dim;
        let term = |values: &Option<Vec<f32>>, with: &[f64]| {
            let Some(values) = values else { return 0.0 };
            let vector: Vec<f64> =
                values[first..][..head_dim].iter().map(|&value| f64::from(value)).collect();
            dot(&vector, with)
        };
        term(&self.keys, &case.vector(0, row, head)) + term(&self.queries, &case.vector(1, key, head))
    }
}

#[test]
fn relative_positions_multiply_queries_and_keys() {
    each(|kernels| {
        let mut scratch = AttentionScratch::default();
        for case in cases() {
            for terms in [[true, true], [true, false], [false, true]] {
                let table = Table::new(&case, terms[0], terms[1]);
                let packs: [Pack; 3] = [
                    &|rows, heads, dim| kernels.pack_i16(rows, heads, dim),
                    &|rows, heads, dim| oracle().pack_i16(rows, heads, dim),
                    &|rows, heads, dim| kernels.pack_f32(rows, heads, dim),
                ];
                let packed = packs.map(|pack| table.packed(&case, pack));
                let want =
                    case.exact(true, table.terms(), |head, row, key| table.bias(&case, head, row, key));
                check(kernels, &case, packed.each_ref().map(Positions::Relative), &want, &mut scratch);
            }
        }
    });
}

/// Integers cannot represent NaN, so the result must be NaN if an input is not finite or a logit could overflow.
#[test]
fn non_finite_inputs_give_nan() {
    each(|kernels| {
        let mut scratch = AttentionScratch::default();
        for part in 0..3 {
            let mut case = Case::new([9, 1, 8], 9, Some(20));
            case.projections[(BEFORE * 3 + part) * 8] = f32::INFINITY;
            let table = Table::new(&case, true, true)
                .packed(&case, &|rows, heads, dim| kernels.pack_i16(rows, heads, dim));
            for positions in [Positions::Absent, Positions::Alibi(&[0.5]), Positions::Relative(&table)] {
                let context = case.run(|call| kernels.attend_i16(call), positions, &mut scratch);
                assert!(context.iter().all(|value| value.is_nan()), "{} {part}", kernels.name());
            }
        }
        let mut case = Case::new([9, 1, 8], 9, None);
        case.projections.iter_mut().for_each(|value| *value *= 1e19);
        let table = Table::new(&case, true, true)
            .packed(&case, &|rows, heads, dim| kernels.pack_i16(rows, heads, dim));
        for positions in [Positions::Alibi(&[0.5]), Positions::Relative(&table)] {
            let context = case.run(|call| kernels.attend_i16(call), positions, &mut scratch);
            assert!(context.iter().all(|value| value.is_nan()), "{}", kernels.name());
        }
    });
}

/// Softmax turns overflowed logits into finite weights, so the result must be NaN if one could overflow.
#[test]
fn factors_of_logits_that_are_too_large_give_nan_in_f32() {
    each(|kernels| {
        let mut scratch = AttentionScratch::default();
        let pack: Pack = &|rows, heads, dim| kernels.pack_f32(rows, heads, dim);
        for part in 0..2 {
            let mut case = Case::new([9, 1, 8], 9, Some(20));
            let table = Table::new(&case, true, true).packed(&case, pack);
            for value in [1e17, f32::NEG_INFINITY] {
                case.projections[(BEFORE * 3 + part) * 8] = value;
                for positions in [Positions::Absent, Positions::Alibi(&[0.5]), Positions::Relative(&table)] {
                    let context = case.run(|call| kernels.attend_f32(call), positions, &mut scratch);
                    assert!(context.iter().all(|value| value.is_nan()), "{} {part}", kernels.name());
                }
            }
        }
        let case = Case::new([9, 1, 8], 9, None);
        let mut table = Table::new(&case, true, true);
        table.queries.iter_mut().flatten().for_each(|value| *value *= 1e17);
        let table = table.packed(&case, pack);
        let context = case.run(|call| kernels.attend_f32(call), Positions::Relative(&table), &mut scratch);
        assert!(context.iter().all(|value| value.is_nan()), "{}", kernels.name());
    });
}
