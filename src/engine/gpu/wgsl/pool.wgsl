// The mean of the rows of each pair: a workgroup for each pair.

struct Params {
  rows: u32,     // pairs
  vectors: u32,  // of a row
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ends: array<u32>;  // where pairs begin, and at last where the last one ends
@group(0) @binding(2) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4<f32>>;

const BLOCK: u32 = 128u;  // rows

@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let pair = group.y * {ROWS_X}u + group.x;
  if (pair >= params.rows) { return; }
  let first = ends[pair];
  let end = ends[pair + 1u];
  for (var vector = index; vector < params.vectors; vector += {THREADS}u) {
    // In blocks, so that thousands of rows lose little more than a few.
    var sum = vec4<f32>();
    for (var block = first; block < end; block += BLOCK) {
      var part = vec4<f32>();
      for (var row = block; row < min(block + BLOCK, end); row++) {
        part += input[row * params.vectors + vector];
      }
      sum += part;
    }
    output[pair * params.vectors + vector] = sum / f32(end - first);
  }
}
