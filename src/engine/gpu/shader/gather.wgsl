// Copies the first or the last row of each pair, one workgroup per pair.

struct Params {
  rows: u32,     // pairs
  vectors: u32,  // of a row
  last: u32,     // 0: first row, 1: last row
  skipped: u32,    // rows at the start of each pair before its first row
  first_row: u32,  // of the output, for the first pair
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> cu_seqlens: array<u32>;  // first row of each pair, then the number of rows
@group(0) @binding(2) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4<f32>>;

@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let row = group.y * {GRID_WIDTH}u + group.x;
  if (row >= params.rows) { return; }
  let start = (cu_seqlens[row + params.last] - params.last + params.skipped) * params.vectors;
  for (var vector = index; vector < params.vectors; vector += {THREADS}u) {
    output[(params.first_row + row) * params.vectors + vector] = input[start + vector];
  }
}
