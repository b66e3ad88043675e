import { element } from "../ui/dom.js";
import { messageOf } from "../ui/errors.js";
import { type DocumentSet, ownDocuments } from "./document-set.js";
import { DocumentError, type Format, formatOf, readDocuments } from "./read-documents.js";

/** The dialog in which users type, paste or choose their own documents, or drop a file. */
export class DocumentsDialog {
  readonly #dialog = element("documents-dialog", HTMLDialogElement);
  readonly #text = element("documents-text", HTMLTextAreaElement);
  readonly #file = element("documents-file", HTMLInputElement);
  readonly #error = element("documents-error", HTMLElement);
  readonly #onDocuments: (documents: DocumentSet) => void;

  /** @param onDocuments called with documents that were read without an error */
  constructor(onDocuments: (documents: DocumentSet) => void) {
    this.#onDocuments = onDocuments;
    element("documents-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#useText("Your documents", this.#text.value, "detect");
    });
    this.#file.addEventListener("change", () => {
      const [file] = this.#file.files ?? [];
      // Without this, choosing the same file again would fire no change event.
      if (file !== undefined) void this.read(file).finally(() => (this.#file.value = ""));
    });
    element("documents-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
  }

  open(): void {
    this.#showError("");
    this.#dialog.showModal();
  }

  /** Reads a file; the dialog shows the error if it cannot be read. */
  async read(file: File): Promise<void> {
    try {
      const format = formatOf(file.name);
      this.#useText(file.name, await file.text(), format);
    } catch (error) {
      this.#fail(error);
    }
  }

  #useText(name: string, source: string, format: Format): void {
    try {
      const documents = ownDocuments(name, readDocuments(source, format));
      this.#dialog.close();
      this.#onDocuments(documents);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    if (!this.#dialog.open) this.open();
    this.#showError(error instanceof DocumentError ? error.message : `The file could not be read: ${messageOf(error)}`);
  }

  #showError(text: string): void {
    this.#error.textContent = text;
    this.#error.hidden = text === "";
    this.#text.toggleAttribute("aria-invalid", text !== "");
  }
}
