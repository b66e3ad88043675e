// Reduces the rows of each pair to one, one workgroup per pair: a mean, weighted or not, or the maximum per column.

struct Params {
  rows: u32,     // pairs
  vectors: u32,  // of a row
  skipped: u32,    // rows at the start of each pair that are left out
  first_row: u32,  // of the output, for the first pair
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> cu_seqlens: array<u32>;  // first row of each pair, then the number of rows
@group(0) @binding(2) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4<f32>>;

const BLOCK: u32 = 128u;  // rows

@compute @workgroup_size({THREADS})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let pair = group.y * {GRID_WIDTH}u + group.x;
  if (pair >= params.rows) { return; }
  let start = cu_seqlens[pair];
  let first = start + params.skipped;
  let end = cu_seqlens[pair + 1u];
  for (var vector = index; vector < params.vectors; vector += {THREADS}u) {
#if MAX
    var pooled = input[first * params.vectors + vector];
    for (var row = first + 1u; row < end; row++) {
      pooled = max(pooled, input[row * params.vectors + vector]);
    }
#else
    // Sums of blocks keep the rounding error of thousands of rows close to that of a few.
    var sum = vec4<f32>();
    for (var block = first; block < end; block += BLOCK) {
      var partial = vec4<f32>();
      for (var row = block; row < min(block + BLOCK, end); row++) {
#if WEIGHTED_MEAN
        partial += f32(row - start + 1u) * input[row * params.vectors + vector];
#else
        partial += input[row * params.vectors + vector];
#end
      }
      sum += partial;
    }
    let count = f32(end - first);
#if WEIGHTED_MEAN
    let skipped = f32(params.skipped);
    let pooled = sum / (0.5 * (count * (count + 1.0) + 2.0 * skipped * count));
#end
#if MEAN_SQRT_LEN
    let pooled = sum / sqrt(count);
#end
#if MEAN
    let pooled = sum / count;
#end
#end
    output[(params.first_row + pair) * params.vectors + vector] = pooled;
  }
}
