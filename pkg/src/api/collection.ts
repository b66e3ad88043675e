import { disposedError, RankletError, renumbered, withItemInMessage } from "../errors.js";
import { Deadline } from "../scoring/deadline.js";
import { expectSameDevice, withRestart } from "../scoring/fallback.js";
import { streamJob } from "../scoring/score.js";
import type { DocumentLimits, PreparedJob, Scorer } from "../scoring/scorer.js";
import type { Collection, CollectionRanking, CollectionRankOptions, DocumentInput, ReturnDocuments, Scores } from "../types.js";
import { abortWithError, linkAbort } from "../util/abort.js";
import { checkOptions, string } from "../util/check.js";
import { disposeWhenForgotten, stopWatching } from "../util/forgotten.js";
import { dispose } from "../util/symbols.js";
import { checkFirstStage } from "./fusion.js";
import { withHighlights } from "./highlights.js";
import { collectionChecks, collectionRefusals } from "./options.js";
import { RankedDocuments } from "./ranked-documents.js";
import { type ResultChoice, toResult } from "./results.js";
import type { ScoredDocument } from "./scored-document.js";

/** The checked arguments of `rank`. */
interface RankRequest {
  readonly job: PreparedJob;
  readonly scores: Scores;
  readonly signal: AbortSignal | undefined;
  /** Aborted when a newer call replaces this one. */
  readonly controller: AbortController;
  readonly choice: ResultChoice;
  readonly highlights: number | undefined;
  readonly deadlineMs: number | undefined;
  readonly returnDocuments: boolean;
}

/** The documents that a scorer has prepared. */
interface PreparedDocuments<D> {
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

  rank<R extends boolean | undefined = boolean | undefined>(
    query: string,
    options?: CollectionRankOptions<R> & ReturnDocuments<R>,
  ): AsyncGenerator<CollectionRanking<D, NoInfer<R>>, void> {
    const {
      scores = "model",
      signal,
      candidates,
      deadlineMs,
      highlights,
      returnDocuments = false,
      latest = false,
      ...choice
    } = checkOptions("collection.rank", options, collectionChecks, collectionRefusals);
    checkFirstStage("collection.rank", choice.fuse, candidates?.length ?? this.size);
    const chosen = candidates && this.#distinct(candidates, choice.fuse !== undefined);
    const job = { kind: "prepared", query: string(query, "collection.rank: query"), collection: this.#id, candidates: chosen } as const;
    const controller = new AbortController();
    if (latest) {
      abortWithError(this.#latest, new RankletError("aborted", "a newer call replaced this one"));
      this.#latest = controller;
    }
    const rankings = this.#rank({ job, scores, signal, controller, choice, highlights, deadlineMs, returnDocuments });
    return rankings as AsyncGenerator<CollectionRanking<D, R>, void>;
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

  async *#rank(request: RankRequest): AsyncGenerator<CollectionRanking<D>, void> {
    const { job, signal, controller, choice, deadlineMs } = request;
    const started = performance.now();
    const ranked = new RankedDocuments(job.candidates?.length ?? this.size, choice);
    const unlink = linkAbort(controller, signal);
    if (this.#lifetime.signal.aborted) abortWithError(controller, disposedError("collection"));
    this.#running.add(controller);
    const deadline = new Deadline(started, deadlineMs, controller.signal);
    try {
      const parts = withRestart(
        this.#scorer,
        () => this.#resultsSoFar(request, ranked, deadline),
        () => ranked.restart(),
      );
      for await (const results of parts) yield this.#ranking(request, ranked, { results, unscored: [] }, started);
    } catch (error) {
      if (!deadline.hasCaused(error)) throw withItemInMessage(renumbered(error, (position) => documentIndex(job, position)));
      if (ranked.done < ranked.total) yield this.#ranking(request, ranked, ranked, started);
    } finally {
      deadline.stop();
      this.#running.delete(controller);
      unlink();
    }
  }

  /** Scores the documents, and yields the results so far after each micro-batch; at the end once more if they have highlights. */
  async *#resultsSoFar(
    { job, scores, highlights }: RankRequest,
    ranked: RankedDocuments,
    deadline: Deadline,
  ): AsyncGenerator<ScoredDocument[], void> {
    const scorer = this.#scorer;
    const { device } = scorer.info.backend;
    for await (const ready of streamJob(scorer, job, 0, { scores, maxStepMs: deadline.maxStepMs, signal: deadline.signal })) {
      for (const partial of ready) ranked.add(partial);
      yield ranked.results;
      if (ranked.done < ranked.total) deadline.check();
    }
    if (ranked.total === 0) yield [];
    if (highlights === undefined || ranked.total === 0) return;
    expectSameDevice(scorer, device);
    const textOf = (position: number): string => this.#texts[documentIndex(job, position)] as string;
    yield withHighlights(scorer, ranked, { query: job.query, textOf, limits: this.#limits, scores, count: highlights }, deadline);
  }

  #ranking(
    { job, returnDocuments }: RankRequest,
    { done, total, totals }: RankedDocuments,
    { results, unscored }: Pick<RankedDocuments, "results" | "unscored">,
    started: number,
  ): CollectionRanking<D> {
    return {
      results: results.map((scored) =>
        toResult({ ...scored, index: documentIndex(job, scored.index) }, returnDocuments ? this.#documents : undefined),
      ),
      unscored: unscored.map((position) => documentIndex(job, position)),
      done,
      total,
      usage: { tokens: totals.tokens, documents: done },
      backend: this.#scorer.info.backend,
      timings: { totalMs: performance.now() - started, engineMs: totals.engineMs, cacheHits: totals.cacheHits },
    };
  }

  /** Returns each candidate once, at its first place: the hits of several first stages, joined, have some twice. */
  #distinct(candidates: Uint32Array, hasFirstStage: boolean): Uint32Array {
    const distinct = new Set<number>();
    for (const [position, index] of candidates.entries()) {
      const name = `collection.rank: candidates[${position}]`;
      if (index >= this.size) throw new RankletError("input", `${name} is ${index}, and the collection has ${this.size} documents`);
      if (hasFirstStage && distinct.has(index)) {
        throw new RankletError("input", `${name} is ${index} again; with fuse, list each candidate once, with its one firstStage score`);
      }
      distinct.add(index);
    }
    return Uint32Array.from(distinct);
  }
}

/** Returns the index in the collection of the document at a position in a job. */
function documentIndex({ candidates }: PreparedJob, position: number): number {
  return candidates?.[position] ?? position;
}

/** Returns the resource that a collection owns. A function of its own, so that its closure cannot refer to the collection. */
function preparedDocuments(scorer: Scorer, id: number): { dispose(): void } {
  return { dispose: () => scorer.release(id) };
}
