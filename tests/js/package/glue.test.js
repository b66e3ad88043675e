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
  const sections = [
    [1, [1, 0x60, 0, 1, 0x7f]],
    [3, [1, 0]],
    [7, exported],
    [10, [1, 4, 0, 0x41, 7, 0x0b]],
  ];
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
    execFileSync(process.execPath, [inRepository("pkg/glue.mjs"), ...folders], { timeout: 60_000 });
    for (const folder of folders) {
      assert.equal(readFileSync(join(folder, "ranklet.js"), "utf8"), "// function: { ret: I32 }\nwasm.callback_0();\n");
      const module = new WebAssembly.Module(readFileSync(join(folder, "ranklet_bg.wasm")));
      assert.equal(new WebAssembly.Instance(module).exports.callback_0(), 7);
    }
  } finally {
    rmSync(root, { recursive: true });
  }
});

/** A module that exports `run`, which returns what the imported function of this name returns. */
function moduleThatImports(name, exported) {
  const text = (value) => [value.length, ...Buffer.from(value)];
  const sections = [
    [1, [1, 0x60, 0, 1, 0x7f]],
    [2, [1, ...text("./ranklet_bg.js"), ...text(name), 0, 0]],
    [3, [1, 0]],
    [7, [1, ...text(exported), 0, 1]],
    [10, [1, 4, 0, 0x10, 0, 0x0b]],
  ];
  return Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flatMap(([id, body]) => [id, body.length, ...body])]);
}

test("names that only the glue uses are shortened in the glue and in the module", () => {
  const folder = mkdtempSync(join(tmpdir(), "ranklet-glue-"));
  try {
    const imported = "__wbg_getMappedRange_1b4ff1f3d5b2a0c4";
    const exported = "__wbindgen_add_to_stack_pointer";
    const glue = [
      `    const import0 = {`,
      `        ${imported}: function() {`,
      "            return 5;",
      "        },",
      "    };",
      `    wasm.${exported}();`,
    ];
    writeFileSync(join(folder, "ranklet.js"), glue.join("\n"));
    writeFileSync(join(folder, "ranklet_bg.wasm"), moduleThatImports(imported, exported));
    execFileSync(process.execPath, [inRepository("pkg/glue.mjs"), folder], { timeout: 60_000 });
    const renamed = readFileSync(join(folder, "ranklet.js"), "utf8").split("\n");
    assert.deepEqual([renamed[1], renamed[5]], ["        i0: function() {", "    wasm.wb_0();"]);
    const module = new WebAssembly.Module(readFileSync(join(folder, "ranklet_bg.wasm")));
    assert.equal(new WebAssembly.Instance(module, { "./ranklet_bg.js": { i0: () => 5 } }).exports.wb_0(), 5);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("no long name of wasm-bindgen is left in the package's glue", () => {
  const glue = readFileSync(new URL("wasm/ranklet.js", dist), "utf8");
  assert.doesNotMatch(glue, /^ +__wb\w+: function|wasm\.__wbindgen_/m);
  assert.match(glue, /^ +i0: function/m);
});

test("a GPU device is requested with subgroups if its adapter has them", () => {
  const glue = readFileSync(new URL("wasm/ranklet.js", dist), "utf8");
  const [, body] = /function\(arg0, arg1\) \{([^}]*\.requestDevice\([^}]*)\}/.exec(glue) ?? [];
  assert.ok(body, "the glue requests a device");
  const request = new Function("getObject", "addHeapObject", "arg0", "arg1", body);
  const requested = (features) =>
    request(
      (of) => of,
      (of) => of,
      { features: new Set(features), requestDevice: ({ requiredFeatures }) => requiredFeatures },
      { requiredFeatures: ["shader-f16"] },
    );
  assert.deepEqual(requested(["subgroups"]), ["shader-f16", "subgroups"]);
  assert.deepEqual(requested([]), ["shader-f16"]);
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

test("initSync takes an object alone", () => {
  const glue = readFileSync(new URL("wasm/ranklet.js", dist), "utf8");
  assert.doesNotMatch(glue.split("function initSync(")[1].split("\n}")[0], /deprecated/);
});

test("values in messages of Rust are written as text", () => {
  const glue = readFileSync(new URL("wasm/ranklet.js", dist), "utf8");
  const [, body] = /^function debugString\(val\) \{\n([\s\S]*?)^\}$/m.exec(glue);
  const write = new Function("val", body);
  assert.equal(write(new TypeError("no device")), "TypeError: no device");
  assert.equal(write(undefined), "undefined");
  assert.equal(write(Symbol("kind")), "Symbol(kind)");
  assert.equal(write(Object.create(null)), "object");
});
