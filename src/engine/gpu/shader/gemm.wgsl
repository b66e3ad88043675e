// A linear layer: output = epilogue(input weights^T + bias). A workgroup computes TILE_M rows by TILE_N vectors of columns,
// an invocation ROWS rows by two adjacent vectors.
//
// Weights are packed in panels of 64 columns, [panels, depth, 64], so that a panel is contiguous in memory. Four codes of q8
// are one word, [panels, depth / 4, 64]. In products of 8-bit integers, such a word counts as one input feature: an input
// vector has 16 codes.

struct Params {
  rows: u32,
  depth: u32,           // input features of the packed weights, padded
  input_vectors: u32,   // vectors of input features in a row of the input
  input_stride: u32,    // vectors
  column_vectors: u32,  // vectors of columns of the weights; twice as many as a gated layer writes
  output_stride: u32,   // vectors
  first_rows: u32,      // 1: the rows are the first ones of each pair, among others in the buffers
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<vec4<{INPUT}>>;
#if Q8
@group(0) @binding(2) var<storage, read> weights: array<vec4<u32>>;
#end
#if F32
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
#end
#if F16
#if HALF
@group(0) @binding(2) var<storage, read> weights: array<vec4<f16>>;
#else
@group(0) @binding(2) var<storage, read> weights: array<vec2<u32>>;
#end
#end
@group(0) @binding(3) var<storage, read> biases: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;
#if Q8
@group(0) @binding(5) var<storage, read> scales: array<vec4<f32>>;
#if PACKED
@group(0) @binding(6) var<storage, read> column_sums: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read> row_scales: array<vec2<f32>>;  // scale and middle; first rows have no scale
#else
@group(0) @binding(6) var<storage, read> factors: array<f32>;
#end
#end
#if FIRST_ROWS
@group(0) @binding(7) var<storage, read> cu_seqlens: array<u32>;
#end

const PANEL: u32 = 16u;  // vectors
const TILE_M: u32 = {TILE_M}u;
const TILE_N: u32 = {TILE_N}u;  // vectors
const STEP: u32 = {STEP}u;      // vectors of depth
const THREADS: u32 = {THREADS}u;

#if SHARED
// Rows are one vector longer than a step, so that they begin in different memory banks.
const A_STRIDE: u32 = STEP + 1u;
var<workgroup> a_tile: array<vec4<{ELEMENT}>, TILE_M * A_STRIDE>;
var<workgroup> b_tile: array<vec4<{ELEMENT}>, STEP * 4u * TILE_N>;
#end

// Returns the index of four columns of weights.
fn weight_index(k: u32, depth: u32, column: u32) -> u32 {
  return ((column / PANEL) * depth + k) * PANEL + column % PANEL;
}

#if UNPACK
// The codes of four inputs with four columns.
fn codes(vector: u32, column: u32) -> vec4<u32> {
  return weights[weight_index(vector, params.depth / 4u, column)];
}

// Returns the weights of the input `k`, whose codes are in `words`.
fn unpack(words: vec4<u32>, k: u32) -> vec4<f32> {
  return vec4<f32>(vec4<i32>(words << vec4<u32>(24u - 8u * (k % 4u))) >> vec4<u32>(24u)) * factors[k];
}
#else
fn weight(k: u32, column: u32) -> vec4<{ELEMENT}> {
  let index = weight_index(k, params.depth, column);
#if F16
#if HALF
  return weights[index];
#else
  let halves = weights[index];
  return vec4<f32>(unpack2x16float(halves.x), unpack2x16float(halves.y));
#end
#else
  return weights[index];
#end
}
#end

// Returns the products of one input with four columns, or of four packed inputs.
fn products(a: {ELEMENT}, b: vec4<{ELEMENT}>) -> vec4<{PRODUCT}> {
#if PACKED
  return vec4<i32>(dot4I8Packed(a, b.x), dot4I8Packed(a, b.y), dot4I8Packed(a, b.z), dot4I8Packed(a, b.w));
#else
  return a * b;
#end
}

// Returns the index of a row in the buffers.
fn buffer_row(row: u32) -> u32 {
#if FIRST_ROWS
  if (params.first_rows == 1u) { return cu_seqlens[row]; }
#end
  return row;
}

// Writes the vectors `column` and `column + 1` of a row.
fn store(row: u32, column: u32, left: vec4<{SUM}>, right: vec4<{SUM}>) {
#if Q8
#if PACKED
  let of_row = row_scales[row];
  if (of_row.x < 0.0) { return; }
  let low_sum = vec4<f32>(left) * of_row.x + column_sums[column] * of_row.y;
  let high_sum = vec4<f32>(right) * of_row.x + column_sums[column + 1u] * of_row.y;
#else
  let low_sum = left;
  let high_sum = right;
#end
  let low = low_sum * scales[column] + biases[column];
  let high = high_sum * scales[column + 1u] + biases[column + 1u];
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
  var left{I} = vec4<{SUM}>();
  var right{I} = vec4<{SUM}>();
#end

#if not SHARED
  if (row >= params.rows || column >= params.column_vectors) { return; }
  // Rows beyond the last one read the last one; their results are not written.
  let last = params.rows - 1u;
#for I in 0..ROWS
  let start{I} = buffer_row(min(row + {I}u, last)) * params.input_stride;
#end
#end

  for (var step = 0u; step < params.input_vectors; step += STEP) {
#if SHARED
    for (var item = index; item < TILE_M * STEP; item += THREADS) {
      let m = item / STEP;
      let k = item % STEP;
      let in_range = first_row + m < params.rows && step + k < params.input_vectors;
      var value = vec4<{ELEMENT}>();
      if (in_range) { value = vec4<{ELEMENT}>(input[buffer_row(first_row + m) * params.input_stride + step + k]); }
      a_tile[m * A_STRIDE + k] = value;
    }
    // Even vectors of columns before odd ones, so that adjacent invocations read adjacent vectors.
#if UNPACK
    for (var item = index; item < STEP * TILE_N; item += THREADS) {
      let k = item / TILE_N;
      let n = item % TILE_N;
      let to = k * 4u * TILE_N + n / 2u + n % 2u * (TILE_N / 2u);
      var words = vec4<u32>();
      if (first_column + n < params.column_vectors) { words = codes(step + k, first_column + n); }
#for C in 0 1 2 3
      b_tile[to + {C}u * TILE_N] = unpack(words, (step + k) * 4u + {C}u);
#end
    }
#else
    for (var item = index; item < STEP * 4u * TILE_N; item += THREADS) {
      let k = item / TILE_N;
      let n = item % TILE_N;
      var value = vec4<{ELEMENT}>();
      if (first_column + n < params.column_vectors) { value = weight(step * 4u + k, first_column + n); }
      b_tile[k * TILE_N + n / 2u + n % 2u * (TILE_N / 2u)] = value;
    }
#end
    workgroupBarrier();
#end
#if HALF
#for I in 0..ROWS
    var part_left{I} = vec4<f16>();
    var part_right{I} = vec4<f16>();
#end
#end
    for (var k = 0u; k < STEP; k++) {
#for I in 0..ROWS
#if SHARED
      let a{I} = a_tile[(local.y * {ROWS}u + {I}u) * A_STRIDE + k];
#else
      let a{I} = vec4<{ELEMENT}>(input[start{I} + step + k]);
#end
#end
#if UNPACK
#if not SHARED
      let b_codes = codes(step + k, column);
      let c_codes = codes(step + k, column + 1u);
#end
#end
#for C in 0 1 2 3
#if SHARED
      let b{C} = b_tile[(k * 4u + {C}u) * TILE_N + local.x];
      let c{C} = b_tile[(k * 4u + {C}u) * TILE_N + TILE_N / 2u + local.x];
#else
#if UNPACK
      let b{C} = unpack(b_codes, (step + k) * 4u + {C}u);
      let c{C} = unpack(c_codes, (step + k) * 4u + {C}u);
#else
      let b{C} = weight((step + k) * 4u + {C}u, column);
      let c{C} = weight((step + k) * 4u + {C}u, column + 1u);
#end
#end
#for I in 0..ROWS
      {PARTIAL}left{I} += products(a{I}[{C}], b{C});
      {PARTIAL}right{I} += products(a{I}[{C}], c{C});
#end
#end
    }
#if HALF
#for I in 0..ROWS
    left{I} += vec4<f32>(part_left{I});
    right{I} += vec4<f32>(part_right{I});
#end
#end
#if SHARED
    workgroupBarrier();
#end
  }

  if (column >= params.column_vectors) { return; }
#for I in 0..ROWS
  if (row + {I}u < params.rows) { store(buffer_row(row + {I}u), column, left{I}, right{I}); }
#end
}
