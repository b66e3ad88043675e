import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

const fixtures = new URL("../../../fixtures/", import.meta.url);
const folder = new URL("onnx/bert/", fixtures);
const { fixture, pairs, logits } = JSON.parse(readFileSync(new URL("expected.json", folder)));
const tokenizer = new URL(`${fixture}/`, fixtures);
const unpacked = (name) => gunzipSync(readFileSync(new URL(`${name}.gz`, folder)));

export { pairs };

/** The forms of the model, with the logits of another implementation on each and the tolerance of its numbers. */
export const forms = {
  "onnx/model.onnx": { expected: logits.torchscript.flat(), tolerance: 1e-4 },
  "onnx/model_fp16.onnx": { expected: logits.fp16.flat(), tolerance: 2e-2 },
  "onnx/model_quantized.onnx": { expected: logits.uint8.flat(), tolerance: 1e-3 },
};

/** The small files that are read of the model. */
export const smallFiles = ["config.json", "tokenizer.json", "tokenizer_config.json"];

/** A repository with the layout of transformers.js, such as Xenova/ms-marco-MiniLM-L-6-v2: files by name. */
export const repository = new Map([
  [".gitattributes", Buffer.from("*.onnx filter=lfs diff=lfs merge=lfs -text\n")],
  ["README.md", Buffer.from("---\nbase_model: org/original\nlibrary_name: transformers.js\n---\n")],
  ["config.json", readFileSync(new URL("config.json", folder))],
  ["quantize_config.json", Buffer.from('{"per_channel": false, "reduce_range": false}')],
  ["tokenizer.json", readFileSync(new URL("tokenizer.json", tokenizer))],
  ["tokenizer_config.json", readFileSync(new URL("tokenizer_config.json", tokenizer))],
  ["vocab.txt", Buffer.from("[PAD]\n")],
  ["onnx/model.onnx", unpacked("torchscript.onnx")],
  ["onnx/model_bnb4.onnx", Buffer.from("x")],
  ["onnx/model_fp16.onnx", unpacked("fp16.onnx")],
  ["onnx/model_quantized.onnx", unpacked("uint8.onnx")],
]);

const split = new URL("onnx/external/torchscript/", fixtures);

/** The file with the tensors of `onnx/model.onnx` in `splitRepository`. */
export const dataFile = "onnx/model.onnx_data";

/** The repository with the tensors of `onnx/model.onnx` next to it. Its logits are the same. */
export const splitRepository = new Map([
  ...repository,
  ["onnx/model.onnx", readFileSync(new URL("model.onnx", split))],
  [dataFile, readFileSync(new URL("model.onnx_data", split))],
]);
