// A worker whose engine traps for the document "trap", that exits for "exit", and that sends a wrong message for "nonsense".
import { parentPort } from "node:worker_threads";

import { dist } from "../paths.js";

const { WasmReranker } = await import(new URL("wasm/ranklet.js", dist));
const { scoring } = WasmReranker.prototype;
WasmReranker.prototype.scoring = function (query, documents, ...rest) {
  if (documents[0] === "trap") throw new WebAssembly.RuntimeError("unreachable");
  if (documents[0] === "exit") process.exit(3);
  if (documents[0] === "nonsense") parentPort.postMessage({ type: "partial", call: 1, partial: "none" });
  return scoring.call(this, query, documents, ...rest);
};
await import(new URL("worker/node.js", dist));
