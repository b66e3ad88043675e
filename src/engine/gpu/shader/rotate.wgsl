// Applies rotary positions in place (Su et al., 2021, arXiv:2104.09864), one workgroup per row. Element i of a head is
// paired with element i + head_dim / 2, and the pair is rotated by an angle of the row's position.

struct Params {
  rows: u32,
  heads: u32,        // heads to rotate, from the first column on
  head_dim: u32,     // elements of a head, without padding
  head_stride: u32,  // elements from one head to the next
  row_stride: u32, // elements from one row to the next
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> positions: array<u32>;           // the position of each row in its pair
@group(0) @binding(2) var<storage, read> rotations: array<vec2<f32>>;  // cosine and sine, [positions, head_dim / 2]
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let row = group.y * {GRID_WIDTH}u + group.x;
  if (row >= params.rows) { return; }
  let half = params.head_dim / 2u;
  for (var item = index; item < params.heads * half; item += {THREADS}u) {
    let front = row * params.row_stride + item / half * params.head_stride + item % half;
    let rotation = rotations[positions[row] * half + item % half];
    let x = output[front];
    let y = output[front + half];
    output[front] = x * rotation.x - y * rotation.y;
    output[front + half] = y * rotation.x + x * rotation.y;
  }
}
