use super::*;

/// Packs weights `[columns, inputs]` in panels, `[panels, depth, 64]`.
fn panels<T: Copy + Default>(weights: &[T], columns: usize, inputs: usize) -> Vec<T> {
    let (panel, depth) = (PANEL_VECTORS * VEC4, inputs.next_multiple_of(DEPTH_ALIGN));
    let mut packed = vec![T::default(); columns.next_multiple_of(panel) * depth];
    for (column, weights) in weights.chunks_exact(inputs).enumerate() {
        for (k, weight) in weights.iter().enumerate() {
            packed[(column / panel * depth + k) * panel + column % panel] = *weight;
        }
    }
    packed
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
                let codes: Vec<u8> =
                    (0..columns * inputs).map(|_| ((random.next() + 1.0) * 63.5) as u8).collect();
                let scales: Vec<f32> = random.many(columns).iter().map(|scale| scale / 64.0).collect();
                let factors = random.many(inputs.next_multiple_of(DEPTH_ALIGN));
                uploads.push((input(1), panels(&codes, columns, inputs)));
                uploads.push((input(4), floats(&scales)));
                uploads.push((input(5), floats(&factors)));
                let weight = |index: usize| {
                    (f32::from(codes[index]) - 64.0) * scales[index / inputs] * factors[index % inputs]
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
        }
    }

    /// Compares the kernel with the reference, element by element.
    fn check(&self, gpu: &Gpu) {
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
        });
        let mut buffers = vec![input(0), input(1), input(2), OUTPUT];
        if gemm.storage == Storage::Q8 {
            buffers.extend([input(4), input(5)]);
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
            assert_close(got, expected, 2e-5, (gemm, row, column));
        }
    }
}

#[test]
fn gemm_in_every_tile_and_storage() {
    let gpu = gpu();
    for tile in GEMM_TILES {
        for storage in [Storage::F32, Storage::F16, Storage::Q8] {
            let gemm = GemmKernel { tile, storage, epilogue: Epilogue::Store };
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
