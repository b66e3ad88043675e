use super::*;
use crate::engine::positions::BIAS_COLUMNS;

const HEADS: usize = 2;
/// Vectors of a head.
const HEAD_VECTORS: usize = 2;
const HEAD_DIM: usize = HEAD_VECTORS * VEC4;
/// Elements of a row of queries, keys or values.
const WIDTH: usize = HEADS * HEAD_DIM;
/// Half the rows of the tables of relative positions.
const SPAN: i32 = 6;
/// The largest distance that has a row in a table.
const MAX_DISTANCE: i32 = 20;
const SCALE: f32 = 0.3;
const SLOPES: [f32; HEADS] = [0.5, 0.031_25];

/// Attention over pairs of these lengths, with random queries, keys, values and tables.
struct AttentionCase {
    lengths: Vec<usize>,
    /// The first row of each pair.
    starts: Vec<usize>,
    window: Option<usize>,
    positions: PositionBias,
    /// Whether every row has a query, or only the first of each pair.
    all_queries: bool,
    /// `[queries, WIDTH]`.
    query: Vec<f32>,
    /// Keys and values, `[tokens, 2 * WIDTH]`.
    keys: Vec<f32>,
    /// The row of a table for each distance in `-MAX_DISTANCE..=MAX_DISTANCE`.
    table_rows: Vec<u32>,
    /// The tables that queries and keys are multiplied with, `[2 * SPAN, WIDTH]`.
    tables: [Vec<f32>; 2],
}

impl AttentionCase {
    fn new(lengths: &[usize], window: Option<usize>, positions: PositionBias, all_queries: bool) -> Self {
        let mut random = Random(9);
        let tokens: usize = lengths.iter().sum();
        // Large values, so that some logits dominate.
        let mut large =
            |count: usize| -> Vec<f32> { random.many(count).iter().map(|value| 4.0 * value).collect() };
        let query = large(if all_queries { tokens } else { lengths.len() } * WIDTH);
        let keys = large(tokens * 2 * WIDTH);
        let starts = lengths.iter().scan(0, |sum, length| Some(std::mem::replace(sum, *sum + length)));
        Self {
            lengths: lengths.to_vec(),
            starts: starts.collect(),
            window,
            positions,
            all_queries,
            query,
            keys,
            table_rows: (-MAX_DISTANCE..=MAX_DISTANCE)
                .map(|distance| (distance.clamp(-SPAN, SPAN - 1) + SPAN) as u32)
                .collect(),
            tables: [(); 2].map(|()| random.many(2 * SPAN as usize * WIDTH)),
        }
    }

    /// Whether the positions use the first table, and the second.
    fn uses_tables(&self) -> [bool; 2] {
        match self.positions {
            PositionBias::Relative { keys, queries } => [keys, queries],
            _ => [false; 2],
        }
    }

    fn tiles(&self) -> Vec<reference::AttentionTile> {
        let mut tiles = Vec::new();
        for (pair, (&length, &start)) in self.lengths.iter().zip(&self.starts).enumerate() {
            for first in (0..if self.all_queries { length } else { 1 }).step_by(QUERY_TILE) {
                let count = QUERY_TILE.min(length - first);
                let [first, count] = if self.all_queries { [start + first, count] } else { [pair, 1] };
                tiles.push([first, count, start, length].map(|number| number as u32));
            }
        }
        tiles
    }

    /// The output of the kernel, `[queries, WIDTH]`.
    fn run(&self, gpu: &Gpu, queries: Queries) -> Vec<f32> {
        let tiles = self.tiles();
        let mut uploads = vec![
            (input(0), words(tiles.as_flattened())),
            (input(1), floats(&self.query)),
            (input(2), floats(&self.keys)),
        ];
        let mut buffers = vec![input(0), input(1), input(2), OUTPUT];
        let mut push = |slot: Slot, bytes: Vec<u8>| {
            uploads.push((slot, bytes));
            buffers.push(slot);
        };
        match self.positions {
            PositionBias::Absent => {}
            PositionBias::Alibi => push(input(4), floats(&SLOPES)),
            PositionBias::Bucketed => push(input(4), floats(&biases())),
            PositionBias::Relative { .. } => {
                push(input(4), words(&self.table_rows));
                for (index, used) in self.uses_tables().into_iter().enumerate() {
                    if used {
                        push(input(5 + index), floats(&self.tables[index]));
                    }
                }
            }
        }
        let stride = (WIDTH / VEC4) as u32;
        let params = Params::Attention(AttentionParams {
            query_stride: stride,
            key_stride: 2 * stride,
            key_column: 0,
            value_column: stride,
            output_stride: stride,
            scale: SCALE,
            window: self.reach() as u32,
            all_queries: u32::from(self.all_queries),
            max_distance: MAX_DISTANCE as u32,
            table_stride: stride,
            group: 1,
        });
        let kernel = AttentionKernel { vectors: HEAD_VECTORS, positions: self.positions, queries };
        let work = (Kernel::Attention(kernel), AttentionKernel::grid(tiles.len(), HEADS));
        run(gpu, work, params, buffers, uploads, [self.query.len() / WIDTH, WIDTH / VEC4])
    }

    /// The window in rows.
    fn reach(&self) -> usize {
        self.window.unwrap_or(1 << 30)
    }

    /// The logit of a query and a key at this distance.
    fn logit(&self, head: usize, distance: isize, query: &[f64], key: &[f64]) -> f64 {
        let max_distance = MAX_DISTANCE as isize;
        let row = self.table_rows[(distance.clamp(-max_distance, max_distance) + max_distance) as usize];
        let table = |index: usize| head_of(&self.tables[index], row as usize * WIDTH, head);
        let mut product = dot(query, key);
        let [with_keys, with_queries] = self.uses_tables();
        if with_keys {
            product += dot(query, &table(0));
        }
        if with_queries {
            product += dot(&table(1), key);
        }
        let bias = match self.positions {
            PositionBias::Alibi => -f64::from(SLOPES[head]) * distance.unsigned_abs() as f64,
            PositionBias::Bucketed => {
                let column = (distance + 128).clamp(0, 256).unsigned_abs();
                f64::from(biases()[head * BIAS_COLUMNS + column])
            }
            _ => 0.0,
        };
        product * f64::from(SCALE) + bias
    }

    /// Compares the kernel with the reference, query by query.
    fn check(&self, gpu: &Gpu, queries: Queries) {
        let got = self.run(gpu, queries);
        for (pair, (&length, &start)) in self.lengths.iter().zip(&self.starts).enumerate() {
            for head in 0..HEADS {
                let rows = |offset: usize| -> Vec<Vec<f64>> {
                    (start..start + length)
                        .map(|row| head_of(&self.keys, row * 2 * WIDTH + offset, head))
                        .collect()
                };
                let (keys, values) = (rows(0), rows(WIDTH));
                let logit =
                    |distance: isize, query: &[f64], key: &[f64]| self.logit(head, distance, query, key);
                for position in 0..if self.all_queries { length } else { 1 } {
                    let row = if self.all_queries { start + position } else { pair };
                    let query = head_of(&self.query, row * WIDTH, head);
                    let expected =
                        reference::attention(&query, (&keys, &values), position, self.reach(), &logit);
                    let got = &got[row * WIDTH + head * HEAD_DIM..][..HEAD_DIM];
                    expected.iter().zip(got).for_each(|(&expected, &got)| {
                        assert_close(got, expected, 1e-5, (self.positions, queries, pair, head, position));
                    });
                }
            }
        }
    }
}

/// Learned biases, `[HEADS, BIAS_COLUMNS]`.
fn biases() -> Vec<f32> {
    Random(5).many(HEADS * BIAS_COLUMNS)
}

/// One head of the row that begins at `start`.
fn head_of(values: &[f32], start: usize, head: usize) -> Vec<f64> {
    values[start + head * HEAD_DIM..][..HEAD_DIM].iter().map(|&value| f64::from(value)).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn attention_within_each_pair() {
    let gpu = gpu();
    let all = [
        PositionBias::Absent,
        PositionBias::Alibi,
        PositionBias::Bucketed,
        PositionBias::Relative { keys: true, queries: true },
        PositionBias::Relative { keys: true, queries: false },
        PositionBias::Relative { keys: false, queries: true },
    ];
    for positions in all {
        for window in [None, Some(5), Some(64)] {
            for queries in QUERIES {
                let all_queries = queries == Queries::Tile;
                AttentionCase::new(&[1, 64, 65, 7, 150], window, positions, all_queries).check(&gpu, queries);
            }
        }
    }
}
