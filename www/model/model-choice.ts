import "../../pkg/dist/default-model.js";
import "../../pkg/dist/small-model.js";
import { type DownloadProgress, type ModelFileSet, Reranker } from "../../pkg/dist/index.js";

/** The model to rank with. */
export type ModelChoice =
  | { readonly kind: "embedded" }
  /** The small model; `isTemporary` if it is in use only until the embedded one is loaded. */
  | { readonly kind: "small"; readonly isTemporary: boolean }
  | { readonly kind: "hub"; readonly id: string }
  | { readonly kind: "folder"; readonly url: URL }
  | { readonly kind: "files"; readonly files: ModelFileSet };

/** The device that computes, and the format of the weights in memory. */
export interface DeviceChoice {
  readonly device: "auto" | "webgpu" | "cpu";
  readonly dtype: "auto" | "f32" | "f16" | "q8";
}

/** Returns the choice for the values of two form fields; unknown values become "auto". */
export function chosenDevice(device: string, dtype: string): DeviceChoice {
  return {
    device: device === "webgpu" || device === "cpu" ? device : "auto",
    dtype: dtype === "f32" || dtype === "f16" || dtype === "q8" ? dtype : "auto",
  };
}

export interface LoadSettings extends DeviceChoice {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: DownloadProgress) => void;
}

/** The folder under which the server of this page forwards files of a hub. */
export const hubPath = "./hub/";

export function loadModel(choice: ModelChoice, settings: LoadSettings): Promise<Reranker> {
  switch (choice.kind) {
    case "embedded":
      return Reranker.load(undefined, settings);
    case "small":
      return Reranker.load("ranklet/small", settings);
    case "hub":
      return Reranker.load(choice.id, { baseUrl: hubPath, ...settings });
    case "folder":
      return Reranker.load(choice.url, settings);
    case "files":
      return Reranker.load(choice.files, settings);
  }
}

/** Returns the number of bytes that `loadModel` would download. */
export function downloadSize(choice: ModelChoice, signal: AbortSignal): Promise<number> {
  switch (choice.kind) {
    case "embedded":
      return Reranker.downloadSize(undefined, { signal });
    case "small":
      return Reranker.downloadSize("ranklet/small", { signal });
    case "hub":
      return Reranker.downloadSize(choice.id, { baseUrl: hubPath, signal });
    case "folder":
      return Reranker.downloadSize(choice.url, { signal });
    case "files":
      return Promise.resolve(0);
  }
}

/** Returns the name that the page shows for a model. */
export function modelName(choice: ModelChoice): string {
  switch (choice.kind) {
    case "embedded":
      return "Embedded model";
    case "small":
      return "Small model";
    case "hub":
      return choice.id;
    case "folder":
      return choice.url.pathname.replace(/\/$/, "").split("/").pop() || choice.url.host;
    case "files":
      return "Your files";
  }
}

/** Returns the model to start with: the small one if the embedded one has to be downloaded, because it is there sooner. */
export async function firstModel(): Promise<ModelChoice> {
  // Without https there is no cache. Its keys have the file's hash after the path.
  const { caches } = globalThis as { caches?: CacheStorage };
  const url = new URL("assets/default/model.safetensors", document.baseURI);
  const stored = await caches?.match(url, { ignoreSearch: true }).catch(() => undefined);
  return stored === undefined ? { kind: "small", isTemporary: true } : { kind: "embedded" };
}
