// Layer norm, (x - mean) / sqrt(variance + eps) * weight + bias, one workgroup per row. The variance is computed from
// centered values, because a difference of squares would cancel.

struct Params {
  rows: u32,
  width: u32,    // elements of a row, without padding
  vectors: u32,  // of a row, the last padded with zeros
  eps: f32,
  rms: u32,      // 1: the mean counts as zero (RMSNorm)
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> biases: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4<f32>>;
#if IN_PLACE
#else
@group(0) @binding(4) var<storage, read> input: array<vec4<f32>>;
#end

const THREADS: u32 = {THREADS}u;

fn load(index: u32) -> vec4<f32> {
#if IN_PLACE
  return output[index];
#else
  return input[index];
#end
}

// Subtracts the mean from a vector; padding becomes zero.
fn center(value: vec4<f32>, vector: u32, mean: f32) -> vec4<f32> {
  let columns = vec4<u32>(vector * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
  return select(vec4<f32>(), value - mean, columns < vec4<u32>(params.width));
}

// Written to rows that are not finite, because a GPU need not propagate infinities and NaN. The norm of such a row is
// not finite either, so the value reaches the pooled rows, which are checked.
const NOT_FINITE: vec4<f32> = vec4<f32>(3e38, -3e38, 3e38, -3e38);

@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, invocation: Invocation) {
  let index = invocation.index;
  let row = group.y * {GRID_WIDTH}u + group.x;
  let start = row * params.vectors;
  // Uniform in the workgroup, so all invocations reach the barriers.
  if (row >= params.rows) { return; }
  var sum = vec4<f32>();
  for (var vector = index; vector < params.vectors; vector += THREADS) { sum += load(start + vector); }
  let average = total(invocation, sum.x + sum.y + sum.z + sum.w) / f32(params.width);
  let mean = select(average, 0.0, params.rms == 1u);
  var squares = vec4<f32>();
  for (var vector = index; vector < params.vectors; vector += THREADS) {
    let value = center(load(start + vector), vector, mean);
    squares += value * value;
  }
  let variance = total(invocation, squares.x + squares.y + squares.z + squares.w) / f32(params.width);
  // Of a row of equal values without eps, the scale would be infinite and its products NaN.
  let finite = variance < 1e38 && variance + params.eps > 0.0;
  let scale = 1.0 / sqrt(variance + params.eps);
  for (var vector = index; vector < params.vectors; vector += THREADS) {
    let value = center(load(start + vector), vector, mean);
    output[start + vector] = select(NOT_FINITE, value * scale * weights[vector] + biases[vector], finite);
  }
}
