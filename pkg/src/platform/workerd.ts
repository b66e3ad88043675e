// workerd's V8 has relaxed SIMD, and a static import cannot choose between two files.
import engine from "../assets/ranklet_relaxed_bg.wasm";
import { RankletError } from "../errors.js";
import { PortableSha256 } from "../util/sha256.js";
import type { Platform } from "./platform.js";

/** workerd (Cloudflare Workers). It has no files, and takes WebAssembly only as a static import. */
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
  hubEnvironment: () => undefined,
  isNativePath: () => false,
  folderUrl: (path) => {
    throw new RankletError("unsupported", `a Worker has no paths to read "${path}" from; give a folder's https URL, or the files`);
  },
  readFile: () =>
    Promise.reject(new RankletError("unsupported", "a Worker cannot read file: URLs; give a folder's https URL, or the files")),
  listFolder: () => undefined,
  hasPath: () => false,
  pageUrl: () => undefined,
  stores: () => undefined,
  noStore: "a Worker has no cache for models",
  hasCors: false,
  newSha256: () => new PortableSha256(),
  // workerd ties a message channel to the request that created it, so this is a timeout.
  nextTask: () => new Promise((done) => void setTimeout(done, 0)),
};
