import { element, setHidden, setText } from "./dom.js";

export interface StatusAction {
  readonly label: string;
  readonly run: () => void;
}

/** The content of the line under the search box. */
export interface Status {
  readonly text: string;
  readonly progress?: { readonly done: number; readonly total: number };
  /** A button next to the text. */
  readonly action?: StatusAction | undefined;
}

/** The line under the search box. Screen readers do not read it out; `announce` tells them results. */
export class StatusLine {
  readonly #text = element("status-text", HTMLElement);
  readonly #progress = element("status-progress", HTMLProgressElement);
  readonly #action = element("status-action", HTMLButtonElement);
  #run: (() => void) | undefined;

  constructor() {
    this.#action.addEventListener("click", () => this.#run?.());
  }

  show({ text, progress, action }: Status): void {
    setText(this.#text, text);
    this.#progress.classList.toggle("idle", progress === undefined);
    this.#progress.max = progress?.total ?? 1;
    this.#progress.value = progress?.done ?? 0;
    this.#run = action?.run;
    setHidden(this.#action, action === undefined);
    if (action !== undefined) setText(this.#action, action.label);
  }
}

/** Has screen readers read a text. */
export function announce(text: string): void {
  element("announcement", HTMLElement).textContent = text;
}
