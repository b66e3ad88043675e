import { RankletError, messageOf } from "../errors.js";
import type { Platform } from "../platform/platform.js";

let compiling: Promise<WebAssembly.Module> | undefined;

/**
 * The engine, compiled once for all rerankers and workers; a failure is forgotten, so that the next call tries again.
 * @throws RankletError `unsupported` where the runtime cannot compile it, `network` where it cannot be downloaded
 */
export async function engineModule(platform: Platform): Promise<WebAssembly.Module> {
  const mine = (compiling ??= compile(platform));
  try {
    return await mine;
  } catch (error) {
    if (compiling === mine) compiling = undefined;
    throw error;
  }
}

async function compile(platform: Platform): Promise<WebAssembly.Module> {
  if (typeof WebAssembly !== "object") throw new RankletError("unsupported", "this runtime has no WebAssembly");
  try {
    return await platform.engineModule();
  } catch (error) {
    if (error instanceof RankletError) throw error;
    // What a connection that breaks off looks like to fetch and to compileStreaming alike.
    if (error instanceof TypeError) throw new RankletError("network", `the engine could not be downloaded: ${messageOf(error)}`, { cause: error });
    throw new RankletError(
      "unsupported",
      `the engine cannot be compiled (it needs WebAssembly with SIMD and, under a content security policy, 'wasm-unsafe-eval'): ${messageOf(error)}`,
      { cause: error },
    );
  }
}
