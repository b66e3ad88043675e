// Makes the glue of the engine's two builds (without and with relaxed SIMD) identical, so that the package ships it once:
// node glue.mjs FOLDER..., each with ranklet.js and ranklet_bg.wasm. scripts/wasm.sh compares the results.
//
// wasm-bindgen exports the functions that JavaScript calls back under their index in the module's function table, such as
// `__wasm_bindgen_func_elem_123`, and repeats indices in comments of the glue (`shim_idx: 124`). The same function has another
// index in each build. So this script renames these exports to `callback_0`, `callback_1`, ... in the order in which the glue
// mentions them, and removes the comments' indices. wasm-bindgen has no option for stable names.
// tests/js/package/glue.test.js pins what is expected of wasm-bindgen's output.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const callbackName = /__wasm_bindgen_func_elem_\d+(?:_\d+)?/g;
const exportSection = 7;

for (const folder of process.argv.slice(2)) {
  const [glue, wasm] = ["ranklet.js", "ranklet_bg.wasm"].map((name) => join(folder, name));
  const source = readFileSync(glue, "utf8");
  const newNames = new Map([...new Set(source.match(callbackName))].map((name, index) => [name, `callback_${index}`]));
  writeFileSync(glue, source.replace(callbackName, (name) => newNames.get(name)).replace(/shim_idx: \d+, /g, ""));
  writeFileSync(wasm, renameExports(readFileSync(wasm), newNames));
}

/** Returns a WebAssembly module with new names for some of its exports. */
function renameExports(module, newNames) {
  const parts = [module.subarray(0, 8)];
  for (let at = 8; at < module.length; ) {
    const id = module[at];
    const [size, start] = readLeb128(module, at + 1);
    const end = start + size;
    const section = module.subarray(start, end);
    const body = id === exportSection ? renameInSection(section, newNames) : section;
    parts.push(Buffer.from([id]), writeLeb128(body.length), body);
    at = end;
  }
  return Buffer.concat(parts);
}

/** Returns an export section with new names: a count, then for each export its name, kind and index. */
function renameInSection(section, newNames) {
  const [count, first] = readLeb128(section, 0);
  const parts = [writeLeb128(count)];
  let at = first;
  for (let entry = 0; entry < count; entry++) {
    const [length, start] = readLeb128(section, at);
    const name = section.toString("utf8", start, start + length);
    const newName = Buffer.from(newNames.get(name) ?? name);
    const kindAt = start + length;
    const [, end] = readLeb128(section, kindAt + 1);
    parts.push(writeLeb128(newName.length), newName, section.subarray(kindAt, end));
    at = end;
  }
  return Buffer.concat(parts);
}

/** Reads an unsigned LEB128 number. Returns it and the position after it. */
function readLeb128(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at];
  }
}

function writeLeb128(value) {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}
