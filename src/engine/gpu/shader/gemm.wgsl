// output = epilogue(input weights^T + bias): one workgroup makes TILE_M x TILE_N numbers, each invocation
// ROWS x 8 of them, as two neighbouring vectors of columns a row.
//
// Weights lie in panels of 64 columns, [panels, depth, 64], so that a panel is one piece in memory.

struct Params {
  rows: u32,
  depth: u32,           // input features, as the weights have them: whole steps
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
// A row more than a step is long, so that rows do not all begin in the same bank.
const A_STRIDE: u32 = STEP + 1u;
var<workgroup> a_tile: array<vec4<f32>, TILE_M * A_STRIDE>;
var<workgroup> b_tile: array<vec4<f32>, STEP * 4u * TILE_N>;
#end

fn weight(k: u32, column: u32) -> vec4<f32> {
  let place = ((column / PANEL) * params.depth + k) * PANEL + column % PANEL;
#if F32
  return weights[place];
#end
#if F16
  let halves = weights[place];
  return vec4<f32>(unpack2x16float(halves.x), unpack2x16float(halves.y));
#end
#if Q8
  let codes = (vec4<u32>(weights[place]) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(127u);
  return (vec4<f32>(codes) - 64.0) * factors[k];
#end
}

fn finish(row: u32, column: u32, near: vec4<f32>, far: vec4<f32>) {
#if Q8
  let low = near * scales[column] + biases[column];
  let high = far * scales[column + 1u] + biases[column + 1u];
#else
  let low = near + biases[column];
  let high = far + biases[column + 1u];
#end
#if GATE
  output[row * params.output_stride + column / 2u] = activate(low) * high;
#else
  let place = row * params.output_stride + column;
  let both = column + 1u < params.column_vectors;
#if ADD
  output[place] += low;
  if (both) { output[place + 1u] += high; }
#end
#if STORE
  output[place] = low;
  if (both) { output[place + 1u] = high; }
#end
#if ACTIVATE
  output[place] = activate(low);
  if (both) { output[place + 1u] = activate(high); }
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
  var near{I} = vec4<f32>();
  var far{I} = vec4<f32>();
#end

#if SHARED
  for (var step = 0u; step < params.depth / 4u; step += STEP) {
    for (var place = index; place < TILE_M * STEP; place += THREADS) {
      let m = place / STEP;
      let k = place % STEP;
      let there = first_row + m < params.rows && step + k < params.input_vectors;
      var value = vec4<f32>();
      if (there) { value = input[(first_row + m) * params.input_stride + step + k]; }
      a_tile[m * A_STRIDE + k] = value;
    }
    for (var place = index; place < STEP * 4u * TILE_N; place += THREADS) {
      let k = place / TILE_N;
      let n = place % TILE_N;
      // Even vectors of columns in front of odd ones: neighbouring invocations then read neighbouring places.
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
      near{I} += a{I}[{C}] * b{C};
      far{I} += a{I}[{C}] * c{C};
#end
#end
    }
    workgroupBarrier();
  }
#else
  if (row >= params.rows || column >= params.column_vectors) { return; }
  // Rows beyond the last read the last: what comes of them is not written.
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
    near{I} += a{I}[{C}] * b{C};
    far{I} += a{I}[{C}] * c{C};
#end
#end
  }
#end

  if (column >= params.column_vectors) { return; }
#for I in 0..ROWS
  if (row + {I}u < params.rows) { finish(row + {I}u, column, near{I}, far{I}); }
#end
}
