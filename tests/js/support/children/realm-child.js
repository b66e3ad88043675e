// A separate process that runs the package in a node:vm context, like Jest, and prints rankings as JSON.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import vm from "node:vm";

const [index, folder, missing] = process.argv.slice(2);
// As in Jest, the context has its own JavaScript classes, and classes of the runtime from outside.
const names = [
  "AbortController",
  "AbortSignal",
  "Blob",
  "MessageChannel",
  "TextDecoder",
  "TextEncoder",
  "URL",
  "WebAssembly",
  "crypto",
  "performance",
  "process",
  "setTimeout",
  "queueMicrotask",
];
const context = vm.createContext(Object.fromEntries(names.filter((name) => name !== missing).map((name) => [name, globalThis[name]])));

const modules = new Map();
async function load(url) {
  if (!modules.has(url)) modules.set(url, url.startsWith("node:") ? await builtIn(url) : source(url));
  return modules.get(url);
}
async function builtIn(url) {
  const namespace = await import(url);
  const names = Object.keys(namespace);
  return new vm.SyntheticModule(
    names,
    function () {
      for (const name of names) this.setExport(name, namespace[name]);
    },
    { context },
  );
}
function source(url) {
  return new vm.SourceTextModule(readFileSync(fileURLToPath(url), "utf8"), {
    context,
    identifier: url,
    initializeImportMeta: (meta) => (meta.url = url),
  });
}

const main = await load(index);
await main.link((specifier, { identifier }) => load(specifier.startsWith("node:") ? specifier : new URL(specifier, identifier).href));
await main.evaluate();
const { Reranker } = main.namespace;

const answers = [];
for (const model of [undefined, folder]) {
  for (const workers of [0, 2]) {
    const reranker = await Reranker.load(model, { workers });
    const collection = await reranker.prepare(["a", "b"]);
    let picked;
    for await (const { results } of collection.rank("q", { candidates: new Uint32Array([1]) })) picked = results.map(({ index }) => index);
    answers.push({ ranked: await reranker.rank("q", ["a", "b"]), picked });
    reranker.dispose();
  }
}
console.log(JSON.stringify(answers));
