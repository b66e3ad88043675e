// Run as a process of its own, for it destroys the engine's memory. Prints one line a call: how it settled.
import { readFileSync } from "node:fs";

import { checkpoint } from "./fixtures.js";
import { dist } from "./paths.js";

const { Reranker } = await import(new URL("index.node.js", dist));
const { default: init, WasmScoring } = await import(new URL("wasm/ranklet.js", dist));
const { memory } = await init({ module_or_path: readFileSync(new URL("wasm/ranklet_bg.wasm", dist)) });
const reranker = await Reranker.load(checkpoint((labels) => labels === 1).url);

// The memory is destroyed as soon as step() has returned. An engine that computes within the call is done by then; one
// that computes in a microtask of its own traps there, where nobody hears it and the promise stays open for ever.
const step = WasmScoring.prototype.step;
WasmScoring.prototype.step = function () {
  const promise = step.call(this);
  new Uint8Array(memory.buffer).fill(0xff);
  return promise;
};

for (let call = 0; call < 3; call++) {
  await reranker.score([["a query", "a document"]]).then(
    () => console.log("resolved"),
    ({ code }) => console.log(code),
  );
}
