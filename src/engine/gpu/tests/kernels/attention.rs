use super::*;

/// Attention over pairs of these lengths, with 2 heads of 8 numbers.
fn check_attention(
    gpu: &Gpu,
    lengths: &[usize],
    window: Option<usize>,
    positions: PositionBias,
    whole: bool,
) {
    let (heads, vectors) = (2, 2);
    let (head_dim, width) = (vectors * VEC4, heads * vectors * VEC4);
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
    let max_seqlen = 20;
    let rows: Vec<u32> = (-max_seqlen..=max_seqlen)
        .map(|distance: i32| (distance.clamp(-span, span - 1) + span) as u32)
        .collect();
    let tables = [random.many(2 * span as usize * width), random.many(2 * span as usize * width)];
    let tiles: Vec<reference::AttentionTile> = lengths
        .iter()
        .zip(&starts)
        .enumerate()
        .flat_map(|(pair, (&length, &start))| {
            let tile = move |first: usize| {
                let count = QUERY_TILE.min(length - first);
                let [first, count] = if whole { [start + first, count] } else { [pair, 1] };
                [first, count, start, length].map(|number| number as u32)
            };
            (0..if whole { length } else { 1 }).step_by(QUERY_TILE).map(tile)
        })
        .collect();
    let mut uploads =
        vec![(input(0), words(tiles.as_flattened())), (input(1), floats(&query)), (input(2), floats(&keys))];
    let mut buffers = vec![input(0), input(1), input(2), OUTPUT];
    let (with_keys, with_queries) = match positions {
        PositionBias::Relative { keys, queries } => (keys, queries),
        _ => (false, false),
    };
    match positions {
        PositionBias::Absent => {}
        PositionBias::Alibi => {
            uploads.push((input(4), floats(&slopes)));
            buffers.push(input(4));
        }
        PositionBias::Relative { .. } => {
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
    let stride = width / VEC4;
    let stride_u32 = stride as u32;
    let params = Params::Attention(AttentionParams {
        query_stride: stride_u32,
        key_stride: 2 * stride_u32,
        key_column: 0,
        value_column: stride_u32,
        output_stride: stride_u32,
        scale,
        window: reach as u32,
        all_queries: u32::from(whole),
        max_distance: max_seqlen as u32,
        table_stride: stride_u32,
    });
    let kernel = AttentionKernel { vectors, positions };
    let work = (Kernel::Attention(kernel), AttentionKernel::grid(tiles.len(), heads));
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
                let slope = if positions == PositionBias::Alibi { f64::from(slopes[head]) } else { 0.0 };
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
        PositionBias::Absent,
        PositionBias::Alibi,
        PositionBias::Relative { keys: true, queries: true },
        PositionBias::Relative { keys: true, queries: false },
        PositionBias::Relative { keys: false, queries: true },
    ];
    for positions in all {
        for window in [None, Some(5), Some(64)] {
            for whole in [true, false] {
                check_attention(&gpu, &[1, 64, 65, 7, 150], window, positions, whole);
            }
        }
    }
}
