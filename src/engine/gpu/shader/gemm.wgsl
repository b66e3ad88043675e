// A linear layer: output = epilogue(input weights^T + bias). A workgroup computes TILE_M rows by TILE_N vectors of columns,
// an invocation ROWS rows by two adjacent vectors.
//
// Weights are packed in panels of 64 columns, [panels, depth, 64], so that a panel is contiguous in memory.

struct Params {
  rows: u32,
  depth: u32,           // input features of the packed weights, padded
  input_vectors: u32,   // vectors of input features in a row of the input
  input_stride: u32,    // vectors
  column_vectors: u32,  // vectors of columns of the weights; twice as many as a gated layer writes
  output_stride: u32,   // vectors
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
#if F32
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
#end
#if F16
@group(0) @binding(2) var<storage, read> weights: array<vec2<u32>>;
#end
#if Q8
@group(0) @binding(2) var<storage, read> weights: array<u32>;
#end
@group(0) @binding(3) var<storage, read> biases: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;
#if Q8
@group(0) @binding(5) var<storage, read> scales: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read> factors: array<f32>;
#end

const PANEL: u32 = 16u;  // vectors
const TILE_M: u32 = {TILE_M}u;
const TILE_N: u32 = {TILE_N}u;  // vectors
const STEP: u32 = {STEP}u;      // vectors of depth
const THREADS: u32 = {THREADS}u;

#if SHARED
// Rows are one vector longer than a step, so that they begin in different memory banks.
const A_STRIDE: u32 = STEP + 1u;
var<workgroup> a_tile: array<vec4<f32>, TILE_M * A_STRIDE>;
var<workgroup> b_tile: array<vec4<f32>, STEP * 4u * TILE_N>;
#end

fn weight(k: u32, column: u32) -> vec4<f32> {
  let index = ((column / PANEL) * params.depth + k) * PANEL + column % PANEL;
#if F32
  return weights[index];
#end
#if F16
  let halves = weights[index];
  return vec4<f32>(unpack2x16float(halves.x), unpack2x16float(halves.y));
#end
#if Q8
  let codes = (vec4<u32>(weights[index]) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(127u);
  return (vec4<f32>(codes) - 64.0) * factors[k];
#end
}

// Writes the vectors `column` and `column + 1` of a row.
fn store(row: u32, column: u32, left: vec4<f32>, right: vec4<f32>) {
#if Q8
  let low = left * scales[column] + biases[column];
  let high = right * scales[column + 1u] + biases[column + 1u];
#else
  let low = left + biases[column];
  let high = right + biases[column + 1u];
#end
#if GLU
  output[row * params.output_stride + column / 2u] = activate(low) * high;
#else
  let index = row * params.output_stride + column;
  let both = column + 1u < params.column_vectors;
#if ADD
  output[index] += low;
  if (both) { output[index + 1u] += high; }
#end
#if STORE
  output[index] = low;
  if (both) { output[index + 1u] = high; }
#end
#if ADD_ACTIVATED
  output[index] += activate(low);
  if (both) { output[index + 1u] += activate(high); }
#end
#if ACTIVATE
  output[index] = activate(low);
  if (both) { output[index + 1u] = activate(high); }
#end
#end
}

@compute @workgroup_size({GROUP_N}, {GROUP_M})
fn main(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_id) local: vec3<u32>,
  @builtin(local_invocation_index) index: u32,
) {
  let first_row = group.y * TILE_M;
  let first_column = group.x * TILE_N;
  let row = first_row + local.y * {ROWS}u;
  let column = first_column + local.x * 2u;
#for I in 0..ROWS
  var left{I} = vec4<f32>();
  var right{I} = vec4<f32>();
#end

#if SHARED
  for (var step = 0u; step < params.depth / 4u; step += STEP) {
    for (var item = index; item < TILE_M * STEP; item += THREADS) {
      let m = item / STEP;
      let k = item % STEP;
      let in_range = first_row + m < params.rows && step + k < params.input_vectors;
      var value = vec4<f32>();
      if (in_range) { value = input[(first_row + m) * params.input_stride + step + k]; }
      a_tile[m * A_STRIDE + k] = value;
    }
    for (var item = index; item < STEP * 4u * TILE_N; item += THREADS) {
      let k = item / TILE_N;
      let n = item % TILE_N;
      // Even vectors of columns before odd ones, so that adjacent invocations read adjacent vectors.
      var value = vec4<f32>();
      if (first_column + n < params.column_vectors) { value = weight(step * 4u + k, first_column + n); }
      b_tile[k * TILE_N + n / 2u + n % 2u * (TILE_N / 2u)] = value;
    }
    workgroupBarrier();
    for (var k = 0u; k < STEP; k++) {
#for I in 0..ROWS
      let a{I} = a_tile[(local.y * {ROWS}u + {I}u) * A_STRIDE + k];
#end
#for C in 0 1 2 3
      let b{C} = b_tile[(k * 4u + {C}u) * TILE_N + local.x];
      let c{C} = b_tile[(k * 4u + {C}u) * TILE_N + TILE_N / 2u + local.x];
#for I in 0..ROWS
      left{I} += a{I}[{C}] * b{C};
      right{I} += a{I}[{C}] * c{C};
#end
#end
    }
    workgroupBarrier();
  }
#else
  if (row >= params.rows || column >= params.column_vectors) { return; }
  // Rows beyond the last one read the last one; their results are not written.
  let last = params.rows - 1u;
#for I in 0..ROWS
  let start{I} = min(row + {I}u, last) * params.input_stride;
#end
  for (var k = 0u; k < params.input_vectors; k++) {
#for I in 0..ROWS
    let a{I} = input[start{I} + k];
#end
#for C in 0 1 2 3
    let b{C} = weight(k * 4u + {C}u, column);
    let c{C} = weight(k * 4u + {C}u, column + 1u);
#for I in 0..ROWS
    left{I} += a{I}[{C}] * b{C};
    right{I} += a{I}[{C}] * c{C};
#end
#end
  }
#end

  if (column >= params.column_vectors) { return; }
#for I in 0..ROWS
  if (row + {I}u < params.rows) { store(row + {I}u, column, left{I}, right{I}); }
#end
}
