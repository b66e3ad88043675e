use super::*;

#[test]
fn rotate_only_the_first_heads_of_a_row() {
    let (rows, heads, head_dim, head_stride) = (3, 2, 6, 8);
    let stride = 3 * head_stride;
    let mut random = Random(8);
    let x = random.many(rows * stride);
    let rotations: Vec<[f32; 2]> = (0..4 * head_dim / 2).map(|_| [random.next(), random.next()]).collect();
    let row_positions = [2, 0, 3];
    let uploads = vec![
        (input(0), words(&row_positions)),
        (input(1), floats(rotations.as_flattened())),
        (OUTPUT, floats(&x)),
    ];
    let params = Params::Rotate(RotateParams {
        rows: rows as u32,
        heads: heads as u32,
        head_dim: head_dim as u32,
        head_stride: head_stride as u32,
        row_stride: stride as u32,
    });
    let buffers = vec![input(0), input(1), OUTPUT];
    let got = run(&gpu(), (Kernel::Rotate, row_grid(rows)), params, buffers, uploads, [rows, stride / 4]);
    for (row, (got, x)) in got.chunks_exact(stride).zip(x.chunks_exact(stride)).enumerate() {
        let rotations = &rotations[row_positions[row] as usize * head_dim / 2..][..head_dim / 2];
        for (head, (got, x)) in got.chunks_exact(head_stride).zip(x.chunks_exact(head_stride)).enumerate() {
            let mut expected: Vec<f64> = x.iter().map(|&value| f64::from(value)).collect();
            if head < heads {
                expected[..head_dim].copy_from_slice(&reference::rotate(&x[..head_dim], rotations));
            }
            got.iter()
                .zip(expected)
                .for_each(|(&got, expected)| assert_close(got, expected, 1e-6, (row, head)));
        }
    }
}
