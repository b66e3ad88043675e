// Copies each row with its neighbors in the pair, one workgroup per row: column c of the row at offset k goes to
// c * kernel_size + k. Rows outside the pair are zeros.

struct Params {
  rows: u32,
  pairs: u32,
  width: u32,          // elements of a row, without padding
  input_stride: u32,   // elements from one row to the next
  output_stride: u32,
  kernel_size: u32,    // rows that are copied for each one
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> cu_seqlens: array<u32>;  // first row of each pair, then the number of rows
@group(0) @binding(2) var<storage, read> input: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let row = group.y * {GRID_WIDTH}u + group.x;
  if (row >= params.rows) { return; }
  // The pair of the row, by bisection.
  var pair = 0u;
  var end = params.pairs;
  while (end - pair > 1u) {
    let middle = (pair + end) / 2u;
    if (cu_seqlens[middle] <= row) { pair = middle; } else { end = middle; }
  }
  let half = params.kernel_size / 2u;
  for (var item = index; item < params.output_stride; item += {THREADS}u) {
    let neighbor = row + item % params.kernel_size;  // plus half
    let column = item / params.kernel_size;
    let inside = neighbor >= cu_seqlens[pair] + half && neighbor < cu_seqlens[pair + 1u] + half;
    var value = 0.0;
    if (inside && column < params.width) { value = input[(neighbor - half) * params.input_stride + column]; }
    output[row * params.output_stride + item] = value;
  }
}
