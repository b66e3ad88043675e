use super::*;

#[test]
fn norm_of_rows_with_a_partial_last_vector() {
    let gpu = gpu();
    let cases = [(7usize, true), (384, true), (1030, true), (7, false), (384, false)];
    for ((width, in_place), rms) in cases.into_iter().flat_map(|case| [(case, false), (case, true)]) {
        let (rows, stride) = (5, width.next_multiple_of(VEC4));
        let mut random = Random(3);
        let mut random_rows = |scale: f32, offset: f32, count: usize| -> Vec<f32> {
            let row = |random: &mut Random| -> Vec<f32> {
                (0..stride)
                    .map(|column| if column < width { random.next() * scale + offset } else { 0.0 })
                    .collect()
            };
            (0..count).flat_map(|_| row(&mut random)).collect()
        };
        // Far from zero, so that a variance computed as a difference of squares would be wrong.
        let (x, weight, bias) =
            (random_rows(0.01, 5.0, rows), random_rows(1.0, 1.0, 1), random_rows(1.0, 0.0, 1));
        let mut uploads = vec![(input(0), floats(&weight)), (input(1), floats(&bias))];
        let mut buffers = vec![input(0), input(1), OUTPUT];
        if in_place {
            uploads.push((OUTPUT, floats(&x)));
        } else {
            uploads.push((input(3), floats(&x)));
            buffers.push(input(3));
        }
        let params = Params::Norm(NormParams {
            rows: rows as u32,
            width: width as u32,
            vectors: (stride / 4) as u32,
            eps: 1e-12,
            rms: u32::from(rms),
        });
        let work = |subgroups| (Kernel::Norm { in_place, subgroups }, row_grid(rows));
        let run = |subgroups| {
            run(&gpu, work(subgroups), params, buffers.clone(), uploads.clone(), [rows, stride / 4])
        };
        for (row, (got, x)) in [run(false), run(true)]
            .iter()
            .flat_map(|got| got.chunks_exact(stride).zip(x.chunks_exact(stride)))
            .enumerate()
        {
            let expected = reference::norm(&x[..width], &weight[..width], &bias[..width], (1e-12, rms));
            // The values are 5 +- 0.01, so f32 resolves the part that counts to 15 of its 24 bits.
            expected
                .iter()
                .zip(got)
                .for_each(|(&expected, &got)| assert_close(got, expected, 3e-4, (width, row)));
            assert!(got[width..].iter().all(|&filling| filling == 0.0));
        }
    }
}

/// Infinite values, and values of which the scale would be infinite.
#[test]
fn norm_of_a_row_that_is_not_finite_is_marked() {
    let (gpu, width) = (gpu(), 8);
    let vectors = width / VEC4;
    let rows = [[0.5; 8], [f32::INFINITY; 8], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]];
    let params = NormParams { rows: 3, width: width as u32, vectors: vectors as u32, eps: 0.0, rms: 0 };
    let uploads = vec![
        (input(0), floats(&vec![1.0; width])),
        (input(1), floats(&vec![0.0; width])),
        (OUTPUT, floats(rows.as_flattened())),
    ];
    let kernel = Kernel::Norm { in_place: true, subgroups: false };
    let buffers = vec![input(0), input(1), OUTPUT];
    let got = run(&gpu, (kernel, row_grid(3)), Params::Norm(params), buffers, uploads, [3, vectors]);
    let is_marked: Vec<bool> =
        got.chunks_exact(width).map(|row| row.iter().all(|value| value.abs() > 1e38)).collect();
    assert_eq!(is_marked, [true, true, false], "{got:?}");
}
