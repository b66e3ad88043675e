import type { Explanation } from "../../pkg/dist/index.js";
import type { CodeSample } from "../panels/code-sample.js";
import type { PassageList } from "../search/passage-list.js";
import type { PassageRow } from "../search/passage-row.js";
import type { Ranker } from "../search/ranker.js";
import { isOutdated, messageOf } from "../ui/errors.js";
import { announce } from "../ui/status-line.js";
import type { CompareDialog } from "./compare-dialog.js";
import { HeatText } from "./heat-text.js";
import { scaleOf, strongestFirst, summary, unitFor, type Word } from "./units.js";

export interface ExplanationsDependencies {
  readonly ranker: Ranker;
  /** Ranklet's list. */
  readonly list: PassageList;
  readonly dialog: CompareDialog;
  readonly code: CodeSample;
  /** Called if the best sentences cannot be marked. */
  readonly onFailure: (error: unknown) => void;
}

/** The explanations of one final ranking, by the indices of passages. */
interface Run {
  readonly query: string;
  readonly controller: AbortController;
  /** Passages whose best sentence is known or being computed. */
  readonly highlighted: Set<number>;
  /** Explanations under way. */
  readonly explaining: Map<number, AbortController>;
  /** Passages whose explanation is complete. */
  readonly explained: Set<number>;
  isHighlighting: boolean;
}

/** Explains a final ranking: marks the best sentences of visible rows, explains the scores of open rows, and compares passages. */
export class Explanations {
  readonly #deps: ExplanationsDependencies;
  #run: Run | undefined;

  constructor(dependencies: ExplanationsDependencies) {
    this.#deps = dependencies;
    dependencies.list.listen({
      onToggle: (row) => void this.#toggled(row),
      onCompare: (row) => this.#compare(row),
      onVisible: () => void this.#highlight(),
    });
  }

  /** Must be called when the ranking for a query is final. */
  start(query: string): void {
    this.stop();
    this.#run = {
      query,
      controller: new AbortController(),
      highlighted: new Set(),
      explaining: new Map(),
      explained: new Set(),
      isHighlighting: false,
    };
    void this.#highlight();
    void this.#explainOpen(this.#run);
  }

  /** Aborts all explanations and removes them, because the ranking changes. */
  stop(): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    for (const controller of [run.controller, ...run.explaining.values()]) controller.abort();
    this.#deps.list.outdate();
  }

  /** Marks the best sentence of each visible row, in one call for all rows that have none. */
  async #highlight(): Promise<void> {
    const run = this.#run;
    if (run === undefined || run.isHighlighting) return;
    const { ranker, list, onFailure } = this.#deps;
    const missing = (): number[] => list.visibleIndices.filter((index) => !run.highlighted.has(index));
    const { signal } = run.controller;
    run.isHighlighting = true;
    try {
      for (let indices = missing(); indices.length > 0 && !signal.aborted; indices = missing()) {
        for (const index of indices) run.highlighted.add(index);
        for (const [index, highlights] of await ranker.highlights(run.query, indices, signal)) {
          list.row(index)?.highlight(highlights);
        }
      }
    } catch (error) {
      if (!signal.aborted && !isOutdated(error)) onFailure(error);
    } finally {
      run.isHighlighting = false;
    }
  }

  async #toggled(row: PassageRow): Promise<void> {
    if (!row.isOpen) return this.#cancel(row);
    const words = await this.#explain(row);
    if (words !== undefined) announce(summary(words));
  }

  async #explainOpen(run: Run): Promise<void> {
    for (const row of this.#deps.list.rows) if (row.isOpen && this.#run === run) await this.#explain(row);
  }

  /** Explains the score of a row. Returns its words with the largest contributions first; `undefined` if it did not get that far. */
  async #explain(row: PassageRow): Promise<Word[] | undefined> {
    const run = this.#run;
    const { code, list, ranker } = this.#deps;
    const { reranker } = ranker;
    const { index, text, panel } = row;
    if (run === undefined || reranker === undefined || run.explaining.has(index) || run.explained.has(index)) return undefined;
    const controller = new AbortController();
    run.explaining.set(index, controller);
    panel?.allowComparison(list.rows.length > 1);
    code.showExplanation("explain", index);
    const started = performance.now();
    let heat: HeatText | undefined;
    const show = ({ units }: Explanation): void => {
      if (heat === undefined) row.explain((heat = new HeatText(text, units)));
      heat.show(units, scaleOf(units));
    };
    try {
      const unit = await unitFor(reranker, run.query, text);
      const explanation = await reranker.explain(run.query, text, {
        unit,
        signal: controller.signal,
        onProgress: ({ done, total, explanation }) => {
          panel?.progress(unit, done, total);
          show(explanation);
        },
      });
      const words = strongestFirst(text, explanation.units);
      show(explanation);
      panel?.done(unit, words, explanation.variants, performance.now() - started);
      run.explained.add(index);
      return words;
    } catch (error) {
      if (!controller.signal.aborted && !isOutdated(error)) panel?.failed(messageOf(error));
      return undefined;
    } finally {
      if (run.explaining.get(index) === controller) run.explaining.delete(index);
      list.layOut();
    }
  }

  /** Aborts the explanation of a row that was closed. A complete one is kept. */
  #cancel({ index }: PassageRow): void {
    this.#run?.explaining.get(index)?.abort();
    this.#run?.explaining.delete(index);
  }

  /** Compares the first passage with another one, or with the second. */
  #compare(row: PassageRow): void {
    const run = this.#run;
    const { reranker } = this.#deps.ranker;
    const [first, second] = this.#deps.list.rows;
    const other = row === first ? second : row;
    if (run === undefined || reranker === undefined || first === undefined || other === undefined) return;
    this.#deps.code.showExplanation("compare", first.index, other.index);
    const title = other === row ? `Why is number ${row.rank} not first?` : "Why is number 1 ahead of number 2?";
    void this.#deps.dialog.open(title, reranker, run.query, first, other);
  }
}
