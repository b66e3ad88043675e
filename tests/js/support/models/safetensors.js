// Changes the safetensors files of models, which are given as maps from names to bytes.

/** Returns the tensors of a file, in order, as { name, dtype, shape, bytes }. */
function tensorsIn(file) {
  const start = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.subarray(8, start));
  return Object.entries(header).map(
    ([
      name,
      {
        dtype,
        shape,
        data_offsets: [from, to],
      },
    ]) => ({ name, dtype, shape, bytes: file.subarray(start + from, start + to) }),
  );
}

function fileOf(tensors) {
  const header = {};
  let at = 0;
  for (const { name, dtype, shape, bytes } of tensors) header[name] = { dtype, shape, data_offsets: [at, (at += bytes.length)] };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...tensors.map(({ bytes }) => bytes)]);
}

/**
 * Returns a model with the tensors of its weights file in two shards of 32 MB or more.
 * @param shardOf returns the number of a tensor's shard, 0 or 1
 */
export function inShards(files, weights, shardOf) {
  const shards = [[], []];
  const map = {};
  const nameOf = (shard) => `model-0000${shard + 1}-of-00002.safetensors`;
  for (const tensor of tensorsIn(files.get(weights))) {
    const shard = shardOf(tensor.name);
    shards[shard].push(tensor);
    map[tensor.name] = nameOf(shard);
  }
  for (const [at, tensors] of shards.entries()) {
    const size = 2 ** 25 - tensors.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (size > 0) tensors.push({ name: `unused.${at}`, dtype: "U8", shape: [size], bytes: Buffer.alloc(size) });
  }
  const others = [...files].filter(([name]) => name !== weights);
  return new Map([
    ...others,
    [`${weights}.index.json`, Buffer.from(JSON.stringify({ weight_map: map }))],
    ...shards.map((tensors, at) => [nameOf(at), fileOf(tensors)]),
  ]);
}
