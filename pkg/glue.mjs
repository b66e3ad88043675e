// wasm-bindgen calls what JavaScript calls back after its place in a table, which is another in each of two builds of
// the same source. This gives these exports numbers in the order in which the glue names them: two builds of one source
// then have the same glue. `node glue.mjs FOLDER...`, each with ranklet.js and ranklet_bg.wasm.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const named = /__wasm_bindgen_func_elem_\d+(?:_\d+)?/g;
const exportSection = 7;

for (const folder of process.argv.slice(2)) {
  const [glue, wasm] = ["ranklet.js", "ranklet_bg.wasm"].map((name) => join(folder, name));
  const source = readFileSync(glue, "utf8");
  const names = new Map([...new Set(source.match(named))].map((name, at) => [name, `callback_${at}`]));
  const renamed = source.replace(named, (name) => names.get(name)).replace(/shim_idx: \d+, /g, "");
  writeFileSync(glue, renamed);
  writeFileSync(wasm, withExports(readFileSync(wasm), names));
}

/** The module with other names for some exports. */
function withExports(module, names) {
  const parts = [module.subarray(0, 8)];
  for (let at = 8; at < module.length; ) {
    const id = module[at];
    const [size, start] = readNumber(module, at + 1);
    const end = start + size;
    const section = module.subarray(start, end);
    const body = id === exportSection ? renameExports(section, names) : section;
    parts.push(Buffer.from([id]), writeNumber(body.length), body);
    at = end;
  }
  return Buffer.concat(parts);
}

function renameExports(section, names) {
  const [count, first] = readNumber(section, 0);
  const parts = [writeNumber(count)];
  let at = first;
  for (let entry = 0; entry < count; entry++) {
    const [length, start] = readNumber(section, at);
    const name = section.toString("utf8", start, start + length);
    const given = Buffer.from(names.get(name) ?? name);
    // The kind of the export, and its index.
    const [, end] = readNumber(section, start + length + 1);
    parts.push(writeNumber(given.length), given, section.subarray(start + length, end));
    at = end;
  }
  return Buffer.concat(parts);
}

/** A LEB128 number at a place, and the place behind it. */
function readNumber(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at];
  }
}

function writeNumber(value) {
  const bytes = [];
  for (; value >= 0x80; value = Math.floor(value / 128)) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}
