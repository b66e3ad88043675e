use super::*;

#[test]
fn gather_and_pool_more_rows_than_fit_along_x() {
    let gpu = gpu();
    let (pairs, vectors) = (40_000, 1);
    let ends: Vec<u32> = (0..=pairs as u32).map(|pair| pair * 3).collect();
    let x = Random(5).many(pairs * 3 * VEC4 * vectors);
    let uploads = || vec![(input(0), words(&ends)), (input(1), floats(&x))];
    let [rows, row_vectors] = [pairs, vectors].map(|number| number as u32);
    let buffers = || vec![input(0), input(1), OUTPUT];
    let shape = [pairs, vectors];
    let run = |kernel, params| run(&gpu, (kernel, row_grid(pairs)), params, buffers(), uploads(), shape);
    let vectors = row_vectors;
    let gathered = [0, 1].map(|last| {
        let params = GatherParams { rows, vectors, last, skipped: 0, first_row: 0 };
        run(Kernel::Gather, Params::Gather(params))
    });
    let params = Params::Pool(PoolParams { rows, vectors, skipped: 0, first_row: 0 });
    let pools = [PoolKernel::Mean, PoolKernel::MeanSqrtLen, PoolKernel::WeightedMean, PoolKernel::Max];
    let pooled = pools.map(|pool| run(Kernel::Pool(pool), params));
    let matrix = Matrix { values: &x, stride: VEC4 };
    for pair in 0..pairs {
        for (pool, pooled) in pools.iter().zip(&pooled) {
            let expected = reference::pool(*pool, &matrix, 3 * pair, 3 * pair + 3);
            for (column, expected) in expected.into_iter().enumerate() {
                assert_close(pooled[pair * VEC4 + column], expected, 1e-6, (pool, pair));
            }
        }
        for column in 0..VEC4 {
            assert_close(gathered[0][pair * VEC4 + column], matrix.at(3 * pair, column), 0.0, pair);
            assert_close(gathered[1][pair * VEC4 + column], matrix.at(3 * pair + 2, column), 0.0, pair);
        }
    }
}

#[test]
fn pooling_thousands_of_rows_keeps_precision() {
    let rows = 9000;
    let x: Vec<f32> = Random(6).many(rows * VEC4).iter().map(|value| value + 100.0).collect();
    let uploads = vec![(input(0), words(&[0, rows as u32])), (input(1), floats(&x))];
    let buffers = vec![input(0), input(1), OUTPUT];
    let params = Params::Pool(PoolParams { rows: 1, vectors: 1, skipped: 0, first_row: 0 });
    let work = (Kernel::Pool(PoolKernel::Mean), row_grid(1));
    let got = run(&gpu(), work, params, buffers, uploads, [1, 1]);
    let expected = reference::pool(PoolKernel::Mean, &Matrix { values: &x, stride: VEC4 }, 0, rows);
    got.iter().zip(expected).for_each(|(&got, expected)| assert_close(got, expected, 2e-6, "mean"));
}

/// The weights of a weighted mean count from the start of the pair.
#[test]
fn skipped_rows_are_left_out_and_the_result_goes_to_a_row() {
    let gpu = gpu();
    let x = Random(4).many(6 * VEC4);
    let matrix = Matrix { values: &x, stride: VEC4 };
    let place = |kernel, params| {
        let uploads = vec![(input(0), words(&[0, 6])), (input(1), floats(&x))];
        let rows =
            run(&gpu, (kernel, row_grid(1)), params, vec![input(0), input(1), OUTPUT], uploads, [3, 1]);
        rows[2 * VEC4..].to_vec()
    };
    let (skipped, first_row) = (2, 2);
    let params = Params::Pool(PoolParams { rows: 1, vectors: 1, skipped, first_row });
    for pool in [PoolKernel::Mean, PoolKernel::MeanSqrtLen, PoolKernel::Max] {
        let got = place(Kernel::Pool(pool), params);
        let expected = reference::pool(pool, &matrix, 2, 6);
        got.iter().zip(expected).for_each(|(&got, expected)| assert_close(got, expected, 1e-6, pool));
    }
    let got = place(Kernel::Pool(PoolKernel::WeightedMean), params);
    for (column, &got) in got.iter().enumerate() {
        let sum: f64 = (2..6).map(|row| (row + 1) as f64 * matrix.at(row, column)).sum();
        assert_close(got, sum / 18.0, 1e-6, column);
    }
    let params = Params::Gather(GatherParams { rows: 1, vectors: 1, last: 0, skipped, first_row });
    assert_eq!(place(Kernel::Gather, params), x[2 * VEC4..3 * VEC4]);
}
