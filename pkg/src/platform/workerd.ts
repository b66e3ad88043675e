// Its V8 has had relaxed SIMD for years, and one file is all that a static import can be.
import engine from "../assets/ranklet_relaxed_bg.wasm";
import { RankletError } from "../errors.js";
import type { Platform } from "./platform.js";

/** workerd (Cloudflare Workers): no files, and WebAssembly only as a static import. */
export const workerd: Platform = {
  engineModule: () => Promise.resolve(engine),
  startWorker: undefined,
  hasGpu: () => false,
  cpuCount: () => 1,
  defaultModel: () => {
    throw new RankletError(
      "unsupported",
      'a Worker has no files to read the default model from; write `import model from "ranklet/default-model"` and `await Reranker.load(model)`',
    );
  },
  folderUrl: (path) => {
    throw new RankletError("unsupported", `a Worker has no paths to read "${path}" from; give a folder's https URL, or the files`);
  },
  readFile: () =>
    Promise.reject(new RankletError("unsupported", "a Worker cannot read file: URLs; give a folder's https URL, or the files")),
  pageUrl: () => undefined,
  store: () => undefined,
  // Not a message channel: workerd ties one to the request that made it.
  nextTask: () => new Promise((done) => void setTimeout(done, 0)),
};
