use super::*;

/// Packs weights `[columns, inputs]` in panels, `[panels, depth, 64]`.
fn panels<T: Copy + Default>(weights: &[T], columns: usize, inputs: usize, depth: usize) -> Vec<T> {
    let panel = PANEL_VECTORS * VEC4;
    let mut packed = vec![T::default(); columns.next_multiple_of(panel) * depth];
    for (column, weights) in weights.chunks_exact(inputs).enumerate() {
        for (k, weight) in weights.iter().enumerate() {
            packed[(column / panel * depth + k) * panel + column % panel] = *weight;
        }
    }
    packed
}

/// Packs codes `[columns, inputs]` as `panels` does, four inputs in a row.
fn code_panels(codes: &[i8], columns: usize, inputs: usize) -> Vec<u8> {
    let depth = inputs.next_multiple_of(DEPTH_ALIGN);
    let mut words = vec![[0; VEC4]; columns * depth / VEC4];
    for (index, &code) in codes.iter().enumerate() {
        let (column, k) = (index / inputs, index % inputs);
        words[column * depth / VEC4 + k / VEC4][k % VEC4] = code.cast_unsigned();
    }
    // Each column has whole words up to the padded depth.
    panels(&words, columns, depth / VEC4, depth / VEC4).as_flattened().to_vec()
}

struct GemmCase {
    gemm: GemmKernel,
    rows: usize,
    inputs: usize,
    columns: usize,
}

impl GemmCase {
    /// Uploads random weights in the kernel's format and returns their values, `[columns, inputs]`.
    fn upload_weights(&self, random: &mut Random, uploads: &mut Uploads) -> Vec<f32> {
        let Self { inputs, columns, .. } = *self;
        match self.gemm.storage {
            Storage::Q8 => {
                let codes: Vec<i8> =
                    (0..columns * inputs).map(|_| ((random.next() + 1.0) * 63.5) as i8 - 64).collect();
                let scales: Vec<f32> = random.many(columns).iter().map(|scale| scale / 64.0).collect();
                let factors = random.many(inputs.next_multiple_of(DEPTH_ALIGN));
                uploads.push((input(1), code_panels(&codes, columns, inputs)));
                uploads.push((input(4), floats(&scales)));
                uploads.push((input(5), floats(&factors)));
                let weight =
                    |index: usize| f32::from(codes[index]) * scales[index / inputs] * factors[index % inputs];
                (0..columns * inputs).map(weight).collect()
            }
            storage => {
                let weights = random.many(columns * inputs);
                let packed = panels(&weights, columns, inputs, inputs.next_multiple_of(DEPTH_ALIGN));
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
        }
    }

    /// Compares the kernel with the reference, element by element.
    fn check(&self, gpu: &Gpu, tolerance: f64) {
        let Self { gemm, rows, inputs, columns } = *self;
        let mut random = Random(7);
        let x = random.many(rows * inputs);
        let bias = random.many(columns);
        let mut uploads = vec![(input(0), floats(&x)), (input(2), floats(&bias))];
        let weights = self.upload_weights(&mut random, &mut uploads);
        let gated = matches!(gemm.epilogue, Epilogue::Glu(_));
        let width = if gated { columns / 2 } else { columns };
        let before = random.many(rows * width);
        uploads.push((OUTPUT, floats(&before)));
        let depth = inputs.next_multiple_of(DEPTH_ALIGN);
        let [rows_u32, depth, input_vectors, column_vectors, output_stride] =
            [rows, depth, inputs / 4, columns / 4, width / 4].map(|number| number as u32);
        let params = Params::Gemm(GemmParams {
            rows: rows_u32,
            depth,
            input_vectors,
            input_stride: input_vectors,
            column_vectors,
            output_stride,
            first_rows: 0,
        });
        let mut buffers = vec![input(0), input(1), input(2), OUTPUT];
        if gemm.storage == Storage::Q8 {
            buffers.extend([input(4), input(5)]);
        }
        if gemm.first_rows {
            uploads.push((input(6), words(&[0])));
            buffers.push(input(6));
        }
        let work = (Kernel::Gemm(gemm), gemm.grid(rows, columns / 4));
        let got = run(gpu, work, params, buffers, uploads, [rows, width / 4]);

        let (x, weights) =
            (Matrix { values: &x, stride: inputs }, Matrix { values: &weights, stride: inputs });
        for (index, (&got, &before)) in got.iter().zip(&before).enumerate() {
            let (row, column) = (index / width, index % width);
            let product = |column| reference::gemm(&x, &weights, &bias, row, column);
            let expected = match gemm.epilogue {
                Epilogue::Store => product(column),
                Epilogue::Add => f64::from(before) + product(column),
                Epilogue::AddActivated(activation) => {
                    f64::from(before) + reference::activate(activation, product(column))
                }
                Epilogue::Activate(activation) => reference::activate(activation, product(column)),
                Epilogue::Glu(activation) => {
                    // Vectors of the layer and of its gate alternate.
                    let activated = column / 4 * 8 + column % 4;
                    reference::activate(activation, product(activated)) * product(activated + 4)
                }
            };
            assert_close(got, expected, tolerance, (gemm, row, column));
        }
    }
}

#[test]
fn gemm_in_every_tile_and_storage() {
    let gpu = gpu();
    for tile in GEMM_TILES {
        for product in PRODUCTS {
            // Inputs and sums of up to 16 products are rounded to f16; 128 products are at most 1.
            let tolerance = match product.1 {
                Arithmetic::F32 => 2e-5,
                Arithmetic::F16 => 2e-2,
                Arithmetic::I8 => continue,
            };
            for [rows, inputs, columns] in [[1, 4, 4], [131, 36, 68], [70, 128, 200]] {
                let gemm = gemm_kernel(tile, product, Epilogue::Store);
                GemmCase { gemm, rows, inputs, columns }.check(&gpu, tolerance);
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
        GemmCase { gemm, rows: 19, inputs: 20, columns: 72 }.check(&gpu, 2e-5);
    }
}

/// Products of codes are integers, and all else is powers of two, so that the results are exact.
#[test]
fn products_of_quantized_rows_are_exact_and_first_rows_are_left_out() {
    let gpu = gpu();
    for tile in GEMM_TILES {
        for epilogue in [Epilogue::Store, Epilogue::Add] {
            for [rows, inputs, columns] in [[1, 4, 4], [131, 36, 68], [70, 128, 200]] {
                check_codes(&gpu, gemm_kernel(tile, PRODUCTS[5], epilogue), [rows, inputs, columns]);
            }
        }
    }
}

fn check_codes(gpu: &Gpu, gemm: GemmKernel, [rows, inputs, columns]: [usize; 3]) {
    let mut random = Random(5);
    let depth = inputs.next_multiple_of(DEPTH_ALIGN);
    let mut codes = |count: usize, max: f32| -> Vec<i8> {
        (0..count).map(|_| (random.next() * (max + 0.9)) as i8).collect()
    };
    let (x, weights) = (codes(rows * inputs, 127.0), codes(columns * inputs, 63.0));
    let mut packed_x = vec![0; rows * depth];
    for (row, to) in x.chunks_exact(inputs).zip(packed_x.chunks_exact_mut(depth)) {
        row.iter().zip(to).for_each(|(code, to)| *to = code.cast_unsigned());
    }
    let sums: Vec<f32> = weights
        .chunks_exact(inputs)
        .map(|column| column.iter().map(|&code| i32::from(code)).sum::<i32>() as f32)
        .collect();
    let is_first = |row: usize| row % 40 == 39;
    let row_scales: Vec<f32> =
        (0..rows).flat_map(|row| [if is_first(row) { -1.0 } else { 0.25 }, 0.5]).collect();
    let uploads = vec![
        (input(0), packed_x),
        (input(1), code_panels(&weights, columns, inputs)),
        (input(2), floats(&vec![3.0; columns])),
        (input(4), floats(&vec![0.125; columns])),
        (input(5), floats(&sums)),
        (input(6), floats(&row_scales)),
        (OUTPUT, floats(&vec![7.0; rows * columns])),
    ];
    let [depth, vectors, column_vectors] = [depth / 4, depth / 16, columns / 4].map(|number| number as u32);
    let params = Params::Gemm(GemmParams {
        rows: rows as u32,
        depth,
        input_vectors: vectors,
        input_stride: vectors,
        column_vectors,
        output_stride: column_vectors,
        first_rows: 0,
    });
    let buffers = vec![input(0), input(1), input(2), OUTPUT, input(4), input(5), input(6)];
    let work = (Kernel::Gemm(gemm), gemm.grid(rows, columns / 4));
    let got = run(gpu, work, params, buffers, uploads, [rows, columns / 4]);
    for (index, got) in got.iter().enumerate() {
        let (row, column) = (index / columns, index % columns);
        let dot: i32 = x[row * inputs..][..inputs]
            .iter()
            .zip(&weights[column * inputs..][..inputs])
            .map(|(&x, &weight)| i32::from(x) * i32::from(weight))
            .sum();
        let product = (dot as f32 * 0.25 + sums[column] * 0.5) * 0.125 + 3.0;
        let before = if gemm.epilogue == Epilogue::Add { 7.0 } else { 0.0 };
        let expected = if is_first(row) { 7.0 } else { before + product };
        assert_eq!(*got, expected, "{gemm:?} {row} {column}");
    }
}

/// A layer over the first rows of pairs reads and writes these rows only, wherever they are.
#[test]
fn gemm_of_first_rows_writes_no_others() {
    let gpu = gpu();
    let (pairs, rows, inputs, columns) = ([0, 3, 10, 11], 14, 4, 8);
    let x: Vec<f32> = (0..rows).flat_map(|row| [row as f32, 1.0, 0.0, 0.0]).collect();
    let weights: Vec<i8> = (0..columns).flat_map(|column| [1, column as i8, 0, 0]).collect();
    let gemm = gemm_kernel(GEMM_TILES[0], PRODUCTS[4], Epilogue::Store);
    let uploads = vec![
        (input(0), floats(&x)),
        (input(1), code_panels(&weights, columns, inputs)),
        (input(2), floats(&vec![0.0; columns])),
        (input(4), floats(&vec![1.0; columns])),
        (input(5), floats(&[1.0; DEPTH_ALIGN])),
        (input(6), words(&pairs)),
        (OUTPUT, floats(&vec![-1.0; rows * columns])),
    ];
    let params = Params::Gemm(GemmParams {
        rows: pairs.len() as u32,
        depth: DEPTH_ALIGN as u32,
        input_vectors: 1,
        input_stride: 1,
        column_vectors: 2,
        output_stride: 2,
        first_rows: 1,
    });
    let buffers = vec![input(0), input(1), input(2), OUTPUT, input(4), input(5), input(6)];
    let work = (Kernel::Gemm(gemm), gemm.grid(pairs.len(), columns / 4));
    let got = run(&gpu, work, params, buffers, uploads, [rows, columns / 4]);
    for (index, &got) in got.iter().enumerate() {
        let (row, column) = (index / columns, index % columns);
        let expected = if pairs.contains(&(row as u32)) { (row + column) as f32 } else { -1.0 };
        assert_eq!(got, expected, "{row} {column}");
    }
}
