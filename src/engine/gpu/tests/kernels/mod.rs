//! Each kernel on the GPU beside its twin. Without an adapter these fail: a software one (Debian's
//! `mesa-vulkan-drivers`) is enough.

use std::collections::BTreeMap;

use super::super::record::{Dispatch, Input, Recording, Scratch, Slot, Uploads};
use super::super::shader::{self, DEPTH_STEP, PANEL, QUERIES, row_grid};
use super::reference::{self, Matrix};
use super::*;

/// Numbers that look random, the same every time: in -1..1.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        // PCG's multiplier and increment; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn many(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

fn gpu() -> Gpu {
    pollster::block_on(Gpu::open())
        .expect("an adapter; a software one will do: sudo apt-get install mesa-vulkan-drivers")
}

fn input(number: usize) -> Slot {
    Slot::Input(Input::Rotation(number))
}

const OUTPUT: Slot = Slot::Scratch(Scratch::Stream);

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Runs one kernel: its buffers are inputs 0, 1 ... and [`OUTPUT`], of `rows` rows of `vectors` vectors.
fn run(
    gpu: &Gpu,
    (kernel, grid): (Kernel, [u32; 3]),
    params: Vec<u32>,
    buffers: Vec<Slot>,
    uploads: Uploads,
    [rows, vectors]: [usize; 2],
) -> Vec<f32> {
    let dispatch = Dispatch { kernel, buffers, params, grid };
    let mut executor = Executor::new(Vec::new());
    let watch = gpu.watch();
    executor.warm_up(gpu, [&dispatch]);
    let scratch = BTreeMap::from([(Scratch::Stream, bytes(rows, vectors))]);
    let recording = Recording { dispatches: vec![dispatch], scratch, result: Scratch::Stream, rows, vectors };
    let pending = executor.submit(gpu, &recording, uploads).unwrap();
    pollster::block_on(watch.end()).unwrap();
    pollster::block_on(executor.receive(gpu, pending)).unwrap()
}

fn assert_close(got: f32, expected: f64, tolerance: f64, place: impl std::fmt::Debug) {
    let error = (f64::from(got) - expected).abs();
    assert!(error <= tolerance * expected.abs().max(1.0), "{place:?}: {got} where {expected} is right");
}

/// Weights `[columns, inputs]` as panels, `[panels, depth, 64]`.
fn panels<T: Copy + Default>(weights: &[T], columns: usize, inputs: usize) -> Vec<T> {
    let (panel, depth) = (PANEL * VECTOR, inputs.next_multiple_of(DEPTH_STEP));
    let mut packed = vec![T::default(); columns.next_multiple_of(panel) * depth];
    for (column, weights) in weights.chunks_exact(inputs).enumerate() {
        for (k, weight) in weights.iter().enumerate() {
            packed[(column / panel * depth + k) * panel + column % panel] = *weight;
        }
    }
    packed
}

struct GemmCase {
    gemm: Gemm,
    rows: usize,
    inputs: usize,
    columns: usize,
}

impl GemmCase {
    fn check(&self, gpu: &Gpu) {
        let Self { gemm, rows, inputs, columns } = *self;
        let mut random = Random(7);
        let x = random.many(rows * inputs);
        let bias = random.many(columns);
        let mut uploads = vec![(input(0), floats(&x)), (input(2), floats(&bias))];
        let weights: Vec<f32> = match gemm.storage {
            Storage::Q8 => {
                let codes: Vec<u8> =
                    (0..columns * inputs).map(|_| ((random.next() + 1.0) * 63.5) as u8).collect();
                let scales: Vec<f32> = random.many(columns).iter().map(|scale| scale / 64.0).collect();
                let factors = random.many(inputs.next_multiple_of(DEPTH_STEP));
                uploads.push((input(1), panels(&codes, columns, inputs)));
                uploads.push((input(4), floats(&scales)));
                uploads.push((input(5), floats(&factors)));
                let weight = |place: usize| {
                    (f32::from(codes[place]) - 64.0) * scales[place / inputs] * factors[place % inputs]
                };
                (0..columns * inputs).map(weight).collect()
            }
            storage => {
                let weights = random.many(columns * inputs);
                let packed = panels(&weights, columns, inputs);
                uploads.push((
                    input(1),
                    match storage {
                        Storage::F16 => packed
                            .iter()
                            .flat_map(|&weight| half::f16::from_f32(weight).to_le_bytes())
                            .collect(),
                        _ => floats(&packed),
                    },
                ));
                weights.iter().map(|&weight| reference::stored(weight, storage)).collect()
            }
        };
        let gated = matches!(gemm.epilogue, Epilogue::Gate(_));
        let width = if gated { columns / 2 } else { columns };
        let before = random.many(rows * width);
        uploads.push((OUTPUT, floats(&before)));
        let depth = inputs.next_multiple_of(DEPTH_STEP);
        let params =
            [rows, depth, inputs / 4, inputs / 4, columns / 4, width / 4].map(|number| number as u32);
        let mut buffers = vec![input(0), input(1), input(2), OUTPUT];
        if gemm.storage == Storage::Q8 {
            buffers.extend([input(4), input(5)]);
        }
        let work = (Kernel::Gemm(gemm), gemm.grid(rows, columns / 4));
        let got = run(gpu, work, params.to_vec(), buffers, uploads, [rows, width / 4]);

        let (x, weights) =
            (Matrix { values: &x, stride: inputs }, Matrix { values: &weights, stride: inputs });
        for (place, (&got, &before)) in got.iter().zip(&before).enumerate() {
            let (row, column) = (place / width, place % width);
            let product = |column| reference::gemm(&x, &weights, &bias, row, column);
            let expected = match gemm.epilogue {
                Epilogue::Store => product(column),
                Epilogue::Add => f64::from(before) + product(column),
                Epilogue::Activate(activation) => reference::activate(activation, product(column)),
                Epilogue::Gate(activation) => {
                    let near = column / 4 * 8 + column % 4;
                    reference::activate(activation, product(near)) * product(near + 4)
                }
            };
            assert_close(got, expected, 2e-5, (gemm, row, column));
        }
    }
}

#[test]
fn gemm_in_every_tile_and_storage() {
    let gpu = gpu();
    for tile in TILES {
        for storage in [Storage::F32, Storage::F16, Storage::Q8] {
            let gemm = Gemm { tile, storage, epilogue: Epilogue::Store };
            for [rows, inputs, columns] in [[1, 4, 4], [131, 36, 68], [70, 128, 200]] {
                GemmCase { gemm, rows, inputs, columns }.check(&gpu);
            }
        }
    }
}

#[test]
fn gemm_with_every_epilogue() {
    let gpu = gpu();
    let epilogues = all_kernels().into_iter().filter_map(|kernel| match kernel {
        Kernel::Gemm(gemm) if gemm.storage == Storage::F32 => Some(gemm),
        _ => None,
    });
    for gemm in epilogues {
        GemmCase { gemm, rows: 19, inputs: 20, columns: 72 }.check(&gpu);
    }
}

#[test]
fn norm_of_rows_that_end_within_a_vector() {
    let gpu = gpu();
    for (width, in_place) in [(7usize, true), (384, true), (1030, true), (7, false), (384, false)] {
        let (rows, stride) = (5, width.next_multiple_of(VECTOR));
        let mut random = Random(3);
        let mut filled = |scale: f32, offset: f32, count: usize| -> Vec<f32> {
            let row = |random: &mut Random| -> Vec<f32> {
                (0..stride)
                    .map(|column| if column < width { random.next() * scale + offset } else { 0.0 })
                    .collect()
            };
            (0..count).flat_map(|_| row(&mut random)).collect()
        };
        // Far from zero, so that a variance that is a difference of squares would be wrong.
        let (x, weight, bias) = (filled(0.01, 5.0, rows), filled(1.0, 1.0, 1), filled(1.0, 0.0, 1));
        let mut uploads = vec![(input(0), floats(&weight)), (input(1), floats(&bias))];
        let mut buffers = vec![input(0), input(1), OUTPUT];
        if in_place {
            uploads.push((OUTPUT, floats(&x)));
        } else {
            uploads.push((input(3), floats(&x)));
            buffers.push(input(3));
        }
        let params = vec![rows as u32, width as u32, (stride / 4) as u32, 1e-12f32.to_bits()];
        let work = (Kernel::Norm { in_place }, row_grid(rows));
        let got = run(&gpu, work, params, buffers, uploads, [rows, stride / 4]);
        for (row, (got, x)) in got.chunks_exact(stride).zip(x.chunks_exact(stride)).enumerate() {
            let expected = reference::norm(&x[..width], &weight[..width], &bias[..width], 1e-12);
            // f32 has 24 bits for the 5, of which a five-hundredth is what counts.
            expected
                .iter()
                .zip(got)
                .for_each(|(&expected, &got)| assert_close(got, expected, 3e-4, (width, row)));
            assert!(got[width..].iter().all(|&filling| filling == 0.0));
        }
    }
}

#[test]
fn gather_and_pool_more_rows_than_a_line_of_the_grid() {
    let gpu = gpu();
    let (pairs, vectors) = (40_000, 1);
    let ends: Vec<u32> = (0..=pairs as u32).map(|pair| pair * 3).collect();
    let x = Random(5).many(pairs * 3 * VECTOR * vectors);
    let uploads = || vec![(input(0), words(&ends)), (input(1), floats(&x))];
    let params = |last| vec![pairs as u32, vectors as u32, last];
    let buffers = || vec![input(0), input(1), OUTPUT];
    let shape = [pairs, vectors];
    let run = |kernel, last| run(&gpu, (kernel, row_grid(pairs)), params(last), buffers(), uploads(), shape);
    let gathered = [0, 1].map(|last| run(Kernel::Gather, last));
    let pools = [Pool::Mean, Pool::MeanSqrtLen, Pool::WeightedMean, Pool::Max];
    let pooled = pools.map(|pool| run(Kernel::Pool(pool), 0));
    let matrix = Matrix { values: &x, stride: VECTOR };
    for pair in 0..pairs {
        for (pool, pooled) in pools.iter().zip(&pooled) {
            let expected = reference::pool(*pool, &matrix, 3 * pair, 3 * pair + 3);
            for (column, expected) in expected.into_iter().enumerate() {
                assert_close(pooled[pair * VECTOR + column], expected, 1e-6, (pool, pair));
            }
        }
        for column in 0..VECTOR {
            assert_close(gathered[0][pair * VECTOR + column], matrix.at(3 * pair, column), 0.0, pair);
            assert_close(gathered[1][pair * VECTOR + column], matrix.at(3 * pair + 2, column), 0.0, pair);
        }
    }
}

#[test]
fn pool_of_thousands_of_rows_loses_nothing() {
    let rows = 9000;
    let x: Vec<f32> = Random(6).many(rows * VECTOR).iter().map(|value| value + 100.0).collect();
    let uploads = vec![(input(0), words(&[0, rows as u32])), (input(1), floats(&x))];
    let buffers = vec![input(0), input(1), OUTPUT];
    let got = run(&gpu(), (Kernel::Pool(Pool::Mean), row_grid(1)), vec![1, 1, 0], buffers, uploads, [1, 1]);
    let expected = reference::pool(Pool::Mean, &Matrix { values: &x, stride: VECTOR }, 0, rows);
    got.iter().zip(expected).for_each(|(&got, expected)| assert_close(got, expected, 2e-6, "mean"));
}

#[test]
fn rotate_the_first_heads_of_a_row() {
    let (rows, heads, head_dim, head_room) = (3, 2, 6, 8);
    let stride = 3 * head_room;
    let mut random = Random(8);
    let x = random.many(rows * stride);
    let turns: Vec<[f32; 2]> = (0..4 * head_dim / 2).map(|_| [random.next(), random.next()]).collect();
    let places = [2, 0, 3];
    let uploads =
        vec![(input(0), words(&places)), (input(1), floats(turns.as_flattened())), (OUTPUT, floats(&x))];
    let params = [rows, heads, head_dim, head_room, stride].map(|number| number as u32).to_vec();
    let buffers = vec![input(0), input(1), OUTPUT];
    let got = run(&gpu(), (Kernel::Rotate, row_grid(rows)), params, buffers, uploads, [rows, stride / 4]);
    for (row, (got, x)) in got.chunks_exact(stride).zip(x.chunks_exact(stride)).enumerate() {
        let turns = &turns[places[row] as usize * head_dim / 2..][..head_dim / 2];
        for (head, (got, x)) in got.chunks_exact(head_room).zip(x.chunks_exact(head_room)).enumerate() {
            let mut expected: Vec<f64> = x.iter().map(|&value| f64::from(value)).collect();
            if head < heads {
                expected[..head_dim].copy_from_slice(&reference::rotate(&x[..head_dim], turns));
            }
            got.iter()
                .zip(expected)
                .for_each(|(&got, expected)| assert_close(got, expected, 1e-6, (row, head)));
        }
    }
}

/// Attention over pairs of these lengths, with 2 heads of 8 numbers.
fn check_attention(gpu: &Gpu, lengths: &[usize], window: Option<usize>, positions: Positions, whole: bool) {
    let (heads, vectors) = (2, 2);
    let (head_dim, width) = (vectors * VECTOR, heads * vectors * VECTOR);
    let mut random = Random(9);
    let tokens: usize = lengths.iter().sum();
    let starts: Vec<usize> =
        lengths.iter().scan(0, |sum, length| Some(std::mem::replace(sum, *sum + length))).collect();
    let queries = if whole { tokens } else { lengths.len() };
    // Large enough that some logits stand out.
    let loud = |values: Vec<f32>| -> Vec<f32> { values.iter().map(|value| 4.0 * value).collect() };
    let query = loud(random.many(queries * width));
    let keys = loud(random.many(tokens * 2 * width));
    let slopes = [0.5, 0.031_25];
    let span = 6;
    let longest = 20;
    let rows: Vec<u32> =
        (-longest..=longest).map(|distance: i32| (distance.clamp(-span, span - 1) + span) as u32).collect();
    let tables = [random.many(2 * span as usize * width), random.many(2 * span as usize * width)];
    let tiles: Vec<reference::Tile> = lengths
        .iter()
        .zip(&starts)
        .enumerate()
        .flat_map(|(pair, (&length, &start))| {
            let tile = move |first: usize| {
                let count = QUERIES.min(length - first);
                let [first, count] = if whole { [start + first, count] } else { [pair, 1] };
                [first, count, start, length].map(|number| number as u32)
            };
            (0..if whole { length } else { 1 }).step_by(QUERIES).map(tile)
        })
        .collect();
    let mut uploads =
        vec![(input(0), words(tiles.as_flattened())), (input(1), floats(&query)), (input(2), floats(&keys))];
    let mut buffers = vec![input(0), input(1), input(2), OUTPUT];
    let (with_keys, with_queries) = match positions {
        Positions::Relative { keys, queries } => (keys, queries),
        _ => (false, false),
    };
    match positions {
        Positions::Absent => {}
        Positions::Alibi => {
            uploads.push((input(4), floats(&slopes)));
            buffers.push(input(4));
        }
        Positions::Relative { .. } => {
            uploads.push((input(4), words(&rows)));
            buffers.push(input(4));
            for (number, there) in [(5, with_keys), (6, with_queries)] {
                if there {
                    uploads.push((input(number), floats(&tables[number - 5])));
                    buffers.push(input(number));
                }
            }
        }
    }
    let scale = 0.3f32;
    let reach = window.unwrap_or(1 << 30);
    let stride = width / VECTOR;
    let mut params =
        [stride, 2 * stride, 0, stride, stride, 0, reach, usize::from(whole), longest as usize, stride]
            .map(|number| number as u32)
            .to_vec();
    params[5] = scale.to_bits();
    let kernel = shader::Attention { vectors, positions };
    let work = (Kernel::Attention(kernel), shader::Attention::grid(tiles.len(), heads));
    let got = run(gpu, work, params, buffers, uploads, [queries, stride]);

    let numbers = |values: &[f32], start: usize| -> Vec<f64> {
        values[start..start + head_dim].iter().map(|&value| f64::from(value)).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for (pair, (&length, &start)) in lengths.iter().zip(&starts).enumerate() {
        for head in 0..heads {
            let of = |offset: usize| -> Vec<Vec<f64>> {
                (0..length)
                    .map(|row| numbers(&keys, (start + row) * 2 * width + offset + head * head_dim))
                    .collect()
            };
            let (keys, values) = (of(0), of(width));
            let logit = |distance: isize, query: &[f64], key: &[f64]| {
                let row = rows[(distance.clamp(-20, 20) + 20) as usize] as usize;
                let table = |number: usize| numbers(&tables[number], row * width + head * head_dim);
                let mut product = dot(query, key);
                if with_keys {
                    product += dot(query, &table(0));
                }
                if with_queries {
                    product += dot(&table(1), key);
                }
                let slope = if positions == Positions::Alibi { f64::from(slopes[head]) } else { 0.0 };
                product * f64::from(scale) - slope * distance.unsigned_abs() as f64
            };
            for place in 0..if whole { length } else { 1 } {
                let row = if whole { start + place } else { pair };
                let query = numbers(&query, row * width + head * head_dim);
                let expected = reference::attention(&query, (&keys, &values), place, reach, &logit);
                let got = &got[row * width + head * head_dim..][..head_dim];
                expected.iter().zip(got).for_each(|(&expected, &got)| {
                    assert_close(got, expected, 1e-5, (positions, pair, head, place));
                });
            }
        }
    }
}

#[test]
fn attention_within_each_pair() {
    let gpu = gpu();
    let all = [
        Positions::Absent,
        Positions::Alibi,
        Positions::Relative { keys: true, queries: true },
        Positions::Relative { keys: true, queries: false },
        Positions::Relative { keys: false, queries: true },
    ];
    for positions in all {
        for window in [None, Some(5), Some(64)] {
            for whole in [true, false] {
                check_attention(&gpu, &[1, 64, 65, 7, 150], window, positions, whole);
            }
        }
    }
}
