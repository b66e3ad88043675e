import { draw, element, setText } from "../ui/dom.js";
import { count, duration } from "../ui/format.js";
import { median } from "../ui/median.js";

const maxTimes = 30;
const size = { width: 300, height: 96, gap: 2 };

/** A bar chart of the times of the last rankings. */
export class LatencyChart {
  readonly #svg = element("latency", SVGSVGElement);
  readonly #times: number[] = [];

  add(milliseconds: number): void {
    this.#times.push(milliseconds);
    if (this.#times.length > maxTimes) this.#times.shift();
    this.#render();
  }

  #render(): void {
    const times = this.#times;
    const medianTime = median(times);
    const [min, max] = [Math.min(...times), Math.max(...times)];
    const step = size.width / maxTimes;
    const heightOf = (time: number): number => Math.max(2, (time / max) * (size.height - 4));
    const bars = times.map((time, at) =>
      draw("rect", {
        x: at * step,
        y: size.height - heightOf(time),
        width: step - size.gap,
        height: heightOf(time),
        rx: 1.5,
        class: at === times.length - 1 ? "latest" : "",
      }),
    );
    const y = size.height - heightOf(medianTime);
    this.#svg.replaceChildren(...bars, draw("line", { x1: 0, x2: size.width, y1: y, y2: y }));
    const text = `${count(times.length, "ranking")}: median ${duration(medianTime)}, fastest ${duration(min)}, slowest ${duration(max)}.`;
    this.#svg.setAttribute("aria-label", text);
    setText(element("median", HTMLElement), duration(medianTime));
    setText(element("latency-text", HTMLElement), text);
  }
}
