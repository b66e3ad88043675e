import { element } from "../ui/dom.js";
import { DownloadHint, type DownloadSizeOf } from "./download-hint.js";
import type { ModelChoice } from "./model-choice.js";

/** The dialog in which users choose the model. */
export class ModelDialog {
  readonly #dialog = element("model-dialog", HTMLDialogElement);
  readonly #form = element("model-form", HTMLFormElement);
  readonly #id = element("model-id", HTMLInputElement);
  readonly #url = element("model-url", HTMLInputElement);
  readonly #files = element("model-files", HTMLInputElement);
  readonly #error = element("model-error", HTMLElement);

  readonly #hint: DownloadHint;

  /** @param onChoice called with a valid choice */
  constructor(onChoice: (choice: ModelChoice) => void, sizeOf: DownloadSizeOf) {
    this.#hint = new DownloadHint(sizeOf);
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const choice = this.#read();
      this.#showError(typeof choice === "string" ? choice : "");
      if (typeof choice === "string") return;
      this.#dialog.close();
      onChoice(choice);
    });
    this.#dialog.addEventListener("close", () => this.#hint.clear());
    // At the end of typing, and not for each character, because the id of an unfinished name does not exist.
    this.#form.addEventListener("change", () => this.#showSize());
    for (const field of [this.#id, this.#url]) field.addEventListener("paste", () => setTimeout(() => this.#showSize()));
    // Filling in a field selects its choice.
    for (const [field, kind] of [
      [this.#id, "hub"],
      [this.#url, "folder"],
      [this.#files, "from-files"],
    ] as const) {
      field.addEventListener("input", () => (element(`model-${kind}`, HTMLInputElement).checked = true));
    }
    element("model-close", HTMLButtonElement).addEventListener("click", () => this.#dialog.close());
  }

  open(): void {
    this.#showError("");
    this.#dialog.showModal();
  }

  #showSize(): void {
    const choice = this.#read();
    if (typeof choice === "string") this.#hint.clear();
    else void this.#hint.show(choice);
  }

  /** Returns the choice, or a message that says what is wrong with it. */
  #read(): ModelChoice | string {
    switch (new FormData(this.#form).get("model")) {
      case "hub":
        return hubChoice(this.#id.value.trim());
      case "folder":
        return folderChoice(this.#url.value.trim());
      case "files":
        return fileChoice([...(this.#files.files ?? [])]);
      case "small":
        return { kind: "small", isTemporary: false };
      default:
        return { kind: "embedded" };
    }
  }

  #showError(text: string): void {
    this.#error.textContent = text;
    this.#error.hidden = text === "";
  }
}

function hubChoice(id: string): ModelChoice | string {
  if (/^[\w.-]+\/[\w.-]+$/.test(id)) return { kind: "hub", id };
  return "The id must be an owner and a name, such as cross-encoder/ms-marco-MiniLM-L6-v2.";
}

function folderChoice(address: string): ModelChoice | string {
  if (address === "" || !URL.canParse(address, document.baseURI)) return "Enter the address of the folder, such as ./models/mine/.";
  const url = new URL(address, document.baseURI);
  if (url.origin === location.origin) return { kind: "folder", url };
  return "This page can only load from its own host. Enter a Hub id, put the folder next to the page, or choose the files.";
}

function fileChoice(files: readonly File[]): ModelChoice | string {
  if (files.length === 0) return "Choose the files of the model.";
  return { kind: "files", files: Object.fromEntries(files.map((file) => [file.name, file])) };
}
