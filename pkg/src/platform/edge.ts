import { RankletError } from "../errors.js";
import { PortableSha256 } from "../util/sha256.js";
import type { Platform } from "./platform.js";

/** Names of an edge runtime, for messages. */
interface EdgeNames {
  /** "an edge function" */
  readonly place: string;
  /** How to get a model without files. */
  readonly modelAdvice: string;
}

/** Creates the platform of a runtime without files, workers and a page. */
export function edgePlatform({ place, modelAdvice }: EdgeNames): Platform {
  return {
    checkScope: () => {},
    engine: () => {
      throw new RankletError(
        "unsupported",
        `load: ${place} needs the engine as the option wasm, a compiled module: \`import wasm from "ranklet/assets/ranklet_relaxed_bg.wasm?module"\` (Vercel and Next.js)`,
      );
    },
    engineNeeds: `${place} may not compile WebAssembly: give the option wasm a compiled WebAssembly.Module, as importing the file ranklet/assets/ranklet_relaxed_bg.wasm gives it`,
    startWorker: undefined,
    hasGpu: () => false,
    cpuCount: () => 1,
    embeddedModel: (model) => {
      throw new RankletError("unsupported", `load: ${place} has no files to read the ${model} model from; ${modelAdvice}`);
    },
    missingFileAdvice: modelAdvice,
    hubEnvironment: () => undefined,
    isNativePath: () => false,
    folderUrl: (path, hasFetch) => {
      if (hasFetch) return new URL(path, "https://assets.local/");
      throw new RankletError(
        "unsupported",
        `${place} has no paths to read "${path}" from; give a folder's https URL, the option fetch, or the files`,
      );
    },
    readFile: () =>
      Promise.reject(new RankletError("unsupported", `${place} cannot read file: URLs; give a folder's https URL, or the files`)),
    listFolder: () => undefined,
    hasPath: () => false,
    pageUrl: () => undefined,
    stores: () => undefined,
    hasCors: false,
    newSha256: () => new PortableSha256(),
    noStore: `${place} has no cache for models`,
    // Some of these runtimes have no message channel, or tie it to the request that created it.
    nextTask: () => new Promise((done) => void setTimeout(done, 0)),
  };
}

/** Edge functions of Vercel, Next.js and others. The application imports the engine. */
export const edge = edgePlatform({ place: "an edge function", modelAdvice: "give load a model's https URL or Hub id" });
