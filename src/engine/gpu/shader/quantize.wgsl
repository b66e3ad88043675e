// Quantizes rows to 8 bits, one workgroup per row: input * factor = code * scale + middle, with codes from -127 for the
// minimum of the row to 127 for its maximum. The CPU engine's kernels/quantize.rs has the same formula.

struct Params {
  rows: u32,
  input_vectors: u32,  // of a row
  stride: u32,         // words of a row of codes
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> factors: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> positions: array<u32>;  // of each row in its pair
@group(0) @binding(4) var<storage, read_write> codes: array<u32>;
@group(0) @binding(5) var<storage, read_write> row_scales: array<vec2<f32>>;  // scale and middle

const THREADS: u32 = {THREADS}u;

fn load(row: u32, vector: u32) -> vec4<f32> {
  return input[row * params.input_vectors + vector] * factors[vector];
}

@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, invocation: Invocation) {
  let index = invocation.index;
  let row = group.y * {GRID_WIDTH}u + group.x;
  // Uniform in the workgroup, so all invocations reach the barriers.
  if (row >= params.rows) { return; }
  var low = load(row, min(index, params.input_vectors - 1u));
  var high = low;
  for (var vector = index + THREADS; vector < params.input_vectors; vector += THREADS) {
    let value = load(row, vector);
    low = min(low, value);
    high = max(high, value);
  }
  let own = vec2<f32>(-min(min(low.x, low.y), min(low.z, low.w)), max(max(high.x, high.y), max(high.z, high.w)));
  let half_range = maximum(invocation, own) * 0.5;
  let radius = half_range.y + half_range.x;
  let middle = half_range.y - half_range.x;
  var inverse = 0.0;
  if (radius > 1e-30) { inverse = 127.0 / radius; }
  for (var word = index; word < params.stride; word += THREADS) {
    var code = 0u;
    if (word < params.input_vectors) { code = pack4xI8(vec4<i32>(round((load(row, word) - middle) * inverse))); }
    codes[row * params.stride + word] = code;
  }
  // The first row of a pair has no scale: it is computed in f32.
  if (index == 0u) { row_scales[row] = vec2<f32>(select(radius / 127.0, -1.0, positions[row] == 0u), middle); }
}
