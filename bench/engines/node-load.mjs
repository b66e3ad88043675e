// Loads the embedded model in Node as a program would and scores a workload. `node node-load.mjs DIST WORKLOAD` prints the
// milliseconds from the import of the library to the first score, and the processor time since the process began.
import { pathToFileURL } from "node:url";

const [dist, workload] = process.argv.slice(2);
const started = performance.now();
const { Reranker } = await import(pathToFileURL(`${dist}/index.node.js`).href);
const reranker = await Reranker.load();
const { results } = await reranker.rerank(JSON.parse(workload));
const ms = performance.now() - started;
const { user, system } = process.cpuUsage();
console.log(JSON.stringify({ ms, processor_ms: (user + system) / 1000, score: results[0].score }));
reranker.dispose();
