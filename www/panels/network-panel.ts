import { element, make, setText } from "../ui/dom.js";
import { bytes, count } from "../ui/format.js";

interface Span {
  readonly from: number;
  to: number;
}

/** Shows the requests that the browser recorded for this page, during and after loading. */
export class NetworkPanel {
  readonly #requests: PerformanceResourceTiming[] = [];
  /** Time spans in which a model was loading. The first one begins with the page; others may overlap. */
  readonly #loads: Span[] = [];

  constructor() {
    const observer = new PerformanceObserver((list) => {
      this.#requests.push(...list.getEntries().filter((entry) => entry instanceof PerformanceResourceTiming));
      this.#render();
    });
    observer.observe({ type: "resource", buffered: true });
  }

  /** Starts a time span in which requests belong to loading a model. Returns a function that ends it. */
  beginLoad(): () => void {
    const load = { from: this.#loads.length === 0 ? 0 : performance.now(), to: Infinity };
    this.#loads.push(load);
    return () => {
      load.to = performance.now();
      this.#render();
    };
  }

  #render(): void {
    const duringLoad = this.#requests.filter((request) => this.#belongsToLoad(request));
    const afterLoad = this.#requests.filter((request) => !this.#belongsToLoad(request));
    const toOtherHosts = this.#requests.filter(({ name }) => new URL(name).origin !== location.origin);
    setText(element("requests-after-load", HTMLElement), String(afterLoad.length));
    setText(
      element("requests-during-load", HTMLElement),
      `${count(duringLoad.length, "request")}, ${bytes(duringLoad.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0))}`,
    );
    setText(element("requests-to-other-hosts", HTMLElement), String(toOtherHosts.length));
    element("requests", HTMLUListElement).replaceChildren(...this.#requests.map((request) => this.#line(request)));
  }

  #belongsToLoad({ startTime, responseEnd }: PerformanceResourceTiming): boolean {
    // Chromium 156 records the start of a worker's program up to half a second late, after its end.
    const start = responseEnd > 0 ? Math.min(startTime, responseEnd) : startTime;
    return this.#loads.length === 0 || this.#loads.some(({ from, to }) => start >= from && start <= to);
  }

  #line(request: PerformanceResourceTiming): HTMLElement {
    const { name, decodedBodySize } = request;
    const url = new URL(name);
    const line = make("li", this.#belongsToLoad(request) ? "" : "late");
    line.append(
      make("span", "path", url.origin === location.origin ? url.pathname : url.href),
      make("span", "size", bytes(decodedBodySize)),
    );
    return line;
  }
}
