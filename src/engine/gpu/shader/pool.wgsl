// The rows of each pair to one, a workgroup for each pair: their sum, weighted or not, over a divisor, or the largest of
// each column.

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
  let pair = group.y * {GRID_WIDTH}u + group.x;
  if (pair >= params.rows) { return; }
  let first = ends[pair];
  let end = ends[pair + 1u];
  for (var vector = index; vector < params.vectors; vector += {THREADS}u) {
#if MAX
    var pooled = input[first * params.vectors + vector];
    for (var row = first + 1u; row < end; row++) {
      pooled = max(pooled, input[row * params.vectors + vector]);
    }
#else
    // In blocks, so that thousands of rows lose little more than a few.
    var sum = vec4<f32>();
    for (var block = first; block < end; block += BLOCK) {
      var part = vec4<f32>();
      for (var row = block; row < min(block + BLOCK, end); row++) {
#if WEIGHTED_MEAN
        part += f32(row - first + 1u) * input[row * params.vectors + vector];
#else
        part += input[row * params.vectors + vector];
#end
      }
      sum += part;
    }
    let count = f32(end - first);
#if WEIGHTED_MEAN
    let pooled = sum / (0.5 * count * (count + 1.0));
#end
#if MEAN_SQRT_LEN
    let pooled = sum / sqrt(count);
#end
#if MEAN
    let pooled = sum / count;
#end
#end
    output[pair * params.vectors + vector] = pooled;
  }
}
