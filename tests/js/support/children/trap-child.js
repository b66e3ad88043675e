// A separate process, because it destroys the engine of its thread. Prints for each call how it settled, one per line.
import { checkpoint } from "../models/fixtures.js";
import { glue, Reranker } from "../package/modules.js";

const { url } = checkpoint((labels) => labels === 1);

const reranker = await Reranker.load(url, { workers: 0 });
const { memory } = await glue.default();
const settled = (call) =>
  call.then(
    () => console.log("resolved"),
    ({ code }) => console.log(code),
  );

const calls = [settled(reranker.score([["a query", "a document"]])), settled(reranker.score([["another", "document"]]))];
new Uint8Array(memory.buffer).fill(0xff);
await Promise.all(calls);
await settled(reranker.score([["a query", "a document"]]));
await settled(Reranker.load(url, { workers: 0 }));
