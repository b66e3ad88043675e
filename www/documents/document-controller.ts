import type { Ranker } from "../search/ranker.js";
import type { Search } from "../search/search.js";
import { element, setText } from "../ui/dom.js";
import { isOutdated } from "../ui/errors.js";
import { count } from "../ui/format.js";
import type { DocumentSet } from "./document-set.js";

export interface DocumentControllerDependencies {
  readonly ranker: Ranker;
  readonly search: Search;
  readonly onFailure: (error: unknown) => void;
}

/** Holds the documents that are searched, and prepares them for each model. */
export class DocumentController {
  readonly #deps: DocumentControllerDependencies;
  #documents: DocumentSet | undefined;
  #preparing: AbortController | undefined;

  constructor(dependencies: DocumentControllerDependencies) {
    this.#deps = dependencies;
  }

  /** Replaces the documents. */
  use(documents: DocumentSet): void {
    this.#documents = documents;
    this.#deps.ranker.release();
    setText(element("documents-name", HTMLElement), documents.name);
    setText(element("documents-size", HTMLElement), count(documents.passages.length, "passage"));
    element("bundled-documents", HTMLButtonElement).hidden = documents.bundled;
    this.#deps.search.use(documents);
    void this.prepare();
  }

  /** Tokenizes the documents for the model; does nothing until both are loaded. */
  async prepare(): Promise<void> {
    const { ranker, search, onFailure } = this.#deps;
    this.#preparing?.abort();
    if (ranker.reranker === undefined || this.#documents === undefined) return;
    const { signal } = (this.#preparing = new AbortController());
    try {
      await ranker.prepare(
        this.#documents.passages.map(({ text }) => text),
        signal,
      );
      if (!signal.aborted) search.documentsReady();
    } catch (error) {
      if (!isOutdated(error)) onFailure(error);
    }
  }
}
