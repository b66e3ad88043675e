// workerd's V8 has relaxed SIMD, and a static import cannot choose between two files.
import engine from "../assets/ranklet_relaxed_bg.wasm";
import { messageOf, RankletError } from "../errors.js";
import { edgePlatform } from "./edge.js";
import type { Platform } from "./platform.js";

const modelAdvice =
  'serve node_modules/ranklet/dist/assets as static assets and write `Reranker.load("/default/", { fetch: env.ASSETS })`, or give a folder\'s https URL; ' +
  '`import "ranklet/small-model"` puts the small model into the Worker, for `Reranker.load("ranklet/small")`, and needs the rule `{ "type": "Data", "globs": ["**/*.safetensors"] }` in wrangler\'s configuration; ' +
  '`import "ranklet/default-model"` does the same with the default model, for `Reranker.load()`';

/** workerd (Cloudflare Workers). It has no files, and takes WebAssembly only as a static import. */
export const workerd: Platform = {
  ...edgePlatform({ place: "a Worker", modelAdvice }),
  checkScope: () => {
    try {
      clearTimeout(setTimeout(() => {}, 0));
    } catch (error) {
      throw new RankletError(
        "unsupported",
        `load: a Worker can load a model only while it handles a request (${messageOf(error)}); write \`let loading;\` at module scope, and \`const reranker = await (loading ??= Reranker.load(…));\` in fetch`,
        { cause: error },
      );
    }
  },
  engine: () => engine,
};
