import { element } from "../ui/dom.js";
import { messageOf } from "../ui/errors.js";
import { type DocumentSet, ownDocuments } from "./document-set.js";
import { DocumentError, type Format, formatOf, readDocuments, readText } from "./read-documents.js";

/** The dialog in which users type, paste or choose their own documents, or drop a file. */
export class DocumentsDialog {
  readonly #dialog = element("documents-dialog", HTMLDialogElement);
  readonly #text = element("documents-text", HTMLTextAreaElement);
  readonly #file = element("documents-file", HTMLInputElement);
  readonly #error = element("documents-error", HTMLElement);
  readonly #onDocuments: (documents: DocumentSet) => void;
  /** The file that is being read; another one, or a text, takes its place. */
  #reading: File | undefined;

  /** @param onDocuments called with documents that were read without an error */
  constructor(onDocuments: (documents: DocumentSet) => void) {
    this.#onDocuments = onDocuments;
    element("documents-form", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault();
      this.#reading = undefined;
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
    this.#reading = file;
    try {
      const format = formatOf(file.name);
      const source = await readText(file);
      if (this.#reading === file) this.#useText(file.name, source, format);
    } catch (error) {
      if (this.#reading === file) this.#fail(error);
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
