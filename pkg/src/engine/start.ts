import startWasm from "./wasm/ranklet.js";

import { RankletError, messageOf } from "./errors.js";
import type { Platform } from "./platform/platform.js";

let starting: Promise<unknown> | undefined;

/**
 * Compiles the engine, once for all rerankers; a failure is forgotten, so that the next call tries again.
 * @throws RankletError `unsupported` where the runtime cannot compile it, `network` where it cannot be downloaded
 */
export async function startEngine(platform: Platform): Promise<void> {
  starting ??= start(platform);
  try {
    await starting;
  } catch (error) {
    starting = undefined;
    throw error;
  }
}

async function start(platform: Platform): Promise<void> {
  if (typeof WebAssembly !== "object") throw new RankletError("unsupported", "this runtime has no WebAssembly");
  const module_or_path = await platform.wasm();
  try {
    await startWasm({ module_or_path });
  } catch (error) {
    throw new RankletError(
      "unsupported",
      `the engine does not start (it needs WebAssembly with SIMD and, under a content security policy, 'wasm-unsafe-eval'): ${messageOf(error)}`,
      { cause: error },
    );
  }
}
