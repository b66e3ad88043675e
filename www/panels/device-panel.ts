import type { Backend, CollectionRanking } from "../../pkg/dist/index.js";
import { chosenDevice, type DeviceChoice } from "../model/model-choice.js";
import { element, make, setText } from "../ui/dom.js";
import { median } from "../ui/median.js";

/** The number of rankings per device from which the median speed is computed. */
const maxRates = 9;

/** Shows the device that computes, how it was verified and the speed of each device; users choose another device here. */
export class DevicePanel {
  readonly #device = element("device-choice", HTMLSelectElement);
  readonly #dtype = element("dtype-choice", HTMLSelectElement);
  readonly #rates = element("device-rates", HTMLUListElement);
  /** Documents per second in the last rankings, by device and weights. */
  readonly #measured = new Map<string, number[]>();

  /** @param onChoice loads the current model again with the chosen device and weights */
  constructor(onChoice: (choice: DeviceChoice) => void) {
    element("device-webgpu", HTMLOptionElement).disabled = !("gpu" in navigator);
    for (const select of [this.#device, this.#dtype]) {
      select.addEventListener("change", () => {
        // Only GPUs compute in f16.
        if (select === this.#dtype && this.#dtype.value === "f16") this.#device.value = "webgpu";
        if (select === this.#device && this.#device.value !== "webgpu" && this.#dtype.value === "f16") this.#dtype.value = "auto";
        onChoice(chosenDevice(this.#device.value, this.#dtype.value));
      });
    }
  }

  /** Shows the backend in use and the choice that led to it. */
  show(backend: Backend | undefined, choice: DeviceChoice): void {
    [this.#device.value, this.#dtype.value] = [choice.device, choice.dtype];
    if (backend === undefined) return;
    setText(element("device-now", HTMLElement), nameOf(backend));
    setText(
      element("device-engine", HTMLElement),
      backend.adapter ?? (backend.workers > 0 ? `${backend.workers} workers, ${backend.engine}` : backend.engine),
    );
    setText(element("device-reason", HTMLElement), `Why: ${backend.reason}.`);
    const { verification } = backend;
    element("device-check", HTMLElement).hidden = verification === undefined;
    if (verification === undefined) return;
    setText(
      element("device-check-text", HTMLElement),
      `${verification.adapter} compared with ${verification.reference}: logits may differ by at most ${verification.tolerance}.`,
    );
    const pairs = verification.pairs.map(({ query, expected, logits }) =>
      make("li", "", `“${query}”: ${numbers(logits)}, expected ${numbers(expected)}`),
    );
    element("device-check-pairs", HTMLUListElement).replaceChildren(...pairs);
  }

  /** Adds the speed of a finished ranking. */
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
      bar.setAttribute("aria-label", `${name}, compared with the fastest`);
      const row = make("li", "");
      row.append(make("span", "name", name), make("span", "size", `${rate.toFixed(rate < 10 ? 1 : 0)} passages per second`), bar);
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
