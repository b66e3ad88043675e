// Prints the size of each crate in a WebAssembly file with function names: node wasm-parts.mjs FILE
import { readFileSync } from "node:fs";

const bytes = readFileSync(process.argv[2]);
let at = 8;

function leb() {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
}

function text() {
  const length = leb();
  at += length;
  return bytes.toString("utf8", at - length, at);
}

/** Sums the bytes of all functions by crate, and of data by section. */
function measure() {
  const bodies = [];
  const names = new Map();
  let imported = 0;
  const totals = new Map();
  const add = (part, size) => totals.set(part, (totals.get(part) ?? 0) + size);
  while (at < bytes.length) {
    const id = bytes[at++];
    const end = leb() + at;
    if (id === 2) imported = countImportedFunctions();
    else if (id === 10) for (let left = leb(); left > 0; left--) bodies.push(skipBody());
    else if (id === 11) add("(data: tables and constants)", end - at);
    else if (id === 0 && text() === "name") readNames(names, end);
    at = end;
  }
  for (const [index, size] of bodies.entries()) add(crateOf(names.get(index + imported) ?? ""), size);
  return totals;
}

function countImportedFunctions() {
  let functions = 0;
  for (let left = leb(); left > 0; left--) {
    text();
    text();
    const kind = bytes[at++];
    if (kind !== 0) throw new Error("the engine imports something other than functions");
    functions++;
    leb();
  }
  return functions;
}

function skipBody() {
  const size = leb();
  at += size;
  return size;
}

function readNames(names, end) {
  while (at < end) {
    const kind = bytes[at++];
    const sectionEnd = leb() + at;
    if (kind === 1) for (let left = leb(); left > 0; left--) names.set(leb(), text());
    at = sectionEnd;
  }
}

/** Returns the crate of a (legacy-mangled or demangled) Rust symbol. Generic code counts for the crate that defines it. */
function crateOf(name) {
  const mangled = /^_ZN(\d+)/.exec(name);
  const path = mangled ? name.slice(mangled[0].length, mangled[0].length + Number(mangled[1])) : name;
  const words = path.replace(/\$[A-Za-z0-9]+\$/g, " ").match(/[A-Za-z_][A-Za-z0-9_]*/g) ?? [];
  const crate = words.find((word) => !/^(_+|mut|dyn|as)$/.test(word))?.replace(/^_+/, "");
  return crate ?? "(unnamed)";
}

const totals = [...measure()].sort(([, a], [, b]) => b - a);
const whole = totals.reduce((sum, [, size]) => sum + size, 0);
for (const [part, size] of totals.filter(([, size]) => size > whole / 200)) {
  console.log(`${String(size).padStart(9)}  ${((100 * size) / whole).toFixed(1).padStart(5)} %  ${part}`);
}
