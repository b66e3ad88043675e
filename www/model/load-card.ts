import type { DownloadProgress } from "../../pkg/dist/index.js";
import { element, make, setHidden, setText } from "../ui/dom.js";
import { bytes } from "../ui/format.js";

interface Action {
  readonly label: string;
  readonly run: () => void;
}

/** The card in Ranklet's column while a model is loading. It shows the progress, or why loading failed. */
export class LoadCard {
  readonly #card = element("load-card", HTMLElement);
  readonly #title = element("load-title", HTMLElement);
  readonly #detail = element("load-detail", HTMLElement);
  readonly #overall = element("load-overall", HTMLProgressElement);
  readonly #files = element("load-files", HTMLUListElement);
  readonly #actions = element("load-actions", HTMLElement);
  readonly #rows = new Map<string, { readonly size: HTMLElement; readonly bar: HTMLProgressElement }>();

  /** Shows that a model begins to load. */
  begin(name: string, cancel: () => void): void {
    this.#rows.clear();
    this.#files.replaceChildren();
    this.#overall.removeAttribute("value");
    this.#show("loading", `Loading: ${name}`, "You can already type: keyword search needs no model.", [{ label: "Cancel", run: cancel }]);
  }

  /** Shows the progress of a file and of all files. */
  progress({ file, loaded, total, overall }: DownloadProgress): void {
    // An optional file that the model does not have.
    if (total === 0) return;
    const { size, bar } = this.#rows.get(file) ?? this.#addFile(file);
    setText(size, total === undefined ? bytes(loaded) : `${bytes(loaded)} of ${bytes(total)}`);
    fill(bar, loaded, total);
    fill(this.#overall, overall.loaded, overall.total);
    if (overall.total !== undefined) setText(this.#detail, `${bytes(overall.loaded)} of ${bytes(overall.total)}. ${hint}`);
  }

  canceled(retry: () => void): void {
    this.#show(
      "stopped",
      "The model is not loaded",
      "Loading was canceled. Until a model is loaded, the page shows keyword results only.",
      [{ label: "Load the model", run: retry }],
    );
  }

  failed(title: string, detail: string, actions: readonly Action[]): void {
    this.#show("failed", title, detail, actions);
  }

  hide(): void {
    setHidden(this.#card, true);
  }

  get isHidden(): boolean {
    return this.#card.hidden !== false;
  }

  #show(state: "loading" | "stopped" | "failed", title: string, detail: string, actions: readonly Action[]): void {
    const hadFocus = this.#actions.contains(document.activeElement);
    this.#card.hidden = false;
    this.#card.dataset["state"] = state;
    setText(this.#title, title);
    setText(this.#detail, detail);
    this.#actions.replaceChildren(
      ...actions.map(({ label, run }) => {
        const button = make("button", "button", label);
        button.type = "button";
        button.addEventListener("click", run);
        return button;
      }),
    );
    // The focus goes where the removed button was.
    if (hadFocus) this.#actions.querySelector("button")?.focus();
  }

  #addFile(file: string): { readonly size: HTMLElement; readonly bar: HTMLProgressElement } {
    const item = make("li", "file");
    const size = make("span", "size");
    const bar = make("progress", "");
    bar.setAttribute("aria-label", file);
    item.append(make("span", "name", file), size, bar);
    this.#files.append(item);
    const row = { size, bar };
    this.#rows.set(file, row);
    return row;
  }
}

const hint = "You can already type.";

function fill(bar: HTMLProgressElement, loaded: number, total: number | undefined): void {
  if (total === undefined) return;
  bar.max = total;
  bar.value = loaded;
}
