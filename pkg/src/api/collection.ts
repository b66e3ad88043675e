import { disposedError, RankletError, renumbered, withItemInMessage } from "../errors.js";
import { withRestart } from "../scoring/fallback.js";
import { type IndexedScores, streamJob } from "../scoring/score.js";
import type { Job, Scorer } from "../scoring/scorer.js";
import type { Collection, CollectionRanking, CollectionRankOptions, DocumentInput, Scores } from "../types.js";
import { abortWithError, linkAbort } from "../util/abort.js";
import { checkOptions, string } from "../util/check.js";
import { disposeWhenForgotten, stopWatching } from "../util/forgotten.js";
import { dispose } from "../util/symbols.js";
import { collectionChecks, queryRefusals } from "./options.js";
import { mergeTop, type ScoredDocument, scoredDocuments, toResult } from "./results.js";

/** The checked arguments of `rank`. */
interface RankRequest {
  readonly job: Extract<Job, { kind: "prepared" }>;
  readonly scores: Scores;
  readonly signal: AbortSignal | undefined;
  /** Aborted when a newer call replaces this one. */
  readonly controller: AbortController;
  readonly topN: number | undefined;
  readonly returnDocuments: boolean;
}

/** Documents that a scorer has prepared. */
export class PreparedCollection<D extends DocumentInput> implements Collection<D> {
  /** Keeps the reranker in memory, because its engine ends with it. */
  readonly reranker: object;
  readonly #scorer: Scorer;
  readonly #id: number;
  readonly #documents: readonly D[];
  /** Aborted by `dispose`. */
  readonly #lifetime = new AbortController();
  #latest: AbortController | undefined;

  /**
   * @param reranker the owner of the scorer
   * @param id the scorer's number for these documents
   */
  constructor(reranker: object, scorer: Scorer, id: number, documents: readonly D[]) {
    this.reranker = reranker;
    this.#scorer = scorer;
    this.#id = id;
    this.#documents = documents;
    disposeWhenForgotten(this, preparedDocuments(scorer, id));
  }

  get size(): number {
    return this.#documents.length;
  }

  rank(query: string, options?: CollectionRankOptions): AsyncGenerator<CollectionRanking<D>, void> {
    const { scores = "model", signal, topN, candidates, returnDocuments = false, latest = false } = checkOptions(
      "collection.rank",
      options,
      collectionChecks,
      queryRefusals,
    );
    const job = { kind: "prepared", query: string(query, "collection.rank: query"), collection: this.#id, candidates } as const;
    this.#checkCandidates(candidates);
    const controller = new AbortController();
    if (latest) {
      abortWithError(this.#latest, new RankletError("aborted", "a newer call replaced this one"));
      this.#latest = controller;
    }
    return this.#rank({ job, scores, signal, controller, topN, returnDocuments });
  }

  dispose(): void {
    if (this.#lifetime.signal.aborted) return;
    stopWatching(this);
    abortWithError(this.#lifetime, disposedError("collection"));
    this.#scorer.release(this.#id);
  }

  [dispose](): void {
    this.dispose();
  }

  async *#rank({ job, scores, signal, controller, topN, returnDocuments }: RankRequest): AsyncGenerator<CollectionRanking<D>, void> {
    const started = performance.now();
    const total = job.candidates?.length ?? this.size;
    let [done, tokens, engineMs] = [0, 0, 0];
    let top: ScoredDocument[] = [];
    // Until the results, indices are positions in the job, because equal scores keep that order.
    const documentIndex = (index: number): number => job.candidates?.[index] ?? index;
    const ranking = (): CollectionRanking<D> => ({
      results: top.map((scored) => toResult({ ...scored, index: documentIndex(scored.index) }, returnDocuments ? this.#documents : undefined)),
      done,
      total,
      usage: { tokens, documents: done },
      backend: this.#scorer.info.backend,
      timings: { totalMs: performance.now() - started, engineMs },
    });
    const add = (partial: IndexedScores): void => {
      top = mergeTop(top, scoredDocuments(partial, partial.indices), topN);
      done += partial.indices.length;
      tokens += partial.tokens;
      engineMs += partial.engineMs;
    };
    const unlinks = [signal, this.#lifetime.signal].map((other) => linkAbort(controller, other));
    const partials = (): AsyncGenerator<IndexedScores[], void> => streamJob(this.#scorer, job, 0, { scores, signal: controller.signal });
    try {
      for await (const ready of withRestart(this.#scorer, partials, () => ([top, done, tokens, engineMs] = [[], 0, 0, 0]))) {
        ready.forEach(add);
        yield ranking();
      }
      if (total === 0) yield ranking();
    } catch (error) {
      throw withItemInMessage(renumbered(error, documentIndex));
    } finally {
      for (const unlink of unlinks) unlink();
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
