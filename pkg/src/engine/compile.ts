import { messageOf, RankletError } from "../errors.js";
import type { Platform } from "../platform/platform.js";

let compiling: Promise<WebAssembly.Module> | undefined;

/**
 * Compiles the engine, once for all rerankers and workers. After a failure, the next call tries again.
 * @throws RankletError `unsupported` if the runtime cannot compile it, `network` if it cannot be downloaded
 */
export async function engineModule(platform: Platform): Promise<WebAssembly.Module> {
  const current = (compiling ??= compile(platform));
  try {
    return await current;
  } catch (error) {
    if (compiling === current) compiling = undefined;
    throw error;
  }
}

async function compile(platform: Platform): Promise<WebAssembly.Module> {
  if (typeof WebAssembly !== "object") throw new RankletError("unsupported", "this runtime has no WebAssembly");
  try {
    return await platform.engineModule();
  } catch (error) {
    if (error instanceof RankletError) throw error;
    // fetch and compileStreaming throw it for a broken connection.
    if (error instanceof TypeError) throw new RankletError("network", `the engine could not be downloaded: ${messageOf(error)}`, { cause: error });
    throw new RankletError(
      "unsupported",
      `the engine cannot be compiled (it needs WebAssembly SIMD and, under a content security policy, 'wasm-unsafe-eval'): ${messageOf(error)}`,
      { cause: error },
    );
  }
}
