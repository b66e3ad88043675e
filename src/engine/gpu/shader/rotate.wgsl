// Rotary positions, in place: halves of each head turned against each other by the row's position in its pair.

struct Params {
  rows: u32,
  heads: u32,      // to rotate, from the first column on
  head_dim: u32,   // numbers in a head that are not filled up
  head_stride: u32,  // numbers from one head to the next
  row_stride: u32, // numbers from one row to the next
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> places: array<u32>;           // the position of each row in its pair
@group(0) @binding(2) var<storage, read> rotations: array<vec2<f32>>;  // cosine and sine, [positions, head_dim / 2]
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let row = group.y * {GRID_WIDTH}u + group.x;
  if (row >= params.rows) { return; }
  let half = params.head_dim / 2u;
  for (var item = index; item < params.heads * half; item += {THREADS}u) {
    let front = row * params.row_stride + item / half * params.head_stride + item % half;
    let turn = rotations[places[row] * half + item % half];
    let x = output[front];
    let y = output[front + half];
    output[front] = x * turn.x - y * turn.y;
    output[front + half] = y * turn.x + x * turn.y;
  }
}
