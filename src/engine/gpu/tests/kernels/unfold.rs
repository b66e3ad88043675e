use super::*;

#[test]
fn unfold_copies_neighbors_of_the_same_pair() {
    let gpu = gpu();
    let (width, input_stride) = (6, 8);
    let ends = [0, 1, 3, 8_u32];
    let rows = 8;
    let x = Random(2).many(rows * input_stride);
    for kernel_size in [1, 3, 5, 9_usize] {
        let output_stride = (width * kernel_size).next_multiple_of(VEC4);
        let params = Params::Unfold(UnfoldParams {
            rows: rows as u32,
            pairs: 3,
            width: width as u32,
            input_stride: input_stride as u32,
            output_stride: output_stride as u32,
            kernel_size: kernel_size as u32,
        });
        let uploads = vec![(input(0), words(&ends)), (input(1), floats(&x))];
        let buffers = vec![input(0), input(1), OUTPUT];
        let shape = [rows, output_stride / VEC4];
        let got = run(&gpu, (Kernel::Unfold, row_grid(rows)), params, buffers, uploads, shape);
        for (row, got) in got.chunks_exact(output_stride).enumerate() {
            let pair = ends.windows(2).find(|pair| (pair[0]..pair[1]).contains(&(row as u32))).unwrap();
            for (index, &got) in got.iter().enumerate() {
                let (column, tap) = (index / kernel_size, index % kernel_size);
                let from = row as i64 + tap as i64 - (kernel_size / 2) as i64;
                let inside = column < width && (i64::from(pair[0])..i64::from(pair[1])).contains(&from);
                let expected = if inside { x[from as usize * input_stride + column] } else { 0.0 };
                assert_eq!(got, expected, "{kernel_size} {row} {index}");
            }
        }
    }
}
