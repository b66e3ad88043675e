// softmax(query key^T * scale) value, for one head and up to QUERIES queries of one pair per workgroup.
//
// Each invocation computes one query; or the workgroup computes one query, and each invocation takes some of its keys. An
// invocation keeps the maximum logit so far, the sum of exponentials relative to it and the weighted sum of values (online
// softmax: Milakov and Gimelshein, 2018, arXiv:1805.02867), so the matrix of logits is never stored. Keys and values of
// several queries are read in blocks that the workgroup shares.

struct Params {
  query_stride: u32,  // strides and columns are in vectors
  key_stride: u32,
  key_column: u32,    // first column of the keys in a row of keys and values
  value_column: u32,
  output_stride: u32,
  scale: f32,
  window: u32,        // maximum distance between a query and the keys it attends to
  all_queries: u32,   // 1: every row has a query; 0: only the CLS row of each pair
  max_distance: u32,  // the largest distance that `table_rows` covers
  table_stride: u32,
  group: u32,         // heads of queries that share a head of keys and values
}

// The queries of a workgroup, and the rows of their pair.
struct Tile {
  first_query: u32,
  queries: u32,
  first_row: u32,    // of the pair
  rows: u32,         // of the pair
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tiles: array<Tile>;
@group(0) @binding(2) var<storage, read> query: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> keys: array<vec4<f32>>;  // keys and values
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;
#if ALIBI
@group(0) @binding(5) var<storage, read> slopes: array<f32>;
#end
#if BUCKETED
@group(0) @binding(5) var<storage, read> biases: array<f32>;  // of each head and distance
const MAX_DISTANCE: i32 = {MAX_BIAS_DISTANCE};  // greater distances have the biases of this one
#end
#if RELATIVE
@group(0) @binding(5) var<storage, read> table_rows: array<u32>;  // the row of a table for each distance
#if KEY_TABLE
@group(0) @binding(6) var<storage, read> key_table: array<vec4<f32>>;
#end
#if QUERY_TABLE
@group(0) @binding({QUERY_TABLE_BINDING}) var<storage, read> query_table: array<vec4<f32>>;
#end
#end

const QUERIES: u32 = {QUERIES}u;
const VECTORS: u32 = {VECTORS}u;  // of a head

#if not ONE_QUERY
const KEYS: u32 = {KEYS}u;
var<workgroup> key_tile: array<vec4<f32>, KEYS * VECTORS>;
var<workgroup> value_tile: array<vec4<f32>, KEYS * VECTORS>;
#end

@compute @workgroup_size({QUERIES})
fn main(@builtin(workgroup_id) group: vec3<u32>, invocation: Invocation) {
  let index = invocation.index;
  let tile = tiles[group.x];
  let head = group.y;
  let key_head = head / params.group;
  // Invocations without a query repeat the last one, because all are needed to load keys and to reach the barriers.
  let row = tile.first_query + min(index, tile.queries - 1u);
  var first_position = 0u;
  if (params.all_queries == 1u) { first_position = tile.first_query - tile.first_row; }
  let position = first_position + min(index, tile.queries - 1u);
  let query_start = row * params.query_stride + head * VECTORS;
#for D in 0..VECTORS
  let q{D} = query[query_start + {D}u] * params.scale;
  var o{D} = vec4<f32>();
#end
  var max_logit = -1e30;
  var sum = 0.0;

  // The keys within the window of any query of the tile.
  let window_start = first_position - min(first_position, params.window);
  let window_end = min(tile.rows, first_position + tile.queries + params.window);
#if ONE_QUERY
  {
    for (var at = window_start + index; at < window_end; at += QUERIES) {
      let start = (tile.first_row + at) * params.key_stride + key_head * VECTORS;
      let key = start + params.key_column;
      let value = start + params.value_column;
#else
  for (var block = window_start; block < window_end; block += KEYS) {
    let count = min(KEYS, window_end - block);
    for (var item = index; item < count * VECTORS; item += QUERIES) {
      let start = (tile.first_row + block + item / VECTORS) * params.key_stride + key_head * VECTORS + item % VECTORS;
      key_tile[item] = keys[start + params.key_column];
      value_tile[item] = keys[start + params.value_column];
    }
    workgroupBarrier();
    for (var j = 0u; j < count; j++) {
      let at = block + j;
      let key = j * VECTORS;
      let value = key;
#end
      let distance = i32(position) - i32(at);
      if (u32(abs(distance)) > params.window) { continue; }
      var products = q0 * {KEYS_IN}[key];
#for D in 1..VECTORS
      products += q{D} * {KEYS_IN}[key + {D}u];
#end
#if RELATIVE
      let max_distance = i32(params.max_distance);
      let table_row = table_rows[u32(clamp(distance, -max_distance, max_distance) + max_distance)];
      let table_start = table_row * params.table_stride + head * VECTORS;
#if KEY_TABLE
#for D in 0..VECTORS
      products += q{D} * key_table[table_start + {D}u];
#end
#end
#if QUERY_TABLE
      var position_products = query_table[table_start] * {KEYS_IN}[key];
#for D in 1..VECTORS
      position_products += query_table[table_start + {D}u] * {KEYS_IN}[key + {D}u];
#end
      products += position_products * params.scale;
#end
#end
      var logit = products.x + products.y + products.z + products.w;
#if ALIBI
      logit -= slopes[head] * f32(abs(distance));
#end
#if BUCKETED
      let column = u32(clamp(distance, -MAX_DISTANCE, MAX_DISTANCE) + MAX_DISTANCE);
      logit += biases[head * u32(2 * MAX_DISTANCE + 1) + column];
#end
      if (logit > max_logit) {
        // A new maximum rescales the sums so far.
        let rescale = exp(max_logit - logit);
        max_logit = logit;
        sum *= rescale;
#for D in 0..VECTORS
        o{D} *= rescale;
#end
      }
      let weight = exp(logit - max_logit);
      sum += weight;
#for D in 0..VECTORS
      o{D} += weight * {VALUES_IN}[value + {D}u];
#end
    }
#if not ONE_QUERY
    workgroupBarrier();
#end
  }

  let output_start = row * params.output_stride + head * VECTORS;
#if ONE_QUERY
  let rescale = exp(max_logit - maximum(invocation, vec4<f32>(max_logit)).x);
  let whole = total(invocation, vec4<f32>(sum * rescale)).x;
#for D in 0..VECTORS
  let whole{D} = total(invocation, o{D} * rescale);
  if (index == {D}u % QUERIES) { output[output_start + {D}u] = whole{D} / whole; }
#end
#else
  if (index >= tile.queries) { return; }
#for D in 0..VECTORS
  output[output_start + {D}u] = o{D} / sum;
#end
#end
}
