// Makes the glue of the engine's two builds (without and with relaxed SIMD) identical, so that the package ships it once, and small:
// node glue.mjs FOLDER..., each with ranklet.js and ranklet_bg.wasm. scripts/wasm.sh compares the results.
//
// wasm-bindgen exports the functions that JavaScript calls back under their index in the module's function table, such as
// `__wasm_bindgen_func_elem_123`, and repeats indices in comments of the glue (`shim_idx: 124`). The same function has another
// index in each build. So this script renames these exports to `callback_0`, `callback_1`, ... in the order in which the glue
// mentions them, and removes the comments' indices. wasm-bindgen has no option for stable names.
//
// It also shortens the names of imports and of exports that only the glue uses, such as `__wbg_getMappedRange_1b4ff1f3d5b2a0c4`
// and `__wbindgen_add_to_stack_pointer`: minifiers must leave them, and they take 9 kB of a page's code.
// It adds the feature "subgroups", which wgpu does not know in browsers, to the request for a GPU device.
// It removes the form of initSync's parameter that wasm-bindgen calls deprecated, with its warning. And it writes a JavaScript
// value for `{:?}`, which only messages of wgpu contain, as `String` does. These two make a page's code 0.7 kB smaller.
// tests/js/package/glue.test.js pins what is expected of wasm-bindgen's output.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const callbackName = /__wasm_bindgen_func_elem_\d+(?:_\d+)?/g;
const internalExport = /(?<=\bwasm\.)__wbindgen_\w+/g;
/** The key of an imported function in the glue's object of imports. */
const importName = /(?<=^ +)__wb\w+(?=: function\()/gm;
const [importSection, exportSection] = [2, 7];
/** The body of the glue's function that requests a GPU device. */
const deviceRequest = "const ret = getObject(arg0).requestDevice(getObject(arg1));";
/** What initSync does with a parameter that may be an object or a module. Ranklet passes an object. */
const eitherParameter =
  / +if \(module !== undefined\) \{\n.*\n +\(\{module\} = module\)\n +\} else \{\n.*deprecated parameters.*\n +\}\n +\}/;
/** The function that writes any value for `{:?}`. */
const debugString = /(?<=^function debugString\(val\) \{\n)[\s\S]*?(?=^\}$)/m;
const shortDebugString = `    // An object without a prototype has no text.
    try {
        return String(val);
    } catch {
        return typeof val;
    }
`;

for (const folder of process.argv.slice(2)) {
  const [glue, wasm] = ["ranklet.js", "ranklet_bg.wasm"].map((name) => join(folder, name));
  const source = readFileSync(glue, "utf8");
  const exports = new Map([...newNames(source, callbackName, "callback_"), ...newNames(source, internalExport, "wb_")]);
  const imports = newNames(source, importName, "i");
  const renamed = source
    .replace(callbackName, (name) => exports.get(name))
    .replace(internalExport, (name) => exports.get(name))
    .replace(importName, (name) => imports.get(name))
    .replace(eitherParameter, "    ({module} = module);")
    .replace(debugString, shortDebugString);
  writeFileSync(glue, withSubgroups(renamed.replace(/shim_idx: \d+, /g, "")));
  writeFileSync(wasm, rename(readFileSync(wasm), imports, exports));
}

/**
 * Returns the glue with subgroups requested from each GPU that has them. A build without a GPU requests no device.
 * @throws if wasm-bindgen writes the request in another way
 */
function withSubgroups(source) {
  if (source.includes(".requestDevice(") && !source.includes(deviceRequest))
    throw new Error("wasm-bindgen requests a GPU device in another way: change pkg/glue.mjs");
  const addition = `if (getObject(arg0).features.has("subgroups")) getObject(arg1).requiredFeatures.push("subgroups");`;
  return source.replace(deviceRequest, `${addition}\n            ${deviceRequest}`);
}

/** Returns a new name for each name that matches, in the order in which they occur first. */
function newNames(source, pattern, prefix) {
  return new Map([...new Set(source.match(pattern))].map((name, index) => [name, `${prefix}${index}`]));
}

/** Returns a WebAssembly module with new names for some of its imports and exports. */
function rename(module, imports, exports) {
  const parts = [module.subarray(0, 8)];
  for (let at = 8; at < module.length; ) {
    const id = module[at];
    const [size, start] = readLeb128(module, at + 1);
    const end = start + size;
    const section = module.subarray(start, end);
    const body = id === exportSection ? renameExports(section, exports) : id === importSection ? renameImports(section, imports) : section;
    parts.push(Buffer.from([id]), writeLeb128(body.length), body);
    at = end;
  }
  return Buffer.concat(parts);
}

/** Returns an export section with new names: a count, then for each export its name, kind and index. */
function renameExports(section, names) {
  return renameEntries(section, (at, parts) => renameAt(section, at, names, parts));
}

/** Returns an import section with new names: a count, then for each function the names of its module and its own, kind and type. */
function renameImports(section, names) {
  return renameEntries(section, (at, parts) => renameAt(section, renameAt(section, at, new Map(), parts), names, parts));
}

/** @param renameEntry adds the names at the start of an entry to a list, and returns the position after them */
function renameEntries(section, renameEntry) {
  const [count, first] = readLeb128(section, 0);
  const parts = [writeLeb128(count)];
  let at = first;
  for (let entry = 0; entry < count; entry++) {
    const kindAt = renameEntry(at, parts);
    const [, end] = readLeb128(section, kindAt + 1);
    parts.push(section.subarray(kindAt, end));
    at = end;
  }
  return Buffer.concat(parts);
}

/** Adds the new name of the name at a position to a list. Returns the position after it. */
function renameAt(section, at, names, parts) {
  const [length, start] = readLeb128(section, at);
  const name = section.toString("utf8", start, start + length);
  const newName = Buffer.from(names.get(name) ?? name);
  parts.push(writeLeb128(newName.length), newName);
  return start + length;
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
