import { element, setText } from "./dom.js";

/** What the line under the search box says. */
export interface Status {
  readonly text: string;
  /** How far it is. */
  readonly progress?: { readonly done: number; readonly total: number };
  /** What can be done about it. */
  readonly action?: { readonly label: string; readonly run: () => void };
}

/** The line under the search box. It is read out only at the end of something, by `announce`. */
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
    this.#action.hidden = action === undefined;
    if (action !== undefined) setText(this.#action, action.label);
  }
}

/** Says how something ended to people who cannot see it. */
export function announce(text: string): void {
  element("announcement", HTMLElement).textContent = text;
}
