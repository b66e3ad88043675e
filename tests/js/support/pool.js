// Pools of workers that record their messages and can be made to fail.
import { readFileSync, readdirSync } from "node:fs";
import { Worker } from "node:worker_threads";

import { checkpoint } from "./models/fixtures.js";
import { dist } from "./paths.js";

const { LoadedReranker } = await import(new URL("api/reranker.js", dist));
const { WorkerPool } = await import(new URL("worker/pool.js", dist));
const { portOf } = await import(new URL("platform/node-worker.js", dist));

const { url } = checkpoint((labels) => labels === 1);
export const trapping = new URL("children/trapping-worker.js", import.meta.url);

/** Programs that never answer, that end immediately, and that end after the other workers are loaded. */
export const silent = new URL("data:text/javascript,setInterval(() => {}, 1000)");
export const failing = new URL("data:text/javascript,process.exit(7)");
export const failingLate = new URL("data:text/javascript,setTimeout(() => process.exit(7), 1500)");

/**
 * Loads the small model into a pool.
 * @param {(at: number) => URL} program returns the program of the worker that is started as number `at`; the default one
 *   knows the documents "trap" and "exit"
 * @param started gets an entry { worker, requests } for every started worker
 * @returns the reranker, and `started`
 */
export async function loadPool(workers, { all = true, program = () => trapping, files = modelFiles(), started = [] } = {}) {
  const startWorker = () => {
    const worker = new Worker(program(started.length));
    const port = portOf(worker);
    const requests = [];
    started.push({ worker, requests });
    return { ...port, post: (request) => port.post((requests.push(request), request)) };
  };
  const module = await WebAssembly.compile(readFileSync(new URL("assets/ranklet_bg.wasm", dist)));
  const start = { startWorker, module, files, settings: { device: "cpu", dtype: "auto" } };
  const scorer = await WorkerPool.load(startWorker(), start, { workers, waitForAll: all }, new AbortController().signal);
  const reranker = new (class extends LoadedReranker {
    constructor() {
      super(scorer, scorer.info);
    }
  })();
  return { reranker, started };
}

/** Returns the files of the small model. */
export function modelFiles() {
  return new Map(readdirSync(url).map((name) => [name, new Blob([readFileSync(new URL(name, url))])]));
}

/** Returns the requests of a type that a worker received. */
export function requestsOf({ requests }, type) {
  return requests.filter((request) => request.type === type);
}

/** More documents than a window, short and long ones, some of them equal. */
export const manyDocuments = Array.from({ length: 700 }, (_, at) => `document ${at % 690} has ${(at % 690) * 7919} words ${"of its own ".repeat(at % 13)}`);
export const query = "a query";

/** Returns a promise and the function that resolves it. */
export function deferred() {
  let resolve;
  const promise = new Promise((resolvePromise) => (resolve = resolvePromise));
  return { promise, resolve };
}

/** Resolves when all workers have ended. */
export function whenEnded(started) {
  return Promise.all(started.map(({ worker }) => new Promise((resolve) => (worker.threadId === -1 ? resolve() : worker.once("exit", resolve)))));
}
