// Pools of workers that record their messages and can be made to fail.
import { readdirSync, readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";

import { checkpoint, checkpoints } from "./models/fixtures.js";
import { dist } from "./paths.js";

const { LoadedReranker } = await import(new URL("api/reranker.js", dist));
const { startInWorkers } = await import(new URL("load/start/start-in-workers.js", dist));
const { WorkerPool } = await import(new URL("worker/pool.js", dist));
const { WorkerScorer } = await import(new URL("worker/worker-scorer.js", dist));
const { portOf } = await import(new URL("platform/node-worker.js", dist));

const { url } = checkpoint((labels) => labels === 1);
/** A small model with three layers, which is split over up to five workers. */
export const layeredUrl = checkpoints().find(({ name }) => name === "bert-f16-h52").url;
export const trapping = new URL("children/trapping-worker.js", import.meta.url);

/** Programs that never answer, that end immediately, and that end after the other workers are loaded. */
export const silent = new URL("data:text/javascript,setInterval(() => {}, 1000)");
export const failing = new URL("data:text/javascript,process.exit(7)");
export const failingLate = new URL("data:text/javascript,setTimeout(() => process.exit(7), 1500)");

/**
 * Loads the small model into a pool.
 * @param {(at: number) => URL} program returns the program of the worker that is started as number `at`; the default one
 *   knows the documents "trap" and "exit"
 * @param isLocal whether the workers are started after the first has the model, as in Node, or together with it
 * @param started gets an entry { worker, requests } for every started worker
 * @returns the reranker, and `started`
 */
export async function loadPool(workers, { all = true, ...options } = {}) {
  const { start, started } = await workerStart(options);
  const scorer = await WorkerPool.load(start.startWorker(), start, { workers, waitForAll: all }, new AbortController().signal);
  return { reranker: rerankerOn(scorer), started };
}

/** As `loadPool`, with one worker, which is no pool. */
export async function loadWorker(options) {
  const { start, started } = await workerStart(options);
  const scorer = await WorkerScorer.load(start.startWorker(), start, new AbortController().signal);
  return { reranker: rerankerOn(scorer), started };
}

/** As `loadPool`, with some layers of a model in each worker. `settings` are the engine's. */
export async function loadLayers(workers, options) {
  const { start, started } = await workerStart({ files: modelFiles(layeredUrl), ...options });
  const scorer = await startInWorkers({ ...start, workers, cpuCount: 4, split: "layers" }, options?.signal ?? new AbortController().signal);
  return { reranker: rerankerOn(scorer), started };
}

async function workerStart({ program = () => trapping, files = modelFiles(), settings = {}, started = [], isLocal = true } = {}) {
  const startWorker = () => {
    const worker = new Worker(program(started.length));
    const port = portOf(worker);
    const requests = [];
    started.push({ worker, requests });
    const post = (request, transfer) => {
      requests.push(request);
      port.post(request, transfer);
    };
    return { ...port, isLocal, post };
  };
  return { started, start: { startWorker, module: await engineModule(), files, settings: { device: "cpu", dtype: "auto", ...settings } } };
}

/** Compiles the engine. */
export function engineModule() {
  return WebAssembly.compile(readFileSync(new URL("assets/ranklet_bg.wasm", dist)));
}

/** Returns a reranker whose engine is this Scorer. */
export function rerankerOn(scorer) {
  return new (class extends LoadedReranker {
    constructor() {
      super(scorer, scorer.info);
    }
  })();
}

/** Returns the files of a model in one folder, by default of the small one. */
export function modelFiles(folder = url) {
  return new Map(readdirSync(folder).map((name) => [name, new Blob([readFileSync(new URL(name, folder))])]));
}

/** Returns the requests of a type that a worker received. */
export function requestsOf({ requests }, type) {
  return requests.filter((request) => request.type === type);
}

/** More documents than a window, short and long ones, some of them equal. */
export const manyDocuments = Array.from(
  { length: 700 },
  (_, at) => `document ${at % 690} has ${(at % 690) * 7919} words ${"of its own ".repeat(at % 13)}`,
);
export const query = "a query";

/** Returns a promise and the function that resolves it. */
export function deferred() {
  let resolve;
  const promise = new Promise((resolvePromise) => (resolve = resolvePromise));
  return { promise, resolve };
}

/** Resolves when all workers have ended. */
export function whenEnded(started) {
  return Promise.all(
    started.map(({ worker }) => new Promise((resolve) => (worker.threadId === -1 ? resolve() : worker.once("exit", resolve)))),
  );
}
