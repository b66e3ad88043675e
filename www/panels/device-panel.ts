import type { Backend, CollectionRanking } from "../../pkg/dist/index.js";
import { type DeviceChoice, chosenDevice } from "../model/model-choice.js";
import { element, make, setText } from "../ui/dom.js";

/** How many rankings of a device are remembered. */
const maxRates = 9;

/** What computes, how it was checked, how fast each device of this machine is, and where people choose another one. */
export class DevicePanel {
  readonly #device = element("device-choice", HTMLSelectElement);
  readonly #dtype = element("dtype-choice", HTMLSelectElement);
  readonly #rates = element("device-rates", HTMLUListElement);
  /** Documents a second of the last rankings, by device and weights. */
  readonly #measured = new Map<string, number[]>();

  /** @param onChoice loads the model in use again, as chosen */
  constructor(onChoice: (choice: DeviceChoice) => void) {
    element("device-webgpu", HTMLOptionElement).disabled = !("gpu" in navigator);
    for (const select of [this.#device, this.#dtype]) {
      select.addEventListener("change", () => {
        // Only a GPU computes with 16 bits.
        if (select === this.#dtype && this.#dtype.value === "f16") this.#device.value = "webgpu";
        if (select === this.#device && this.#device.value !== "webgpu" && this.#dtype.value === "f16") this.#dtype.value = "auto";
        onChoice(chosenDevice(this.#device.value, this.#dtype.value));
      });
    }
  }

  /** Shows what computes, and the choice that it comes of: also after another one has failed. */
  show(backend: Backend | undefined, choice: DeviceChoice): void {
    [this.#device.value, this.#dtype.value] = [choice.device, choice.dtype];
    if (backend === undefined) return;
    setText(element("device-now", HTMLElement), nameOf(backend));
    setText(element("device-engine", HTMLElement), backend.adapter ?? (backend.workers > 0 ? `${backend.workers} workers, ${backend.engine}` : backend.engine));
    setText(element("device-reason", HTMLElement), `Why: ${backend.reason}.`);
    const { verification } = backend;
    element("device-check", HTMLElement).hidden = verification === undefined;
    if (verification === undefined) return;
    setText(element("device-check-text", HTMLElement), `${verification.adapter} beside ${verification.reference}: at most ${verification.tolerance} apart is allowed.`);
    const pairs = verification.pairs.map(({ query, expected, logits }) => make("li", "", `“${query}”: ${numbers(logits)}, right is ${numbers(expected)}`));
    element("device-check-pairs", HTMLUListElement).replaceChildren(...pairs);
  }

  /** A ranking has come to its end. */
  ranked({ backend, usage, timings }: CollectionRanking<string>): void {
    const rates = this.#measured.get(nameOf(backend)) ?? [];
    this.#measured.set(nameOf(backend), rates);
    rates.push((usage.documents * 1000) / Math.max(timings.totalMs, 1));
    if (rates.length > maxRates) rates.shift();
    this.#draw();
  }

  #draw(): void {
    const best = Math.max(...Array.from(this.#measured.values(), median));
    const rows = Array.from(this.#measured, ([name, rates]) => {
      const rate = median(rates);
      const bar = make("progress", "rate");
      [bar.max, bar.value] = [best, rate];
      bar.setAttribute("aria-label", `${name}, beside the fastest`);
      const row = make("li", "");
      row.append(make("span", "name", name), make("span", "size", `${rate.toFixed(rate < 10 ? 1 : 0)} passages a second`), bar);
      return row;
    });
    this.#rates.replaceChildren(...rows);
  }
}

function nameOf({ device, dtype }: Backend): string {
  return `${device === "webgpu" ? "WebGPU" : "CPU"}, ${dtype}`;
}

function numbers(logits: readonly number[]): string {
  return logits.map((logit) => logit.toFixed(4)).join(", ");
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
