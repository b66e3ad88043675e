import { gpu_choices, set_gpu_choices } from "../wasm/ranklet.js";

import { callEngine } from "./call-engine.js";

const cacheName = "ranklet-kernels-v1";
/** The only entry: the choices of all versions, GPUs and kinds of weights, one per line. Nothing is requested from this URL. */
const url = "https://ranklet.invalid/kernels";

/**
 * Runs `load` with the kernels that earlier pages chose for this GPU, so that they are not timed again, and keeps its choices for
 * later pages. Without a Cache API, or if it fails, kernels are timed in each page.
 */
export async function withGpuChoices<T>(load: () => Promise<T>): Promise<T> {
  const kept = await read().catch(() => "");
  callEngine(() => set_gpu_choices(kept));
  const loaded = await load();
  const choices = callEngine(gpu_choices);
  if (choices !== kept) await write(choices).catch(() => {});
  return loaded;
}

// These are asynchronous also because reading `caches` throws in some frames.

/** Does not create the Cache: without a GPU, there is nothing to keep. */
async function read(): Promise<string> {
  return (await (await caches.match(url, { cacheName }))?.text()) ?? "";
}

async function write(choices: string): Promise<void> {
  await (await caches.open(cacheName)).put(url, new Response(choices));
}
