// A separate process, in Node or Deno, that loads rerankers again and again, and disposes or forgets each. Prints as JSON the
// resident memory after the first loads (by then the allocators have grown) and after all, and the number of threads.
import { readdirSync } from "node:fs";

const [end, workers, count, warmUp, index] = process.argv.slice(2);
const { Reranker } = await import(index);

async function once() {
  const reranker = await Reranker.load(undefined, { workers: workers === "auto" ? workers : Number(workers) });
  const collection = await reranker.prepare(["a", "b"]);
  for await (const _ of collection.rank("q")) break;
  await reranker.rank("q", ["a", "b"], { signal: new AbortController().signal });
  if (end === "dispose") reranker.dispose();
}

async function collectGarbage() {
  for (let round = 0; round < 4; round++) {
    globalThis.gc();
    await new Promise((done) => setTimeout(done, 100));
  }
}

const measure = () => ({ megabytes: process.memoryUsage().rss / 1e6, threads: readdirSync("/proc/self/task").length });

let before;
for (let load = 1; load <= Number(count) + Number(warmUp); load++) {
  await once();
  await collectGarbage();
  if (load === Number(warmUp)) before = measure();
}
// Workers that are ending take longer on a busy machine.
for (let round = 0; round < 50 && measure().threads > before.threads; round++) await collectGarbage();
console.log(JSON.stringify({ before, after: measure() }));
