import type { Examples } from "../search/examples.js";
import type { Ranker } from "../search/ranker.js";
import type { Search } from "../search/search.js";
import { element, setHidden, setText } from "../ui/dom.js";
import { isOutdated } from "../ui/errors.js";
import { count } from "../ui/format.js";
import { bundledDocuments, type DocumentSet } from "./document-set.js";

export interface DocumentControllerDependencies {
  readonly ranker: Ranker;
  readonly search: Search;
  readonly examples: Examples;
}

/** Holds the documents that are searched, and prepares them for each model. */
export class DocumentController {
  readonly #deps: DocumentControllerDependencies;
  #documents: DocumentSet | undefined;
  #bundled: DocumentSet | undefined;
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
    setHidden(element("bundled-documents", HTMLButtonElement), documents.bundled);
    this.#deps.examples.hidden = !documents.bundled;
    this.#deps.search.use(documents);
    void this.prepare();
  }

  /** Uses the collection of the page, unless the user chooses other documents while it is fetched. */
  async useBundled(): Promise<void> {
    const { search } = this.#deps;
    const before = this.#documents;
    try {
      this.#bundled ??= await bundledDocuments();
      if (this.#documents === before) this.use(this.#bundled);
    } catch (error) {
      const [what, run] = ["The documents could not be loaded", () => void this.useBundled()] as const;
      if (this.#documents !== before) return;
      if (before === undefined) search.documentsFailed(what, error, run);
      else search.showFailure(what, error, { label: "Try again", run });
    }
  }

  /** Tokenizes the documents for the model; does nothing until both are loaded. */
  async prepare(): Promise<void> {
    const { ranker, search } = this.#deps;
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
      if (signal.aborted || isOutdated(error)) return;
      search.documentsFailed("The documents could not be prepared", error, () => void this.prepare());
    }
  }
}
