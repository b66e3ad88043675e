import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

import { root } from "../paths.js";

/** Writes a BERT of this shape with random f32 weights, and the tokenizer of the default model, into `folder` (a URL). */
export function writeRandomModel(folder, { layers, hidden }) {
  mkdirSync(folder, { recursive: true });
  const source = new URL("models/default/", root);
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) cpSync(new URL(name, source), new URL(name, folder));
  const config = JSON.parse(readFileSync(new URL("config.json", source), "utf8"));
  Object.assign(config, {
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: hidden / 32,
    intermediate_size: 4 * hidden,
  });
  writeFileSync(new URL("config.json", folder), JSON.stringify(config));
  const shapes = shapesOf(layers, hidden, config.vocab_size);
  const data = Float32Array.from({ length: shapes.reduce((sum, [, shape]) => sum + product(shape), 0) }, generator(1));
  const header = {};
  let at = 0;
  for (const [name, shape] of shapes) header[name] = { dtype: "F32", shape, data_offsets: [at, (at += 4 * product(shape))] };
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(new URL("model.safetensors", folder), Buffer.concat([length, text, Buffer.from(data.buffer)]));
}

/** Returns names and shapes in the order of real files. */
function shapesOf(layers, hidden, vocabulary) {
  const linear = (name, out, into) => [
    [`${name}.bias`, [out]],
    [`${name}.weight`, [out, into]],
  ];
  const norm = (name) => [
    [`${name}.LayerNorm.bias`, [hidden]],
    [`${name}.LayerNorm.weight`, [hidden]],
  ];
  const layer = (name) => [
    ...norm(`${name}.attention.output`),
    ...["output.dense", "self.key", "self.query", "self.value"].flatMap((part) => linear(`${name}.attention.${part}`, hidden, hidden)),
    ...linear(`${name}.intermediate.dense`, 4 * hidden, hidden),
    ...norm(`${name}.output`),
    ...linear(`${name}.output.dense`, hidden, 4 * hidden),
  ];
  const tables = { position_embeddings: 512, token_type_embeddings: 2, word_embeddings: vocabulary };
  return [
    ...norm("bert.embeddings"),
    ...Object.entries(tables).map(([name, rows]) => [`bert.embeddings.${name}.weight`, [rows, hidden]]),
    ...Array.from({ length: layers }, (_, at) => layer(`bert.encoder.layer.${at}`)).flat(),
    ...linear("bert.pooler.dense", hidden, hidden),
    ...linear("classifier", 1, hidden),
  ];
}

function product(shape) {
  return shape.reduce((sum, size) => sum * size, 1);
}

/** Returns a function that returns pseudo-random numbers between -0.1 and 0.1, the same on all systems. */
function generator(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 31 - 1) * 0.1;
  };
}
