import { Reranker, type DownloadProgress, type ModelFileSet } from "../pkg/dist/index.js";

/** Which model to rank with. */
export type ModelChoice =
  | { readonly kind: "embedded" }
  | { readonly kind: "hub"; readonly id: string }
  | { readonly kind: "folder"; readonly url: URL }
  | { readonly kind: "files"; readonly files: ModelFileSet };

export interface Loading {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: DownloadProgress) => void;
}

/** Where this page's own server hands on the files of a hub. */
export const hubFolder = "./hub/";

export function loadModel(choice: ModelChoice, loading: Loading): Promise<Reranker> {
  switch (choice.kind) {
    case "embedded":
      return Reranker.load(undefined, loading);
    case "hub":
      return Reranker.load(choice.id, { baseUrl: hubFolder, ...loading });
    case "folder":
      return Reranker.load(choice.url, loading);
    case "files":
      return Reranker.load(choice.files, loading);
  }
}

/** What the page calls a model. */
export function modelName(choice: ModelChoice): string {
  switch (choice.kind) {
    case "embedded":
      return "Embedded model";
    case "hub":
      return choice.id;
    case "folder":
      return choice.url.pathname.replace(/\/$/, "").split("/").pop() || choice.url.host;
    case "files":
      return "Your files";
  }
}
