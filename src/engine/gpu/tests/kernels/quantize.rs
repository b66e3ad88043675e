use super::*;
use crate::engine::cpu::tests::quantized_rows;

/// Codes of the CPU engine. A GPU divides less exactly, so a value next to the middle of two codes can get the other.
#[test]
fn rows_get_the_codes_of_the_cpu_engine() {
    let gpu = gpu();
    for (subgroups, columns) in [(false, 384), (true, 384), (false, 100), (true, 100), (true, 4)] {
        let rows = 9;
        let mut random = Random(11);
        let x: Vec<f32> =
            random.many(rows * columns).iter().map(|value| value * value * value * 30.0).collect();
        let factors: Vec<f32> = random.many(columns).iter().map(|value| value.abs() + 0.5).collect();
        let stride = columns.next_multiple_of(DEPTH_ALIGN);
        let params = Params::Quantize(QuantizeParams {
            rows: rows as u32,
            input_vectors: (columns / VEC4) as u32,
            stride: (stride / VEC4) as u32,
        });
        let positions: Vec<u32> = (0..rows as u32).map(|row| row % 4).collect();
        let run = |output: usize, vectors: usize| {
            let mut slots = [input(3), input(4)];
            slots[output] = OUTPUT;
            let others = [vec![0; rows * stride], vec![0; rows * 16]];
            let uploads = vec![
                (input(0), floats(&x)),
                (input(1), floats(&factors)),
                (input(2), words(&positions)),
                (slots[1 - output], others[1 - output].clone()),
            ];
            let buffers = vec![input(0), input(1), input(2), slots[0], slots[1]];
            let work = (Kernel::Quantize { subgroups }, row_grid(rows));
            run(&gpu, work, params, buffers, uploads, [rows, vectors])
        };
        let codes: Vec<i8> = run(0, stride / 16)
            .iter()
            .flat_map(|value| value.to_bits().to_le_bytes())
            .map(u8::cast_signed)
            .collect();
        let scales = run(1, 1);
        let expected = quantized_rows(&x, columns, &factors);
        let mut different = 0;
        for (row, got) in codes.chunks_exact(stride).enumerate() {
            for (column, &code) in got.iter().enumerate() {
                let want = if column < columns { expected.codes[row * columns + column] } else { 0 };
                different += usize::from(code != want);
                assert!(code.abs_diff(want) <= 1, "{row} {column}: {code}, expected {want}");
            }
            let [scale, middle] = [scales[2 * row], scales[2 * row + 1]];
            let want = if positions[row] == 0 { -1.0 } else { expected.scales[row] };
            assert_close(scale, f64::from(want), 1e-6, row);
            assert_close(middle, f64::from(expected.middles[row]), 1e-6, row);
        }
        assert!(different <= 1 + rows * columns / 1000, "{different} of {} codes differ", rows * columns);
    }
}
