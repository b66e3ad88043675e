// softmax(query key^T * scale) value for one head of up to QUERIES rows of a pair: an invocation for each row, which
// keeps the greatest logit so far, the sum of exponentials below it and the weighted sum of values (Milakov and
// Gimelshein, 2018, arXiv:1805.02867), so no matrix of logits stands in memory. Keys and values come in blocks that
// the workgroup shares.

struct Params {
  query_stride: u32,  // vectors, here and below
  key_stride: u32,
  key_column: u32,    // first column of the keys in a row of keys and values
  value_column: u32,
  output_stride: u32,
  scale: f32,
  window: u32,        // maximum distance between a query and the keys it attends to
  all_queries: u32,   // 1: every row has a query; 0: only the CLS row of each pair
  max_distance: u32,  // the largest distance that `table_rows` covers
  table_stride: u32,
}

// A workgroup's work.
struct Tile {
  first_query: u32,
  queries: u32,
  first_row: u32,  // of the pair
  rows: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> tiles: array<Tile>;
@group(0) @binding(2) var<storage, read> query: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> keys: array<vec4<f32>>;  // and values
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;
#if ALIBI
@group(0) @binding(5) var<storage, read> slopes: array<f32>;
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
const KEYS: u32 = {KEYS}u;
const VECTORS: u32 = {VECTORS}u;  // of a head

var<workgroup> key_tile: array<vec4<f32>, KEYS * VECTORS>;
var<workgroup> value_tile: array<vec4<f32>, KEYS * VECTORS>;

@compute @workgroup_size({QUERIES})
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
  let tile = tiles[group.x];
  let head = group.y;
  // Invocations without a row follow the last one that has one: all are needed to fetch keys.
  let row = tile.first_query + min(index, tile.queries - 1u);
  var first_place = 0u;
  if (params.all_queries == 1u) { first_place = tile.first_query - tile.first_row; }
  let place = first_place + min(index, tile.queries - 1u);
  let query_start = row * params.query_stride + head * VECTORS;
#for D in 0..VECTORS
  let q{D} = query[query_start + {D}u] * params.scale;
  var o{D} = vec4<f32>();
#end
  var greatest = -1e30;
  var sum = 0.0;

  // Keys that some row of the tile sees.
  let seen_first = first_place - min(first_place, params.window);
  let seen_end = min(tile.rows, first_place + tile.queries + params.window);
  for (var block = seen_first; block < seen_end; block += KEYS) {
    let count = min(KEYS, seen_end - block);
    for (var item = index; item < count * VECTORS; item += QUERIES) {
      let start = (tile.first_row + block + item / VECTORS) * params.key_stride + head * VECTORS + item % VECTORS;
      key_tile[item] = keys[start + params.key_column];
      value_tile[item] = keys[start + params.value_column];
    }
    workgroupBarrier();
    for (var j = 0u; j < count; j++) {
      let distance = i32(place) - i32(block + j);
      if (u32(abs(distance)) > params.window) { continue; }
      let at = j * VECTORS;
      var products = q0 * key_tile[at];
#for D in 1..VECTORS
      products += q{D} * key_tile[at + {D}u];
#end
#if RELATIVE
      let reach = i32(params.max_distance);
      let table_row = table_rows[u32(clamp(distance, -reach, reach) + reach)];
      let table_start = table_row * params.table_stride + head * VECTORS;
#if KEY_TABLE
#for D in 0..VECTORS
      products += q{D} * key_table[table_start + {D}u];
#end
#end
#if QUERY_TABLE
      var turned = query_table[table_start] * key_tile[at];
#for D in 1..VECTORS
      turned += query_table[table_start + {D}u] * key_tile[at + {D}u];
#end
      products += turned * params.scale;
#end
#end
      var logit = products.x + products.y + products.z + products.w;
#if ALIBI
      logit -= slopes[head] * f32(abs(distance));
#end
      if (logit > greatest) {
        let shrink = exp(greatest - logit);
        greatest = logit;
        sum *= shrink;
#for D in 0..VECTORS
        o{D} *= shrink;
#end
      }
      let power = exp(logit - greatest);
      sum += power;
#for D in 0..VECTORS
      o{D} += power * value_tile[at + {D}u];
#end
    }
    workgroupBarrier();
  }

  if (index >= tile.queries) { return; }
  let output_start = row * params.output_stride + head * VECTORS;
#for D in 0..VECTORS
  output[output_start + {D}u] = o{D} / sum;
#end
}
