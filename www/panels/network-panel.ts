import { element, make, setText } from "../ui/dom.js";
import { bytes, count } from "../ui/format.js";

interface Span {
  readonly from: number;
  to: number;
}

/** The requests that the browser itself has recorded for this page: what it loaded, and what it asked for since. */
export class NetworkPanel {
  readonly #requests: PerformanceResourceTiming[] = [];
  /** The first is the page's own, from its beginning until there is a model. */
  readonly #loads: Span[] = [{ from: 0, to: Infinity }];

  constructor() {
    const observer = new PerformanceObserver((list) => {
      this.#requests.push(...list.getEntries().filter((entry) => entry instanceof PerformanceResourceTiming));
      this.#render();
    });
    observer.observe({ type: "resource", buffered: true });
  }

  /** A model begins to load: what is asked for belongs to it until the function returned is called. */
  beginLoad(): () => void {
    const last = this.#loads.at(-1);
    const load = last?.to === Infinity ? last : { from: performance.now(), to: Infinity };
    if (load !== last) this.#loads.push(load);
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
    setText(element("requests-during-load", HTMLElement), `${count(duringLoad.length, "request")}, ${bytes(duringLoad.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0))}`);
    setText(element("requests-to-other-hosts", HTMLElement), String(toOtherHosts.length));
    element("requests", HTMLUListElement).replaceChildren(...this.#requests.map((request) => this.#line(request)));
  }

  #belongsToLoad({ startTime }: PerformanceEntry): boolean {
    return this.#loads.some(({ from, to }) => startTime >= from && startTime <= to);
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
