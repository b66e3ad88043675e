import { element } from "../ui/dom.js";
import { bytes } from "../ui/format.js";
import type { ModelChoice } from "./model-choice.js";

/** Returns the number of bytes that loading a model would download. */
export type DownloadSizeOf = (choice: ModelChoice, signal: AbortSignal) => Promise<number>;

/** The line of the model dialog that says how much a model would download. */
export class DownloadHint {
  readonly #line = element("model-download", HTMLElement);
  readonly #sizeOf: DownloadSizeOf;
  #running: AbortController | undefined;

  constructor(sizeOf: DownloadSizeOf) {
    this.#sizeOf = sizeOf;
  }

  /** Asks for the size of a model and shows it. */
  async show(choice: ModelChoice): Promise<void> {
    this.clear();
    const controller = (this.#running = new AbortController());
    const text = await this.#describe(choice, controller.signal);
    if (!controller.signal.aborted) this.#line.textContent = text;
  }

  clear(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.#line.textContent = "";
  }

  async #describe(choice: ModelChoice, signal: AbortSignal): Promise<string> {
    if (choice.kind === "embedded" || choice.kind === "small" || choice.kind === "files") return "";
    try {
      const size = await this.#sizeOf(choice, signal);
      return size === 0 ? "Nothing to download: this browser has the model." : `Download: ${bytes(size)}.`;
    } catch {
      return "The size is not known."; // Loading says what is wrong.
    }
  }
}
