// pkg/glue.mjs makes the glue that wasm-bindgen writes for the engine's two builds identical.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { dist, inRepository } from "../support/paths.js";

/** A module that exports one function, which returns 7, under this name. */
function moduleWith(name) {
  const exported = [1, name.length, ...Buffer.from(name), 0, 0];
  const sections = [[1, [1, 0x60, 0, 1, 0x7f]], [3, [1, 0]], [7, exported], [10, [1, 4, 0, 0x41, 7, 0x0b]]];
  return Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flatMap(([id, body]) => [id, body.length, ...body])]);
}

test("two builds that differ in the indices of callbacks get the same glue, and modules that fit it", () => {
  const root = mkdtempSync(join(tmpdir(), "ranklet-glue-"));
  try {
    const folders = [12, 345].map((index) => {
      const folder = join(root, String(index));
      mkdirSync(folder);
      const name = `__wasm_bindgen_func_elem_${index}`;
      writeFileSync(join(folder, "ranklet.js"), `// function: { shim_idx: ${index + 1}, ret: I32 }\nwasm.${name}();\n`);
      writeFileSync(join(folder, "ranklet_bg.wasm"), moduleWith(name));
      return folder;
    });
    execFileSync(process.execPath, [inRepository("pkg/glue.mjs"), ...folders]);
    for (const folder of folders) {
      assert.equal(readFileSync(join(folder, "ranklet.js"), "utf8"), "// function: { ret: I32 }\nwasm.callback_0();\n");
      const module = new WebAssembly.Module(readFileSync(join(folder, "ranklet_bg.wasm")));
      assert.equal(new WebAssembly.Instance(module).exports.callback_0(), 7);
    }
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("both engines export the callbacks that the package's glue calls, and no index is left in it", () => {
  const glue = readFileSync(new URL("wasm/ranklet.js", dist), "utf8");
  assert.doesNotMatch(glue, /__wasm_bindgen_func_elem_|shim_idx/);
  const callbacks = [...new Set(glue.match(/callback_\d+/g))];
  assert.ok(callbacks.length > 0, "wasm-bindgen no longer names callbacks by index: pkg/glue.mjs may be unnecessary");
  for (const engine of ["ranklet_bg.wasm", "ranklet_relaxed_bg.wasm"]) {
    // Searched as text: Node 20 cannot compile the engine with relaxed SIMD.
    const module = readFileSync(new URL(`wasm/${engine}`, dist));
    for (const callback of callbacks) assert.ok(module.includes(callback), `${engine} exports ${callback}`);
  }
});
