import { RankletError, type CollectionRanking } from "../../pkg/dist/index.js";
import type { CodeSample } from "../panels/code-sample.js";
import { journey, type Comparison } from "./comparison.js";
import type { DocumentSet } from "../documents/document-set.js";
import { showFacts } from "../panels/stats-panel.js";
import { firstStage, type FirstStage } from "./first-stage.js";
import { count, duration, shorten } from "../ui/format.js";
import type { LatencyChart } from "../panels/latency-chart.js";
import type { DevicePanel } from "../panels/device-panel.js";
import type { DeviceChoice, ModelChoice } from "../model/model-choice.js";
import { settledEntries, waitingEntries, type Orders } from "./result-order.js";
import type { Ranker } from "./ranker.js";
import { showSettling } from "./ranking-state.js";
import { announce, type StatusLine } from "../ui/status-line.js";

/** How long typing has to rest before Ranklet begins; keywords answer at once. */
const rest = 120;

/** What a search shows itself in, and whom it asks. */
export interface Surroundings {
  readonly ranker: Ranker;
  readonly status: StatusLine;
  readonly comparison: Comparison;
  readonly chart: LatencyChart;
  readonly code: CodeSample;
  readonly model: () => ModelChoice;
  readonly device: () => DeviceChoice;
  readonly devices: DevicePanel;
  readonly onFailure: (error: unknown) => void;
}

/** One query at a time, from the first letter to the final order. */
export class Search {
  readonly #around: Surroundings;
  #documents: DocumentSet | undefined;
  #find: FirstStage = () => ({ hits: [], candidates: [] });
  #query = "";
  #orders: Orders | undefined;
  #running: AbortController | undefined;
  #timer = 0;

  constructor(surroundings: Surroundings) {
    this.#around = surroundings;
  }

  /** Searches in other documents from now on. */
  use(documents: DocumentSet): void {
    const query = this.#query;
    this.#stop();
    this.#documents = documents;
    this.#find = firstStage(documents);
    this.#around.comparison.use(documents);
    this.#query = "";
    this.#orders = undefined;
    this.type(query);
    if (query === "") this.#showRest();
  }

  /** The query has changed, by a letter or altogether. */
  type(text: string): void {
    const query = text.trim();
    if (query === this.#query) return;
    this.#stop();
    this.#query = query;
    if (query === "") return this.#clear();
    const found = this.#find(query);
    this.#show({ found, entries: waitingEntries(found, this.#orders?.entries ?? []) });
    this.#around.status.show({ text: this.#foundText() });
    showSettling("waiting");
    this.#timer = setTimeout(() => void this.#rank(), rest);
  }

  /** The documents can be ranked: ranks what has been typed meanwhile. */
  ready(): void {
    this.#showRest();
    if (this.#query !== "") void this.#rank();
  }

  /** Ends the ranking under way. Returns whether there was one. */
  cancel(): boolean {
    if (this.#running === undefined) return false;
    this.#stop();
    showSettling("stopped");
    const done = this.#orders?.entries.filter(({ score }) => score !== undefined).length ?? 0;
    const text = `Cancelled after ${done} of ${this.#orders?.entries.length ?? 0} passages.`;
    this.#around.status.show({ text, action: { label: "Rank again", run: () => void this.#rank() } });
    announce(text);
    return true;
  }

  async #rank(): Promise<void> {
    const { ranker, status, code, model, device, onFailure } = this.#around;
    const [query, orders] = [this.#query, this.#orders];
    if (!ranker.ready || orders === undefined) return;
    this.#stop();
    showSettling("waiting");
    const { signal } = (this.#running = new AbortController());
    const { candidates } = orders.found;
    status.show({ text: this.#foundText(), progress: { done: 0, total: candidates.length }, action: this.#cancelAction });
    try {
      for await (const ranking of ranker.rank(query, candidates, signal)) {
        if (signal.aborted) return;
        this.#settle(ranking);
      }
      code.show({ model: model(), device: device(), documents: this.#documents?.passages.length ?? 0, query, candidates });
    } catch (error) {
      // A newer query has taken this one's place, or the person has cancelled it and knows.
      if (error instanceof RankletError && error.code === "aborted") return;
      this.#stop();
      showSettling("idle");
      onFailure(error);
    }
  }

  #settle(ranking: CollectionRanking<string>): void {
    const { status, chart, devices } = this.#around;
    const { done, total, results, timings } = ranking;
    if (this.#orders === undefined) return;
    this.#show({ found: this.#orders.found, entries: settledEntries(results, this.#orders.entries) });
    showFacts(ranking);
    if (done < total) {
      status.show({ text: `Ranking: ${done} of ${total} passages`, progress: { done, total }, action: this.#cancelAction });
      showSettling("settling", { done, total });
      return;
    }
    this.#running = undefined;
    chart.add(timings.totalMs);
    devices.ranked(ranking);
    showSettling("final");
    status.show({ text: `Ranked ${count(total, "passage")} in ${duration(timings.totalMs)}. ${this.#outcome()}` });
    announce(`Ranked ${count(total, "passage")} in ${duration(timings.totalMs)}. ${this.#outcome()} ${this.#firstText()}`);
  }

  get #cancelAction(): { readonly label: string; readonly run: () => void } {
    return { label: "Cancel", run: () => void this.cancel() };
  }

  #show(orders: Orders | undefined): void {
    this.#orders = orders;
    this.#around.comparison.show(orders, this.#answer);
  }

  /** The passage known to be right, for a question that came with the collection. */
  get #answer(): number | undefined {
    return this.#documents?.answers.get(this.#query);
  }

  #foundText(): string {
    const { hits, candidates } = this.#orders?.found ?? { hits: [], candidates: [] };
    const next = this.#around.ranker.ready ? "Ranklet reads them now." : "Ranklet reads them once the model is here.";
    if (hits.length > 0) return `Keywords found ${count(hits.length, "passage")}. ${next}`;
    return `No passage has these words, so all ${candidates.length} are ranked. ${next}`;
  }

  /** Where the best passage came from, or the one known to be right. */
  #outcome(): string {
    const orders = this.#orders;
    const first = orders?.entries[0];
    if (orders === undefined || first === undefined) return "";
    const answer = this.#answer;
    if (answer === undefined || !orders.entries.some(({ index }) => index === answer)) return `The first ${journey(orders, first.index)}.`;
    return `The right passage ${journey(orders, answer)}.`;
  }

  #firstText(): string {
    const first = this.#orders?.entries[0];
    return first === undefined ? "" : `First: ${shorten(this.#documents?.passages[first.index]?.text ?? "", 160)}`;
  }

  #clear(): void {
    this.#show(undefined);
    showFacts(undefined);
    this.#showRest();
  }

  #showRest(): void {
    if (this.#query !== "") return;
    const many = count(this.#documents?.passages.length ?? 0, "passage");
    showSettling("idle");
    this.#around.status.show({ text: this.#around.ranker.ready ? `Ready: ${many}, and the model in this tab's memory.` : `${many}. Keywords are ready.` });
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.#running = undefined;
  }
}
