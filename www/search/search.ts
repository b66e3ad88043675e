import type { CollectionRanking } from "../../pkg/dist/index.js";
import type { DocumentSet } from "../documents/document-set.js";
import type { Explanations } from "../explain/explanations.js";
import type { DeviceChoice, ModelChoice } from "../model/model-choice.js";
import type { CodeSample } from "../panels/code-sample.js";
import type { DevicePanel } from "../panels/device-panel.js";
import type { LatencyChart } from "../panels/latency-chart.js";
import { showStats } from "../panels/stats-panel.js";
import { adviceByCodeOf, isOutdated, reasonOf } from "../ui/errors.js";
import { count, duration, shorten } from "../ui/format.js";
import { announce, type Status, type StatusAction, type StatusLine } from "../ui/status-line.js";
import { type Comparison, rankChange } from "./comparison.js";
import { type FirstStage, firstStage } from "./first-stage.js";
import type { Ranker } from "./ranker.js";
import { showRankingState } from "./ranking-state.js";
import { mergeScored, pendingEntries, type ResultOrders } from "./result-order.js";

/** The pause in typing after which Ranklet ranks. Keyword results are shown immediately. */
const debounceMs = 120;

/** The parts of the page that a search uses. */
export interface SearchDependencies {
  readonly ranker: Ranker;
  readonly status: StatusLine;
  readonly comparison: Comparison;
  readonly explanations: Explanations;
  readonly chart: LatencyChart;
  readonly code: CodeSample;
  readonly model: () => ModelChoice;
  /** Puts a model in use that waits until there are no results of the one before. */
  readonly useWaitingModel: () => void;
  readonly device: () => DeviceChoice;
  readonly devices: DevicePanel;
}

/** Runs one query at a time, from the first letter to the final order. */
export class Search {
  readonly #deps: SearchDependencies;
  #documents: DocumentSet | undefined;
  /** The reason why there are no documents, or why they cannot be ranked. */
  #obstacle: Status | undefined = { text: "Starting…" };
  #firstStage: FirstStage = () => ({ hits: [], candidates: [] });
  #query = "";
  #orders: ResultOrders | undefined;
  #running: AbortController | undefined;
  #timer = 0;

  constructor(dependencies: SearchDependencies) {
    this.#deps = dependencies;
  }

  /** Replaces the documents and repeats the query. */
  use(documents: DocumentSet): void {
    const query = this.#query;
    this.#stop();
    this.#documents = documents;
    this.#obstacle = undefined;
    this.#firstStage = firstStage(documents);
    this.#deps.comparison.use(documents);
    this.#query = "";
    this.#orders = undefined;
    this.setQuery(query);
    if (query === "") this.showIdle();
  }

  /** Changes the query. */
  setQuery(text: string): void {
    const query = text.trim();
    if (query === this.#query) return;
    this.#stop();
    this.#deps.useWaitingModel();
    this.#query = query;
    if (query === "") {
      this.#clear();
      return;
    }
    // `use` repeats the query.
    if (this.#documents === undefined) return;
    const found = this.#firstStage(query);
    this.#show({ firstStage: found, entries: pendingEntries(found, this.#orders?.entries ?? []) });
    this.#deps.status.show({ text: this.#firstStageText(), action: this.#obstacle?.action });
    showRankingState("pending");
    this.#timer = setTimeout(() => void this.#rank(), debounceMs);
  }

  /** Must be called when another model is in use, before documents are prepared for it: it has not ranked the query yet. */
  modelChanged(): void {
    if (this.#query !== "") showRankingState("pending");
  }

  /** Must be called when the documents can be ranked. Ranks the query that was typed before. */
  documentsReady(): void {
    this.#obstacle = undefined;
    this.showIdle();
    if (this.#query !== "") void this.#rank();
  }

  /** Must be called when there are no documents, or they could not be prepared. `retry` repeats what failed. */
  documentsFailed(what: string, error: unknown, retry: () => void): void {
    this.#stop();
    this.#obstacle = this.showFailure(what, error, { label: "Try again", run: retry });
  }

  /** Shows what failed, why, and what the user can do. */
  showFailure(what: string, error: unknown, action?: StatusAction): Status {
    const status = { text: [`${what}:`, reasonOf(error), adviceByCodeOf(error) ?? ""].join(" ").trim(), action };
    this.#deps.status.show(status);
    announce(status.text);
    return status;
  }

  /** Whether there is a query, and so results that another model would move. */
  get hasQuery(): boolean {
    return this.#query !== "";
  }

  /** Cancels the ranking. Returns whether one was running. */
  cancel(): boolean {
    if (this.#running === undefined) return false;
    this.#stop();
    showRankingState("stopped");
    const done = this.#orders?.entries.filter(({ score }) => score !== undefined).length ?? 0;
    const text = `Canceled after ${done} of ${this.#orders?.entries.length ?? 0} passages.`;
    this.#deps.status.show({ text, action: { label: "Rank again", run: () => void this.#rank() } });
    announce(text);
    return true;
  }

  async #rank(): Promise<void> {
    const { ranker, status } = this.#deps;
    const [query, orders] = [this.#query, this.#orders];
    if (orders === undefined) return;
    // Screen readers hear the outcome once, so with a model only that of the ranking.
    if (!ranker.ready) return announce(this.#firstStageText());
    this.#stop();
    showRankingState("pending");
    const { signal } = (this.#running = new AbortController());
    const { candidates } = orders.firstStage;
    status.show({ text: this.#firstStageText(), progress: { done: 0, total: candidates.length }, action: this.#cancelAction });
    try {
      for await (const ranking of ranker.rank(query, candidates, signal)) {
        if (signal.aborted) return;
        this.#showRanking(ranking, query, candidates);
      }
    } catch (error) {
      if (signal.aborted || isOutdated(error)) return;
      this.#stop();
      showRankingState("failed");
      this.showFailure("The ranking failed", error, { label: "Rank again", run: () => void this.#rank() });
    }
  }

  #showRanking(ranking: CollectionRanking<string>, query: string, candidates: readonly number[]): void {
    const { status, chart, devices, code, model, device, explanations } = this.#deps;
    const { done, total, results, timings } = ranking;
    if (this.#orders === undefined) return;
    this.#show({ firstStage: this.#orders.firstStage, entries: mergeScored(results, this.#orders.entries) });
    showStats(ranking);
    if (done < total) {
      status.show({ text: `Ranking: ${done} of ${total} passages`, progress: { done, total }, action: this.#cancelAction });
      showRankingState("ranking", { done, total });
      return;
    }
    this.#running = undefined;
    chart.add(timings.totalMs);
    devices.ranked(ranking);
    showRankingState("final");
    status.show({ text: `Ranked ${count(total, "passage")} in ${duration(timings.totalMs)}. ${this.#rankChangeText()}` });
    announce(`Ranked ${count(total, "passage")} in ${duration(timings.totalMs)}. ${this.#rankChangeText()} ${this.#firstPassageText()}`);
    // At once, and not when the last worker says that it is done, because the user can open a row from now on.
    code.show({ model: model(), device: device(), documents: this.#documents?.passages.length ?? 0, query, candidates });
    explanations.start(query);
  }

  get #cancelAction(): StatusAction {
    return { label: "Cancel", run: () => void this.cancel() };
  }

  #show(orders: ResultOrders | undefined): void {
    this.#orders = orders;
    this.#deps.comparison.show(orders, this.#knownAnswer);
  }

  /** The index of the right passage, if the query is a question of the bundled collection. */
  get #knownAnswer(): number | undefined {
    return this.#documents?.answers.get(this.#query);
  }

  #firstStageText(): string {
    const { hits, candidates } = this.#orders?.firstStage ?? { hits: [], candidates: [] };
    const later = this.#obstacle?.text ?? "Ranklet reads them when the model is loaded.";
    const next = this.#deps.ranker.ready ? "Ranklet reads them now." : later;
    if (hits.length > 0) return `Keywords found ${count(hits.length, "passage")}. ${next}`;
    return `No passage contains these words, so all ${candidates.length} are ranked. ${next}`;
  }

  /** Describes the rank change of the right passage, or of the first one if the right one is not known. */
  #rankChangeText(): string {
    const orders = this.#orders;
    const first = orders?.entries[0];
    if (orders === undefined || first === undefined) return "";
    const answer = this.#knownAnswer;
    if (answer === undefined || !orders.entries.some(({ index }) => index === answer))
      return `The first passage ${rankChange(orders, first.index)}.`;
    return `The right passage ${rankChange(orders, answer)}.`;
  }

  #firstPassageText(): string {
    const first = this.#orders?.entries[0];
    return first === undefined ? "" : `First: ${shorten(this.#documents?.passages[first.index]?.text ?? "", 160)}`;
  }

  #clear(): void {
    this.#show(undefined);
    showStats(undefined);
    this.showIdle();
  }

  /** Shows what the page can do, unless there is a query. Must be called when the model in use changes its role. */
  showIdle(): void {
    if (this.#query !== "") return;
    const passages = count(this.#documents?.passages.length ?? 0, "passage");
    showRankingState("idle");
    const model = this.#deps.model();
    const ready =
      model.kind === "small" && model.isTemporary
        ? `${passages}. The small model ranks until the larger one is loaded.`
        : `Ready: ${passages}; the model is in this tab's memory.`;
    this.#deps.status.show(this.#obstacle ?? { text: this.#deps.ranker.ready ? ready : `${passages}. Keyword search is ready.` });
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#running?.abort();
    this.#running = undefined;
    this.#deps.explanations.stop();
  }
}
