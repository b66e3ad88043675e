import { disposedError, RankletError, renumbered, withItemInMessage } from "../errors.js";
import { expectSameDevice, withRestart } from "../scoring/fallback.js";
import { Deadline } from "../scoring/deadline.js";
import { addTotals, type IndexedScores, noTotals, streamJob } from "../scoring/score.js";
import type { DocumentLimits, Job, Scorer } from "../scoring/scorer.js";
import type { Collection, CollectionRanking, CollectionRankOptions, DocumentInput, Scores } from "../types.js";
import { abortWithError, linkAbort } from "../util/abort.js";
import { checkOptions, string } from "../util/check.js";
import { disposeWhenForgotten, stopWatching } from "../util/forgotten.js";
import { dispose } from "../util/symbols.js";
import { checkFirstStage } from "./fusion.js";
import { withHighlights } from "./highlights.js";
import { collectionChecks, queryRefusals } from "./options.js";
import { atLeast, chooseResults, mergeTop, type ResultChoice, type ScoredDocument, scoredDocuments, toResult } from "./results.js";

/** The checked arguments of `rank`. */
interface RankRequest {
  readonly job: Extract<Job, { kind: "prepared" }>;
  readonly scores: Scores;
  readonly signal: AbortSignal | undefined;
  /** Aborted when a newer call replaces this one. */
  readonly controller: AbortController;
  readonly choice: ResultChoice;
  readonly highlights: number | undefined;
  readonly deadlineMs: number | undefined;
  readonly returnDocuments: boolean;
}

/** What a scorer has prepared. */
export interface PreparedDocuments<D> {
  /** The scorer's number for these documents. */
  readonly id: number;
  readonly documents: readonly D[];
  /** The text of each document that is scored. */
  readonly texts: readonly string[];
  readonly limits: DocumentLimits;
}

/** Documents that a scorer has prepared. */
export class PreparedCollection<D extends DocumentInput> implements Collection<D> {
  /** Keeps the reranker in memory, because its engine ends with it. */
  readonly reranker: object;
  readonly #scorer: Scorer;
  readonly #id: number;
  readonly #documents: readonly D[];
  /** The text of each document that is scored. */
  readonly #texts: readonly string[];
  readonly #limits: DocumentLimits;
  /** The controllers of running calls, which `dispose` aborts. */
  readonly #running = new Set<AbortController>();
  /** Aborted by `dispose`. */
  readonly #lifetime = new AbortController();
  #latest: AbortController | undefined;

  /** @param reranker the owner of the scorer */
  constructor(reranker: object, scorer: Scorer, { id, documents, texts, limits }: PreparedDocuments<D>) {
    this.reranker = reranker;
    this.#scorer = scorer;
    this.#id = id;
    this.#documents = documents;
    this.#texts = texts;
    this.#limits = limits;
    disposeWhenForgotten(this, preparedDocuments(scorer, id));
  }

  get size(): number {
    return this.#documents.length;
  }

  rank(query: string, options?: CollectionRankOptions): AsyncGenerator<CollectionRanking<D>, void> {
    const { scores = "model", signal, candidates, deadlineMs, highlights, returnDocuments = false, latest = false, ...choice } = checkOptions(
      "collection.rank",
      options,
      collectionChecks,
      queryRefusals,
    );
    checkFirstStage("collection.rank", choice.fuse, candidates?.length ?? this.size);
    const job = { kind: "prepared", query: string(query, "collection.rank: query"), collection: this.#id, candidates } as const;
    this.#checkCandidates(candidates);
    const controller = new AbortController();
    if (latest) {
      abortWithError(this.#latest, new RankletError("aborted", "a newer call replaced this one"));
      this.#latest = controller;
    }
    return this.#rank({ job, scores, signal, controller, choice, highlights, deadlineMs, returnDocuments });
  }

  dispose(): void {
    if (this.#lifetime.signal.aborted) return;
    stopWatching(this);
    const disposed = disposedError("collection");
    for (const controller of [this.#lifetime, ...this.#running]) abortWithError(controller, disposed);
    this.#scorer.release(this.#id);
  }

  [dispose](): void {
    this.dispose();
  }

  async *#rank({ job, scores, signal, controller, choice, highlights, deadlineMs, returnDocuments }: RankRequest): AsyncGenerator<CollectionRanking<D>, void> {
    const started = performance.now();
    const total = job.candidates?.length ?? this.size;
    let totals = noTotals();
    let done = 0;
    // The best so far; with a fusion all, because their ranks are not known before the end.
    let top: ScoredDocument[] = [];
    const isScored = new Uint8Array(total);
    // Until the results, indices are positions in the job, because equal scores keep that order.
    const documentIndex = (index: number): number => job.candidates?.[index] ?? index;
    const chosen = (): ScoredDocument[] => (choice.fuse === undefined ? top : chooseResults(top, choice));
    const ranking = (results = chosen(), unscored: readonly number[] = []): CollectionRanking<D> => ({
      results: results.map((scored) => toResult({ ...scored, index: documentIndex(scored.index) }, returnDocuments ? this.#documents : undefined)),
      unscored: unscored.map(documentIndex),
      done,
      total,
      usage: { tokens: totals.tokens, documents: done },
      backend: this.#scorer.info.backend,
      timings: { totalMs: performance.now() - started, engineMs: totals.engineMs, cacheHits: totals.cacheHits },
    });
    const add = (partial: IndexedScores): void => {
      const scored = scoredDocuments(partial, partial.indices);
      if (choice.fuse === undefined) top = mergeTop(top, atLeast(scored, choice.minScore), choice.topN);
      else top = [...top, ...scored].sort((a, b) => a.index - b.index);
      for (const index of partial.indices) isScored[index] = 1;
      done += partial.indices.length;
      addTotals(totals, partial);
    };
    const restart = (): void => {
      [top, done, totals] = [[], 0, noTotals()];
      isScored.fill(0);
    };
    const unlink = linkAbort(controller, signal);
    if (this.#lifetime.signal.aborted) abortWithError(controller, disposedError("collection"));
    this.#running.add(controller);
    const deadline = new Deadline(started, deadlineMs, controller.signal);
    const options = { scores, maxStepMs: deadline.maxStepMs, signal: deadline.signal };
    const scorer = this.#scorer;
    const textOf = (index: number): string => this.#texts[documentIndex(index)] as string;
    const limits = this.#limits;
    const rankings = async function* (): AsyncGenerator<CollectionRanking<D>, void> {
      const { device } = scorer.info.backend;
      for await (const ready of streamJob(scorer, job, 0, options)) {
        ready.forEach(add);
        yield ranking();
        if (done < total) deadline.check();
      }
      if (total === 0) yield ranking();
      if (highlights === undefined || total === 0) return;
      expectSameDevice(scorer, device);
      yield ranking(await withHighlights(scorer, chosen(), { query: job.query, textOf, limits, scores, count: highlights }, deadline, totals));
    };
    try {
      yield* withRestart(scorer, rankings, restart);
    } catch (error) {
      if (!deadline.hasCaused(error)) throw withItemInMessage(renumbered(error, documentIndex));
      if (done < total) yield ranking(chosen(), Array.from(isScored.keys()).filter((index) => isScored[index] === 0));
    } finally {
      deadline.stop();
      this.#running.delete(controller);
      unlink();
    }
  }

  #checkCandidates(candidates: Uint32Array | undefined): void {
    const position = candidates?.findIndex((index) => index >= this.size) ?? -1;
    if (position === -1) return;
    throw new RankletError("input", `collection.rank: candidates[${position}] is ${candidates?.[position]}, and the collection has ${this.size} documents`);
  }
}

/** Returns the resource that a collection owns. A function of its own, so that its closure cannot refer to the collection. */
function preparedDocuments(scorer: Scorer, id: number): { dispose(): void } {
  return { dispose: () => scorer.release(id) };
}
